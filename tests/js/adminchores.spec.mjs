// SPDX-License-Identifier: Apache-2.0
// What an admin does now and then, in a real browser on a real server: many
// keys at once, a key that is replaced, an upstream that moves, deletions,
// tables to take away, and why one stream ended.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { after, afterEach, before, test } from 'node:test';
import { allow, closePage, eventually, FAILED, field, inDialog, launch, more, openPage, page, quit, row, rowOf } from './adminpage.mjs';
import { startServer } from './server.mjs';

let server;

before(async () => {
  await launch();
  server = await startServer({ admin: true });
});
after(async () => {
  await server?.stop();
  await quit();
});
afterEach(closePage);

const open = (name) => openPage(server.origin, `/bailian-admin/#${name}`, { httpCredentials: { username: 'li', password: 'canary-password' } });
const get = async (path) => (await server.asAdmin(path)).json();
const buttonOf = (name) => page.getByRole('button', { name, exact: true });
const closed = () => eventually(() => !document.querySelector('dialog'));

async function ask(userId) {
  await server.emulator.script({ answer: { pieces: ['green ', 'tea'], interval: 0 } });
  const response = await fetch(`${server.base}/stream`, { method: 'POST',
    headers: { 'Content-Type': 'application/json', 'X-Request-Id': `request-of-${userId}` }, body: JSON.stringify({ message: 'hi', userId }) });
  assert.equal(response.status, 200);
  await response.text();
  return response.headers.get('x-bailian-stream');
}

test('many keys are tried first, then all are added or none', async () => {
  allow(FAILED);
  await open('keys');
  await buttonOf('Import').click();
  await field('Upstream').selectOption('emulator');
  await field('Keys').fill('many-1, sk-many-secret-0001\nnot a name!, sk-many-secret-0002\n');
  await inDialog('Try').click();
  await page.locator('dialog .failure', { hasText: '1 lines are wrong' }).waitFor();
  assert.equal(await inDialog('Add 2 keys').count(), 0);
  await field('Keys').fill('many-1, sk-many-secret-0001\nmany-2, sk-many-secret-0002, account-b, a note\n');
  await inDialog('Try').click();
  await inDialog('Add 2 keys').click();
  await closed();
  await rowOf('many-2').waitFor();
  assert.ok(!(await page.content()).includes('sk-many-secret'));
});

test('a key is replaced, and tested with the new secret', async () => {
  await open('keys');
  await more('many-1', 'Replace secret');
  await field('Secret').fill('sk-many-secret-9999');
  await page.locator('dialog button.primary').click();
  await closed();
  await eventually(() => /…9999/.test(document.querySelector('#main').innerText));
});

test('an upstream that moves to another host asks for its keys again (S-34)', async () => {
  await open('upstreams');
  const base = (await get('api/upstreams/emulator')).baseUrl;
  const upstream = page.locator('section', { has: page.getByRole('heading', { name: 'Upstreams', exact: true }) }).locator('tbody tr').first();
  await upstream.getByRole('button', { name: /^Edit/ }).click();
  await field('Address').fill('https://dashscope.example.com/api/v1');
  await page.locator('dialog button.primary').click();
  await page.locator('dialog, .toast, .notice', { hasText: /again/ }).first().waitFor();
  await eventually(() => !/emulator.*127\.0\.0\.1/s.test(document.querySelector('#main').innerText));
  const states = (await get('api/keys')).items.map((key) => key.state);
  assert.ok(states.every((state) => state === 'reenter'), states.join());
  const now = await get('api/upstreams/emulator');
  assert.equal((await server.asAdmin('api/upstreams/emulator', { method: 'PATCH', body: JSON.stringify({ baseUrl: base }), headers: { 'If-Match': `"${now.version}"` } })).status, 200);
  const added = await server.asAdmin('api/keys', { method: 'POST', body: JSON.stringify({ upstream: 'emulator', name: 'test', secret: 'sk-entered-again' }) });
  assert.ok([200, 201].includes(added.status), await added.text());
});

test('why a stream ended is found by its id and by the id of its request', async () => {
  const id = await ask('finder');
  for (const words of [id, 'request-of-finder']) {
    await open(`ends?q=${words}`);
    await row(id.slice(0, 8)).first().waitFor();
    await closePage();
  }
  await open(`stream/${id}`);
  await page.locator('.timeline li', { hasText: 'End: completed' }).waitFor();
});

test('conversations of one user are counted, then deleted', async () => {
  await ask('leaver');
  await ask('stayer');
  await open('conversations');
  await row('anon:leaver').first().waitFor();
  await buttonOf('Delete many').click();
  await field('User').fill('anon:leaver');
  await inDialog('Count').click();
  await page.locator('dialog', { hasText: 'Delete 1 conversations?' }).waitFor();
  await inDialog('Delete').click();
  await page.locator('section', { hasText: 'done' }).first().waitFor();
  assert.equal((await get('api/conversations?user=anon%3Aleaver')).items.length, 0);
  assert.equal((await get('api/conversations?user=anon%3Astayer')).items.length, 1);
});

test('usage and audit are taken away as CSV', async () => {
  for (const [name, head] of [['conversations?tab=usage', /streams/i], ['audit', /key\.(add|import)/]]) {
    await open(name);
    await page.locator('#main tbody tr').first().waitFor();
    const [download] = await Promise.all([page.waitForEvent('download'), page.getByRole('link', { name: 'CSV' }).click()]);
    assert.match(download.suggestedFilename(), /\.csv$/);
    assert.match(readFileSync(await download.path(), 'utf8'), head);
    await closePage();
  }
  await open('overview');
});
