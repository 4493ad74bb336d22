// What a rule would have said, and why it did not: the parts of the pages of rules that ask the API. Without script
// the pages work but for these.
import {Failure, ask} from './api.js';
import {el, number} from './dom.js';
import './channel.js';

// stream posts and calls each for every line of the answer.
async function stream(path, body, signal, each) {
	const response = await fetch(`/api/v1${path}`, {
		method: 'POST', signal, credentials: 'same-origin', body: JSON.stringify(body),
		headers: {'Content-Type': 'application/json', Accept: 'application/x-ndjson'},
	});
	if (!response.ok) {
		let parsed = null;
		try { parsed = await response.json(); } catch { /* the status is said */ }
		throw new Failure(response.status, parsed);
	}
	const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
	let rest = '';
	for (;;) {
		const {value, done} = await reader.read();
		rest += value ?? '';
		const lines = rest.split('\n');
		rest = lines.pop();
		for (const line of lines) if (line.trim()) each(JSON.parse(line));
		if (done) {
			if (rest.trim()) each(JSON.parse(rest));
			return;
		}
	}
}

// bars draws the messages of each day as columns; the day and its numbers are in the title and for screen readers.
function bars(days) {
	const most = Math.max(1, ...days.map(d => d.messages));
	return el('figure', {class: 'days'}, el('ol', {}, days.map(d => {
		const said = `${d.day}: ${number(d.messages)} messages, ${number(d.alerts)} alerts${d.held ? `, ${number(d.held)} held back` : ''}`;
		const bar = el('i', {class: d.messages ? '' : 'none'});
		bar.style.height = `${Math.max(2, d.messages / most * 100)}%`;
		return el('li', {title: said}, bar, el('span', {class: 'visually-hidden'}, said));
	})), el('figcaption', {}, el('span', {}, days[0].day), el('span', {}, `at most ${number(most)} messages a day`), el('span', {}, days.at(-1).day)));
}

const facts = key => key.map(f => `${f.name} ${f.value}`).join(', ') || 'all';

function backtest(b) {
	const out = [el('p', {class: 'said'}, `It ${b.sentence}.`)];
	if (!b.exact) out.push(el('p', {class: 'quiet'}, `Not exact: ${(b.reasons ?? []).join('; ')}`));
	for (const w of b.warnings ?? []) out.push(el('p', {class: 'quiet'}, w));
	if (b.days?.length) out.push(bars(b.days));
	if (b.top?.length) {
		out.push(el('h3', {}, 'By key'), el('ul', {}, b.top.slice(0, 8).map(k => el('li', {}, `${facts(k.key)}: ${number(k.alerts)} alerts${k.held ? `, ${number(k.held)} held back` : ''}`))));
	}
	if (b.misses?.length) {
		out.push(el('h3', {}, `Nearest misses (${b.threshold ?? 'the threshold'})`), el('ul', {}, b.misses.slice(0, 5).map(m => el('li', {}, `${facts(m.key)}: ${number(m.value)}, needs ${m.needs}`))));
	}
	return out;
}

const alertsOf = (title, found) => found.length ? [el('h3', {}, title), el('ul', {}, found.slice(0, 10).map(f =>
	el('li', {}, `${f.first.slice(0, 16).replace('T', ' ')} ${f.reason}${f.held ? ` (${f.held}: ${f.held_reason})` : ''}`)))] : [];

function difference(d) {
	return [el('p', {class: 'said'}, d.sentence), el('ul', {class: 'numbers'}, el('li', {}, el('b', {}, number(d.same)), 'as before'), el('li', {}, el('b', {}, `+${number(d.gained)}`), 'new'), el('li', {}, el('b', {}, `−${number(d.lost)}`), 'no longer')),
		...alertsOf('New alerts', d.gained_alerts ?? []), ...alertsOf('Alerts no longer', d.lost_alerts ?? [])];
}

for (const part of document.querySelectorAll('[data-forecast]')) {
	const out = part.querySelector('[data-forecast-out]');
	const button = part.querySelector('[data-forecast-run]');
	let running = null;
	button.addEventListener('click', async () => {
		if (running) {
			running.abort();
			return;
		}
		running = new AbortController();
		button.textContent = 'Cancel';
		const bar = el('progress', {max: 1, 'aria-label': 'How far the forecast is'});
		out.replaceChildren(bar);
		const text = document.querySelector('[data-rule-text]');
		const body = {from: part.querySelector('[data-forecast-from]').value};
		if (text) body.content = text.value;
		else body.rule = part.dataset.rule;
		if (part.dataset.compare) body.compare_with = {rule: part.dataset.compare};
		try {
			await stream('/rules/backtests', body, running.signal, line => {
				if (line.progress !== undefined) bar.value = line.progress;
				if (line.error) throw new Failure(400, line);
				if (line.backtest || line.difference) out.replaceChildren(...(line.difference ? difference(line.difference) : []), ...(line.backtest ?? line.difference?.new ? backtest(line.backtest ?? line.difference.new) : []));
			});
		} catch (error) {
			out.replaceChildren(el('p', {class: error.name === 'AbortError' ? 'quiet' : 'trouble'}, error.name === 'AbortError' ? 'Cancelled.' : error.message));
		}
		running = null;
		button.textContent = 'Forecast';
	});
}

// results are the badges of what a step of the way gave.
const results = {yes: 'good', no: 'bad', note: ''};

const clauses = list => el('ul', {}, list.map(c => el('li', {}, el('span', {class: `badge ${c.matches ? 'good' : 'bad'}`}, c.matches ? 'true' : 'false'),
	' ', el('code', {}, c.text), c.has ? ` (${c.has})` : null, c.parts?.length ? clauses(c.parts) : null)));

for (const part of document.querySelectorAll('[data-whynot]')) {
	const out = part.querySelector('[data-whynot-out]');
	part.querySelector('[data-whynot-run]').addEventListener('click', async () => {
		const text = part.querySelector('[data-whynot-document]').value.trim();
		let body = {id: text};
		if (text.startsWith('{')) {
			try {
				body = {document: JSON.parse(text)};
			} catch (error) {
				out.replaceChildren(el('p', {class: 'trouble'}, `This is not JSON: ${error.message}`));
				return;
			}
		}
		out.replaceChildren(el('p', {class: 'quiet'}, 'Looking…'));
		try {
			const answer = await ask('POST', `/rules/${encodeURIComponent(part.dataset.rule)}/why`, body);
			out.replaceChildren(el('p', {class: 'said'}, answer.sentence), el('ol', {class: 'timeline'}, answer.steps.map(step =>
				el('li', {}, el('span', {class: `badge ${results[step.result] ?? ''}`}, step.result), ` ${step.text}`, step.clauses?.length ? clauses(step.clauses) : null))));
		} catch (error) {
			out.replaceChildren(el('p', {class: 'trouble'}, error.message));
		}
	});
}
