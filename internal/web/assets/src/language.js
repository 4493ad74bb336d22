// The colours of the language: a filter in KQL, then pipes. What is right and wrong is the server's to say.
import {HighlightStyle, StreamLanguage, syntaxHighlighting} from '@codemirror/language';
import {tags} from '@lezer/highlight';

const words = /^(and|or|not|by|as|over|from|output|outputnew|until|with|in|like|where)\b/i;

const language = StreamLanguage.define({
	name: 'tocsin',
	startState: () => ({pipe: false, command: false, field: true}),
	copyState: state => ({...state}),
	token(stream, state) {
		if (stream.eatSpace()) return null;
		if (stream.match(/^"(?:\\.|[^"\\])*"?/)) {
			const key = stream.match(/^\s*:/, false);
			return key ? 'field' : 'value';
		}
		const c = stream.peek();
		if (c === '|') {
			stream.next();
			state.pipe = state.command = true;
			return 'mark';
		}
		if (c === '[' || c === ']') {
			stream.next();
			if (c === '[') state.pipe = false;
			return 'mark';
		}
		if (/[(){},]/.test(c)) { stream.next(); return 'quiet'; }
		if (/[:<>=!+*/%]/.test(c)) { stream.next(); state.after = c === ':' || c === '<' || c === '>'; return 'quiet'; }
		const start = stream.pos;
		while (!stream.eol() && !/[\s|(){}[\],:<>="]/.test(stream.peek())) {
			if (stream.peek() === '\\') stream.next();
			stream.next();
		}
		if (stream.pos === start) { stream.next(); return null; }
		const word = stream.string.slice(start, stream.pos);
		if (state.command) {
			state.command = false;
			state.filter = /^search$/i.test(word);
			return 'command';
		}
		if (words.test(word) && word.match(words)[0].length === word.length) return 'word';
		if (/^-?\d+(\.\d+)?(ms|s|m|h|d|w|mon|q|y)?$/.test(word)) return 'number';
		if (stream.peek() === '(') return 'call';
		if (stream.match(/^\s*(:|[<>]=?)/, false)) return 'field';
		return state.pipe && !state.filter ? 'field' : 'value';
	},
	tokenTable: {
		field: tags.propertyName, value: tags.string, number: tags.number, word: tags.keyword, command: tags.function(tags.keyword),
		call: tags.function(tags.variableName), mark: tags.separator, quiet: tags.punctuation,
	},
});

const colours = HighlightStyle.define([
	{tag: tags.propertyName, class: 'kq-field'}, {tag: tags.string, class: 'kq-value'}, {tag: tags.number, class: 'kq-number'},
	{tag: tags.keyword, class: 'kq-word'}, {tag: tags.function(tags.keyword), class: 'kq-command'}, {tag: tags.function(tags.variableName), class: 'kq-command'},
	{tag: tags.separator, class: 'kq-mark'}, {tag: tags.punctuation, class: 'kq-quiet'},
]);

export const tocsinLanguage = [language, syntaxHighlighting(colours)];
