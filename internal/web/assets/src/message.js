// The message that a rule would post, filled with what is newest: the last alert that it would have made, or, where
// it would have made none, the newest row of its search.
import {ask} from './api.js';
import {el, number, utc} from './dom.js';

let asked = null;

const card = (rule, sentence, facts, foot) => el('div', {class: 'preview'},
	el('p', {}, el('b', {}, rule.name || 'Without a name'), ' ', el('span', {class: `badge ${rule.severity}`}, rule.severity)),
	sentence ? el('p', {}, sentence) : null,
	el('dl', {class: 'facts'}, facts.map(([name, value]) => [el('dt', {}, name), el('dd', {}, value)]).flat()),
	foot ? el('p', {class: 'quiet'}, foot) : null);

// showAlert shows the message of an alert that a backtest found.
export function showAlert(box, rule, found) {
	asked?.abort();
	const from = Date.parse(found.first ?? found.at), to = Date.parse(found.last ?? found.at);
	box.replaceChildren(card(rule, found.reason, (found.key ?? []).map(f => [f.name, String(f.value)]),
		`${found.count ? `${number(found.count)} events, ` : ''}${utc(from)}${to > from ? ` to ${utc(to).slice(11)}` : ''} UTC`));
}

// showRow shows the message as far as it can be told from the newest row of the search.
export async function showRow(box, rule) {
	asked?.abort();
	const mine = asked = new AbortController();
	try {
		const answer = await ask('POST', '/search', {query: rule.search, source: rule.source, from: '-7d', limit: 1}, mine.signal);
		const row = answer.rows[0];
		if (mine.signal.aborted) return;
		if (!row) {
			box.replaceChildren(el('p', {class: 'quiet'}, 'No row in the last 7 days: there is nothing to fill the message with yet.'));
			return;
		}
		const facts = answer.columns.filter(c => row[c.name] !== null && row[c.name] !== undefined).slice(0, 8);
		box.replaceChildren(card(rule, '', facts.map(c => [c.name, typeof row[c.name] === 'object' ? JSON.stringify(row[c.name]) : String(row[c.name])]), 'The newest row of the last 7 days.'));
	} catch (error) {
		if (error.name !== 'AbortError') box.replaceChildren(el('p', {class: 'quiet'}, error.message));
	}
}
