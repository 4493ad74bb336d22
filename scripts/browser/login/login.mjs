// login.mjs looks at the pages as each role sees them, and at sessions that end in the middle of something. The server
// has the users admin-1, editor-1 and viewer-1.
//   TOCSIN_URL    the page       TOCSIN_PASSWORD   that of each user
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {audit, browse, screen} from '../browser.mjs';

const base = process.env.TOCSIN_URL;
const password = process.env.TOCSIN_PASSWORD;
const run = Date.now().toString(36);
const id = `login-${run}`;
const rule = `id: ${id}\nname: ${id}\nsearch: 'user.name:nobody_${run}'\nevery: 5m\nseverity: low\n`;

async function signIn(page, name, secret = password) {
	await page.getByLabel('Name').fill(name);
	await page.getByLabel('Password').fill(secret);
	await page.getByRole('button', {name: 'Sign in', exact: true}).click();
}

// as opens the pages signed in.
async function as(t, name, options) {
	const all = await browse(t, base, options);
	await all.page.goto(`${base}login`);
	await signIn(all.page, name);
	await all.page.waitForURL(url => url.pathname !== '/login');
	return all;
}

// api asks as the page does, with its session.
const api = (page, method, path, body) => page.evaluate(async ([method, path, body]) => {
	const response = await fetch(`/api/v1${path}`, {method, headers: {'Content-Type': 'application/json'}, body});
	return response.status;
}, [method, path, body === undefined ? undefined : JSON.stringify(body)]);

test('nobody sees anything before they sign in, and is led back to where they were', async t => {
	const {page} = await browse(t, base);
	for (const path of ['', 'search', 'alerts', 'rules', 'silences', 'delivery', 'audit', 'users', 'settings']) {
		await page.goto(base + path);
		assert.equal(new URL(page.url()).pathname, '/login', path);
	}
	assert.equal(await api(page, 'GET', '/alerts'), 401);
	assert.equal(await api(page, 'POST', '/search', {query: '*'}), 401);
	await page.goto(`${base}alerts?q=severity%3Ahigh`);
	await audit(page);
	await screen(page, 'login');
	await signIn(page, 'viewer-1', 'not the password');
	await page.getByRole('alert').waitFor();
	assert.equal(await page.getByLabel('Name').inputValue(), 'viewer-1');
	await audit(page);
	await signIn(page, 'viewer-1');
	await page.waitForURL(/\/alerts\?q=severity%3Ahigh$/);
	// The address to go on to is never that of another site.
	for (const next of ['https://example.com/', '//example.com/', '/\\example.com', 'javascript:alert(1)']) {
		await page.goto(`${base}login?${new URLSearchParams({next})}`);
		assert.equal(new URL(page.url()).origin, new URL(base).origin, next);
	}
});

test('an editor changes rules and silences, and no connections or users', async t => {
	const {page} = await as(t, 'editor-1');
	await page.goto(`${base}rules/new`);
	await page.locator('[data-rule-text]').fill(rule);
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	await page.getByText('is saved as version 1').waitFor();
	await page.goto(`${base}silences`);
	await page.getByLabel('Alerts that match').fill(`user.name:nobody_${run}`);
	await page.getByLabel('Why').fill('to see who may');
	await page.getByRole('button', {name: 'Make the silence'}).click();
	await page.locator('tbody tr', {hasText: `nobody_${run}`}).filter({hasText: 'editor-1'}).waitFor();
	for (const path of ['users', 'tokens', 'audit', 'sources/edit']) {
		await page.goto(base + path);
		await page.getByRole('heading', {name: 'You may not do this'}).waitFor();
		await page.getByText('It needs the role admin, and editor-1 has the role editor').waitFor();
	}
	assert.equal(await api(page, 'GET', '/users'), 403);
	assert.equal(await api(page, 'POST', '/users', {name: 'x', role: 'admin', password}), 403);
	assert.equal(await api(page, 'GET', '/audit'), 403);
	await page.goto(`${base}sources`);
	assert.equal(await page.getByRole('link', {name: 'Connect a cluster'}).count(), 0);
});

test('a viewer reads, sees no buttons that change, and is refused by the API', async t => {
	const {page} = await as(t, 'viewer-1');
	const changes = /^(Save as alert|New rule|Edit|Pause|Run|Delete|Shadow mode|Make the |End now|Acknowledge|Close|False positive|Silence|Propose an exception|Back to this|Keep it|Connect a cluster|Add|Revoke|Load sample data|Add tags)/;
	for (const path of ['search', 'alerts', 'rules', `rules/${id}`, 'rules/pack', 'silences', 'exceptions', 'forwarding', 'routes', 'sources', 'delivery', 'coverage', 'settings']) {
		await page.goto(base + path);
		await page.locator('h1').first().waitFor({state: 'attached'});
		const shown = (await page.locator('main :is(button, a.button):visible').allInnerTexts()).map(text => text.trim()).filter(text => changes.test(text) && !(path === 'search' && text === 'Run'));
		assert.deepEqual(shown, [], `${path} offers what a viewer may not do`);
		await audit(page);
	}
	for (const path of [`rules/${id}/edit`, 'rules/new', 'users', 'tokens', 'audit']) {
		const response = await page.goto(base + path);
		assert.equal(response.status(), 403, path);
		await page.getByRole('heading', {name: 'You may not do this'}).waitFor();
	}
	await screen(page, 'may-not');
	for (const [method, path, body] of [
		['POST', '/rules', {content: rule}], ['PUT', `/rules/${id}`, {content: rule}], ['DELETE', `/rules/${id}`], ['POST', `/rules/${id}/state`, {enabled: false}],
		['POST', '/silences', {match: '*', why: 'no', until: new Date(Date.now() + 1e6).toISOString()}], ['GET', '/users'], ['GET', '/tokens'], ['GET', '/audit'], ['POST', '/tokens', {name: 'x', role: 'admin'}],
	]) assert.equal(await api(page, method, path, body), 403, `${method} ${path}`);
	// A form that is sent all the same is refused too.
	for (const [path, form] of [['/rules', `id=${id}&do=off`], [`/rules/${id}/delete`, ''], ['/silences', 'match=*&why=x&for=1h'], ['/alerts/x', 'do=acknowledge']]) {
		const status = await page.evaluate(async ([path, form]) => (await fetch(path, {method: 'POST', headers: {'Content-Type': 'application/x-www-form-urlencoded'}, body: form})).status, [path, form]);
		assert.equal(status, 403, `POST ${path}`);
	}
	assert.equal(await api(page, 'GET', `/rules/${id}`), 200);
});

