// The message that a rule would post, filled with the newest real row.
import {ask} from './api.js';
import {el} from './dom.js';

let asked = null;

export async function showMessage(box, rule) {
	asked?.abort();
	const mine = asked = new AbortController();
	if (!box.childNodes.length) box.replaceChildren(el('p', {class: 'busy'}, 'Looking for the newest row…'));
	try {
		const answer = await ask('POST', '/search', {query: rule.search, source: rule.source, from: '-7d', limit: 1}, mine.signal);
		if (mine.signal.aborted) return;
		const row = answer.rows[0];
		if (!row) {
			box.replaceChildren(el('p', {class: 'quiet'}, 'No row in the last 7 days: there is nothing to fill the message with yet.'));
			return;
		}
		const facts = answer.columns.filter(c => row[c.name] !== null && row[c.name] !== undefined).slice(0, 8);
		box.replaceChildren(el('div', {class: 'preview'}, el('p', {}, el('b', {}, rule.name), ' ', el('span', {class: `badge ${rule.severity}`}, rule.severity)),
			el('dl', {class: 'facts'}, facts.map(c => [el('dt', {}, c.name), el('dd', {}, typeof row[c.name] === 'object' ? JSON.stringify(row[c.name]) : String(row[c.name]))]).flat())));
	} catch (error) {
		if (error.name !== 'AbortError') box.replaceChildren(el('p', {class: 'quiet'}, error.message));
	}
}
