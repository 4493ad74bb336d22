// search.mjs drives Chromium through the search page of a real tocsin: what a person does there first. It is given
// its addresses by cmd/tocsin's test in the environment:
//   TOCSIN_URL    the page       TOCSIN_SLACK    the messages that the stand-in of Slack took, as JSON
//   TOCSIN_BULK   where events are sent
//   TOCSIN_SCREENS    a directory for pictures; none without it
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {audit, browse, screen} from './browser.mjs';

const base = process.env.TOCSIN_URL;
const logins = 'event.action:ssh_login and event.outcome:failure | count by user.name | search count > 10';
const address = (query, from = '-24h') => `${base}?${new URLSearchParams({q: query, from})}`;

// typed types, and waits until what is offered for the whole text is there.
async function typed(page, text, whole, offered) {
	const answered = page.waitForResponse(response => response.url().endsWith('/complete') && response.request().postDataJSON().query === whole);
	await page.keyboard.type(text);
	await answered;
	await page.locator('.cm-tooltip-autocomplete li[aria-selected]', {hasText: offered}).waitFor();
	await page.waitForTimeout(150); // until it is drawn, what was offered before stands there
}

test('the first page is light, interactive soon, and asks nobody else', async t => {
	const {page, requests} = await browse(t, base);
	await page.goto(base);
	await page.waitForSelector('.cm-content');
	await page.waitForSelector('#results > :not(.busy)');
	assert.deepEqual(requests.others, [], 'requests that left the origin');
	assert.ok(requests.bytes() < 300_000, `the first page took ${requests.bytes()} bytes`);
	const policy = await page.evaluate(() => fetch(location.href, {headers: {Accept: 'text/html'}}).then(r => r.headers.get('content-security-policy')));
	assert.match(policy, /script-src 'self';/);
});

test('what is wrong is marked while typing, and completed by position', async t => {
	const {page} = await browse(t, base);
	await page.goto(address(''));
	await page.locator('.cm-content').click();
	await typed(page, 'user.n', 'user.n', 'user.name');
	await page.keyboard.press('Enter');
	await page.locator('.cm-tooltip-autocomplete li', {hasText: /ann/}).first().waitFor();
	await page.keyboard.type('ann | cuont by ');
	await page.locator('#problems >> text=unknown command').waitFor();
	await page.locator('.cm-lintRange-error', {hasText: 'cuont'}).waitFor();
	await screen(page, 'search-mistake');
	await audit(page);
	await page.keyboard.press('Escape');
	await page.locator('#problems button').click();
	assert.equal(await page.locator('.cm-content').innerText(), 'user.name:ann | count by ');
	await page.keyboard.press('Control+End');
	await typed(page, 'host', 'user.name:ann | count by host', 'host.name');
	await page.keyboard.press('Tab');
	await page.keyboard.press('Control+Enter');
	await page.locator('#results th', {hasText: 'host.name'}).waitFor();
});

test('a value that is clicked is added, excluded or counted by', async t => {
	const {page} = await browse(t, base);
	await page.goto(address('event.outcome:failure'));
	await page.locator('.events .open button').first().click();
	const value = page.locator('.document tr', {has: page.locator('th', {hasText: /^user\.name$/})}).locator('button.value');
	const user = await value.innerText();
	await value.click();
	await page.getByRole('menuitem', {name: 'Exclude it'}).waitFor();
	await audit(page);
	await page.getByRole('menuitem', {name: 'Exclude it'}).click();
	await page.waitForFunction(text => document.querySelector('.cm-content').textContent === text, `event.outcome:failure and not user.name:${user}`);
	await page.waitForSelector('#results .events');
	const users = await page.locator('.events .summary').allInnerTexts();
	assert.ok(users.length > 0 && users.every(text => !text.includes(`user.name: ${user} `)), `still ${user}`);
	await page.goBack();
	await page.waitForFunction(() => document.querySelector('.cm-content').textContent === 'event.outcome:failure');
	await page.waitForSelector('#results .events');
	await page.locator('.events .summary button.value', {hasText: /^web-1$/}).first().click();
	await page.getByRole('menuitem', {name: 'Count by host.name'}).click();
	await page.locator('#results th', {hasText: 'count'}).waitFor();
	assert.equal(await page.locator('.cm-content').innerText(), 'event.outcome:failure | count by host.name | sort - count');
});

