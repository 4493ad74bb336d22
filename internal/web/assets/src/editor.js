// The search box: an editor with colours, completion and marks under what is wrong.
import {autocompletion, acceptCompletion, closeBrackets, closeBracketsKeymap, closeCompletion, completionStatus, completionKeymap, selectedCompletion, startCompletion} from '@codemirror/autocomplete';
import {defaultKeymap, history, historyKeymap, insertNewline} from '@codemirror/commands';
import {bracketMatching} from '@codemirror/language';
import {linter} from '@codemirror/lint';
import {EditorState, Prec} from '@codemirror/state';
import {EditorView, keymap, placeholder} from '@codemirror/view';
import {el, number} from './dom.js';
import {tocsinLanguage} from './language.js';

// makeEditor puts an editor before a textarea, which it follows. What it calls: complete(text, position, signal),
// check(text), and run, save, older, newer, changed.
export function makeEditor(area, calls) {
	let abort;
	async function source(context) {
		abort?.abort();
		const mine = abort = new AbortController();
		context.addEventListener?.('abort', () => mine.abort());
		let found;
		try {
			found = await calls.complete(context.state.doc.toString(), context.pos, mine.signal);
		} catch {
			return null; // a check tells what is wrong
		}
		if (context.aborted || !found.options.length) return null;
		const word = context.state.sliceDoc(found.start, context.pos);
		if (!context.explicit && !word && found.options.every(option => option.kind === 'word' || option.kind === 'function')) return null;
		return {
			from: found.start, to: context.pos, filter: false,
			options: found.options.map(option => ({
				label: option.label, type: option.kind, detail: option.count ? number(option.count) : '', info: option.info || undefined, option, word,
				apply(view, completion, from, to) {
					let text = option.apply;
					const after = view.state.sliceDoc(to, to + 1);
					if (text.endsWith(':') && after === ':') text = text.slice(0, -1);
					if (option.kind === 'value' && view.state.sliceDoc(from, from + 1) === '"' && !text.startsWith('"')) text = JSON.stringify(text);
					if (text.endsWith('"') && after === '"') to++;
					view.dispatch({changes: {from, to, insert: text}, selection: {anchor: from + text.length}, userEvent: 'input.complete'});
					if (/[:( ]$/.test(text)) setTimeout(() => startCompletion(view), 0);
				},
			})),
		};
	}
	const lint = linter(async view => {
		const found = await calls.check(view.state.doc.toString());
		const length = view.state.doc.length;
		return [...found.problems.map(p => ({...p, severity: 'error'})), ...found.warnings.map(p => ({...p, severity: 'warning'}))].map(p => {
			let from = Math.min(p.start, length), to = Math.min(Math.max(p.end, p.start), length);
			if (from === to) from = Math.max(0, from - 1); // at the end there is nothing to underline
			return {
				from, to, severity: p.severity, message: p.message + (p.hint ? `; try: ${p.hint}` : ''),
				actions: p.hint && to > from ? [{name: p.hint, apply: (view, from, to) => view.dispatch({changes: {from, to, insert: p.hint}})}] : [],
			};
		});
	}, {delay: 220, tooltipFilter: diagnostics => diagnostics});

	// Enter takes what completion offers, unless that is written already; else it runs a search of one line.
	function enter(view) {
		const offered = completionStatus(view.state) === 'active' && selectedCompletion(view.state);
		if (offered && offered.option.apply.trim() !== offered.word) {
			acceptCompletion(view);
			return true;
		}
		closeCompletion(view);
		if (view.state.doc.lines > 1) return false;
		calls.run();
		return true;
	}
	const keys = Prec.highest(keymap.of([
		{key: 'Mod-Enter', run: () => { calls.run(); return true; }},
		{key: 'Enter', run: enter},
		{key: 'Shift-Enter', run: insertNewline},
		{key: 'Mod-s', run: () => { calls.save(); return true; }, preventDefault: true},
		{key: 'Alt-ArrowUp', run: () => { calls.older(); return true; }},
		{key: 'Alt-ArrowDown', run: () => { calls.newer(); return true; }},
		{key: 'Tab', run: acceptCompletion},
	]));
	const host = el('div', {class: 'editor'});
	const view = new EditorView({
		parent: host,
		state: EditorState.create({
			doc: area.value,
			extensions: [
				EditorView.cspNonce.of(area.dataset.nonce || ''), keys, history(), closeBrackets(), bracketMatching(), EditorView.lineWrapping, tocsinLanguage,
				placeholder('user.name:root and event.outcome:failure | count by source.ip | search count > 10'),
				autocompletion({
					override: [source], activateOnTypingDelay: 60, interactionDelay: 0, icons: false, maxRenderedOptions: 60, closeOnBlur: true,
					addToOptions: [{render: completion => el('span', {class: `kind ${completion.option.kind}`}, completion.option.type || completion.option.kind), position: 20}],
				}),
				lint, keymap.of([...closeBracketsKeymap, ...completionKeymap, ...historyKeymap, ...defaultKeymap]),
				EditorView.contentAttributes.of({'aria-label': 'Search', 'aria-describedby': 'problems', spellcheck: 'false', autocapitalize: 'off', autocorrect: 'off', 'data-search-box': ''}),
				EditorView.updateListener.of(update => {
					if (!update.docChanged) return;
					area.value = update.state.doc.toString();
					calls.changed(update);
				}),
			],
		}),
	});
	area.before(host);
	area.hidden = true;
	return {
		view,
		get text() { return view.state.doc.toString(); },
		set text(text) { view.dispatch({changes: {from: 0, to: view.state.doc.length, insert: text}, selection: {anchor: text.length}}); },
		replace(from, to, insert) { view.dispatch({changes: {from, to, insert}}); },
		focus() { view.focus(); },
	};
}
