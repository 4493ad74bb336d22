// What a search found: events that open into their fields, and tables. A value that is clicked offers to add, exclude
// or count by it.
import {el, number, utc} from './dom.js';
import {flatten} from './text.js';

let pop = null;
function closePop(focusBack) {
	pop?.menu.remove();
	document.removeEventListener('pointerdown', pop?.outside);
	if (focusBack) pop?.from.focus();
	pop = null;
}

// offer opens the menu of a value.
function offer(from, field, value, act) {
	closePop(false);
	const choose = what => () => { closePop(true); act(what, field, value); };
	const menu = el('div', {class: 'menu-pop', role: 'menu', 'aria-label': `${field}: ${shown(value)}`},
		el('span', {class: 'what mono'}, `${field}: ${shown(value)}`),
		el('button', {type: 'button', role: 'menuitem', onclick: choose('add')}, 'Only this value'),
		el('button', {type: 'button', role: 'menuitem', onclick: choose('exclude')}, 'Exclude it'),
		el('button', {type: 'button', role: 'menuitem', onclick: choose('count')}, `Count by ${field}`));
	document.body.append(menu);
	const at = from.getBoundingClientRect();
	menu.style.left = `${Math.max(4, Math.min(at.left + scrollX, scrollX + document.documentElement.clientWidth - menu.offsetWidth - 8))}px`;
	menu.style.top = `${at.bottom + scrollY + 4}px`;
	const outside = event => { if (!menu.contains(event.target)) closePop(false); };
	pop = {menu, from, outside};
	setTimeout(() => document.addEventListener('pointerdown', outside), 0);
	const items = [...menu.querySelectorAll('button')];
	menu.addEventListener('keydown', event => {
		const i = items.indexOf(document.activeElement);
		if (event.key === 'Escape') closePop(true);
		else if (event.key === 'ArrowDown') items[(i + 1) % items.length].focus();
		else if (event.key === 'ArrowUp') items[(i + items.length - 1) % items.length].focus();
		else return;
		event.preventDefault();
	});
	items[0].focus();
}

export function shown(value) {
	if (value === null || value === undefined) return '–';
	return typeof value === 'object' ? JSON.stringify(value) : String(value);
}

function valueButton(field, value, act) {
	if (Array.isArray(value)) return el('span', {}, value.map((one, i) => [i ? ', ' : '', valueButton(field, one, act)]).flat());
	if (value === null || value === undefined) return el('span', {class: 'quiet'}, '–');
	return el('button', {type: 'button', class: 'value', 'aria-haspopup': 'menu', onclick: event => { event.stopPropagation(); offer(event.currentTarget, field, value, act); }}, shown(value));
}

const first = ['event.action', 'event.outcome', 'user.name', 'source.ip', 'host.name', 'process.name', 'url.path', 'http.response.status_code', 'rule.name', 'message'];
const dull = /^(@timestamp|ecs\.version|event\.original|event\.ingested|agent\.|data_stream\.|log\.offset|host\.(id|mac|architecture|os))/;

// summary is a line of what matters of a document.
function summary(fields, timeField) {
	const rank = name => { const i = first.indexOf(name); return i < 0 ? first.length : i; };
	return fields.filter(([name, value]) => name !== timeField && value !== null && !dull.test(name)).sort((a, b) => rank(a[0]) - rank(b[0])).slice(0, 14);
}