test('what is added to the filter is a condition of its own', async t => {
	const {page} = await browse(t, base);
	for (const [before, what, value, after] of [
		['not user.name:bob', 'Only this value', 'ann', 'not user.name:bob and user.name:ann'],
		['user.name:ann or user.name:bob', 'Only this value', 'ann', '(user.name:ann or user.name:bob) and user.name:ann'],
		['user.name:ann and event.outcome:failure', 'Only this value', 'ann', 'user.name:ann and event.outcome:failure'],
		['user.name:an* and message:"a | b" or user.name:ann | count by user.name', 'Exclude it', 'ann', '(user.name:an* and message:"a | b" or user.name:ann) and not user.name:ann | count by user.name'],
		['*', 'Only this value', '<b>db-1</b>', 'host.name:"<b>db-1</b>"'],
	]) {
		await page.goto(address(before));
		await page.locator('#results button.value', {hasText: new RegExp(`^${value}$`)}).first().click();
		await page.getByRole('menuitem', {name: what}).click();
		await page.waitForFunction(text => document.querySelector('.cm-content').textContent === text, after);
	}
});

test('script in a log line does not run', async t => {
	const {page, dialogs} = await browse(t, base);
	await page.goto(address('user.name:mallory'));
	await page.locator('.events tr.event', {hasText: '<img src=x'}).locator('.open button').click();
	await page.locator('.document', {hasText: '<img src=x onerror=alert(1)>'}).waitFor();
	await page.locator('.document .key + td button.value', {hasText: '<img'}).first().click();
	await page.getByRole('menuitem', {name: 'Only this value'}).click();
	await page.locator('#results .events').waitFor();
	await page.goto(address('user.name:mallory | count by message'));
	await page.locator('#results td', {hasText: '<img src=x'}).waitFor();
	assert.equal(await page.locator('#results img').count(), 0);
	assert.deepEqual(dialogs, []);
});

test('a part of the chart that is dragged over becomes the time', async t => {
	const {page} = await browse(t, base);
	await page.goto(address('*'));
	const box = await page.locator('#plot .u-over').boundingBox();
	await page.mouse.move(box.x + box.width * .5, box.y + 40);
	await page.mouse.down();
	await page.mouse.move(box.x + box.width * .8, box.y + 40, {steps: 6});
	await page.mouse.up();
	await page.waitForURL(/from=20\d\d-/);
	assert.equal(await page.locator('#custom').isVisible(), true);
});

test('a search that finds nothing says why', async t => {
	const {page} = await browse(t, base);
	await page.goto(address('user.nane:ann'));
	await page.locator('#results >> text=user.nane').waitFor();
	await screen(page, 'search-nothing');
	await page.locator('#results button', {hasText: 'use user.name'}).click();
	await page.locator('#results .events').waitFor();
});

test('a saved search is kept on the server, and history in the browser', async t => {
	const {page} = await browse(t, base);
	await page.goto(address('user.name:ann', '-7d'));
	await page.waitForSelector('#results .events');
	await page.locator('#saved').click();
	await page.locator('#save-name').fill('all of <b>ann</b>');
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	await page.locator('dialog li', {hasText: 'all of <b>ann</b>'}).waitFor();
	await audit(page);
	await page.goto(address('*'));
	await page.locator('#saved').click();
	await page.locator('dialog li button', {hasText: 'all of'}).first().click();
	await page.waitForURL(/from=-7d/);
	assert.equal(await page.locator('.cm-content').innerText(), 'user.name:ann');
	await page.locator('#recent').click();
	assert.ok(await page.locator('dialog li').count() >= 2);
});

test('everything is done by keys alone', async t => {
	const {page} = await browse(t, base);
	await page.goto(address('event.outcome:failure', '-4h'));
	await page.locator('#results .events').waitFor();
	await page.keyboard.press('Escape');
	await page.locator('#run').focus();
	await page.keyboard.press('/');
	assert.ok(await page.evaluate(() => document.activeElement.classList.contains('cm-content')), 'the box has the focus');
	await page.keyboard.press('Control+End');
	await page.keyboard.type(' and user.name:bob');
	await page.keyboard.press('Escape');
	await page.keyboard.press('Control+Enter');
	await page.waitForURL(/user\.name%3Abob/);
	await page.keyboard.press('Alt+ArrowUp');
	await page.keyboard.press('Alt+ArrowUp');
	assert.equal(await page.locator('.cm-content').innerText(), 'event.outcome:failure');
	await page.keyboard.press('Control+s');
	const drawer = page.getByRole('dialog', {name: 'Save as alert'});
	await drawer.waitFor();
	assert.ok(await page.evaluate(() => document.activeElement.id === 'alert-name'), 'the name has the focus');
	await page.keyboard.press('Escape');
	assert.equal(await drawer.count(), 0);
	await page.locator('#run').focus();
	await page.keyboard.press('?');
	await page.getByRole('dialog').filter({hasText: 'Keys'}).waitFor();
});

test('a search that goes on can be cancelled, and the next one is not disturbed', async t => {
	const {page} = await browse(t, base);
	await page.goto(address('*'));
	await page.locator('#results .events').waitFor();
	await page.route('**/api/v1/search', async route => { await new Promise(wake => setTimeout(wake, 3000)); await route.continue().catch(() => {}); }, {times: 1});
	await page.locator('#run').click();
	await page.locator('#cancel').click();
	await page.locator('#results', {hasText: 'Cancelled'}).waitFor();
	await page.locator('#run').click();
	await page.locator('#results .events').waitFor();
	assert.equal(await page.locator('#cancel').isVisible(), false);
});

