// SPDX-License-Identifier: Apache-2.0
// The admin page in a real browser: against the real module and the emulator,
// and, for what cannot be had there at will, against adminapi.mjs.
import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { after, afterEach, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { answersOf, openAdminApi, problem } from './adminapi.mjs';
import { allow, closePage, eventually, FAILED, field, go, inDialog, launch, more, openPage, page, PAGES, quit, row, rowOf, settled, shownPage, turnTo, WAIT, whatIsWrong } from './adminpage.mjs';
import { openGate } from './gate.mjs';
import { holds, startServer } from './server.mjs';

const SECRET = 'sk-browser-canary-5d1c';

before(launch);
after(quit);

// --- the real server

describe('with a real server', () => {
  let server;
  let gate;
  let routes; // what the build has
  const login = { httpCredentials: { username: 'li', password: 'canary-password' } };

  before(async () => {
    server = await startServer({ admin: true });
    gate = await openGate(server.origin);
    ({ routes } = await (await server.asAdmin('api/me')).json());
  });
  after(async () => {
    await gate?.close();
    await server?.stop();
  });
  afterEach(async () => {
    gate.open();
    gate.hold(0);
    await closePage();
  });

  const open = (name = 'overview', options = {}) => openPage(gate.origin, `/bailian-admin/#${name}`, { ...login, ...options });
  const liveOf = async (user) => (await (await server.asAdmin(`api/live?user=${encodeURIComponent(user)}`)).json()).items;

  // Asks, and gives back what ends the reading; the answer stalls until then.
  async function askAndStall(userId, message = 'hi') {
    await server.emulator.script({ answer: { pieces: ['some ', 'text'], interval: 0, finish: false } }, { stall: true });
    const response = await fetch(`${server.base}/stream`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ message, userId }) });
    assert.equal(response.status, 200, await (response.ok ? '' : response.text()));
    const reader = response.body.getReader();
    await reader.read();
    return () => reader.cancel().catch(() => {});
  }

  // Asks, and says with which key: that of an attempt that runs.
  async function askWith(last4, userId) {
    const end = await askAndStall(userId);
    const stream = await holds(async () => {
      const [found] = await liveOf(`anon:${userId}`);
      assert.ok(found?.key, `no attempt of ${JSON.stringify(found)}`);
      return found;
    });
    assert.equal(stream.key, last4);
    return { id: stream.id, end };
  }

  test('a key is added, tested, streamed with, watched live, stopped, and found in ends, history and audit', async () => {
    await open('keys');
    await rowOf('test').waitFor();
    await page.getByRole('button', { name: 'Add key', exact: true }).click();
    await field('Name').fill('browser');
    assert.equal(await field('Secret').getAttribute('type'), 'password');
    await field('Secret').fill(SECRET);
    await inDialog('Add').click();
    await rowOf('browser').waitFor();
    assert.match(await rowOf('browser').innerText(), /…5d1c/);

    if (routes.includes('POST api/keys/{id}/test')) {
      await rowOf('browser').getByRole('button', { name: 'Test browser', exact: true }).click();
      await rowOf('browser').locator('[data-col="check"] .badge[data-state="good"]').waitFor();
    }
    await more('test', 'Disable');
    await inDialog('Disable').click();
    await rowOf('test').locator('[data-col="state"] .badge:text-is("disabled")').waitFor();

    const { id, end } = await askWith('5d1c', 'watched');
    await go('live', 'Live');
    await row('anon:watched').waitFor();
    await eventually(() => [...document.querySelectorAll('tbody tr')].some((tr) => /anon:watched/.test(tr.innerText) && /streaming/.test(tr.innerText) && /…5d1c/.test(tr.innerText)));
    assert.equal(await row('anon:watched').locator('[data-col="id"]').getAttribute('title'), id);
    await row('anon:watched').getByRole('checkbox').check();
    await page.getByRole('button', { name: 'Stop selected (1)' }).click();
    await inDialog('Stop').click();
    await eventually(() => !document.querySelector('table.list tbody tr') || !document.querySelector('table.list').innerText.includes('anon:watched'));
    await end();

    if (routes.includes('GET api/ends')) {
      await go('ends', 'Retries and ends');
      await row(id.slice(0, 8)).locator('.badge:text-is("cancelled")').waitFor();
      await row(id.slice(0, 8)).locator('a').click();
      await shownPage('stream');
      await page.locator('.timeline li', { hasText: 'End: cancelled' }).waitFor();
    }

    await go('conversations', 'Conversations');
    await row('anon:watched').first().locator('a').first().click();
    await shownPage('conversation');
    await page.locator('#main', { hasText: 'some text' }).waitFor();

    await go('audit', 'Audit');
    await row('Stream stopped').first().waitFor();
    assert.match(await row('Stream stopped').first().innerText(), /user:li/);
    assert.equal(await row('Key added').count() > 0, true);
    assert.ok(!(await page.content()).includes(SECRET));
  });

  test('where nothing authenticates, the page says why nobody is let in, and which lines to add', async () => {
    allow(FAILED);
    await openPage(gate.origin, '/open-admin', { locale: 'zh-CN' });
    await page.waitForSelector('.refused');
    assert.match(await page.innerText('.refused'), /未获准访问[\s\S]*AuthUserFile/);
    assert.equal(await page.locator('#nav a').count(), 0);
  });

  test('what the form sent wrong is said at its field, and nothing entered is lost', async () => {
    allow(FAILED);
    await open('keys');
    await rowOf('test').waitFor();
    await page.getByRole('button', { name: 'Add key', exact: true }).click();
    await inDialog('Add').click();
    await page.locator('dialog input[aria-invalid="true"]').first().waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.name), 'name');
    await field('Name').fill('not a name!');
    await field('Secret').fill('sk-some-long-secret');
    await inDialog('Add').click();
    await page.locator('dialog input[name="name"][aria-invalid="true"]').waitFor();
    assert.equal(await field('Name').inputValue(), 'not a name!');
    await field('Name').fill('test'); // there is one
    await inDialog('Add').click();
    await page.locator('dialog .failure:visible', { hasText: 'is taken' }).waitFor();
    assert.equal(await field('Secret').inputValue(), 'sk-some-long-secret');
    await page.keyboard.press('Escape');
    await eventually(() => !document.querySelector('dialog'));
    assert.equal(await page.evaluate(() => document.activeElement.textContent), 'Add key');
  });

  test('A04: a login that ends in the middle of an edit loses nothing of it', async () => {
    allow(FAILED);
    await open('keys');
    await page.getByRole('button', { name: 'Add key' }).click();
    await field('Name').fill('late');
    await field('Secret').fill('sk-some-long-secret');
    const back = server.forgetAdmins();
    await inDialog('Add').click();
    await page.locator('dialog .failure:visible').waitFor();
    assert.equal(await field('Name').inputValue(), 'late');
    assert.equal(await field('Secret').inputValue(), 'sk-some-long-secret');
    back();
    assert.ok(!(await (await server.asAdmin('api/keys')).json()).items.some((key) => key.name === 'late'));
    await page.keyboard.press('Escape');
    await eventually(() => !document.querySelector('dialog'));
  });

  test('a conflict shows both versions and lets the user choose', async () => {
    allow(FAILED);
    await open('upstreams');
    const app = page.locator('section', { has: page.getByRole('heading', { name: 'Apps' }) }).locator('tbody tr').first();
    await app.getByRole('button', { name: /^Edit/ }).click();
    const now = await (await server.asAdmin('api/apps/default')).json();
    const changed = await server.asAdmin('api/apps/default', { method: 'PATCH', body: JSON.stringify({ note: 'theirs' }), headers: { 'If-Match': `"${now.version}"` } });
    assert.equal(changed.status, 200);
    await field('Note').fill('mine');
    await inDialog('Save').click();
    await page.locator('.conflict').waitFor();
    assert.match(await page.locator('.conflict').innerText(), /mine[\s\S]*theirs/);
    await inDialog('Save mine nevertheless').click();
    await eventually(() => !document.querySelector('dialog'));
    assert.equal((await (await server.asAdmin('api/apps/default')).json()).note, 'mine');
  });

  test('an app is tried in the page', async () => {
    await server.emulator.script({ answer: { pieces: ['绿茶', '要 80 ℃'], interval: 0.02 } });
    await open('upstreams');
    await page.getByRole('button', { name: 'Try it default' }).click();
    await field('Question').fill('多热？');
    await inDialog('Ask').click();
    await eventually(() => document.querySelector('dialog .answer')?.textContent === '绿茶要 80 ℃');
    await eventually(() => /First content after/.test(document.querySelector('dialog').innerText));
  });

  test('a server that goes away leaves what was shown, says since when, and comes back', async () => {
    allow(FAILED);
    await open('overview');
    await page.waitForSelector('#state[data-state="ok"]');
    gate.shut();
    await page.waitForSelector('#state[data-state="failed"]');
    assert.match(await page.innerText('#state'), /cannot be reached.*What is shown is from \d\d:\d\d:\d\d/);
    assert.ok(await page.isVisible('.cards dd'));
    gate.open();
    await page.waitForSelector('#state[data-state="ok"]');
  });

  test('D09: a database that was moved away is said on every page, with what to do, and works again when it is back', async () => {
    allow(FAILED);
    const [data, away] = ['data', 'away'].map((name) => join(server.dir, name));
    const move = (from, to) => { for (const name of readdirSync(from)) renameSync(join(from, name), join(to, name)); };
    const told = (what) => server.log().split(what).length - 1; // each child says it once
    const { children } = await (await server.asAdmin('api/overview')).json();
    mkdirSync(away);
    move(data, away);
    try {
      await holds(() => assert.equal(told('was moved, deleted or replaced'), children.length), 60);
      await open('keys', { locale: 'zh-CN' });
      for (const name of ['keys', 'upstreams', 'ends', 'conversations', 'callers', 'alerts', 'audit']) {
        await page.evaluate((to) => { location.hash = to; }, name);
        await shownPage(name);
        await page.getByText('尚未取得数据，将自动重试。').waitFor();
        assert.match(await page.innerText('#state'), /^服务器数据库暂时不可用。 查看原因与处理方法$/);
      }
      await page.evaluate(() => { location.hash = 'keys'; });
      await page.getByRole('button', { name: '添加 Key', exact: true }).click();
      await page.locator('.toast', { hasText: '服务器数据库暂时不可用。' }).waitFor();
      assert.equal(await page.locator('dialog').count(), 0);
      await page.getByRole('link', { name: '查看原因与处理方法' }).click();
      await page.locator('.checks li', { hasText: '数据库文件或其锁文件被移动、删除或替换' }).getByText('请将原文件放回').waitFor();
      await turnTo('live'); // needs no database
      await page.evaluate(() => { location.hash = 'audit'; });
      await page.getByText('尚未取得数据，将自动重试。').waitFor();
    } finally {
      move(away, data);
      await holds(() => assert.equal(told('was put back'), children.length), 60);
    }
    await settled(); // by itself, and what had failed is there
    await page.locator('#main tbody tr').first().waitFor();
  });

  test('a token is shown once, lets a program in, and nobody once it is revoked', async () => {
    const askWithToken = async (token) => {
      const response = await fetch(`${server.base}/stream`, { method: 'POST', body: JSON.stringify({ message: 'hi' }), headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` } });
      await response.text();
      return response.status;
    };
    await server.emulator.script({ answer: { pieces: ['yes'], interval: 0 } });
    await open('callers');
    await page.getByRole('button', { name: 'Add token', exact: true }).click();
    await field('Name').fill('crm');
    for (const name of [/^ask/, /^read/, /^manage/]) await page.locator('dialog').getByRole('checkbox', { name }).uncheck();
    await inDialog('Add').click();
    await page.locator('dialog .failure:visible', { hasText: 'This is needed.' }).waitFor();
    for (const name of [/^ask/, /^read/, 'default']) await page.locator('dialog').getByRole('checkbox', { name }).check();
    await inDialog('Add').click();
    const shown = page.locator('dialog').getByLabel('token', { exact: true });
    const token = await shown.inputValue();
    assert.match(token, /^bl_/);
    assert.equal(await askWithToken(token), 200);
    await inDialog('Close').click();
    await rowOf('crm').waitFor();
    assert.deepEqual(await Promise.all(['scopes', 'apps'].map((name) => rowOf('crm').locator(`[data-col="${name}"]`).innerText())), ['ask, read', 'default']);
    assert.ok(!await page.evaluate((text) => JSON.stringify([{ ...localStorage }, document.documentElement.outerHTML]).includes(text), token));
    await more('crm', 'Revoke');
    await inDialog('Revoke').click();
    await rowOf('crm').locator('.badge:text-is("revoked")').waitFor();
    assert.equal(await askWithToken(token), 401);
  });

  test('an issuer of JWT whose key is none is told so at that field; with its key it is added', async () => {
    allow(FAILED);
    const { publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256', publicKeyEncoding: { type: 'spki', format: 'pem' }, privateKeyEncoding: { type: 'pkcs8', format: 'pem' } });
    await open('callers');
    await page.getByRole('button', { name: 'Add issuer', exact: true }).click();
    await field('Name').fill('portal');
    await field('Algorithm').selectOption('ES256');
    await field('Public key (PEM)').fill('-----BEGIN PUBLIC KEY-----');
    await inDialog('Add').click();
    await page.locator('dialog textarea[name="publicKey"][aria-invalid="true"]').waitFor();
    await field('Public key (PEM)').fill(publicKey);
    await inDialog('Add').click();
    await rowOf('portal').locator('.badge:text-is("ok")').waitFor();
  });

  test('an alert is added, sends a message, is silenced, and never shows its URL', async () => {
    const got = [];
    const webhook = createServer(async (request, response) => {
      let text = '';
      for await (const part of request) text += part;
      got.push(JSON.parse(text));
      response.end('{}');
    });
    await new Promise((done) => { webhook.listen(0, '127.0.0.1', done); });
    try {
      const token = 'canary-webhook-77e1';
      await open('alerts');
      await page.getByRole('button', { name: 'Add alert', exact: true }).click();
      await field('Name').fill('duty');
      assert.equal(await field('URL of the webhook').getAttribute('type'), 'password');
      await field('URL of the webhook').fill(`http://127.0.0.1:${webhook.address().port}/robot?access_token=${token}`);
      await field('Streams that fail (%)').fill('20');
      await inDialog('Add').click();
      await rowOf('duty').getByRole('button', { name: 'Test duty', exact: true }).click();
      await rowOf('duty').locator('[data-col="delivery"] .badge[data-state="good"]').waitFor();
      assert.deepEqual(got.map(({ alert, state }) => [alert, state]), [['duty', 'test']]);
      await more('duty', 'Silence');
      await inDialog('Silence').click();
      await rowOf('duty').locator('[data-col="state"] .badge', { hasText: 'silent until' }).waitFor();
      assert.ok(!(await page.content()).includes(token));
    } finally {
      webhook.closeAllConnections();
      webhook.close();
    }
  });

  test('path check: ticks arrive as they are sent', async (t) => {
    if (!routes.includes('GET api/pathcheck')) return void t.skip('not in this build');
    await open('pathcheck');
    await page.getByLabel('Ticks').fill('5');
    await page.getByLabel('Every (ms)').fill('100');
    await page.getByRole('button', { name: 'Start' }).click();
    await page.waitForSelector('.notice[data-state="good"], .notice[data-state="warning"], .notice[data-state="failed"]');
    assert.doesNotMatch(await page.innerText('.notice'), /ended after/);
    assert.equal(await page.innerText('.facts dd'), 'yes'); // parked
  });

  test('path check: a proxy that buffers is told, with the fix', async () => {
    gate.hold(1000);
    await open('pathcheck', { locale: 'zh-CN' });
    await page.getByLabel('消息数').fill('30');
    await page.getByLabel('间隔（毫秒）').fill('100');
    await page.getByRole('button', { name: '开始' }).click();
    await page.waitForSelector('.notice[role="status"]:is([data-state="good"], [data-state="warning"], [data-state="failed"])');
    assert.match(await page.innerText('.notice[role="status"]'), /^事件在途中被扣留：30 条中有 \d+ 条成批到达。[^]*proxy_buffering off/);
  });

  test('the menu has every page that the build has routes for, and each of them opens', async () => {
    const wanted = Object.entries({ overview: 'Overview', live: 'Live', ends: 'Retries and ends', keys: 'Keys', apps: 'Upstreams and apps', conversations: 'Conversations',
      callers: 'Callers', alerts: 'Alerts', audit: 'Audit', pathcheck: 'Path check' }).filter(([name]) => routes.includes(`GET api/${name}`)).map(([, text]) => text);
    await open('overview');
    await page.waitForSelector('#nav a');
    const links = page.getByRole('navigation', { name: 'Pages' }).getByRole('link');
    assert.deepEqual(await links.allInnerTexts(), wanted);
    for (const name of wanted) {
      await links.getByText(name, { exact: true }).click();
      await page.waitForSelector(`#nav a[aria-current]:text-is("${name}")`);
      await page.waitForSelector('#state[data-state="ok"]');
    }
  });
});