// events lists documents.
export function events(answer, timeField, act) {
	const body = el('tbody');
	answer.rows.forEach((document, i) => {
		const fields = flatten(document);
		const time = fields.find(([name]) => name === timeField)?.[1];
		const open = el('button', {type: 'button', class: 'plain', 'aria-expanded': 'false', 'aria-label': `Document ${i + 1}: show all fields`}, '▸');
		const row = el('tr', {class: 'event'},
			el('td', {class: 'open'}, open),
			el('td', {class: 'time'}, timeText(time)),
			el('td', {}, el('div', {class: 'summary'}, summary(fields, timeField).map(([name, value]) => el('span', {}, el('span', {class: 'name'}, `${name}: `), valueButton(name, value, act))))));
		let whole = null;
		open.addEventListener('click', () => {
			if (whole) { whole.remove(); whole = null; }
			else row.after(whole = documentRow(fields, answer.documents?.[i], document, act));
			open.setAttribute('aria-expanded', whole ? 'true' : 'false');
			open.textContent = whole ? '▾' : '▸';
		});
		body.append(row);
	});
	return el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Events'},
		el('table', {class: 'events'}, el('thead', {}, el('tr', {}, el('th', {scope: 'col'}, el('span', {class: 'visually-hidden'}, 'Open')), el('th', {scope: 'col'}, 'Time (UTC)'), el('th', {scope: 'col'}, 'Event'))), body));
}

function timeText(time) {
	const ms = typeof time === 'string' ? Date.parse(time) : time;
	return Number.isFinite(ms) ? utc(ms) : shown(time);
}

function documentRow(fields, found, document, act) {
	const raw = el('pre', {hidden: true}, JSON.stringify(document, null, 2));
	const table = el('table', {}, el('tbody', {}, [...fields].sort((a, b) => a[0] < b[0] ? -1 : 1).map(([name, value]) =>
		el('tr', {}, el('th', {scope: 'row', class: 'key mono'}, name), el('td', {}, valueButton(name, value, act))))));
	const toggle = el('button', {type: 'button', class: 'small', 'aria-pressed': 'false', onclick: () => {
		raw.hidden = !raw.hidden;
		table.hidden = !raw.hidden;
		toggle.setAttribute('aria-pressed', String(!raw.hidden));
	}}, 'JSON');
	return el('tr', {class: 'document'}, el('td', {colspan: '3'},
		el('p', {class: 'quiet'}, toggle, ' ', found?.index ? `${found.index} · ${found.id}` : ''), table, raw));
}

// table shows rows in columns. What is no field of documents, which isField tells, offers nothing.
export function table(columns, rows, act, isField = () => true) {
	const numeric = new Set(columns.filter(c => c.type === 'long' || c.type === 'double').map(c => c.name));
	return el('div', {class: 'scroll', tabindex: '0', role: 'region', 'aria-label': 'Table'},
		el('table', {}, el('thead', {}, el('tr', {}, columns.map(c => el('th', {scope: 'col', class: numeric.has(c.name) ? 'number' : ''}, c.name)))),
			el('tbody', {}, rows.map(row => el('tr', {}, columns.map(c => el('td', {class: numeric.has(c.name) ? 'number' : c.type === 'time' ? 'time mono' : ''},
				c.type === 'time' && row[c.name] ? timeText(row[c.name]) : isField(c.name) ? valueButton(c.name, row[c.name], act) : shown(row[c.name]))))))));
}

// tableOfDocuments shows documents in the columns that most of them have.
export function tableOfDocuments(answer, timeField, act) {
	const flat = answer.rows.map(row => Object.fromEntries(flatten(row)));
	const uses = new Map();
	for (const row of flat) for (const name of Object.keys(row)) if (!dull.test(name)) uses.set(name, (uses.get(name) ?? 0) + 1);
	const rank = name => { const i = first.indexOf(name); return i < 0 ? first.length : i; };
	const names = [...uses].sort((a, b) => rank(a[0]) - rank(b[0]) || b[1] - a[1]).slice(0, 9).map(([name]) => name);
	return table([{name: timeField, type: 'time'}, ...names.map(name => ({name, type: ''}))], flat, act);
}

// facts is the line over the results.
export function facts(answer) {
	const n = answer.rows.length;
	const what = answer.raw ? (n === 1 ? 'event' : 'events') : (n === 1 ? 'row' : 'rows');
	const took = answer.cost.took_ns / 1e6;
	return `${answer.more ? `the newest ${number(n)}` : number(n)} ${what}${answer.more ? ', there are more' : ''} · ${took < 1 ? 'under 1 ms' : took < 1000 ? `${Math.round(took)} ms` : `${(took / 1000).toFixed(1)} s`}`;
}
