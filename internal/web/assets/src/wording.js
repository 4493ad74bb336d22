// The page that words the message of a rule: what is typed is shown with a real alert, and what is wrong under the text,
// at its line and column. Without script the button Preview does the same.
import {ask} from './api.js';
import {el} from './dom.js';
import {layOut} from './message.js';

const form = document.querySelector('[data-wording]');
const text = form.elements.message;
const wrong = document.querySelector('[data-wording-wrong]');
const failed = document.querySelector('[data-wording-failed]');
const shown = document.querySelector('[data-wording-shown]');
const of = document.querySelector('[data-wording-of]');
let running = null, timer = null, any = of?.textContent.includes('newest of all') ?? false;

function tell(body) {
	wrong.replaceChildren();
	text.removeAttribute('aria-invalid');
	if (!body?.error) return;
	text.setAttribute('aria-invalid', 'true');
	const line = body.line ? text.value.split('\n')[body.line - 1] : undefined;
	wrong.append(el('p', {class: 'trouble'}, body.line ? `Line ${body.line}, column ${body.column}: ${body.error}` : body.error));
	if (line !== undefined) wrong.append(el('pre', {}, `${line}\n${' '.repeat(Math.max(0, body.column - 1))}^`));
}

async function preview() {
	running?.abort();
	const mine = running = new AbortController();
	const body = text.value.trim() ? {message: text.value} : {};
	try {
		const answer = await ask('POST', '/messages/preview', any ? body : {...body, rule: form.dataset.rule}, mine.signal);
		tell(null);
		layOut(shown, answer.html);
		shown.hidden = false;
		failed.replaceChildren(...(answer.failed ? [el('p', {class: 'trouble'}, `It cannot be made of this alert: ${answer.failed.error}`)] : []));
	} catch (error) {
		if (error.name === 'AbortError') return;
		if (error.status === 404 && !any) {
			any = true;
			preview();
		} else if (error.status === 404) tell(null);
		else tell({error: error.message, ...error.body});
	}
}

text.addEventListener('input', () => {
	clearTimeout(timer);
	timer = setTimeout(preview, 250);
});

// A field that is pressed goes into the text where the cursor is.
document.addEventListener('click', event => {
	const put = event.target.closest?.('[data-put]')?.dataset.put;
	if (!put) return;
	text.setRangeText(put, text.selectionStart, text.selectionEnd, 'end');
	text.focus();
	text.dispatchEvent(new Event('input', {bubbles: true}));
});
