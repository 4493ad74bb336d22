// From a program that was just started, without anything set, to the first message of an own alert, all in the browser.
//   TOCSIN_URL          the page       TOCSIN_SLACK   the messages that the stand-in of Slack took, as JSON
//   TOCSIN_SLACK_API    its API        TOCSIN_OPENSEARCH, TOCSIN_INDEX    a cluster and an index there
import assert from 'node:assert/strict';
import {test} from 'node:test';
import {audit, browse, screen} from '../browser.mjs';

const base = process.env.TOCSIN_URL.replace(/\/$/, '');
const soon = 60_000;

test('the first run', {timeout: 400_000}, async t => {
	const {page} = await browse(t, base);
	let step = 0, last = Date.now(), clicks = 0;
	await page.exposeFunction('clicked', () => { clicks++; });
	await page.addInitScript(() => addEventListener('click', () => window.clicked(), true));
	const took = what => { // the machine's time; a person reads and types between
		t.diagnostic(`${++step}. ${what}: ${((Date.now() - last) / 1000).toFixed(1)} s, ${clicks} clicks`);
		[last, clicks] = [Date.now(), 0];
	};

	await page.goto(base);
	await page.getByRole('heading', {name: 'First steps'}).waitFor();
	await audit(page);
	await screen(page, 'first-run-welcome');
	took('the page of first steps stands where nothing is yet');

	await page.getByRole('link', {name: 'Connect a cluster'}).click();
	await page.getByLabel('Name').fill('siem');
	await page.getByLabel('Kind').selectOption('opensearch');
	await page.getByLabel('URL', {exact: false}).first().fill('http://127.0.0.1:1');
	await page.getByLabel('Sign in with').selectOption('nothing');
	await page.getByLabel('Indices').fill(process.env.TOCSIN_INDEX);
	await page.getByRole('button', {name: 'Test', exact: true}).click();
	await page.getByText('It does not work yet').waitFor();
	await page.getByText('Nothing listens there').waitFor();
	await screen(page, 'first-run-connect-wrong');
	await page.getByLabel('URL', {exact: false}).first().fill(process.env.TOCSIN_OPENSEARCH);
	await page.getByRole('button', {name: 'Test', exact: true}).click();
	await page.getByRole('heading', {name: /opensearch [\d.]+ answers/}).waitFor();
	await page.getByText(/documents in .* can be read/).waitFor();
	await audit(page);
	await screen(page, 'first-run-connect');
	took('a cluster is tested, wrong and right');
	await page.getByRole('button', {name: 'Keep it'}).click();
	await page.getByText('The source siem is kept.').waitFor({timeout: soon});
	await page.getByText('connected siem').waitFor();
	took('it is kept, and the program goes on with it');

	await page.getByRole('button', {name: 'Load sample data'}).click();
	await page.getByText(/Sample data is/).first().waitFor({timeout: soon});
	await page.getByText(/\d{2,} events so far/).waitFor({timeout: soon});
	took('sample data is loaded, and the counter counts it');

	await page.getByLabel('Bot User OAuth Token').fill('xoxb-wrong');
	await page.getByLabel('Channel').fill('#alerts');
	await page.getByText('GovSlack').click();
	await page.getByLabel('Address of the API').fill(process.env.TOCSIN_SLACK_API);
	await page.getByRole('button', {name: 'Post a test message'}).click();
	await page.getByText('It does not work yet').waitFor();
	await page.getByText('invalid_auth').first().waitFor();
	await page.getByLabel('Bot User OAuth Token').fill('xoxb-demo');
	await page.getByRole('button', {name: 'Post a test message'}).click();
	await page.getByText('The test message was posted').waitFor();
	await audit(page);
	await page.locator('#slack').scrollIntoViewIfNeeded();
	await page.evaluate(() => document.querySelector('#slack').scrollIntoView());
	await screen(page, 'first-run-slack');
	took('Slack is tested, wrong and right');
	await page.getByRole('button', {name: 'Keep it'}).click(); // what was tested need not be entered again
	await page.getByText('Slack is connected.').waitFor({timeout: soon});
	took('it is kept');

	await page.reload();
	const examples = page.getByRole('link', {name: 'Open in the search'});
	await examples.first().waitFor();
	await page.evaluate(() => document.querySelector('#rule').scrollIntoView());
	await screen(page, 'first-run-examples');
	const inCluster = page.locator('.card', {hasText: 'found in siem'}).getByRole('link');
	assert.ok(await inCluster.count(), 'an example finds something in the cluster');
	await inCluster.first().click();
	await page.getByRole('button', {name: 'Save as alert'}).click();
	const drawer = page.getByRole('dialog', {name: 'Save as alert'});
	await drawer.waitFor();
	await drawer.getByLabel('Name').fill('My first alert');
	await drawer.getByLabel('Run every').fill('1m');
	await drawer.getByLabel('Window').fill('1d'); // what the cluster has is spread over a day
	await drawer.locator('.forecast b').waitFor({timeout: soon});
	await screen(page, 'first-run-save');
	await drawer.getByRole('button', {name: 'Start', exact: true}).click();
	took('an example that finds something here is saved as an alert');

	let said = [];
	for (let i = 0; i < 240 && !said.length; i++) {
		said = (await (await fetch(process.env.TOCSIN_SLACK)).json()).filter(text => text.includes('My first alert'));
		await page.waitForTimeout(500);
	}
	assert.ok(said.length, 'Slack was told of the alert');
	took('Slack has its message');
	await page.goto(`${base}/alerts?${new URLSearchParams({q: 'rule.name:"My first alert"'})}`);
	await page.getByText('My first alert').first().waitFor();
	await screen(page, 'first-run-alert');
	await page.goto(`${base}/sources`);
	await page.getByRole('cell', {name: 'opensearch', exact: true}).first().waitFor();
	await audit(page);
	await screen(page, 'first-run-sources');
	await page.goto(`${base}/settings`);
	await audit(page);
	assert.ok(!(await page.content()).includes('xoxb-demo'), 'the page has a secret');
	await screen(page, 'first-run-settings');
	await page.getByLabel('Wait before the first message').fill('2s');
	await page.locator('[aria-label="How alerts are put together"]').getByRole('button', {name: 'Keep it'}).click();
	await page.getByText('The defaults of routes are set.').waitFor({timeout: soon});
	assert.equal(await page.getByLabel('Wait before the first message').inputValue(), '2s');
	await page.setViewportSize({width: 390, height: 800});
	for (const path of ['/welcome', '/settings', '/sources', '/sources/edit']) {
		await page.goto(base + path);
		assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= window.innerWidth + 1), `${path} is wider than a phone`);
	}
});
