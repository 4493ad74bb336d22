// take.mjs takes the pictures in docs/screens of a `tocsin demo` that has run for a few minutes: every page, light and
// dark. It judges nothing. Run it with
//   TOCSIN_URL=http://127.0.0.1:7171/ TOCSIN_BROWSER_PACKAGES=$(scripts/browser/install.sh) node scripts/browser/screens/take.mjs docs/screens [NAME...]
import {createRequire} from 'node:module';
import {join} from 'node:path';

const require = createRequire(join(process.env.TOCSIN_BROWSER_PACKAGES, 'node_modules/'));
const {chromium} = require('playwright-core');
const base = process.env.TOCSIN_URL;
const [dir, ...only] = process.argv.slice(2);

async function api(path, body) {
	const response = await fetch(`${base}api/v1${path}`, body ? {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(body)} : {});
	if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
	return response.json();
}

const {alerts} = await api('/alerts?limit=200');
const {rules} = await api('/rules');
const own = new Set(rules.map(r => r.name));
const alert = alerts.find(a => a.count > 1 && a.fate === 'sent' && own.has(a.rule)) ?? alerts[0];
const alertOf = rules.find(r => r.name === alert?.rule) ?? rules.find(r => r.origin === 'database') ?? rules[0];
const rule = rules.find(r => r.origin === 'database' && /count > \d+/.test(r.search)) ?? alertOf;
const query = new URLSearchParams({q: 'event.outcome:failure', from: '-4h'});
const threshold = new URLSearchParams({q: 'event.action:ssh_login and event.outcome:failure | count by source.ip | search count > 10', from: '-4h'});

// Each page: its name, its address, and what is done there before the picture.
const pages = [
	['search', `search?${query}`, page => page.waitForSelector('.events')],
	['search-threshold', `search?${threshold}`, page => page.waitForSelector('.threshold')],
	['search-alert', `search?${threshold}`, async page => {
		await page.waitForSelector('.threshold');
		await page.getByRole('button', {name: 'Save as alert'}).click();
		await page.locator('.drawer .forecast b').waitFor();
		await page.waitForTimeout(1500);
	}],
	['search-phone', `search?${query}`, page => page.waitForSelector('.events')],
	['alerts', 'alerts'], ['alerts-phone', 'alerts'],
	['alert', `alerts/${alert?.id}`],
	['alert-exception', `alerts/${alert?.id}/exception`],
	['rules', 'rules'], ['rules-phone', 'rules'],
	['rule', `rules/${alertOf?.id}`],
	['rule-why-not', `rules/${alertOf?.id}`, async page => {
		await page.locator('[data-whynot-document]').fill(JSON.stringify({'@timestamp': new Date().toISOString(), event: {action: 'ssh_login', outcome: 'success'}, user: {name: 'ann'}, source: {ip: '203.0.113.9'}}));
		await page.locator('[data-whynot-run]').click();
		await page.locator('[data-whynot-out] > *').first().waitFor();
		await page.locator('[data-whynot]').evaluate(el => el.scrollIntoView());
	}],
	['rule-edit', `rules/${rule?.id}/edit`, async page => {
		const text = page.locator('[data-rule-text]');
		await text.fill((await text.inputValue()).replace(/count > \d+/, 'count > 2'));
		await page.locator('[data-forecast-run]').click();
		await page.locator('[data-forecast-out] .said').first().waitFor({timeout: 120_000});
	}],
	['rule-message', `rules/${alertOf?.id}/message`, page => page.waitForTimeout(1500)],
	['starter-pack', 'rules/pack'], ['kibana-rules', 'rules/kibana'], ['silences', 'silences'], ['exceptions', 'exceptions'], ['forwarding', 'forwarding'],
	['routes', 'routes'], ['channels', 'channels'], ['digests', 'digests'], ['coverage', 'coverage'], ['sources', 'sources'], ['source-edit', 'sources/edit'],
	['delivery', 'delivery'], ['audit', 'audit'], ['settings', 'settings'], ['tokens', 'tokens'], ['users', 'users'], ['account', 'account'], ['login', 'login'], ['welcome', 'welcome'], ['no-such-page', 'no-such-page'],
];
const browser = await chromium.launch({executablePath: process.env.TOCSIN_BROWSER ?? '/usr/bin/chromium', args: ['--no-sandbox', '--disable-gpu']});
for (const colorScheme of ['light', 'dark']) {
	for (const [name, path, act] of pages) {
		if (only.length && !only.includes(name)) continue;
		const phone = name.endsWith('-phone');
		const context = await browser.newContext({viewport: phone ? {width: 390, height: 844} : {width: 1280, height: 900}, colorScheme, reducedMotion: 'reduce'});
		const page = await context.newPage();
		const response = await page.goto(base + path);
		if (response.status() === 404 && name !== 'no-such-page') {
			console.error(`${name}: there is no such page`);
			await context.close();
			continue;
		}
		await act?.(page);
		await page.waitForTimeout(400); // what is drawn is drawn
		await page.screenshot({path: join(dir, `${name}-${colorScheme}.png`)});
		await context.close();
	}
}
await browser.close();
