// What the browser tests ask of the server behind the pages: its API, logs sent to its source, what Slack was told.
import assert from 'node:assert/strict';

const base = process.env.TOCSIN_URL;

export async function api(method, path, body) {
	const response = await fetch(`${base}api/v1${path}`, {method, headers: {'Content-Type': 'application/json'}, body: body === undefined ? undefined : JSON.stringify(body)});
	const text = await response.text();
	assert.ok(response.ok, `${method} ${path}: ${response.status} ${text}`);
	return JSON.parse(text);
}

// log sends an event of now to the source.
export async function log(...events) {
	const body = events.map(e => `{"create":{}}\n${JSON.stringify({'@timestamp': new Date().toISOString(), ...e})}\n`).join('');
	const response = await fetch(process.env.TOCSIN_BULK, {method: 'POST', headers: {'Content-Type': 'application/x-ndjson'}, body});
	assert.equal(response.status, 200);
	assert.equal((await response.json()).errors, false);
}

// said are the messages that the stand-in of Slack took, each as JSON.
export const said = async () => (await fetch(process.env.TOCSIN_SLACK)).json();

export async function eventually(what, holds) {
	for (let i = 0; i < 240; i++) {
		if (await holds()) return;
		await new Promise(wake => setTimeout(wake, 250));
	}
	assert.fail(`${what} did not come in a minute`);
}

// quickRule makes a rule that says each event it finds, at once. More are further lines of it.
export async function quickRule(id, name, search, more = '') {
	await api('POST', '/rules', {content: `id: ${id}\nname: ${JSON.stringify(name)}\nsearch: ${JSON.stringify(search)}\nevery: 2s\nwindow: 5m\nseverity: low\n${more}`, note: 'for a test'});
}
