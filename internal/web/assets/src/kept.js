// Searches that were run, in this browser, and those that were saved, on the server.
import {ask} from './api.js';
import {el} from './dom.js';
import {toast} from './toast.js';

const key = 'tocsin-history';
const most = 50;

export function recentSearches() {
	try {
		const list = JSON.parse(localStorage.getItem(key) ?? '[]');
		return Array.isArray(list) ? list.filter(one => typeof one?.query === 'string') : [];
	} catch {
		return []; // not ours, or storage is off
	}
}

// remember puts a search before the others.
export function remember(one) {
	if (!one.query.trim()) return;
	try {
		localStorage.setItem(key, JSON.stringify([one, ...recentSearches().filter(other => other.query !== one.query)].slice(0, most)));
	} catch { /* storage is off or full: then there is no history */ }
}

function dialog(title, ...content) {
	const box = el('dialog', {'aria-label': title}, el('h2', {}, title), ...content);
	box.addEventListener('close', () => box.remove());
	box.addEventListener('click', event => { if (event.target === box) box.close(); });
	document.body.append(box);
	box.showModal();
	return box;
}

const closing = (box, button) => { button.addEventListener('click', () => box.close()); return button; };

// openRecent lists the history; use(search) takes one up.
export function openRecent(use) {
	const list = recentSearches();
	const box = dialog('History', list.length
		? el('ul', {class: 'list-plain'}, list.map(one => el('li', {}, el('button', {type: 'button', class: 'plain', onclick: () => { box.close(); use(one); }}, el('code', {}, one.query)), el('small', {}, one.from ?? ''))))
		: el('p', {}, 'Searches you run are kept here, in this browser.'));
	box.append(el('p', {}, closing(box, el('button', {type: 'button'}, 'Close'))));
}

// openSaved lists the saved searches, and saves the present one under a name.
export async function openSaved(use, present, edits) {
	const list = el('ul', {class: 'list-plain'});
	const name = el('input', {id: 'save-name', required: true, maxlength: '200', autocomplete: 'off'});
	const box = dialog('Saved searches', list, edits ? el('form', {class: 'row', onsubmit: save}, el('label', {class: 'field', for: 'save-name'}, el('span', {class: 'name'}, 'Save this search as'), name), el('button', {class: 'primary'}, 'Save')) : null);
	box.append(el('p', {}, closing(box, el('button', {type: 'button'}, 'Close'))));
	await fill();
	async function fill() {
		try {
			const {saved} = await ask('GET', '/saved-searches');
			list.replaceChildren(...saved.map(one => el('li', {}, el('button', {type: 'button', class: 'plain', onclick: () => { box.close(); use(one); }}, el('span', {}, el('b', {}, one.name), el('br'), el('code', {}, one.query))), el('small', {}, one.saved_by),
				edits ? el('button', {type: 'button', class: 'plain small', 'aria-label': `Delete ${one.name}`, onclick: async () => { await ask('DELETE', `/saved-searches/${encodeURIComponent(one.name)}`).catch(error => toast(error.message, 'bad')); fill(); }}, '×') : null)));
			if (!saved.length) list.replaceChildren(el('li', {}, 'None yet. Saved searches are seen by everyone here.'));
		} catch (error) {
			list.replaceChildren(el('li', {}, error.message));
		}
	}
	async function save(event) {
		event.preventDefault();
		try {
			const now = present();
			await ask('POST', '/saved-searches', {name: name.value, query: now.query, source: now.source, from: now.from, to: now.to || undefined});
			name.value = '';
			toast('The search is saved.', 'good');
			fill();
		} catch (error) {
			toast(error.message, 'bad');
		}
	}
}
