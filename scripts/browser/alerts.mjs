// alerts.mjs does with alerts and rules what a person does: silences an alert from its page, undoes a version, edits a
// rule in two tabs, makes mistakes in forms, watches pages that are open. It is given its addresses as search.mjs is.
import assert from 'node:assert/strict';
import {before, test} from 'node:test';
import {audit, browse, screen} from './browser.mjs';
import {api, eventually, log, quickRule, said} from './server.mjs';

const base = process.env.TOCSIN_URL;
const evil = '<img src=x onerror=alert(1)>';
const run = Date.now().toString(36); // two runs against one server do not meet

before(async () => {
	await quickRule(`quick-${run}`, `Quick ${run}`, `event.action:quick_${run}`);
	await quickRule(`evil-${run}`, `Evil ${evil} ${run}`, `event.action:evil_${run}`, `tags: ['${evil}']\nowner: '${evil}'\nrunbook: https://example.com/${run}\n`);
	await log({event: {action: `quick_${run}`}, user: {name: 'ann'}, host: {name: `web-${run}`}, message: 'the first one'});
	await log({event: {action: `evil_${run}`}, user: {name: evil}, host: {name: '"><svg onload=alert(1)>'}, source: {ip: '203.0.113.7'}, message: `</script><script>alert(1)</script>${evil}`});
	for (const rule of [`Quick ${run}`, `Evil ${evil} ${run}`]) {
		await eventually(`an alert of ${rule}`, async () => (await api('GET', '/alerts')).alerts.some(a => a.rule === rule));
	}
});

// newest is the newest alert of the quick rule.
const alertsOf = async rule => (await api('GET', '/alerts')).alerts.filter(a => a.rule === rule);
const fateOf = async message => (await Promise.all((await alertsOf(`Quick ${run}`)).map(async a => ({fate: a.fate, id: a.id, whole: JSON.stringify(await api('GET', `/alerts/${a.id}`))}))))
	.find(a => a.whole.includes(message))?.fate;

test('an alert is silenced from its page, what comes next is held, and the end of the silence ends that', async t => {
	const {page} = await browse(t, base);
	await eventually('the first message', async () => (await said()).some(m => m.includes(`web-${run}`)));
	await page.goto(`${base}alerts?${new URLSearchParams({q: `rule.name:"Quick ${run}"`})}`);
	await page.locator('#list tbody tr a').first().click();
	await page.getByRole('heading', {name: `Quick ${run}`, level: 1}).waitFor();
	await audit(page);
	await screen(page, 'alert');
	await page.getByRole('link', {name: 'Silence', exact: true}).click();
	assert.equal(await page.getByLabel('Alerts that match').inputValue(), `rule.name:"Quick ${run}" and host.name:"web-${run}"`);
	await page.getByRole('button', {name: 'Preview'}).click();
	await page.getByRole('heading', {name: /Would have hidden 1 of \d+/}).waitFor();
	await audit(page);
	await page.getByLabel('Why').fill('known, being mended');
	await page.getByRole('button', {name: 'Make the silence'}).click();
	await page.getByText(/The silence .* is made/).waitFor();
	const held = page.locator('tbody tr', {hasText: `Quick ${run}`});
	await held.waitFor();
	await audit(page);
	await screen(page, 'silences');
	const before = (await said()).length;
	await log({event: {action: `quick_${run}`}, user: {name: 'ann'}, host: {name: `web-${run}`}, message: 'the second one'});
	await eventually('the second alert', async () => await fateOf('the second one') === 'silenced');
	assert.equal((await said()).filter(m => m.includes('the second one')).length, 0, 'a silenced alert was said');
	assert.equal((await said()).length, before);
	await page.goto(`${base}alerts?fate=silenced`);
	await page.locator('#list tbody tr', {hasText: `Quick ${run}`}).locator('a').first().click();
	await page.locator('#steps', {hasText: 'known, being mended'}).waitFor();
	await page.goto(`${base}silences`);
	await held.getByRole('button', {name: 'End now'}).click();
	await page.getByText('It ended now.').waitFor();
	await log({event: {action: `quick_${run}`}, user: {name: 'ann'}, host: {name: `web-${run}`}, message: 'the third one'});
	await eventually('the third alert is said', async () => await fateOf('the third one') === 'sent');
});

