// Save as alert: a panel at the right of the search, all of it visible. It makes a rule of the search, says what the
// rule would have said, and starts it in shadow mode, starts it, or keeps it as a draft.
import {ask} from './api.js';
import {backtest} from './backtest.js';
import {el, number, utc} from './dom.js';
import {showMessage, showRow} from './message.js';
import {toast} from './toast.js';
import {filterEnd} from './text.js';

// propose makes a name of a search: what it filters, by what, and the line.
export function propose(text, check) {
	const filter = text.slice(0, filterEnd(text)).trim();
	const words = [...filter.matchAll(/(?:^|[\s(:])(?:[\w.@-]+)\s*:\s*\(?"?([\w. -]+?)"?(?=$|\s+(?:and|or)\b|[)\s])/gi)].map(m => m[1].replace(/[_*]/g, ' ').trim()).filter(w => w && !/^(true|false)$/i.test(w));
	let name = words.slice(0, 3).join(' ') || filter.slice(0, 40) || 'All events';
	if (check?.by.length) name += ` by ${check.by.join(', ')}`;
	if (check?.threshold) name += ` ${check.threshold.op} ${check.threshold.value}`;
	return name.charAt(0).toUpperCase() + name.slice(1, 120);
}

// openAlertDrawer opens the panel. page has text(), check(), source(), window(), channel, and closed().
export function openAlertDrawer(page) {
	const opener = document.activeElement;
	const check = page.check();
	const id = name => `alert-${name}`;
	const input = (name, attributes) => el('input', {id: id(name), name, autocomplete: 'off', ...attributes});
	const select = (name, options, chosen) => el('select', {id: id(name), name}, options.map(([value, text]) => el('option', {value, selected: value === chosen}, text)));
	const field = (name, label, control, help) => el('div', {class: 'field'}, el('label', {for: id(name)}, el('span', {class: 'name'}, label)), control, help ? el('span', {class: 'help', id: id(`${name}-help`)}, help) : null);

	const name = input('name', {required: true, maxlength: '200', value: propose(page.text(), check)});
	const every = input('every', {value: '5m', required: true});
	const windowField = input('window', {value: page.window(), placeholder: 'as every'});
	const lookback = input('lookback', {value: 'auto', 'aria-describedby': id('lookback-help')});
	const per = select('per', [['row', 'row'], ['run', 'run']], 'row');
	const again = input('again', {value: '1h', placeholder: 'off'});
	const group = input('group', {value: check?.by.join(', ') ?? '', placeholder: 'as routes say'});
	const severity = select('severity', ['low', 'medium', 'high', 'critical'].map(s => [s, s]), 'medium');
	const channel = input('channel', {list: id('channels'), placeholder: page.channel || 'as routes say', 'aria-describedby': id('channel-help')});
	const channels = el('datalist', {id: id('channels')});
	const tags = input('tags', {placeholder: 'ssh, linux'});
	const owner = input('owner', {});
	const attack = input('attack', {placeholder: 'T1110.001'});
	const runbook = input('runbook', {type: 'url', placeholder: 'https://…'});
	const message = input('message', {placeholder: '{{.user.name}} failed {{.count}} times'});
	const forecast = el('div', {class: 'forecast', role: 'status', 'aria-live': 'polite'});
	const preview = el('div', {role: 'region', 'aria-label': 'The message'});
	const wrong = el('div', {role: 'alert'});
	const lookbackHelp = el('span', {class: 'help under', id: id('lookback-help')}, 'auto: as long as events are measured to take to arrive');
	const search = el('pre', {class: 'mono'});

	const shadow = el('button', {class: 'primary', type: 'submit', value: 'shadow'}, 'Start in shadow mode');
	const start = el('button', {type: 'submit', value: 'start'}, 'Start');
	const draft = el('button', {type: 'submit', value: 'draft'}, 'Save draft');
	const form = el('form', {class: 'drawer', role: 'dialog', 'aria-label': 'Save as alert', novalidate: true},
		el('header', {}, el('h2', {}, 'Save as alert'), el('button', {type: 'button', class: 'plain', 'aria-label': 'Close', onclick: () => close()}, '×')),
		el('div', {class: 'body'},
			wrong,
			field('name', 'Name', name),
			el('div', {class: 'field'}, el('span', {class: 'name'}, 'Search'), search),
			el('div', {class: 'row field'}, field('every', 'Run every', every), field('window', 'Window', windowField), el('div', {class: 'field'}, el('label', {for: id('lookback')}, el('span', {class: 'name'}, 'Look back')), lookback)),
			lookbackHelp,
			el('div', {class: 'row field'}, field('per', 'One message per', per), field('again', 'Same again after', again), field('severity', 'Severity', severity)),
			field('group', 'Group in one message by', group, 'Fields, with commas between. Alerts that agree in them share a message.'),
			field('channel', 'Send to', channel, page.channel ? `Empty is ${page.channel}, the default. A route that matches and has a channel of its own stands before it.` : 'No channel of Slack is connected yet: alerts are kept, and said to no one.'), channels,
			el('h3', {}, 'Forecast'), forecast,
			el('h3', {}, 'The message'), preview,
			el('details', {}, el('summary', {}, 'More'), field('message', 'Sentence of the message', message, 'A template over the row. Without one it is made of the search.'), field('tags', 'Tags', tags), field('attack', 'ATT&CK', attack), field('owner', 'Owner', owner), field('runbook', 'Runbook', runbook))),
		el('footer', {}, shadow, start, draft));
	document.body.append(form);
	document.body.classList.add('has-drawer');
	let named = name.value; // as proposed: it follows the search until someone writes another
	name.focus();
	name.select();

	const list = text => text.split(',').map(s => s.trim()).filter(Boolean);
	function rule(enabled) {
		const out = {name: name.value.trim(), search: page.text().trim(), source: page.source(), every: every.value.trim(), severity: severity.value, message_per: per.value, enabled};
		const set = (key, value) => { if (Array.isArray(value) ? value.length : value) out[key] = value; };
		set('window', windowField.value.trim());
		set('lookback', lookback.value.trim() === 'auto' ? '' : lookback.value.trim());
		set('same_again_after', again.value.trim());
		set('channel', channel.value.trim());
		set('group_by', list(group.value));
		set('tags', list(tags.value));
		set('attack', list(attack.value));
		set('owner', owner.value.trim());
		set('runbook', runbook.value.trim());
		set('message', message.value.trim());
		return out;
	}

	// problems shows what is wrong with the rule, each at its field.
	function problems(found) {
		for (const box of form.querySelectorAll('[aria-invalid]')) box.removeAttribute('aria-invalid');
		wrong.replaceChildren();
		if (!found.length) return;
		wrong.append(el('div', {class: 'note bad'}, el('ul', {}, found.map(p => el('li', {}, p.text ?? p.message)))));
		const keys = {name, every, window: windowField, lookback, same_again_after: again, channel, group_by: group, severity, tags, attack, owner, runbook, message};
		for (const p of found) for (const [key, box] of Object.entries(keys)) if (new RegExp(`\\b${key}\\b`).test(p.text ?? p.message)) box.setAttribute('aria-invalid', 'true');
		form.querySelector('.body').scrollTop = 0;
	}

	// The forecast: one at a time, with its progress; another change, or Cancel, ends it.
	let running = null, timer = null;
	async function foretell() {
		running?.abort();
		const mine = running = new AbortController();
		const bar = el('progress', {max: '1', value: 0, 'aria-label': 'Forecast'});
		bar.removeAttribute('value');
		forecast.replaceChildren(el('p', {class: 'busy'}, 'Judging the last 7 days… ', bar, el('button', {type: 'button', class: 'small', onclick: () => mine.abort()}, 'Cancel')));
		try {
			const last = await backtest(rule(true), {from: '-7d'}, mine.signal, share => { bar.value = share; });
			if (mine !== running) return;
			if (last.backtest) tell(last.backtest, last.message);
			else {
				showRow(preview, rule(true));
				forecast.replaceChildren(el('p', {}, last.error));
				if (last.problems) problems(last.problems);
			}
		} catch (error) {
			if (mine !== running) return;
			forecast.replaceChildren(el('p', {}, error.name === 'AbortError' ? 'Cancelled. ' : `${error.message} `, el('button', {type: 'button', class: 'small', onclick: foretell}, 'Forecast again')));
		}
	}
	function tell(b, message) {
		problems([]);
		const found = [...(b.found ?? [])].sort((x, y) => Date.parse(y.at) - Date.parse(x.at));
		if (message) showMessage(preview, message);
		else showRow(preview, rule(true));
		const most = Math.max(1, ...b.days.map(d => d.alerts + d.held));
		forecast.replaceChildren(el('p', {}, el('b', {}, b.sentence.charAt(0).toUpperCase() + b.sentence.slice(1))),
			el('ol', {class: 'day-bars', 'aria-label': 'Alerts by day'}, b.days.map(d => {
				const said = el('span', {class: 'day-bar'}), held = el('span', {class: 'day-bar held'});
				said.style.height = `${Math.round(d.alerts / most * 28)}px`;
				held.style.height = `${Math.round(d.held / most * 28)}px`;
				const text = `${d.day}: ${number(d.alerts)} alerts, ${number(d.messages)} messages${d.held ? `, ${number(d.held)} held back` : ''}`;
				return el('li', {title: text}, held, said, el('span', {class: 'visually-hidden'}, text));
			})),
			found.length ? el('details', {}, el('summary', {}, `${b.found_all > found.length ? `${number(found.length)} of ${number(b.found_all)}` : `The ${number(found.length)}`} ${found.length === 1 ? 'alert' : 'alerts'}`),
				el('ul', {class: 'found'}, found.slice(0, 50).map(f => el('li', {}, el('span', {class: 'mono'}, utc(Date.parse(f.first ?? f.at)).slice(0, 19)), ' ', f.reason, f.held ? el('span', {class: 'quiet'}, ` (${f.held}: ${f.held_reason})`) : '')))) : '',
			b.exact ? '' : el('p', {class: 'quiet'}, `Not exact: ${(b.reasons ?? []).join('; ')}`),
			!b.alerts && b.misses?.length ? el('p', {class: 'quiet'}, `Nearest miss: ${b.misses[0].key?.map?.(f => f.value).join(', ') ?? ''} ${number(b.misses[0].value ?? 0)}`) : '');
	}

	function refresh() {
		search.textContent = page.text();
		if (name.value === named) name.value = named = propose(page.text(), page.check());
		clearTimeout(timer);
		timer = setTimeout(() => { foretell(); }, 500);
	}

	async function save(enabled, saying) {
		for (const button of [shadow, start, draft]) button.disabled = true;
		try {
			const made = await ask('POST', '/rules', {content: JSON.stringify(rule(enabled)), format: 'json', base: 0});
			close();
			toast(`${made.name}: ${saying}`, 'good');
		} catch (error) {
			problems(error.body?.problems?.length ? error.body.problems : [{message: error.message}]);
		} finally {
			for (const button of [shadow, start, draft]) button.disabled = false;
		}
	}
	form.addEventListener('submit', event => {
		event.preventDefault();
		const how = event.submitter?.value ?? 'shadow';
		if (how === 'start') save(true, 'it runs, and speaks.');
		else if (how === 'draft') save(false, 'it is kept, and does not run.');
		else save('shadow', 'it runs in shadow mode: its alerts are kept, and said to no one.');
	});
	form.addEventListener('input', event => { if (event.target !== name) refresh(); });
	form.addEventListener('keydown', event => {
		if (event.key === 'Escape') { event.preventDefault(); close(); }
	});

	function close() {
		running?.abort();
		clearTimeout(timer);
		form.remove();
		document.body.classList.remove('has-drawer');
		page.closed();
		opener?.focus?.();
	}

	ask('GET', '/channels').then(found => {
		channels.replaceChildren(...found.channels.filter(c => c.kind !== 'unknown').map(c => el('option', {value: c.name})));
	}).catch(() => {});
	ask('GET', `/ingest-delay?${new URLSearchParams({source: page.source()})}`).then(found => {
		if (!found.known) return;
		const seconds = Math.ceil(found.p99_ms / 1000);
		const text = seconds < 60 ? `${seconds}s` : `${Math.floor(seconds / 60)}m${seconds % 60 ? `${seconds % 60}s` : ''}`;
		lookbackHelp.textContent = `auto: as long as events are measured to take to arrive. 99 % of the newest ${number(found.looked_at)} arrived within ${text}.`;
	}).catch(() => {});
	refresh();
	return {changed: refresh, focus: () => name.focus(), close};
}
