// A page that keeps up to date: what has data-live in it is asked for again while somebody looks, and only what differs
// is touched, so that nothing flickers and scroll, selection, focus, ticks and what is typed stay. It is asked with the
// page's own address and the header Tocsin-Live; an answer of 304 says that nothing changed. bench/page does the same.
import {toast} from './toast.js';

const every = 5000, longest = 60_000;

// key names a part that stays itself though others come before it: a row by its data-id, anything by its id.
const key = node => node.nodeType === Node.ELEMENT_NODE ? node.dataset.id || node.id || '' : '';

// What people change on the page without the server: which details are open, which row the keys are at.
const own = {DETAILS: 'open', TR: 'aria-current'};

// become makes old look as now does.
function become(old, now) {
	for (const {name, value} of now.attributes) {
		if (name !== own[old.tagName] && old.getAttribute(name) !== value) old.setAttribute(name, value);
	}
	for (const {name} of [...old.attributes]) {
		if (name !== own[old.tagName] && !now.hasAttribute(name)) old.removeAttribute(name);
	}
	const keys = new Set([...now.childNodes].map(key).filter(Boolean));
	const known = new Map();
	for (const child of [...old.childNodes]) {
		const k = key(child);
		if (k && !keys.has(k)) child.remove();
		else if (k) known.set(k, child);
	}
	let at = old.firstChild;
	for (const child of [...now.childNodes]) {
		const k = key(child);
		let same = null;
		if (k) same = known.get(k) ?? null;
		else if (at && !key(at) && at.nodeName === child.nodeName) same = at;
		if (!same) {
			old.insertBefore(document.importNode(child, true), at);
			continue;
		}
		if (same === at) at = at.nextSibling;
		else old.insertBefore(same, at);
		if (same.nodeType === Node.ELEMENT_NODE) become(same, child);
		else if (same.data !== child.data) same.data = child.data;
	}
	while (at) {
		const next = at.nextSibling;
		at.remove();
		at = next;
	}
}

// show puts what an answer says in the places of the page.
function show(text) {
	const now = new DOMParser().parseFromString(text, 'text/html'); // nothing in it runs or loads
	const focused = document.activeElement;
	for (const part of document.querySelectorAll('[data-live]')) {
		const other = now.getElementById(part.id);
		if (other) become(part, other);
	}
	if (focused !== document.activeElement && focused?.isConnected) focused.focus({preventScroll: true}); // it was moved
}

// marked reports whether text of what is kept up to date is marked.
function marked() {
	const selection = getSelection();
	return !selection.isCollapsed && [...document.querySelectorAll('[data-live]')].some(part => selection.containsNode(part, true));
}

function start(button) {
	let timer = 0, tag = '', fails = 0, running = null, held = 0, over = false;
	const say = (word, title) => { button.textContent = word; button.title = title; };
	const on = () => button.getAttribute('aria-pressed') === 'true';
	// A button of the pointer that goes up over a scroll bar is not told: what is held is let go after a while.
	const busy = () => Date.now() - held < 10_000 || marked();
	const later = ms => { clearTimeout(timer); timer = setTimeout(update, ms); };

	async function update() {
		clearTimeout(timer);
		if (over || !on() || document.hidden || running) return;
		if (busy()) {
			say('Waits', 'Text is marked, or a button held: the page goes on after that.');
			return later(1000);
		}
		running = new AbortController();
		const limit = setTimeout(() => running?.abort(), 30_000);
		try {
			const response = await fetch(location.href, {headers: {'Accept': 'text/html', 'HX-Request': 'true', 'Tocsin-Live': '1', ...tag && {'If-None-Match': tag}}, cache: 'no-store', signal: running.signal});
			if (response.status === 401 || response.status === 403 || response.status === 404) {
				over = true;
				say('Not live', 'Reload the page to go on.');
				toast(response.status === 401 ? 'Your session is over: reload the page to sign in again.' : 'This page can no longer be shown: reload it to see why.', 'bad');
				return;
			}
			if (response.status === 200 && response.headers.get('ETag')) {
				const text = await response.text();
				if (on() && !busy()) { // else it was turned off, or marking began, meanwhile
					show(text);
					tag = response.headers.get('ETag');
				}
			} else if (response.status !== 304) throw new Error(String(response.status));
			fails = 0;
			say('Live', 'This page keeps itself up to date. Press to hold it still.');
		} catch {
			fails++;
			say('Not connected', 'The server did not answer. It is asked again.');
		} finally {
			clearTimeout(limit);
			running = null;
		}
		if (!over) later(Math.min(longest, every * 2 ** Math.min(fails, 5)));
	}

	button.hidden = false;
	say('Live', 'This page keeps itself up to date. Press to hold it still.');
	button.addEventListener('click', () => {
		if (over) return;
		button.setAttribute('aria-pressed', String(!on()));
		if (on()) update();
		else say('Held still', 'Press to keep the page up to date again.');
	});
	addEventListener('pointerdown', () => { held = Date.now(); });
	for (const kind of ['pointerup', 'pointercancel', 'blur']) addEventListener(kind, () => { held = 0; });
	document.addEventListener('visibilitychange', () => {
		if (document.hidden) clearTimeout(timer);
		else update();
	});
	later(every);
}

const button = document.querySelector('[data-live-switch]');
if (button && document.querySelector('[data-live]')) start(button);