test('a version of a rule is undone', async t => {
	const {page} = await browse(t, base);
	const id = `undo-${run}`;
	await quickRule(id, `Undo ${run}`, `event.action:undo_${run}`);
	await page.goto(`${base}rules/${id}/edit`);
	const text = page.locator('[data-rule-text]');
	const first = await text.inputValue();
	await text.fill(first.replace('severity: low', 'severity: critical'));
	await page.getByLabel('Why it is changed').fill('it matters');
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	await page.getByText('is saved as version 2').waitFor();
	const versions = page.getByRole('region', {name: 'Versions'});
	await versions.locator('li', {hasText: 'Version 2'}).locator('summary').click();
	await versions.locator('ins', {hasText: 'severity: critical'}).waitFor();
	await audit(page);
	await screen(page, 'rule-versions');
	await versions.locator('li', {hasText: 'Version 1'}).getByRole('button', {name: 'Back to this'}).click();
	await page.getByText('is as it was in version 1').waitFor();
	await versions.locator('li', {hasText: 'Version 3'}).locator('.badge', {hasText: 'now'}).waitFor();
	assert.equal((await api('GET', `/rules/${id}`)).content, first);
	assert.equal((await api('GET', `/rules/${id}/versions`)).versions.length, 3, 'undoing is a version too');
});

test('of two tabs that edit one rule the second is told, and its text stays', async t => {
	const {page} = await browse(t, base);
	const id = `tabs-${run}`;
	await quickRule(id, `Tabs ${run}`, `event.action:tabs_${run}`);
	const other = await page.context().newPage();
	await page.goto(`${base}rules/${id}/edit`);
	await other.goto(`${base}rules/${id}/edit`);
	const text = await page.locator('[data-rule-text]').inputValue();
	await page.locator('[data-rule-text]').fill(text.replace('severity: low', 'severity: high'));
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	await page.getByText('is saved as version 2').waitFor();
	const mine = `${text}owner: bob\n`;
	await other.locator('[data-rule-text]').fill(mine);
	await other.getByLabel('Why it is changed').fill('mine to look after');
	await other.getByRole('button', {name: 'Save', exact: true}).click();
	await other.getByRole('heading', {name: 'Somebody else changed it meanwhile'}).waitFor();
	assert.equal(await other.locator('[data-rule-text]').inputValue(), mine, 'the text of the second is lost');
	assert.equal(await other.getByLabel('Why it is changed').inputValue(), 'mine to look after');
	await other.locator('.diff ins', {hasText: 'severity: high'}).waitFor();
	await audit(other);
	await screen(other, 'rule-conflict');
	assert.match((await api('GET', `/rules/${id}`)).content, /severity: high/, 'the first was overwritten');
	await other.locator('[data-rule-text]').fill(mine.replace('severity: low', 'severity: high'));
	await other.getByRole('button', {name: 'Save', exact: true}).click();
	await other.getByText('is saved as version 3').waitFor();
	assert.match((await api('GET', `/rules/${id}`)).content, /severity: high[\s\S]*owner: bob/);
});

test('what is wrong in a form is said at its field, and what was typed stays', async t => {
	const {page} = await browse(t, base);
	const at = async (field, typed) => {
		const wrong = page.locator(`[name="${field}"][aria-invalid=true]`);
		await wrong.waitFor();
		if (typed !== undefined) assert.equal(await wrong.inputValue(), typed);
		const told = await wrong.getAttribute('aria-describedby');
		const said = (await Promise.all(told.split(' ').map(id => page.locator(`#${id}`).innerText()))).join(' ');
		assert.ok(said.trim().length > 5, `nothing is said of ${field}`);
		await audit(page);
		return said;
	};
	for (const [path, make] of [['silences', 'Make the silence'], ['exceptions', 'Make the exception'], ['forwarding', 'Make the switch']]) {
		await page.goto(base + path);
		await page.getByLabel('Alerts that match').fill('user.name:(ann or');
		await page.getByLabel('Why', {exact: false}).last().fill('a reason <b>of mine</b>');
		await page.getByRole('button', {name: make}).click();
		assert.match(await at('match', 'user.name:(ann or'), /line 1, column/);
		assert.equal(await page.locator('[name=why]').inputValue(), 'a reason <b>of mine</b>');
		await page.locator('[name=match]').fill('user.name:ann');
		await page.locator('[name=why]').fill('');
		await page.getByRole('button', {name: make}).click();
		assert.match(await at('why', ''), /say why/);
		await page.locator('[name=why]').fill('a reason');
		await page.locator('[name=until]').fill('2020-01-02T03:04');
		await page.getByRole('button', {name: make}).click();
		await at('until', '2020-01-02T03:04');
		assert.equal(await page.locator('[name=match]').inputValue(), 'user.name:ann');
	}
	const [alert] = await alertsOf(`Quick ${run}`);
	await page.goto(`${base}alerts/${alert.id}/exception`);
	await page.locator('form[data-keep] [name=match]').fill('user.name:(');
	await page.locator('form[data-keep] [name=why]').fill('because');
	await page.getByRole('button', {name: 'Make the exception'}).click();
	await at('match', 'user.name:(');
	await page.locator('form[data-keep] [name=match]').fill('user.name:ann');
	await page.locator('form[data-keep] [name=why]').fill('');
	await page.getByRole('button', {name: 'Make the exception'}).click();
	await at('why', '');
	for (const path of ['alerts', 'rules', 'rules/pack']) {
		await page.goto(`${base}${path}?${new URLSearchParams({q: 'severity:(high or'})}`);
		await at('q', 'severity:(high or');
	}
	await page.goto(`${base}rules/new`);
	await page.locator('[data-rule-text]').fill('name: Half\nsearch: user.name:(\nevery: soon\nseverty: high\n');
	await page.getByRole('button', {name: 'Save', exact: true}).click();
	const problems = await at('content', 'name: Half\nsearch: user.name:(\nevery: soon\nseverty: high\n');
	for (const place of ['2:', '3:', '4:']) assert.ok(problems.includes(place), `no problem at line ${place} ${problems}`);
	await page.goto(`${base}routes`);
	await page.locator('[name=document]').fill('{"rule.name":');
	await page.getByRole('button', {name: 'Try it'}).click();
	await page.locator('[role=alert]').waitFor();
	assert.equal(await page.locator('[name=document]').inputValue(), '{"rule.name":');
});

