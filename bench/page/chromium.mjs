// chromium.mjs measures in a real browser what bench/page asks for, and prints it as JSON.
//   first RUNS       the first page with an empty cache: what it transfers, and when its box takes text
//   tabs N MS        N open pages of alerts for so long: how fast their own questions are answered
import {createRequire} from 'node:module';
import {join} from 'node:path';

const require = createRequire(join(process.env.TOCSIN_BROWSER_PACKAGES, 'node_modules/'));
const {chromium} = require('playwright-core');
const base = process.env.TOCSIN_URL;
const browser = await chromium.launch({executablePath: process.env.TOCSIN_BROWSER ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu']});
const quantile = (all, q) => all.toSorted((a, b) => a - b)[Math.min(all.length - 1, Math.floor(q * all.length))] ?? 0;

async function first(runs) {
	const took = [];
	let bytes = 0, files = 0;
	for (let i = 0; i < runs; i++) {
		const context = await browser.newContext();
		const page = await context.newPage();
		bytes = files = 0;
		const sizes = [];
		page.on('requestfinished', request => sizes.push(request.sizes().then(s => { bytes += s.responseBodySize + s.responseHeadersSize; files++; }).catch(() => {}))); // none of what was cut off
		await page.addInitScript(() => { // the moment at which the box is there and takes text
			new MutationObserver((_, observer) => {
				if (!document.querySelector('.cm-content[contenteditable=true]')) return;
				observer.disconnect();
				requestAnimationFrame(() => setTimeout(() => { window.usable = performance.now(); }));
			}).observe(document, {childList: true, subtree: true, attributes: true});
		});
		await page.goto(base, {waitUntil: 'networkidle'});
		took.push(await page.waitForFunction(() => window.usable).then(h => h.jsonValue()));
		await Promise.all(sizes);
		await context.close();
	}
	return {bytes, files, median_ms: quantile(took, .5), p95_ms: quantile(took, .95)};
}

async function tabs(n, ms) {
	const took = [];
	let rows = 0;
	const open = [];
	for (let i = 0; i < n; i++) {
		const context = await browser.newContext(); // a window of its own: a tab behind another is hidden, and asks nothing
		const page = await context.newPage();
		page.on('requestfinished', request => {
			if (request.headers()['tocsin-live']) took.push(request.timing().responseEnd - request.timing().requestStart);
		});
		await page.goto(`${base}alerts`);
		open.push([page, await page.locator('tr[data-id]').first().getAttribute('data-id')]);
	}
	await new Promise(wake => setTimeout(wake, ms));
	for (const [page, newest] of open) {
		const ids = await page.locator('tr[data-id]').evaluateAll(all => all.map(el => el.dataset.id));
		const at = ids.indexOf(newest);
		rows += at < 0 ? ids.length : at;
	}
	return {tabs: n, answers: took.length, p95_ms: quantile(took, .95), rows};
}

const [what, ...args] = process.argv.slice(2);
const saw = await {first, tabs}[what](...args.map(Number));
await browser.close();
console.log(JSON.stringify(saw));
