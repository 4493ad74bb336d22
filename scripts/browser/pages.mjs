// pages.mjs looks at every page that there is: axe's judgement in light and dark, the width of a phone, and
// pictures. It is given its addresses as search.mjs is.
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {audit, browse, screen} from './browser.mjs';

const base = process.env.TOCSIN_URL;
const bar = [...(await (await fetch(`${base}delivery`, {headers: {Accept: 'text/html'}})).text()).matchAll(/<li><a href="(\/[a-z]+)"/g)].map(m => m[1]).filter(path => path !== '/search');
assert.ok(bar.length >= 2, `the bar leads to ${bar}`);

// What the bar does not lead to at once, and the pages of one rule and one alert, where there is one.
const newest = async (path, of) => (await (await fetch(`${base}api/v1${path}`)).json())[of]?.[0]?.id;
const [rule, alert] = [await newest('/rules', 'rules'), await newest('/alerts?limit=1', 'alerts')];
const below = ['/rules/kibana', '/rules/pack', '/rules/new', '/exceptions', '/forwarding', '/audit', '/users', '/tokens', '/account', '/login',
	...rule ? [`/rules/${rule}`, `/rules/${rule}/edit`, `/rules/${rule}/message`] : [], ...alert ? [`/alerts/${alert}`, `/alerts/${alert}/exception`] : []];

for (const path of [...bar, ...below, '/no-such-page']) {
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