test('script in what was logged runs on no page', async t => {
	const {page, dialogs} = await browse(t, base);
	const [alert] = await alertsOf(`Evil ${evil} ${run}`);
	await api('POST', '/silences', {match: `user.name:"${evil.replaceAll('"', '\\"')}"`, why: evil, until: new Date(Date.now() + 60_000).toISOString()}).catch(() => {});
	const pages = [`?${new URLSearchParams({q: `event.action:evil_${run}`, from: '-1h'})}`, `alerts?${new URLSearchParams({q: `event.action:evil_${run}`})}`, `alerts/${alert.id}`, `alerts/${alert.id}/exception`, `alerts?q=${encodeURIComponent(evil)}`,
		'rules', `rules/evil-${run}`, `rules/evil-${run}/edit`, `rules?q=${encodeURIComponent(evil)}`, 'silences', `silences?match=${encodeURIComponent(evil)}`, 'delivery', 'audit', 'routes', 'coverage', 'sources', 'settings', `search?source=${encodeURIComponent(evil)}&q=${encodeURIComponent(evil)}`];
	for (const path of pages) {
		await page.goto(base + path);
		await page.locator('h1').first().waitFor({state: 'attached'});
		if (path.startsWith('?')) {
			await page.locator('.events .open button').first().click();
			await page.locator('.document', {hasText: 'onerror'}).waitFor();
		}
		const injected = await page.evaluate(() => [...document.querySelectorAll('img[src="x"], svg[onload], script:not([src])')].map(e => e.outerHTML));
		assert.deepEqual(injected, [], `${path} has elements of a log line`);
	}
	await page.goto(`${base}alerts/${alert.id}`);
	await page.getByText(evil).first().waitFor(); // it is shown, as text
	await page.goto(`${base}rules/evil-${run}`);
	await page.locator('[data-whynot-document]').fill(JSON.stringify({'@timestamp': new Date().toISOString(), event: {action: evil}, user: {name: evil}}));
	await page.locator('[data-whynot-run]').click();
	await page.locator('[data-whynot-out] > *').first().waitFor();
	await audit(page);
	await screen(page, 'why-not');
	await page.locator('[data-forecast-run]').click();
	await page.locator('[data-forecast-out] .said').first().waitFor({timeout: 60_000});
	assert.equal(await page.locator('[data-whynot-out] img, [data-forecast-out] img').count(), 0);
	assert.deepEqual(dialogs, []);
});

test('the search works without script', async t => {
	const {page} = await browse(t, base, {javaScriptEnabled: false});
	await page.goto(base);
	await page.getByLabel('Search', {exact: true}).fill(`event.action:evil_${run}`);
	await page.getByRole('button', {name: 'Run'}).click();
	await page.locator('#results tbody tr', {hasText: evil}).first().waitFor();
	await page.getByLabel('Search', {exact: true}).fill('event.outcome:failure | count by user.name');
	await page.locator('select[name=from]').selectOption('-24h');
	await page.getByRole('button', {name: 'Run'}).click();
	await page.locator('#results th', {hasText: 'user.name'}).waitFor();
	await page.locator('#results td', {hasText: 'ann'}).first().waitFor();
	assert.equal(await page.getByLabel('Search', {exact: true}).inputValue(), 'event.outcome:failure | count by user.name');
	await page.getByLabel('Search', {exact: true}).fill('user.name:(ann | cuont by x');
	await page.getByRole('button', {name: 'Run'}).click();
	await page.locator('#wrong').waitFor();
	assert.equal(await page.getByLabel('Search', {exact: true}).inputValue(), 'user.name:(ann | cuont by x');
});
