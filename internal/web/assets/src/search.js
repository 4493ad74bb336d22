// The search page: the box, the chart, the results, and saving as an alert.
import {ask, Failure} from './api.js';
import {backtest} from './backtest.js';
import {makeChart} from './chart.js';
import {el, number, utc} from './dom.js';
import {openAlertDrawer} from './drawer.js';
import {makeEditor} from './editor.js';
import {openRecent, openSaved, remember, recentSearches} from './kept.js';
import {events, facts, table, tableOfDocuments} from './results.js';
import {countBy, isClause, withClause} from './text.js';

const form = document.getElementById('search');
if (form) start();

function start() {
	const at = id => document.getElementById(id);
	const area = at('query'), source = at('source'), results = at('results'), chartCard = at('chart'), caption = at('caption'), problems = at('problems').firstElementChild;
	const state = {from: '-24h', to: '', window: '', check: null, tab: 'results', answer: null, by: [], older: -1, draft: ''};
	let running = null, sources = [];

	// What is searched stands in the address, so that it can be sent and gone back to.
	function readAddress() {
		const params = new URLSearchParams(location.search);
		area.value = params.get('q') ?? '';
		if (params.get('source') && [...source.options].some(o => o.value === params.get('source'))) source.value = params.get('source');
		state.from = params.get('from') || '-24h';
		state.to = params.get('to') || '';
		return params.has('q');
	}
	const asked = readAddress();
	const range = () => ({source: source.value, from: state.from, to: state.to || undefined});

	const chart = makeChart(at('plot'), {
		zoom(from, to) { setTime(new Date(from).toISOString(), new Date(to).toISOString()); run(); },
		threshold(value, final) {
			const t = state.check?.threshold;
			if (!t) return;
			editor.replace(t.start, t.end, String(value));
			t.end = t.start + String(value).length;
			t.value = value;
			say();
			if (final) alertDrawer?.changed();
		},
	});

	const editor = makeEditor(area, {
		complete: (query, position, signal) => ask('POST', '/complete', {query, position, ...range()}, signal),
		check: async query => {
			const found = await ask('POST', '/search/check', {query, source: source.value});
			if (query === editor.text) checked(found);
			return found;
		},
		run, save: () => at('alert')?.click(),
		older: () => walk(1), newer: () => walk(-1),
		changed(update) {
			const t = state.check?.threshold;
			if (t) { // the place moves with the text until the next check
				t.start = update.changes.mapPos(t.start, 1);
				t.end = update.changes.mapPos(t.end, -1);
			}
		},
	});

	function checked(found) {
		state.check = found;
		const say = (list, kind) => list.map(p => el('li', {class: kind}, `${p.line > 1 ? `line ${p.line}, ` : ''}column ${p.column}: ${p.message}`,
			p.hint ? el('button', {type: 'button', class: 'small', onclick: () => { editor.replace(p.start, p.end, p.hint); editor.focus(); }}, `use ${p.hint}`) : null));
		problems.replaceChildren(...say(found.problems, 'error'), ...say(found.warnings, 'warning'));
		if (found.threshold) {
			chart.moved(found.threshold.value, found.threshold.op);
			window.queueMicrotask(captionOf);
		}
		alertDrawer?.changed();
	}

	// Time.
	function setTime(from, to = '') {
		state.from = from;
		state.to = to;
		for (const button of at('times').querySelectorAll('[data-from]')) button.setAttribute('aria-pressed', String(button.dataset.from === from && !to));
		const custom = ![...at('times').querySelectorAll('[data-from]')].some(b => b.dataset.from === from) || Boolean(to);
		at('times').querySelector('[data-custom]').setAttribute('aria-pressed', String(custom));
		at('from').value = from;
		at('to').value = to;
		if (custom) showCustom(true);
	}
	function showCustom(open) {
		at('custom').hidden = !open;
		at('times').querySelector('[data-custom]').setAttribute('aria-expanded', String(open));
	}
	at('times').addEventListener('click', event => {
		const button = event.target.closest('button');
		if (!button) return;
		if (button.dataset.from) { showCustom(false); setTime(button.dataset.from); run(); } else showCustom(at('custom').hidden);
	});
	const applyTime = () => { setTime(at('from').value.trim() || '-24h', at('to').value.trim()); run(); };
	at('apply').addEventListener('click', applyTime);
	for (const id of ['from', 'to']) at(id).addEventListener('keydown', event => { if (event.key === 'Enter') { event.preventDefault(); applyTime(); } });
	source.addEventListener('change', () => { warm(); run(); });

	// History.
	function walk(step) {
		const past = recentSearches().map(one => one.query);
		if (state.older < 0) state.draft = editor.text;
		state.older = Math.max(-1, Math.min(past.length - 1, state.older + step));
		editor.text = state.older < 0 ? state.draft : past[state.older];
	}
	function use(one) {
		if (one.source && [...source.options].some(o => o.value === one.source)) source.value = one.source;
		if (one.from) setTime(one.from, one.to);
		editor.text = one.query;
		run();
	}
	at('recent').addEventListener('click', () => openRecent(use));
	at('saved').addEventListener('click', () => openSaved(use, () => ({query: editor.text, source: source.value, from: state.from, to: state.to}), form.hasAttribute('data-edits')));

	// A click on a value.
	function act(what, field, value) {
		if (what === 'count') editor.text = countBy(editor.text, field);
		else editor.text = withClause(editor.text, what === 'add' ? isClause(field, value) : `not ${isClause(field, value)}`);
		run();
	}

	const timeField = () => sources.find(one => one.name === source.value)?.time_field || '@timestamp';

	// Run.
	form.addEventListener('submit', event => { event.preventDefault(); run(); });
	at('cancel').addEventListener('click', () => running?.abort());

	async function run() {
		running?.abort();
		const mine = running = new AbortController();
		const query = editor.text;
		state.older = -1;
		const address = new URLSearchParams({q: query, source: source.value, from: state.from});
		if (state.to) address.set('to', state.to);
		if (`?${address}` !== location.search) history.pushState(null, '', `?${address}`);
		at('cancel').hidden = false;
		form.setAttribute('aria-busy', 'true');
		results.replaceChildren(el('p', {class: 'busy', role: 'status'}, 'Searching…'));
		try {
			const wait = ask('POST', '/search', {query, ...range(), limit: 500, documents: true}, mine.signal);
			wait.catch(() => {}); // told below
			const found = await ask('POST', '/search/check', {query, source: source.value}, mine.signal);
			if (query === editor.text) checked(found);
			const [answer] = await Promise.all([wait, found.ok ? drawChart(query, found, mine.signal) : null]);
			remember({query, source: source.value, from: state.from, to: state.to});
			state.answer = answer;
			state.by = found.by;
			state.query = query;
			state.tab = answer.raw ? 'events' : 'table';
			show();
		} catch (error) {
			if (mine !== running) return; // another search goes on
			if (error.name === 'AbortError') {
				results.replaceChildren(el('p', {class: 'note', role: 'status'}, 'Cancelled.'));
			} else {
				const list = error.body?.problems ?? [];
				results.replaceChildren(el('section', {class: 'note bad', role: 'alert'}, el('h2', {}, list.length ? 'The search has a mistake' : 'The search did not work'),
					...(list.length ? list.map(p => el('p', {}, `line ${p.line}, column ${p.column}: ${p.message}`)) : [el('p', {}, error.message)])));
				if (!(error instanceof Failure)) throw error;
			}
		} finally {
			if (mine === running) {
				at('cancel').hidden = true;
				form.removeAttribute('aria-busy');
			}
		}
	}

	async function drawChart(query, found, signal) {
		chartCard.hidden = false;
		try {
			if (found.threshold) {
				chart.windows(await ask('POST', '/windows', {query, ...range(), window: found.threshold.window || state.window || undefined}, signal));
				if (state.check?.threshold) chart.moved(state.check.threshold.value, state.check.threshold.op);
			} else chart.counts(await ask('POST', '/histogram', {query, ...range()}, signal));
			captionOf();
		} catch (error) {
			if (error.name === 'AbortError') throw error;
			chart.clear();
			caption.replaceChildren(el('span', {}, error.message));
		}
	}

	// captionOf says in words what the chart shows.
	function captionOf() {
		if (chart.kind !== 'windows') {
			caption.replaceChildren(el('span', {}, el('b', {}, `${number(chart.total)} ${chart.total === 1 ? 'event' : 'events'}`), `, ${chart.step} a bar. Drag over a part to zoom in.`));
			return;
		}
		const t = state.check?.threshold;
		const groups = chart.groups();
		const over = groups.filter(g => g.over > 0);
		const count = over.reduce((sum, g) => sum + g.over, 0);
		const length = el('select', {'aria-label': 'Length of a window', onchange: event => { state.window = event.target.value; run(); }},
			['1m', '5m', '15m', '30m', '1h', '24h'].map(w => el('option', {value: w, selected: w === (state.window || '5m')}, w)));
		caption.replaceChildren(
			el('span', {}, t?.window ? `In windows of ${t.window}: ` : ['In windows of ', length, ': '].flat(),
				el('b', {}, count === 0 ? 'nothing is over the line' : `${number(count)} ${count === 1 ? 'window' : 'windows'} of ${number(over.length)} ${over.length === 1 ? 'group' : 'groups'} over the line`),
				t?.by.length ? ` (of the ${groups.length} that go furthest)` : ''),
			...groups.filter(g => t?.by.length).map(g => el('button', {
				type: 'button', class: `chip ${g.over ? 'over' : ''}`, 'aria-pressed': 'false', title: `Show ${g.name} alone`,
				onclick: event => { const chosen = chart.choose(g.name); for (const b of caption.querySelectorAll('.chip')) b.setAttribute('aria-pressed', String(b === event.currentTarget && chosen !== null)); },
			}, `${g.name} ${number(g.furthest)}`)));
	}
	function say() { captionOf(); }

	// show puts the answer on the page.
	function show() {
		const {answer} = state;
		if (!answer.rows.length) {
			results.replaceChildren(el('section', {class: 'empty'}, el('h2', {}, 'Nothing found'), el('p', {class: 'busy'}, 'Looking for why…')));
			explainNothing();
			return;
		}
		const tabs = answer.raw ? [['events', 'Events'], ['table', 'Table']] : [['table', 'Table'], ['events', 'Events'], ['alerts', 'Would alert']];
		const head = el('div', {class: 'results-head'},
			el('div', {class: 'segments', role: 'group', 'aria-label': 'Show as'}, tabs.map(([id, name]) => el('button', {
				type: 'button', 'aria-pressed': String(state.tab === id), onclick: () => { state.tab = id; show(); },
			}, name))),
			el('span', {class: 'facts-line', role: 'status'}, facts(answer)));
		const notes = [...answer.warnings.map(text => ['warn', text]), ...(answer.inexact ?? []).map(text => ['warn', `Not exact: ${text}`])]
			.map(([kind, text]) => el('p', {class: `note ${kind}`}, text));
		const body = el('div', {class: 'card'});
		if (answer.raw) body.append(state.tab === 'events' ? events(answer, timeField(), act) : tableOfDocuments(answer, timeField(), act));
		else if (state.tab === 'table') body.append(table(answer.columns, answer.rows, act, name => !state.by.length || state.by.includes(name)));
		else if (state.tab === 'alerts') wouldAlert(body);
		else eventsOf(body);
		results.replaceChildren(head, ...notes, body);
	}

	// eventsOf shows the documents that a search with pipes looks at.
	async function eventsOf(body) {
		body.append(el('p', {class: 'busy', role: 'status'}, 'Searching…'));
		try {
			const answer = await ask('POST', '/search', {query: state.check?.events ?? state.query, ...range(), limit: 200, documents: true}, running?.signal);
			body.replaceChildren(answer.rows.length ? events(answer, timeField(), act) : el('p', {}, 'There are no events in this time.'));
		} catch (error) {
			if (error.name !== 'AbortError') body.replaceChildren(el('p', {class: 'note bad'}, error.message));
		}
	}

	// wouldAlert lists what the search would have said in this time, were it a rule.
	async function wouldAlert(body) {
		const mine = running ?? new AbortController();
		const bar = el('progress', {max: '1', 'aria-label': 'Judging the past'});
		body.append(el('p', {class: 'busy', role: 'status'}, 'Judging the past… ', bar));
		const window = state.check?.threshold?.window ? undefined : state.window || '5m';
		try {
			const last = await backtest({name: 'This search', search: state.query, source: source.value, every: '5m', window}, {from: state.from, to: state.to || undefined}, mine.signal, share => { bar.value = share; });
			if (!last.backtest) {
				body.replaceChildren(el('p', {class: 'note bad'}, last.error));
				return;
			}
			const b = last.backtest;
			body.replaceChildren(el('p', {}, el('b', {}, b.sentence.charAt(0).toUpperCase() + b.sentence.slice(1))),
				b.found?.length ? table([{name: 'First', type: 'time'}, {name: 'Last', type: 'time'}, {name: 'Who or what', type: ''}, {name: 'Count', type: 'long'}, {name: 'Alert', type: ''}, {name: 'Kept back', type: ''}],
					[...b.found].reverse().map(f => ({First: f.first, Last: f.last, 'Who or what': (f.key ?? []).map(k => k.value).join(', '), Count: f.count, Alert: f.reason, 'Kept back': f.held ? `${f.held}: ${f.held_reason}` : ''})), act, () => false) : '');
		} catch (error) {
			if (error.name !== 'AbortError') body.replaceChildren(el('p', {class: 'note bad'}, error.message));
		}
	}

	async function explainNothing() {
		const steps = [];
		const wider = [['-1h', '1 hour'], ['-24h', '24 hours'], ['-7d', '7 days'], ['-30d', '30 days'], ['-365d', 'a year']];
		try {
			const hints = await ask('POST', '/search/hints', {query: state.query, source: source.value}, running?.signal);
			for (const w of hints.warnings) {
				steps.push(el('li', {}, `${w.message} `, w.hint ? el('button', {type: 'button', class: 'small', onclick: () => { editor.replace(w.start, w.end, w.hint); run(); }}, `use ${w.hint}`) : null));
			}
			if (hints.match) {
				const age = Date.now() - Date.parse(hints.match);
				const fits = wider.find(([from]) => age < {h: 3600e3, d: 86400e3}[from.at(-1)] * Number(from.slice(1, -1)));
				steps.push(el('li', {}, `The newest event that fits is of ${utc(Date.parse(hints.match))}. `,
					fits && fits[0] !== state.from ? el('button', {type: 'button', class: 'small', onclick: () => { setTime(fits[0]); run(); }}, `Search ${fits[1]}`) : null));
				if (!state.answer.raw) steps.push(el('li', {}, 'There are events; what comes after the first | keeps none of them.'));
			} else if (hints.newest) steps.push(el('li', {}, `No event of any time fits the filter. The newest event of ${source.value} is of ${utc(Date.parse(hints.newest))}.`));
			else steps.push(el('li', {}, `${source.value} holds no events yet.`));
		} catch (error) {
			if (error.name === 'AbortError') return;
			steps.push(el('li', {}, error.message));
		}
		results.replaceChildren(el('section', {class: 'empty'}, el('h2', {}, 'Nothing found'), el('ul', {}, steps)));
	}

	// Save as alert.
	let alertDrawer = null;
	at('alert')?.addEventListener('click', () => {
		if (alertDrawer) { alertDrawer.focus(); return; }
		alertDrawer = openAlertDrawer({
			text: () => editor.text, check: () => state.check, source: () => source.value, window: () => state.window, channel: form.dataset.channel,
			closed() { alertDrawer = null; },
		});
	});

	// What completion needs is asked for before it is needed.
	const warm = () => ask('GET', `/fields?${new URLSearchParams({source: source.value, from: state.from})}`).catch(() => {});

	addEventListener('popstate', () => { readAddress(); setTime(state.from, state.to); editor.text = area.value; run(); });
	setTime(state.from, state.to);
	showCustom(!at('custom').hidden);
	ask('GET', '/sources').then(found => { sources = found.sources; }).catch(() => {});
	warm();
	if (asked || location.pathname === '/' || location.pathname === '/search') run();
	if (matchMedia('(hover: hover)').matches) editor.focus(); // a phone would open its keyboard
}