// --- roles

const ROLES = `BailianAdminRole admin user li
    BailianAdminRole operator user chen
    BailianAdminRole viewer user wang`;
const AS = (username) => ({ httpCredentials: { username, password: 'canary-password' } });

describe('with roles', () => {
  let server;
  before(async () => { server = await startServer({ admin: ROLES }); });
  after(() => server?.stop());
  afterEach(closePage);

  const openAs = async (user, name) => {
    await openPage(server.origin, `/bailian-admin/#${name}`, AS(user));
    await settled();
  };
  const buttons = async (name, link) => {
    if (link) await go(name, link);
    await settled();
    return (await page.locator('#main').getByRole('button').allInnerTexts()).map((text) => text.trim());
  };
  // What the page itself would send, were the button there.
  const force = (path, body, method = 'POST') => page.evaluate(async ([to, text, how]) => {
    const answer = await fetch(to, { method: how, headers: { 'Content-Type': 'application/json', 'Accept-Language': 'zh-CN', 'If-Match': '"1"' }, body: text });
    return { status: answer.status, ...await answer.json() };
  }, [path, JSON.stringify(body), method]);

  test('a viewer reads; what he may not is not offered, and refused when forced', async () => {
    allow(FAILED);
    await openAs('wang', 'keys');
    await rowOf('test').waitFor();
    assert.match(await page.innerText('#who'), /wang · viewer/);
    const changes = /^(Add|Test|Import|Edit|Delete|More|Stop|Try|Use again|Replace|Change|Silence|Revoke|Enable|Disable)\b/;
    assert.deepEqual((await buttons('keys')).filter((text) => changes.test(text)), []);
    assert.equal(await page.locator('#main table input[type="checkbox"]').count(), 0);
    for (const [name, link] of [['upstreams', 'Upstreams and apps'], ['live', 'Live'], ['conversations', 'Conversations'], ['callers', 'Callers'], ['alerts', 'Alerts'], ['audit', 'Audit']]) {
      assert.deepEqual((await buttons(name, link)).filter((text) => changes.test(text)), [], name);
    }
    const refused = [['api/keys', { upstream: 'emulator', name: 'own', secret: SECRET }], ['api/live/stop', { ids: ['0'.repeat(32)] }], ['api/keys/1/test', {}],
      ['api/keys/1/disable', {}], ['api/apps/default/try', { message: 'hi' }], ['api/upstreams/emulator/restore', {}], ['api/callers', { name: 'own' }], ['api/conversations/delete', { user: 'user:li', dryRun: true }]];
    for (const [path, body] of refused) {
      const said = await force(path, body);
      assert.deepEqual([said.status, said.code, said.reason], [403, 'forbidden', 'role'], path);
      assert.match(said.detail, /BailianAdminRole (operator|admin) user "wang"/);
    }
    assert.equal((await force('api/apps/default', { note: 'x' }, 'PATCH')).status, 403);
    const items = (await (await server.asAdmin('api/audit?action=admin.refused&actor=user:wang')).json()).items;
    assert.equal(items.length, refused.length + 1);
    assert.equal((await (await server.asAdmin('api/keys')).json()).items.length, 1);
  });

  test('an operator tests, tries and stops; what is stored he cannot change', async () => {
    allow(FAILED);
    await server.emulator.script({ answer: { pieces: ['yes'], interval: 0 } });
    await openAs('chen', 'keys');
    await rowOf('test').waitFor();
    assert.match(await page.innerText('#who'), /chen · operator/);
    const offered = await buttons('keys');
    assert.ok(offered.includes('Test all') && !offered.some((text) => /^(Add|Import)\b/.test(text)), String(offered));
    await rowOf('test').getByRole('button', { name: 'Test test', exact: true }).click();
    await rowOf('test').locator('[data-col="check"] .badge[data-state="good"]').waitFor();
    assert.deepEqual((await buttons('upstreams', 'Upstreams and apps')).filter((text) => /^(Add|Edit|Delete|More)\b/.test(text)), []);
    await page.getByRole('button', { name: 'Try it default' }).click();
    await field('Question').fill('well?');
    await inDialog('Ask').click();
    await eventually(() => document.querySelector('dialog .answer')?.textContent === 'yes');
    await inDialog('Close').click();

    await server.emulator.script({ answer: { pieces: ['some ', 'text'], interval: 0, finish: false } }, { stall: true });
    const response = await fetch(`${server.base}/stream`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ message: 'hi', userId: 'chased' }) });
    assert.equal(response.status, 200);
    const reader = response.body.getReader();
    await reader.read();
    await go('live', 'Live');
    await row('anon:chased').locator('a').first().click();
    await shownPage('stream');
    await page.getByRole('button', { name: 'Show the text' }).click();
    await eventually(() => document.querySelector('.answer')?.textContent === 'some text');
    await page.locator('#main').getByRole('button', { name: 'Stop', exact: true }).click();
    await inDialog('Stop').click();
    await page.locator('.timeline li', { hasText: 'End: cancelled' }).waitFor();
    await reader.cancel().catch(() => {});
    for (const [path, body] of [['api/keys', { upstream: 'emulator', name: 'own', secret: SECRET }], ['api/keys/1/replace', { secret: SECRET }], ['api/callers', { name: 'own' }]]) {
      assert.deepEqual((({ status, values }) => [status, values])(await force(path, body)), [403, ['admin', 'chen', 'operator']], path);
    }
    const items = (await (await server.asAdmin('api/audit?actor=user:chen')).json()).items.map((one) => one.action);
    for (const action of ['stream.stop', 'stream.read', 'app.try', 'admin.refused']) assert.ok(items.includes(action), `${action} in ${items}`);
  });
});

