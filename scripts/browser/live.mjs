// live.mjs watches pages that are open: what happens appears by itself, and what somebody does there is not disturbed.
import assert from 'node:assert/strict';
import {before, test} from 'node:test';
import {audit, browse} from './browser.mjs';
import {api, eventually, log, quickRule} from './server.mjs';

const base = process.env.TOCSIN_URL;
const run = Date.now().toString(36);
const name = `Live ${run}`;
const happen = what => log({event: {action: `live_${run}`}, user: {name: what}, host: {name: `live-${run}`}, message: what});

before(async () => {
	await quickRule(`live-${run}`, name, `event.action:live_${run}`);
	for (let i = 0; i < 30; i++) await happen(`early-${i}`);
	await eventually('the first alerts', async () => (await api('GET', '/alerts?limit=100')).alerts.filter(a => a.rule === name).length >= 30);
});

test('new alerts appear on the open pages of alerts and delivery, and nothing else moves', async t => {
	for (const [path, box] of [[`alerts?${new URLSearchParams({q: `rule.name:"${name}"`})}`, true], ['delivery', false]]) {
		const {page} = await browse(t, base, {viewport: {width: 1280, height: 500}});
		await page.goto(base + path);
		const rows = page.locator('tr[data-id]');
		const row = rows.nth(20);
		const id = await row.getAttribute('data-id');
		await row.evaluate(el => { el.kept = true; el.querySelector('a').focus(); el.scrollIntoView({block: 'center'}); });
		if (box) {
			await page.keyboard.press('j');
			await page.keyboard.press('j');
			await page.locator('[name=q]').evaluate(el => { el.value = 'half written'; });
			await page.locator(`tr[data-id="${id}"] a`).focus();
			await page.locator(`tr[data-id="${id}"]`).evaluate(el => el.scrollIntoView({block: 'center'}));
		}
		const cursor = await page.locator('tr[aria-current=true]').evaluateAll(all => all.map(el => el.dataset.id));
		const place = await page.locator(`tr[data-id="${id}"]`).evaluate(el => el.getBoundingClientRect().top);
		const changes = await page.evaluateHandle(() => {
			const seen = {removed: 0};
			new MutationObserver(all => { for (const one of all) for (const node of one.removedNodes) if (node.dataset?.id) seen.removed++; }).observe(document.body, {childList: true, subtree: true});
			return seen;
		});
		const what = `late-${path.slice(0, 3)}`;
		await happen(what);
		await page.locator('tr[data-id]', {hasText: what}).waitFor({state: 'attached'});
		assert.ok(await page.locator(`tr[data-id="${id}"]`).evaluate(el => el.kept === true), 'the row was made anew');
		assert.ok(await page.evaluate(id => document.activeElement.closest('tr')?.dataset.id === id, id), 'the focus is lost');
		assert.deepEqual(await page.locator('tr[aria-current=true]').evaluateAll(all => all.map(el => el.dataset.id)), cursor, 'the row of the keys');
		assert.ok(await changes.evaluate(seen => seen.removed) <= 1, 'rows were taken away and put back');
		if (box) assert.equal(await page.locator('[name=q]').inputValue(), 'half written');
		const moved = Math.abs(await page.locator(`tr[data-id="${id}"]`).evaluate(el => el.getBoundingClientRect().top) - place);
		assert.ok(moved < 3, `what is looked at moved by ${moved} pixels`);
		await audit(page);
	}
});

test('the page of rules shows states as they become, and ticks stay', async t => {
	const {page} = await browse(t, base);
	await page.goto(`${base}rules?${new URLSearchParams({q: `name:"${name}"`})}`);
	const row = page.locator('#rules tr');
	await row.locator('input[type=checkbox]').check();
	await page.locator('[name=tags]').fill('half writ');
	await api('POST', `/rules/live-${run}/state`, {enabled: false});
	await row.locator('.badge', {hasText: 'off'}).waitFor();
	assert.equal(await row.locator('input[type=checkbox]').isChecked(), true);
	assert.equal(await page.locator('[name=tags]').inputValue(), 'half writ');
	await api('POST', `/rules/live-${run}/state`, {enabled: true});
	await row.locator('.badge', {hasText: 'on'}).waitFor();
});

test('an open alert tells what became of it', async t => {
	const {page} = await browse(t, base);
	const {id} = (await api('GET', '/alerts?limit=100')).alerts.find(a => a.rule === name);
	await page.goto(`${base}alerts/${id}`);
	await api('POST', `/alerts/${id}/acknowledge`, {why: 'looked at elsewhere'});
	await page.locator('#timeline', {hasText: 'looked at elsewhere'}).waitFor();
	await page.locator('#standing', {hasText: 'acknowledged'}).waitFor();
});

test('a page is held still by its switch, while text is marked, and while nobody looks', async t => {
	const {page} = await browse(t, base);
	let asked = 0;
	page.on('request', request => { if (request.headers()['tocsin-live']) asked++; });
	await page.goto(`${base}delivery`);
	const button = page.locator('[data-live-switch]');
	await eventually('a question', async () => asked > 0);
	await button.click();
	assert.equal(await button.getAttribute('aria-pressed'), 'false');
	await audit(page);
	asked = 0;
	await page.waitForTimeout(6500);
	assert.equal(asked, 0, 'it asks while it is held still');
	await button.click();
	await eventually('a question', async () => asked > 0);
	await page.evaluate(() => getSelection().selectAllChildren(document.querySelector('#delivery')));
	await button.filter({hasText: 'Waits'}).waitFor();
	asked = 0;
	await page.waitForTimeout(6500);
	assert.equal(asked, 0, 'it asks while text is marked');
	await page.evaluate(() => getSelection().removeAllRanges());
	await eventually('a question', async () => asked > 0);
	await page.evaluate(() => { Object.defineProperty(document, 'hidden', {value: true, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); });
	asked = 0;
	await page.waitForTimeout(6500);
	assert.equal(asked, 0, 'it asks while the tab is hidden');
	await page.evaluate(() => { Object.defineProperty(document, 'hidden', {value: false, configurable: true}); document.dispatchEvent(new Event('visibilitychange')); });
	await eventually('a question', async () => asked > 0);
});
