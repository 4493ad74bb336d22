// pages.mjs looks at every page that the bar leads to: axe's judgement in light and dark, the width of a phone, and
// pictures. It is given its addresses as search.mjs is.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {audit, browse, screen} from './browser.mjs';

const base = process.env.TOCSIN_URL;
const bar = [...(await (await fetch(base, {headers: {Accept: 'text/html'}})).text()).matchAll(/<li><a href="(\/[a-z]+)"/g)].map(m => m[1]).filter(path => path !== '/search');
assert.ok(bar.length >= 2, `the bar leads to ${bar}`);

for (const path of [...bar, '/rules/kibana', '/no-such-page']) {
	const name = path.slice(1), picture = name.replaceAll('/', '-');
	for (const theme of ['light', 'dark']) {
		test(`axe finds no serious problem: ${name}, ${theme}`, async t => {
			const {page} = await browse(t, base, {colorScheme: theme});
			await page.goto(base + name);
			await page.waitForSelector('h1');
			await screen(page, picture);
			await audit(page);
		});
	}
	test(`nothing is wider than a phone: ${name}`, async t => {
		const {page} = await browse(t, base, {viewport: {width: 390, height: 844}});
		await page.goto(base + name);
		await page.waitForSelector('h1');
		await screen(page, `${picture}-phone`);
		const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
		assert.ok(wide <= 0, `the page is ${wide} pixels too wide`);
	});
}

test('the switch of light and dark is kept, and works without script', async t => {
	for (const javaScriptEnabled of [true, false]) {
		const {page} = await browse(t, base, {javaScriptEnabled});
		await page.goto(`${base}delivery`);
		await page.locator('form.theme button').click();
		await page.waitForSelector('html[data-theme=dark]');
		await page.reload();
		assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
	}
});
