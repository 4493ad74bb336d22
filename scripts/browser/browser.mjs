// What the browser tests share: a page of Chromium that remembers what it asked for, pictures, and axe's judgement.
import assert from 'node:assert/strict';
import {readFileSync} from 'node:fs';
import {createRequire} from 'node:module';
import {join} from 'node:path';
import {after} from 'node:test';

// Packages are installed outside of the sources, where TOCSIN_BROWSER_PACKAGES says.
const require = createRequire(join(process.env.TOCSIN_BROWSER_PACKAGES ?? import.meta.dirname, 'node_modules/'));
const {chromium} = require('playwright-core');
const axe = readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');

let browser;

// browse opens a page that is closed when the test ends. What the page logs as an error fails the test.
export async function browse(t, base, options = {}) {
	browser ??= await chromium.launch({executablePath: process.env.TOCSIN_BROWSER ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu']});
	const context = await browser.newContext({viewport: {width: 1280, height: 860}, colorScheme: 'light', reducedMotion: 'reduce', ...options});
	context.setDefaultTimeout(30_000);
	const page = await context.newPage();
	const errors = [], dialogs = [], others = [];
	let bytes = 0;
	const origin = new URL(base).origin;
	page.on('pageerror', error => errors.push(String(error.stack ?? error)));
	page.on('dialog', dialog => { dialogs.push(dialog.message()); dialog.dismiss(); });
	page.on('request', request => { if (!request.url().startsWith(`${origin}/`) && !request.url().startsWith('data:') && !request.url().startsWith('blob:')) others.push(request.url()); });
	page.on('requestfinished', async request => {
		const sizes = await request.sizes().catch(() => null);
		if (sizes) bytes += sizes.responseBodySize + sizes.responseHeadersSize;
	});
	t.after(async () => {
		await context.close();
		assert.deepEqual(errors, [], 'errors of scripts');
		assert.deepEqual(others, [], 'requests that left the origin');
	});
	return {page, dialogs, requests: {others, bytes: () => bytes}};
}

after(() => browser?.close());

// screen takes a picture of the page, named by its colours, where pictures are wanted.
export async function screen(page, name) {
	const dir = process.env.TOCSIN_SCREENS;
	if (!dir) return;
	const dark = await page.evaluate(() => matchMedia('(prefers-color-scheme: dark)').matches);
	await page.waitForTimeout(400); // what is drawn is drawn
	await page.screenshot({path: join(dir, `${name}-${dark ? 'dark' : 'light'}.png`)});
}

// audit fails on what axe calls serious or critical.
export async function audit(page) {
	await page.evaluate(axe);
	const found = await page.evaluate(() => window.axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'best-practice']}));
	const bad = found.violations.filter(v => v.impact === 'serious' || v.impact === 'critical')
		.map(v => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map(n => `${n.target.join(' ')} (${n.failureSummary?.split('\n').slice(1, 2).join('').trim()})`).join('; ')}`);
	assert.deepEqual(bad, []);
}