test('the threshold is dragged, the text follows, and the alert reaches Slack', async t => {
	const {page} = await browse(t, base);
	await page.goto(address(logins));
	const line = page.locator('.threshold');
	await line.waitFor();
	await page.locator('#caption', {hasText: 'over the line'}).waitFor();
	await screen(page, 'search-threshold');
	await page.getByRole('button', {name: 'Would alert'}).click();
	await page.locator('#results', {hasText: 'ould have alerted 3 times for 1 user'}).waitFor();
	assert.equal(await page.locator('#results tbody tr').count(), 3);
	const box = await line.boundingBox();
	await page.mouse.move(box.x + 60, box.y + box.height / 2);
	await page.mouse.down();
	await page.mouse.move(box.x + 60, box.y + box.height / 2 - 12, {steps: 4});
	await page.mouse.up();
	const number = async () => Number(/count > ([\d.]+)$/.exec(await page.locator('.cm-content').innerText())[1]);
	assert.ok(await number() > 10, `dragged up, the text says ${await number()}`);
	// The arrow keys do the same, and text moves the line.
	await line.focus();
	const before = await number();
	await page.keyboard.press('ArrowDown');
	assert.equal(await number(), before - 1);
	await page.locator('.cm-content').click();
	await page.keyboard.press('Control+A');
	await page.keyboard.type(logins.replace('10', '12'));
	await page.keyboard.press('Escape');
	await page.waitForFunction(() => document.querySelector('.threshold').getAttribute('aria-valuenow') === '12');
	await page.locator('#alert').click();
	const drawer = page.getByRole('dialog', {name: 'Save as alert'});
	assert.match(await drawer.getByLabel('Name').inputValue(), /ssh.login failure by user.name > 12/i);
	await drawer.getByLabel('Name').fill('Too many failed logins');
	await drawer.getByLabel('Run every').fill('2s');
	await drawer.getByLabel('Window').fill('5m');
	await drawer.locator('.forecast b').waitFor({timeout: 60_000});
	assert.match(await drawer.locator('.forecast b').innerText(), /alerted/);
	await drawer.locator('.message', {hasText: 'ann'}).waitFor();
	await screen(page, 'search-alert');
	await audit(page);
	await drawer.getByRole('button', {name: 'Start', exact: true}).click();
	await page.locator('.toast', {hasText: 'Too many failed logins'}).waitFor();
	// The attack of the test's start may be older than what a new rule looks back on: another one comes.
	const now = Date.now();
	const attack = Array.from({length: 20}, (_, i) => `{"create":{}}\n${JSON.stringify({'@timestamp': new Date(now - i * 500).toISOString(),
		event: {action: 'ssh_login', outcome: 'failure'}, user: {name: 'ann'}, host: {name: 'web-1'}, message: `Failed password for ann, once more ${i}`})}\n`).join('');
	const taken = await fetch(process.env.TOCSIN_BULK, {method: 'POST', headers: {'Content-Type': 'application/x-ndjson'}, body: attack});
	assert.equal(taken.status, 200);
	let said = [];
	for (let i = 0; i < 240 && !said.length; i++) {
		said = (await (await fetch(process.env.TOCSIN_SLACK)).json()).filter(text => text.includes('Too many failed logins'));
		if (!said.length) await new Promise(wake => setTimeout(wake, 250));
	}
	assert.ok(said.length > 0 && said.some(text => text.includes('ann')), 'no message of the rule reached Slack');
	// The same name again is refused in words, and nothing typed is lost.
	await page.locator('#alert').click();
	await drawer.getByLabel('Name').fill('Too many failed logins');
	await drawer.getByRole('button', {name: 'Save draft'}).click();
	await drawer.locator('.note.bad').waitFor();
	assert.equal(await drawer.getByLabel('Name').inputValue(), 'Too many failed logins');
});

for (const [name, path, ready] of [
	['search', `?${new URLSearchParams({q: 'event.outcome:failure', from: '-2h'})}`, '.events'], ['search-windows', `?${new URLSearchParams({q: logins, from: '-24h'})}`, '.threshold'],
]) {
	for (const theme of ['light', 'dark']) {
		test(`axe finds no serious problem: ${name}, ${theme}`, async t => {
			const {page} = await browse(t, base, {colorScheme: theme});
			await page.goto(base + path);
			await page.waitForSelector(ready);
			await screen(page, name);
			await audit(page);
		});
	}
	test(`nothing is wider than a phone: ${name}`, async t => {
		const {page} = await browse(t, base, {viewport: {width: 390, height: 844}});
		await page.goto(base + path);
		await page.waitForSelector(ready);
		await screen(page, `${name}-phone`);
		const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
		assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
	});
}
