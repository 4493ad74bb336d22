// What every page has: htmx, the theme, small behaviours by data attributes. Pages work without it.
import htmx from 'htmx.org';
import {toast} from './toast.js';
import './theme.js';
import './table.js';
import './keep.js';
import './live.js';

htmx.config.includeIndicatorStyles = false; // the policy allows no inline style
htmx.config.allowEval = false;
htmx.config.selfRequestsOnly = true;
htmx.config.historyCacheSize = 0; // what a page showed is not kept in the browser's storage

document.addEventListener('htmx:responseError', event => {
	const {xhr} = event.detail;
	let text = `The server answered ${xhr.status}.`;
	try { text = JSON.parse(xhr.responseText).error || text; } catch { /* not JSON: the status is said */ }
	toast(text, 'bad');
});
document.addEventListener('htmx:sendError', () => toast('The server did not answer. Is tocsin running?', 'bad'));

// A form or a button with data-confirm asks before it goes.
for (const kind of ['submit', 'click']) {
	document.addEventListener(kind, event => {
		const asked = event.target.closest?.(kind === 'submit' ? 'form[data-confirm]' : 'button[data-confirm], a[data-confirm]');
		if (asked && !window.confirm(asked.dataset.confirm)) {
			event.preventDefault();
			event.stopPropagation();
		}
	}, true);
}
