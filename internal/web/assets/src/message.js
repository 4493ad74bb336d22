// The message that a rule would post, as the server lays it out: of the last alert that the rule would have made, or,
// where it would have made none, of the newest row of its search.
import {ask} from './api.js';
import {el} from './dom.js';

let asked = null;

// layOut shows a message that the server made: it has escaped what stands in it, and the page's policy lets nothing in it
// run.
export function layOut(box, html) {
	const parsed = new DOMParser().parseFromString(html, 'text/html');
	box.replaceChildren(...parsed.body.childNodes);
}

// showMessage shows the message of an alert that a backtest found.
export function showMessage(box, message) {
	asked?.abort();
	const shown = el('div', {class: 'message'});
	layOut(shown, message.html);
	box.replaceChildren(shown);
}

// showRow shows the message filled with the newest row of the search.
export async function showRow(box, rule) {
	asked?.abort();
	const mine = asked = new AbortController();
	const quiet = text => box.replaceChildren(el('p', {class: 'quiet'}, text));
	try {
		const newest = query => ask('POST', '/search', {query, source: rule.source, from: '-7d', limit: 1}, mine.signal);
		let found = await newest(rule.search), said = 'With the newest row of the last 7 days.';
		const below = rule.search.replace(/\|\s*(?:search|where)\s[^|"'[\]]*$/, '').trim(); // without what a row must reach
		if (!found.rows.length && below && below !== rule.search.trim()) {
			found = await newest(below);
			said = 'Nothing reached this in the last 7 days: with a row that did not.';
		}
		if (mine.signal.aborted) return;
		if (!found.rows.length) {
			quiet('No row in the last 7 days: there is nothing to fill the message with yet.');
			return;
		}
		const answer = await ask('POST', '/messages/preview', {content: JSON.stringify(rule), format: 'json', document: found.rows[0]}, mine.signal);
		if (mine.signal.aborted) return;
		showMessage(box, answer);
		box.append(el('p', {class: 'quiet'}, said));
	} catch (error) {
		if (error.name !== 'AbortError') quiet(error.message);
	}
}