// --- a table of answers

describe('with any answer', () => {
  let api;
  afterEach(async () => {
    await closePage();
    await api?.close();
  });

  async function open(name, { answers = answersOf(), ...options } = {}) {
    api = await openAdminApi(answers);
    await openPage(api.origin, `/#${name}`, options);
  }

  const HOSTILE = ['<img src=x onerror="window.hit=1">', '"><script>window.hit=1</script>', "javascript:window.hit=1//'", '<svg onload=window.hit=1>', '{{7*7}}${7*7}'];

  test('no payload in any field of any answer becomes markup, in no view and no dialog', async () => {
    let n = 0;
    await open('overview', { answers: answersOf({ text: (name, value) => (value === null ? null : HOSTILE[(n += 1) % HOSTILE.length]) }) });
    for (const name of PAGES) {
      await turnTo(name);
      await page.locator('#main').getByRole('button', { name: /^(Start|Show the text)$/ }).first().click({ timeout: 300 }).catch(() => {});
      assert.deepEqual(await page.evaluate(whatIsWrong), [], name);
    }
    await turnTo('upstreams');
    for (const action of [/^Try it/, /^Edit/, /^Delete/]) {
      await page.getByRole('button', { name: action }).first().click();
      await page.locator('dialog').waitFor();
      assert.deepEqual(await page.evaluate(whatIsWrong), [], String(action));
      await page.keyboard.press('Escape');
      await eventually(() => !document.querySelector('dialog'));
    }
    for (const link of await page.locator('a').all()) assert.doesNotMatch(await link.getAttribute('href') ?? '#', /^javascript/i);
  });

  test('every field, button and link has a name, every table a caption, every id one owner', async () => {
    await open('overview');
    for (const name of PAGES) {
      await turnTo(name);
      const bad = await page.evaluate(() => {
        const found = [];
        const named = (e) => e.getAttribute('aria-label') || e.getAttribute('aria-labelledby') || e.labels?.[0]?.innerText.trim() || e.innerText?.trim();
        for (const e of document.querySelectorAll('input, select, textarea, button, a[href]')) if (!e.closest('[hidden]') && e.checkVisibility() && !named(e)) found.push(e.outerHTML.slice(0, 80));
        for (const e of document.querySelectorAll('table')) if (!e.caption?.innerText && !e.getAttribute('aria-label')) found.push('a table without a caption');
        const ids = [...document.querySelectorAll('[id]')].map((e) => e.id);
        if (new Set(ids).size !== ids.length) found.push('an id twice');
        if (!document.querySelector('h2')) found.push('no heading');
        return found;
      });
      assert.deepEqual(bad, [], name);
    }
  });

  test('nothing is wider than the screen, at 1280 px and on a phone, in either language', async () => {
    for (const options of [{}, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true, locale: 'zh-CN' }]) {
      await open('overview', options);
      for (const name of PAGES) {
        await turnTo(name);
        assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), options.viewport?.width ?? 1280, name);
      }
      if (options.locale) assert.match(await page.title(), /百炼管理/);
      if (!options.locale) { await closePage(); await api.close(); }
    }
  });

  test('the language is the browser’s, can be switched, and is kept; so are the colours', async () => {
    await open('overview', { locale: 'zh-CN', colorScheme: 'dark' });
    await settled();
    assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
    assert.equal(await page.getAttribute('html', 'data-theme'), 'dark');
    await page.emulateMedia({ colorScheme: 'light' });
    await page.waitForSelector('html[data-theme="light"]');
    await page.emulateMedia({ colorScheme: 'dark' });
    await page.waitForSelector('html[data-theme="dark"]');
    assert.equal(await page.innerText('h2'), '概览');
    await page.click('#language');
    assert.equal(await page.innerText('h2'), 'Overview');
    await page.click('#theme');
    await page.reload();
    await settled();
    assert.equal(await page.innerText('h2'), 'Overview');
    assert.equal(await page.getAttribute('html', 'data-theme'), 'light');
    assert.equal(api.asked.at(-1).headers['accept-language'], 'en');
  });

  test('a viewer sees no button that would be refused', async () => {
    const answers = answersOf({ role: 'viewer' });
    await open('keys', { answers: { ...answers, 'GET api/me': { user: 'wang', role: 'viewer', get routes() { return Object.keys(answers).filter((route) => /^GET api\/(me|overview|keys|upstreams|apps|live)/.test(route)); }, set routes(_) {} } } });
    await settled();
    assert.equal(await page.getByRole('button', { name: /Add|Test|More|Import/ }).count(), 0);
    assert.deepEqual(await page.getByRole('navigation', { name: 'Pages' }).getByRole('link').allInnerTexts(), ['Overview', 'Live', 'Keys', 'Upstreams and apps']);
    await turnTo('audit');
    assert.match(await page.innerText('.page[data-page="audit"] .notice'), /not for your role, or not in this version/);
  });

  test('who is not let in reads why and which lines to add', async () => {
    allow(FAILED);
    await open('overview', { answers: { ...answersOf(), 'GET api/me': Object.assign(problem(403, 'forbidden', { detail: 'This needs the role viewer, add: BailianAdminRole viewer user "wang"' }), { routes: [] }) } });
    await page.waitForSelector('.refused');
    assert.match(await page.innerText('.refused'), /BailianAdminRole viewer user "wang"[\s\S]*AuthUserFile/);
  });

  test('a store that fails is said in its own words, and what was shown stays', async () => {
    allow(FAILED);
    const answers = answersOf();
    await open('keys', { answers });
    await row('main').first().waitFor();
    answers['GET api/keys'] = problem(503, 'store_unavailable', { title: 'The database cannot be used.' });
    await page.waitForSelector('#state[data-state="failed"]');
    assert.match(await page.innerText('#state'), /^The database cannot be used\. What is shown is from/);
    assert.ok(await row('main').first().isVisible());
  });

  test('10,000 streams, 500 of them shown and changed again and again: rows, choice and focus stay', async (t) => {
    const answers = answersOf();
    const [one] = answers['GET api/live']().items;
    const rows = (round) => Array.from({ length: 500 }, (_, n) => ({ ...one, id: `${String(n).padStart(4, '0')}f1e2`, owner: `user:${n}`, events: round * 1000 + n }));
    const told = (more) => ({ at: new Date().toISOString(), total: 10000, matched: 10000, phases: { streaming: 10000 }, ...more });
    let isGo = false;
    t.after(() => { isGo = true; }); // the feed ends, also when the test fails
    // Twenty-five rounds, once a row is chosen and something has the focus.
    answers['GET api/live/events'] = { sse: (async function* feed() {
      yield ['snapshot', told({ items: rows(0) })];
      while (!isGo) await sleep(20);
      for (let round = 1; round <= 25; round++) yield ['change', told({ items: rows(round) }), 5];
    }()) };
    await open('live?limit=500', { answers });
    await row('user:499').waitFor();
    assert.match(await page.innerText('#main h2'), /10,000 running/);
    await page.evaluate(() => { for (const tr of document.querySelectorAll('tbody tr')) tr.dataset.first = ''; });
    await row('user:7').first().getByRole('checkbox').check();
    await page.locator('.toolbar summary').first().focus();
    isGo = true;
    await eventually(() => /25,499/.test(document.querySelector('tbody tr:last-child').innerText));
    assert.deepEqual(await page.evaluate(() => ({
      rows: document.querySelectorAll('tbody tr').length, same: document.querySelectorAll('tbody tr[data-first]').length,
      checked: document.querySelectorAll('tbody input:checked').length, focus: document.activeElement.localName })), { rows: 500, same: 500, checked: 1, focus: 'summary' });
    await page.getByRole('button', { name: 'Next' }).waitFor();
  });

  test('codes are said in Chinese too, and stay to be read as they are', async () => {
    await open('audit', { locale: 'zh-CN' });
    const first = row('添加或修改上游').first();
    await first.waitFor();
    assert.equal(await first.locator('[data-col="action"]').getAttribute('title'), 'upstream.put');
    assert.match(await first.locator('[data-col="detail"]').innerText(), /^地域：cn-beijing，备注：无$/);
    await row('停止流').first().waitFor();
    await turnTo('ends');
    const why = row('Throttling.RateQuota').first().locator('[data-col="upstreamCode"]');
    assert.equal(await why.getAttribute('title'), 'Throttling.RateQuota：该账号与模型的每分钟请求数超限');
    await turnTo('stream/0002');
    await page.locator('.facts', { hasText: 'Throttling.RateQuota：该账号与模型的每分钟请求数超限' }).waitFor();
    await page.locator('[data-col="upstreamCode"]', { hasText: /^ServiceUnavailable$/ }).waitFor();
  });

  test('lists that are empty say so', async () => {
    await open('keys', { answers: answersOf({ rows: 0 }) });
    await page.waitForSelector('.nothing:has-text("There is no key yet")');
    await page.getByRole('button', { name: 'Add key', exact: true }).click(); // of which upstream?
    await page.locator('.toast', { hasText: 'There is no upstream yet: add one first' }).waitFor();
    await turnTo('live');
    await page.waitForSelector('.nothing:has-text("No stream is running.")');
  });

  test('all of it works by keyboard', async () => {
    await open('keys');
    await settled();
    await row('main').first().waitFor();
    await page.keyboard.press('Tab');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'skip');
    await page.keyboard.press('Enter');
    assert.equal(await page.evaluate(() => document.activeElement.id), 'main');
    const reached = [];
    for (let i = 0; i < 14; i++) {
      await page.keyboard.press('Tab');
      reached.push(await page.evaluate(() => (document.activeElement.getAttribute('aria-label') ?? document.activeElement.innerText ?? '').trim()));
      assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', reached.at(-1));
    }
    for (const name of ['Test all', 'Add key', 'Columns', 'Name']) assert.ok(reached.includes(name), `${name} in ${reached}`);
    await page.locator('th').getByRole('button', { name: 'Name' }).focus();
    await page.keyboard.press('Enter');
    await page.waitForSelector('th[aria-sort="descending"]');
    assert.equal(await page.evaluate(() => document.activeElement.innerText), 'Name');
  });

  test('a secret is in no storage, and not in the form when it is opened again', async () => {
    const answers = answersOf();
    answers['POST api/keys'] = ({ body }) => ({ ...answers['GET api/keys/{id}'], name: body.name, httpStatus: 201 });
    await open('keys', { answers });
    await settled();
    for (const secret of [SECRET, '']) {
      await page.getByRole('button', { name: 'Add key', exact: true }).click();
      assert.equal(await field('Secret').inputValue(), '');
      if (!secret) break;
      await field('Name').fill('one');
      await field('Secret').fill(secret);
      await inDialog('Add').click();
      await eventually(() => !document.querySelector('dialog'));
    }
    assert.equal(api.asked.find((one) => one.method === 'POST').body.secret, SECRET);
    assert.ok(!await page.evaluate((text) => JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.body.outerHTML]).includes(text), SECRET));
  });

  test('Live: sorted and filtered by the server; stands still when told to; is taken away as CSV and JSON; many are stopped at once', async () => {
    const asked = (query) => api.asked.filter(({ path }) => path === 'api/live/events').some((one) => Object.entries(query).every(([name, value]) => one.query.get(name) === value));
    await open('live');
    await row('user:li').first().waitFor();
    assert.equal(await page.locator('[data-col="phase"]', { hasText: /^retrying 2\/3$/ }).count() > 0, true);
    await page.locator('th').getByRole('button', { name: 'Bytes' }).click();
    await holds(() => assert.ok(asked({ sort: 'bytes', order: 'desc' })));
    await page.locator('th').getByRole('button', { name: 'Bytes' }).click();
    await holds(() => assert.ok(asked({ sort: 'bytes', order: 'asc' })));
    await page.waitForSelector('th[aria-sort="ascending"]');
    await page.getByRole('combobox', { name: 'Phase' }).selectOption('paused');
    await page.getByRole('searchbox', { name: 'User', exact: true }).fill('user:li');
    await holds(() => assert.ok(asked({ sort: 'bytes', order: 'asc', phase: 'paused', user: 'user:li' })));
    const links = await page.locator('.head a.button').evaluateAll((all) => all.map((a) => new URL(a.href).searchParams.toString()));
    assert.deepEqual(links, ['phase=paused&user=user%3Ali&sort=bytes&order=asc&format=csv', 'phase=paused&user=user%3Ali&sort=bytes&order=asc&format=json&export=1']);
    await row('user:li').first().waitFor();
    await page.getByRole('button', { name: 'Pause' }).click();
    await page.locator('h2', { hasText: 'Paused: the list stands still.' }).waitFor();
    const before = api.asked.length;
    await page.getByRole('button', { name: 'Resume' }).click();
    await holds(() => assert.ok(api.asked.slice(before).some(({ path }) => path === 'api/live/events')));
    for (const n of [0, 1]) await page.locator('tbody').getByRole('checkbox').nth(n).check();
    await page.getByRole('button', { name: 'Stop selected (2)' }).click();
    await inDialog('Stop').click();
    await page.locator('.toast', { hasText: '2 stopped, 0 told to stop, 0 had ended' }).waitFor();
    assert.equal(api.asked.find(({ path }) => path === 'api/live/stop').body.ids.length, 2);
  });

  test('columns can be hidden, and stay so', async () => {
    await open('keys');
    await row('main').first().waitFor();
    await page.click('details.columns summary');
    await page.locator('.menu').getByLabel('Weight').uncheck();
    await eventually(() => !document.querySelector('td[data-col="weight"]'));
    await page.reload();
    await row('main').first().waitFor();
    assert.equal(await page.locator('td[data-col="weight"]').count(), 0);
  });

  test('path check says that events are held back when they come together', async () => {
    const answers = answersOf();
    answers['GET api/pathcheck'] = { sse: [['path', { parked: true, filters: [], proxies: [], hints: [] }], ...Array.from({ length: 20 }, (_, n) => ['tick', { n: n + 1, of: 20, sentMs: n * 250 }]), ['done', {}]] };
    await open('pathcheck', { answers });
    await page.getByRole('button', { name: 'Start' }).click();
    await page.waitForSelector('.notice[data-state="failed"]');
    assert.match(await page.innerText('.notice'), /held back.*proxy_buffering/s);
  });
});
