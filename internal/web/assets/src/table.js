// Keys in a table with data-keys: j and k move, Enter opens the row's link, x checks its box, and e and p press the
// button with data-key of that letter. "/" goes to the page's search or filter box, "?" shows the keys.
import {keysDialog} from './keys.js';

const typing = el => el.closest?.('input, textarea, select, [contenteditable=true], .cm-editor');

document.addEventListener('keydown', event => {
	if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
	if (event.key === '/') {
		const box = document.querySelector('[data-search-box]');
		if (box) {
			event.preventDefault();
			box.dispatchEvent(new CustomEvent('tocsin:focus', {bubbles: false}));
			box.focus();
		}
		return;
	}
	if (event.key === '?') {
		event.preventDefault();
		keysDialog();
		return;
	}
	const table = document.querySelector('table[data-keys]');
	if (!table) return;
	const rows = [...table.tBodies[0].rows];
	const at = rows.findIndex(row => row.getAttribute('aria-current') === 'true');
	const go = i => {
		if (at >= 0) rows[at].removeAttribute('aria-current');
		const row = rows[Math.max(0, Math.min(rows.length - 1, i))];
		row?.setAttribute('aria-current', 'true');
		row?.scrollIntoView({block: 'nearest'});
	};
	const row = rows[at];
	switch (event.key) {
	case 'j': go(at + 1); break;
	case 'k': go(at - 1); break;
	case 'Enter': row?.querySelector('a[href]')?.click(); break;
	case 'x': row?.querySelector('input[type=checkbox]')?.click(); break;
	default: {
		if (!/^[a-z]$/.test(event.key)) return;
		const button = row?.querySelector(`[data-key="${event.key}"]`);
		if (!button) return;
		button.click();
	}
	}
	event.preventDefault();
});

document.addEventListener('click', event => {
	if (event.target.closest?.('[data-show-keys]')) keysDialog();
});
