// SPDX-License-Identifier: Apache-2.0
// The mini-program of sdk/examples in the hostile mini-program of weixin.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContext, runInContext } from 'node:vm';
import { root, startServer } from './server.mjs';
import { createWeixin, CUTS, loadInWeixin } from './weixin.mjs';

let server;
const folder = join(root, 'sdk/examples/mini-program');
const pieces = ['绿茶', '🍵适合', '用 80 ℃', ' 的水。'];

before(async () => { server = await startServer(); });
after(() => server?.stop());

// The page as WeChat would run it, with its address put in.
function openPage(weixin) {
  const kept = new Map();
  const wx = { ...weixin.wx, getStorageSync: (key) => kept.get(key) ?? '', setStorageSync: (key, value) => kept.set(key, value) };
  let page;
  const Page = (given) => { page = { ...given, data: { ...given.data }, setData(some) { Object.assign(this.data, some); } }; };
  const code = readFileSync(join(folder, 'pages/chat/chat.js'), 'utf8').replace('https://chat.example.com/bailian', server.base);
  const context = createContext({ wx, Page, setTimeout, clearTimeout, require: () => loadInWeixin({ wx }) });
  runInContext(code, context, { filename: 'chat.js' });
  page.onLoad();
  return page;
}

async function until(what, name) {
  for (let i = 0; i < 1500; i++) {
    if (what()) return;
    await sleep(20);
  }
  throw new Error(`${name}: not within 30 s`);
}

function ask(page, question) {
  page.onQuestion({ detail: { value: question } });
  page.ask();
}

test('the page asks, shows the answer, and asks again', async () => {
  await server.emulator.script({ answer: { pieces, interval: 0.02, first_delay: 0 } });
  for (const conditions of [{ hasSockets: true }, { cut: CUTS.single }]) {
    const page = openPage(createWeixin(conditions));
    for (const question of ['绿茶？', '还有呢？']) {
      ask(page, question);
      assert.equal(page.data.isRunning, true);
      await until(() => !page.data.isRunning, 'the end');
      assert.equal(page.data.text, pieces.join(''));
      assert.equal(page.data.note, '');
    }
    page.onUnload();
  }
});

test('the page says that it reconnects, that an answer was stopped, and what went wrong', async () => {
  await server.emulator.script({ answer: { pieces: ['a'], interval: 0, finish: false } }, { stall: true });
  const weixin = createWeixin({ hasSockets: true });
  const page = openPage(weixin);
  ask(page, 'hi');
  await until(() => page.data.text === 'a', 'the first word');
  await weixin.background(0);
  await until(() => /正在重连/.test(page.data.note), 'the note');
  weixin.foreground();
  await until(() => page.data.note === '', 'the connection');
  page.stop();
  await until(() => page.data.note === '已停止。', 'the end');
  await server.emulator.script({ json: { status: 400, body: { code: 'InvalidParameter' } } });
  ask(page, 'hi');
  await until(() => page.data.note.includes('（upstream_rejected）'), 'the failure');
  assert.equal(page.data.isRunning, false);
});

test('every page of the program has its four files, and its markup names what the page has', () => {
  const { pages } = JSON.parse(readFileSync(join(folder, 'app.json'), 'utf8'));
  for (const name of pages) {
    JSON.parse(readFileSync(join(folder, `${name}.json`), 'utf8'));
    assert.ok(readFileSync(join(folder, `${name}.wxss`), 'utf8').length);
    const code = readFileSync(join(folder, `${name}.js`), 'utf8');
    const markup = readFileSync(join(folder, `${name}.wxml`), 'utf8');
    for (const [, method] of markup.matchAll(/bind\w+="(\w+)"/g)) assert.match(code, new RegExp(`^  ${method}\\(`, 'm'), method);
    for (const [, field] of markup.matchAll(/\{\{(\w+)\}\}/g)) assert.match(code, new RegExp(`\\b${field}: `), field);
  }
});