test('an admin makes users and tokens, and each change is in the log', async t => {
	const {page} = await as(t, 'admin-1');
	await page.goto(`${base}users`);
	await page.getByRole('region', {name: 'New user'}).getByLabel('Name').fill(`carol-${run}`);
	await page.getByRole('region', {name: 'New user'}).getByLabel('Password').fill('a long enough one');
	await page.getByRole('button', {name: 'Add', exact: true}).click();
	await page.getByRole('cell', {name: `carol-${run}`, exact: true}).waitFor();
	await audit(page);
	await screen(page, 'users');
	await page.goto(`${base}tokens`);
	await page.getByLabel('What it is for').fill(`filebeat-${run}`);
	await page.getByRole('button', {name: 'Make it'}).click();
	await page.getByText('This is the only time it is shown').waitFor();
	await audit(page);
	await page.goto(`${base}tokens`);
	assert.equal(await page.getByText('This is the only time it is shown').count(), 0);
	await screen(page, 'tokens');
	await page.goto(`${base}audit`);
	for (const text of [`carol-${run}`, `filebeat-${run}`, id]) await page.locator('tbody tr', {hasText: text}).first().waitFor();
	await audit(page);
	await screen(page, 'audit');
	await page.goto(`${base}account`);
	await audit(page);
	await screen(page, 'account');
});

test('what was written is not lost when the session ended meanwhile', async t => {
	const {page} = await as(t, 'editor-1');
	await page.goto(`${base}rules/${id}/edit`);
	const mine = `${rule}owner: editor-1\n`;
	await page.locator('[data-rule-text]').fill(mine);
	await page.getByLabel('Why it is changed').fill('an owner');
	await page.context().clearCookies(); // as when it is over
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	await page.waitForURL(/\/login\?next=/);
	await signIn(page, 'editor-1', 'wrong the first time');
	await page.getByRole('alert').waitFor();
	await signIn(page, 'editor-1');
	await page.waitForURL(`${base}rules/${id}/edit`);
	await page.getByText('Nothing was saved: you had been signed out').waitFor();
	assert.equal(await page.locator('[data-rule-text]').inputValue(), mine);
	assert.equal(await page.getByLabel('Why it is changed').inputValue(), 'an owner');
	await audit(page);
	await screen(page, 'session-over');
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	await page.getByText('is saved as version 2').waitFor();
	await page.goto(`${base}rules/${id}/edit`);
	assert.equal(await page.getByText('Nothing was saved').count(), 0);
	// It is not for somebody else.
	await page.locator('[data-rule-text]').fill(`${mine}# a secret thought\n`);
	await page.context().clearCookies();
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	await page.waitForURL(/\/login\?next=/);
	await signIn(page, 'admin-1');
	await page.waitForURL(`${base}rules/${id}/edit`);
	assert.ok(!(await page.locator('[data-rule-text]').inputValue()).includes('a secret thought'));
});

test('the search keeps what is written when the session ends, and says what to do', async t => {
	const {page} = await as(t, 'editor-1');
	await page.goto(`${base}search?${new URLSearchParams({q: 'user.name:ann', from: '-1h'})}`);
	await page.getByRole('button', {name: 'Save as alert'}).click();
	const drawer = page.getByRole('dialog', {name: 'Save as alert'});
	await drawer.getByLabel('Name').fill(`Kept ${run}`);
	await page.context().clearCookies();
	await drawer.getByRole('button', {name: 'Save draft'}).click();
	await drawer.getByText('Your session is over').waitFor();
	const other = await page.context().newPage();
	await other.goto(`${base}login`);
	await signIn(other, 'editor-1');
	await other.waitForURL(url => url.pathname !== '/login');
	assert.equal(await drawer.getByLabel('Name').inputValue(), `Kept ${run}`);
	await drawer.getByRole('button', {name: 'Save draft'}).click();
	await page.locator('.toast', {hasText: `Kept ${run}`}).waitFor();
});

test('a page that is open says when the session is over', async t => {
	const {page} = await as(t, 'viewer-1');
	await page.goto(`${base}alerts`);
	const button = page.locator('[data-live-switch]');
	await button.waitFor();
	await page.context().clearCookies();
	await page.locator('.toast', {hasText: 'Your session is over'}).waitFor();
	assert.equal(await button.innerText(), 'Not live');
	assert.equal(new URL(page.url()).pathname, '/alerts', 'what is read is not taken away');
});
