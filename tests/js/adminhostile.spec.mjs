// SPDX-License-Identifier: Apache-2.0
// Hostile text in every field that the real server stores, in every view: none
// of it may become markup, and none may run (S-26).
import assert from 'node:assert/strict';
import { after, afterEach, before, test } from 'node:test';
import { closePage, eventually, launch, openPage, page, quit, rowOf, settled, turnTo, whatIsWrong } from './adminpage.mjs';
import { startServer } from './server.mjs';

const HOSTILE = '<img src=x onerror="window.hit=1"><script>window.hit=1</script>';
const LINK = 'javascript:window.hit=1//';
const USER = '<svg onload=window.hit=1>';
const TABLES = ['live', 'ends', 'keys', 'upstreams', 'apps', 'conversations', 'deletions', 'usage', 'callers', 'alerts', 'audit', 'attempts'];
const VIEWS = ['overview', 'live', 'ends?by=code', 'ends?by=upstream', 'keys', 'upstreams', 'conversations', 'conversations?titles=1', `conversations?q=${encodeURIComponent(HOSTILE)}`,
  'conversations?tab=usage&by=user', 'conversations?tab=usage&by=key', 'conversations?tab=retention', 'callers', 'alerts', 'audit', `audit?q=${encodeURIComponent(HOSTILE)}`];

let server;

before(async () => {
  await launch();
  server = await startServer({ admin: true });
  await storeAll();
});
after(async () => {
  await quit();
  await server?.stop();
});
afterEach(closePage);

async function told(path, options) {
  const response = await server.asAdmin(path, options);
  const text = await response.text();
  assert.ok(response.ok, `${path}: ${response.status} ${text}`);
  return text && JSON.parse(text);
}
const post = (path, body) => told(path, { method: 'POST', body: JSON.stringify(body) });

async function patch(path, body) {
  const { version } = await told(path);
  return told(path, { method: 'PATCH', body: JSON.stringify(body), headers: { 'If-Match': `"${version}"` } });
}

async function ask(step, headers = {}) {
  await server.emulator.script(step);
  const response = await fetch(`${server.base}/stream`, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify({ message: HOSTILE, userId: USER, conversationId: HOSTILE }) });
  return response.text();
}

async function storeAll() {
  await ask({ answer: { pieces: [HOSTILE], thinking: HOSTILE, interval: 0 } }, { 'X-Request-Id': HOSTILE });
  await ask({ error: { http: 400, code: HOSTILE, message: HOSTILE } });
  const [{ id }] = (await told('api/keys')).items;
  await patch(`api/keys/${id}`, { note: HOSTILE, account: USER });
  await post('api/upstreams', { name: 'hostile', baseUrl: 'https://hostile.example/api/v1', note: HOSTILE, region: HOSTILE, workspace: HOSTILE.slice(0, 60) });
  await post('api/apps', { name: 'hostile', upstream: 'hostile', appId: 'a1', workspace: HOSTILE.slice(0, 60), note: HOSTILE, parameters: { [HOSTILE]: HOSTILE } });
  await post('api/callers', { name: 'hostile', note: HOSTILE });
  await post('api/alerts', { name: 'hostile', url: 'https://hostile.example/robot', note: HOSTILE, enabled: false });
  await post('api/conversations/delete', { user: LINK, before: '2020-01-01T00:00:00.000Z', dryRun: false });
}

const open = (hash) => openPage(server.origin, `/bailian-admin/#${hash}`, { httpCredentials: { username: 'li', password: 'canary-password' } });

// Every column is shown, also those that are hidden at first.
async function openWithAllColumns() {
  await open('overview');
  await settled();
  await page.evaluate((tables) => { for (const id of tables) localStorage.setItem(`bailian.admin.columns.${id}`, ''); }, TABLES);
}

const shows = (text) => eventually((wanted) => document.querySelector('#main').innerText.includes(wanted), text);

test('in every list', async () => {
  await openWithAllColumns();
  for (const hash of VIEWS) {
    await turnTo(hash);
    assert.deepEqual(await page.evaluate(whatIsWrong), [], hash);
  }
  for (const [hash, text] of [['keys', HOSTILE], ['upstreams', HOSTILE], ['callers', HOSTILE], ['alerts', HOSTILE], ['ends', USER], ['conversations?titles=1', HOSTILE.slice(0, 50)], ['conversations?tab=usage&by=user', USER], ['audit', USER]]) {
    await turnTo(hash);
    await shows(text); // it is there, as text
    assert.deepEqual(await page.evaluate(whatIsWrong), [], hash);
  }
});

test('in what a stream and a conversation were', async () => {
  await openWithAllColumns();
  const { items: ends } = await told('api/ends');
  assert.equal(ends.length, 2);
  for (const { id } of ends) {
    await turnTo(`stream/${id}`);
    await page.getByRole('button', { name: 'Show the text' }).click();
    assert.deepEqual(await page.evaluate(whatIsWrong), [], id);
  }
  const { items: conversations } = await told('api/conversations');
  await turnTo(`conversation/${conversations[0].id}`);
  await shows(HOSTILE);
  for (const fold of await page.locator('.message details summary').all()) await fold.click();
  assert.deepEqual(await page.evaluate(whatIsWrong), [], 'conversation');
});

test('in a live stream, in its timeline and its text', async () => {
  await server.emulator.script({ answer: { pieces: [HOSTILE], interval: 0, finish: false } }, { stall: true });
  const response = await fetch(`${server.base}/stream`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ message: HOSTILE, userId: USER }) });
  const reader = response.body.getReader();
  await reader.read();
  await openWithAllColumns();
  await turnTo('live');
  await shows(USER);
  assert.deepEqual(await page.evaluate(whatIsWrong), [], 'live');
  await page.locator('tbody td[data-col="id"] a').first().click();
  await page.getByRole('button', { name: 'Show the text' }).click();
  await shows(HOSTILE);
  assert.deepEqual(await page.evaluate(whatIsWrong), [], 'stream');
  await page.getByRole('button', { name: 'Stop', exact: true }).click();
  await page.locator('dialog').waitFor();
  assert.deepEqual(await page.evaluate(whatIsWrong), [], 'the question whether to stop');
  await page.keyboard.press('Escape');
  await reader.cancel();
});

test('in the forms to edit what is stored', async () => {
  await openWithAllColumns();
  for (const [hash, name, action] of [['keys', 'test', 'More'], ['upstreams', 'hostile', 'Edit'], ['callers', 'hostile', 'Edit']]) {
    await turnTo(hash);
    for (const button of await rowOf(name).getByRole('button', { name: new RegExp(`^${action}`) }).all()) {
      await button.click();
      await page.locator('dialog').waitFor();
      if (action === 'More') await page.locator('dialog .choices button').first().click();
      await page.locator('dialog').waitFor();
      assert.deepEqual(await page.evaluate(whatIsWrong), [], `${hash} ${action}`);
      await page.keyboard.press('Escape');
      await eventually(() => !document.querySelector('dialog'));
    }
  }
});
