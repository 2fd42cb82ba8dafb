// SPDX-License-Identifier: Apache-2.0
// What docs/protocol.md shows does what the page says: its configuration is the
// server's, and every sh and js block of it is run as it stands. Only the host
// and the id of the stream, which are examples there, are put in.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createContext, runInContext } from 'node:vm';
import { holds, root, startServer } from './server.mjs';
import { createWeixin } from './weixin.mjs';
import { WebSocketClient } from './wsclient.mjs';

const EXAMPLE_ID = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
const pieces = ['Green tea', ' is made of', ' leaves 🍵', ' that were', ' not', ' fermented.'];
const TEXT = pieces.join('');
const WAIT = 60;

// [heading, language, code] of every block that is a configuration or a program.
const blocks = [];
let heading = '';
for (const [, title, language, code] of readFileSync(join(root, 'docs/protocol.md'), 'utf8').matchAll(/^#+ (.*)$|^```(\w*)\n([^]*?)^```$/gm)) {
  if (title) heading = title;
  else if (['apache', 'sh', 'js'].includes(language)) blocks.push([heading, language, code]);
}
const left = new Set(blocks);

function blockOf(title, language) {
  const found = blocks.filter(([name, kind]) => name === title && kind === language);
  assert.equal(found.length, 1, `one ${language} block below "${title}"`);
  left.delete(found[0]);
  return found[0][2].replaceAll('https://example.org', server?.origin)
    .replaceAll('wss://example.org', server?.origin.replace('http', 'ws')).replaceAll(EXAMPLE_ID, streamId);
}

let server;
let streamId = ''; // of the last answer

before(async () => {
  server = await startServer({ location: blockOf('The smallest configuration', 'apache') });
  await server.emulator.script({ answer: { pieces, interval: 0, first_delay: 0 } });
});
after(() => server?.stop());

// --- commands ------------------------------------------------------------------
// What each line of a block prints.
async function run(title) {
  const said = [];
  for (const line of blockOf(title, 'sh').trim().split('\n')) {
    said.push(await new Promise((done, fail) => {
      execFile('sh', ['-c', line], { timeout: WAIT * 1000, encoding: 'utf8' },
        (failure, stdout) => (failure ? fail(failure) : done(stdout)));
    }));
  }
  return said;
}

const eventsOf = (said) => said.split('\n').filter((line) => line.startsWith('data: ')).map((line) => JSON.parse(line.slice(6)));
const textOf = (events) => events.filter((one) => !one.isEnd).map((one) => one.content).join('');

test('Ask: an answer comes as events', async () => {
  const [said] = await run('Ask');
  const events = eventsOf(said);
  assert.equal(textOf(events), TEXT);
  assert.deepEqual([events.at(-1).isEnd, events.at(-1).content], [true, TEXT]);
  streamId = /^id: (\w+):/m.exec(said)[1];
});

test('Resume: what came after the fourth event, as events and as a batch', async () => {
  const all = await (await fetch(`${server.base}/streams/${streamId}/events?as=json&after=0&userId=u1`)).json();
  const rest = all.events.filter(({ seq, kind }) => seq > 4 && kind === 'delta').map(({ text }) => text).join('');
  const [events, batch] = await run('Resume');
  assert.ok(rest && rest !== TEXT);
  assert.equal(textOf(eventsOf(events)), rest);
  const { events: later, complete } = JSON.parse(batch);
  assert.equal(complete, true);
  assert.equal(later.filter(({ kind }) => kind === 'delta').map(({ text }) => text).join(''), rest);
});

test('Mini-programs: chunked text, start and poll, and the whole at once', async () => {
  const [text, start, poll, sync] = await run('Mini-programs');
  assert.equal(text, TEXT);
  const { success, data } = JSON.parse(start);
  assert.deepEqual([success, data.sessionId], [true, 's-7f3a']);
  const polled = JSON.parse(poll);
  assert.deepEqual([polled.success, polled.data.streamId], [true, data.streamId]);
  assert.ok(TEXT.startsWith(polled.data.delta) && polled.data.delta !== '');
  const { data: whole } = JSON.parse(sync);
  assert.deepEqual([whole.content, whole.complete], [TEXT, true]);
});

// --- programs -------------------------------------------------------------------
// A page of this host, as far as the programs need one, until done() answers.
async function runInPage(title, globals, done) {
  const sockets = [];
  const said = [];
  const page = {
    fetch: (path, options) => fetch(new URL(path, server.origin), options),
    EventSource: class { constructor(path) { this.whole = fetch(new URL(path, server.origin)).then((reply) => reply.text()); } },
    WebSocket: class extends WebSocketClient { constructor(url) { super(url); sockets.push(this); } },
    console: { log: (...words) => said.push(words), warn: (...words) => said.push(['warning', ...words]) },
    said,
    ...globals,
  };
  page.said = said;
  const context = createContext(page);
  try {
    await runInContext(`(async () => {${blockOf(title, 'js')}\n; this.source = typeof source === 'undefined' ? null : source;\n`
      + "this.poll = typeof poll === 'undefined' ? null : poll; })()", context, { filename: title });
    for (const end = Date.now() + WAIT * 1000; ;) {
      const found = await done(page);
      if (found) return found;
      assert.ok(Date.now() < end, `${title}: not within ${WAIT} s, said ${JSON.stringify(said)}`);
      await sleep(20);
    }
  } finally {
    for (const socket of sockets) socket.close();
  }
}

test('Tickets: an EventSource reads with a ticket of a caller who has a token', async () => {
  const tool = join(resolve(process.env.BL_BUILD_DIR || root), 'bailianctl');
  const token = /bl_\S+/.exec(execFileSync(tool, ['--database', `${server.dir}/data/bailian.db`, '--master-key', `${server.dir}/master.key`,
    'caller', 'add', 'page'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] }))[0];
  const id = await holds(async () => {
    const reply = await fetch(`${server.base}/api/chat/sync`, { method: 'POST', body: '{"message":"?"}',
      headers: { 'Content-Type': 'application/json', Authorization: `Bearer ${token}` } });
    assert.equal(reply.status, 200);
    return (await reply.json()).data.streamId;
  });
  const whole = await runInPage('Tickets', { token, id }, (page) => page.source?.whole);
  assert.equal(textOf(eventsOf(whole)), TEXT);
});

test('Messages: a page asks on a WebSocket', async () => {
  assert.deepEqual(await runInPage('Messages', {}, ({ said }) => said[0]), ['completed', TEXT]);
});

test('Raw text: a page asks on a WebSocket and gets the text', async () => {
  assert.deepEqual(await runInPage('Raw text', {}, ({ said }) => said[0]), [TEXT]);
});

test('Mini-programs: a mini-program polls to the end', async () => {
  const reply = await fetch(`${server.base}/api/chat/stream`, { method: 'POST', body: '{"message":"?","userId":"u2"}',
    headers: { 'Content-Type': 'application/json' } });
  const { data: { sessionId } } = await reply.json();
  let shown = '';
  const poll = await runInPage('Mini-programs', { wx: createWeixin().wx }, (page) => page.poll);
  await poll(server.base, sessionId, (text, isWhole) => { shown = isWhole ? text : shown + text; });
  assert.equal(shown, TEXT);
});

test('there is no block that was not run', () => {
  assert.deepEqual([...left].map(([name, language]) => `${name}: ${language}`), []);
  assert.ok(blocks.length >= 8);
});
