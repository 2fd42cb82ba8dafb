// SPDX-License-Identifier: Apache-2.0
// Clients that know nothing of this module read whole answers from it: EventSource
// and WebSocket of Chromium, npm's eventsource, fetch-event-source and ws, and curl.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { EventSource as NodeEventSource } from 'eventsource';
import { chromium } from 'playwright-core';
import { WebSocket as NodeWebSocket } from 'ws';
import { openGate } from './gate.mjs';
import { root, startServer } from './server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const WAIT = 60000;
const pieces = ['绿茶：\n', '\n- 用 "80 ℃"', ' 的水 🍵\r\n', ' data: 冲泡，', '太烫\\会', '\t发苦', '。'];
const TEXT = pieces.join('');
const SHA256 = createHash('sha256').update(TEXT).digest('hex');

let server;
let gate;
let browser;
let page;
let barrier = 0;
let authorization; // of a caller with a token

before(async () => {
  server = await startServer({ extra: 'BailianGapTimeout 300s' });
  authorization = { Authorization: `Bearer ${addCaller()}` };
  await server.restart(); // every child knows him from its start
  gate = await openGate(server.origin);
  browser = await chromium.launch({ executablePath: process.env.BL_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
  page = await browser.newPage();
  await page.goto(`${gate.origin}/`); // httpd's own 404: a page of this origin, without a policy
  await page.addScriptTag({ content: await bundle() });
});
after(async () => {
  await browser?.close();
  await gate?.close();
  await server?.stop();
});

function addCaller() {
  const tool = join(resolve(process.env.BL_BUILD_DIR || root), 'bailianctl');
  const said = execFileSync(tool, ['--database', `${server.dir}/data/bailian.db`, '--master-key', `${server.dir}/master.key`,
    'caller', 'add', 'page'], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return /bl_\S+/.exec(said)[0];
}

async function bundle() {
  const { outputFiles: [{ text }] } = await build({ bundle: true, write: false, format: 'iife', globalName: 'library',
    stdin: { contents: "export { fetchEventSource } from '@microsoft/fetch-event-source';", resolveDir: here } });
  return text;
}

async function until(what, name) {
  for (const end = Date.now() + WAIT; ;) {
    const found = await what();
    if (found) return found;
    if (Date.now() > end) throw new Error(`not within ${WAIT} ms: ${name}`);
    await sleep(30);
  }
}

const answer = (some, more) => ({ answer: { pieces: some, interval: 0, first_delay: 0, ...more } });
const script = () => server.emulator.script(answer(pieces));
// Three pieces, two that come while nobody reads, and the rest.
async function scriptInParts() {
  const names = [`cut${barrier += 1}`, `back${barrier}`];
  await server.emulator.script(answer(pieces.slice(0, 3), { finish: false }), { barrier: names[0] },
    answer(pieces.slice(3, 5), { finish: false }), { barrier: names[1] }, answer(pieces.slice(5)));
  return names;
}

// --- what came ---------------------------------------------------------------
async function post(path, body, headers = {}) {
  const reply = await fetch(server.origin + path, { method: 'POST', body: JSON.stringify(body),
    headers: { 'Content-Type': 'application/json', ...headers } });
  return { status: reply.status, body: await reply.json() };
}

// An answer that runs without a reader: what EventSource, which can only GET, reads.
async function begin(base = '/bailian', headers = {}) {
  const { status, body } = await post(`${base}/api/chat/stream`, { message: '绿茶？' }, headers);
  assert.equal(status, 200, JSON.stringify(body));
  return body.data.streamId;
}

// The number and text of every piece, as they are stored.
async function stored(id, base = '/bailian', headers = {}) {
  const reply = await fetch(`${server.origin}${base}/streams/${id}/events?as=json&after=0`, { headers });
  const { events, complete } = await reply.json();
  assert.equal(complete, true);
  return { pieces: events.filter((one) => one.kind === 'delta').map((one) => [one.seq, one.text]), last: events.at(-1).seq };
}

const stateOf = async (id) => (await fetch(`${server.base}/streams/${id}`)).json();

// Events as [id, data]: each piece once and in order by its own number, then the end.
async function isWhole(events, id, ...asWhom) {
  const { pieces: wanted, last } = await stored(id, ...asWhom);
  assert.equal(wanted.map(([, text]) => text).join(''), TEXT);
  const came = events.filter(([, data]) => data.content && !data.isEnd);
  assert.deepEqual(came.map(([name, data]) => [name, data.id, data.content]), wanted.map(([seq, text]) => [`${id}:${seq}`, String(seq), text]));
  const ends = events.filter(([, data]) => data.isEnd);
  assert.equal(ends.length, 1);
  assert.equal(events.at(-1), ends[0]);
  const [name, end] = ends[0];
  assert.deepEqual([name, end.content, end.finishReason, end.sha256, end.length],
    [`${id}:${last}`, TEXT, 'stop', SHA256, Buffer.byteLength(TEXT)]);
}

const countOf = (events) => events.filter(([, data]) => data.content && !data.isEnd).length;
const statusesOf = (path) => readFileSync(join(server.dir, 'access_log'), 'utf8').split('\n')
  .map((line) => line.split(' ')).filter(([method, asked]) => method === 'GET' && asked === path).map(([, , status]) => status).sort();

// --- clients of event streams: these functions run in node or in the page ------
function watchEventSource(EventSource, url) {
  const seen = { events: [], isOver: false };
  const source = new EventSource(url);
  source.onmessage = ({ data, lastEventId }) => seen.events.push([lastEventId, JSON.parse(data)]);
  source.onerror = () => { seen.isOver = source.readyState === 2; };
  return seen;
}

function watchFetchEventSource(fetchEventSource, url, options) {
  const seen = { events: [], isOver: false };
  fetchEventSource(url, { ...options, openWhenHidden: true, onmessage: ({ id, data }) => { if (data) seen.events.push([id, JSON.parse(data)]); } })
    .then(() => { seen.isOver = true; }, (error) => { seen.failure = String(error); });
  return seen;
}

const inPage = (watch, library) => async (url, options) => {
  await page.evaluate(`globalThis.seen = (${watch})(${library}, ${JSON.stringify(url)}, ${JSON.stringify(options)}); 0`);
  return () => page.evaluate(() => globalThis.seen);
};
const inNode = (watch, library) => async (url, options) => {
  const seen = watch(library, url, options);
  return async () => seen;
};

// again: what a client asks once more after the end.
const readers = {
  "Chromium's EventSource": { read: inPage(watchEventSource, 'EventSource'), again: ['204'] },
  'npm eventsource': { read: inNode(watchEventSource, NodeEventSource), again: ['204'] },
  '@microsoft/fetch-event-source': { read: inPage(watchFetchEventSource, 'library.fetchEventSource'), again: [] },
};

async function isOver(look) {
  const seen = await until(async () => { const now = await look(); return (now.isOver || now.failure) && now; }, 'the end');
  assert.equal(seen.failure, undefined);
  return seen.events;
}

for (const [name, { read, again }] of Object.entries(readers)) {
  test(`${name} reads a whole answer, and stops at its end`, async () => {
    await script();
    const id = await begin();
    const path = `/bailian/streams/${id}/events`;
    const events = await isOver(await read(gate.origin + path));
    await until(() => statusesOf(path).length >= 1 + again.length, 'the access log');
    assert.deepEqual(statusesOf(path), ['200', ...again]);
    await isWhole(events, id);
  });

  test(`${name} is cut off in mid-answer, and goes on by itself without repeat or gap`, async () => {
    const [whileCut, whenBack] = await scriptInParts();
    const id = await begin();
    const path = `/bailian/streams/${id}/events`;
    const look = await read(gate.origin + path);
    await until(async () => countOf((await look()).events) === 3, 'three pieces');
    gate.shut();
    await server.emulator.release(whileCut);
    await until(async () => (await stateOf(id)).events >= 6, 'pieces that nobody reads'); // the start is one too
    assert.equal(countOf((await look()).events), 3);
    gate.open();
    await until(async () => countOf((await look()).events) >= 5, 'the pieces that were missed');
    await server.emulator.release(whenBack);
    const events = await isOver(look);
    await until(() => statusesOf(path).length >= 2 + again.length, 'the access log');
    assert.deepEqual(statusesOf(path), ['200', '200', ...again]);
    await isWhole(events, id);
  });
}

test("Chromium's EventSource reads with a one-time ticket, where nobody is anonymous", async () => {
  await script();
  const id = await begin('/nopage', authorization);
  const route = `streams/${id}/events`;
  const { status, body } = await post('/nopage/tickets', { route }, authorization);
  assert.equal(status, 201);
  const look = await readers["Chromium's EventSource"].read(`${gate.origin}/nopage/${route}?ticket=${body.ticket}`);
  await isWhole(await isOver(look), id, '/nopage', authorization);
  await until(() => statusesOf(`/nopage/${route}`).includes('401'), 'the ticket is used up');
});

test('@microsoft/fetch-event-source asks by POST', async () => {
  await script();
  const options = { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ message: '绿茶？' }) };
  const events = await isOver(await readers['@microsoft/fetch-event-source'].read(`${gate.origin}/bailian/stream`, options));
  await isWhole(events, events.at(-1)[0].split(':')[0]);
});

// --- WebSockets: these functions run in node or in the page --------------------
function askMessages(WebSocket, url, message) {
  return new Promise((done) => {
    const said = [];
    const socket = new WebSocket(url);
    socket.onmessage = ({ data }) => {
      const one = JSON.parse(data);
      said.push(one);
      if (one.type === 'SYSTEM_MESSAGE') socket.send(JSON.stringify({ type: 'CHAT_REQUEST', data: { message } }));
      if (one.type === 'CHAT_STREAM_END') socket.close(1000);
    };
    socket.onclose = ({ code, wasClean }) => done({ said, code, wasClean });
  });
}

function askText(WebSocket, url, message) {
  return new Promise((done) => {
    const said = [];
    const socket = new WebSocket(url);
    socket.onopen = () => socket.send(JSON.stringify({ message }));
    socket.onmessage = ({ data }) => {
      said.push(data);
      if (data === '') socket.close(1000);
    };
    socket.onclose = ({ code, wasClean }) => done({ said, code, wasClean });
  });
}

const sockets = {
  "Chromium's WebSocket": (ask, url) => page.evaluate(`(${ask})(WebSocket, ${JSON.stringify(url)}, '绿茶？')`),
  'npm ws': (ask, url) => ask(NodeWebSocket, url, '绿茶？'),
};
const socketUrl = (path) => `${gate.origin.replace('http', 'ws')}/bailian/${path}`;

for (const [name, run] of Object.entries(sockets)) {
  test(`${name} reads a whole answer as messages`, { timeout: WAIT }, async () => {
    await script();
    const { said, code, wasClean } = await run(askMessages, socketUrl('ws'));
    assert.deepEqual([code, wasClean], [1000, true]);
    const of = (type) => said.filter((one) => one.type === type).map((one) => one.data);
    const [[start], data, [end]] = ['CHAT_STREAM_START', 'CHAT_STREAM_DATA', 'CHAT_STREAM_END'].map(of);
    const { pieces: wanted, last } = await stored(start.streamId);
    assert.deepEqual(data.filter((one) => one.content).map((one) => [one.seq, one.delta]), wanted);
    assert.deepEqual(data.map((one) => one.index), data.map((one, i) => i));
    assert.equal(data.map((one) => one.content).join(''), TEXT);
    assert.deepEqual([end.finishReason, end.finished, end.seq, end.length, end.sha256], ['completed', true, last, Buffer.byteLength(TEXT), SHA256]);
    assert.deepEqual(of('ERROR'), []);
  });

  test(`${name} reads a whole answer as raw text`, { timeout: WAIT }, async () => {
    await script();
    const { said, code, wasClean } = await run(askText, socketUrl('ws/chat'));
    assert.deepEqual([code, wasClean], [1000, true]);
    assert.deepEqual(said, [...pieces, '']);
  });
}

// --- curl ----------------------------------------------------------------------
// during: is called with all that came so far.
function curl(args, during = () => {}) {
  return new Promise((done) => {
    const child = execFile('curl', ['-sSN', '--max-time', String(WAIT / 1000), ...args], { encoding: 'utf8' }, (failure, stdout) => done({ code: failure?.code ?? 0, stdout }));
    let sofar = '';
    child.stdout.on('data', (text) => during(sofar += text));
  });
}

const field = (event, name) => event.split('\n').find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
// Whole events alone: one that was cut in its middle is none.
const eventsOf = (text) => text.split('\n\n').slice(0, -1).filter((event) => field(event, 'data'))
  .map((event) => [field(event, 'id'), JSON.parse(field(event, 'data'))]);
const question = ['-H', 'Content-Type: application/json', '-d', '{"message":"绿茶？"}'];

test('curl reads a whole answer, as events and as text', async () => {
  await script();
  const { code, stdout } = await curl([...question, `${gate.origin}/bailian/stream`]);
  assert.equal(code, 0);
  const events = eventsOf(stdout);
  await isWhole(events, events.at(-1)[0].split(':')[0]);
  assert.deepEqual(await curl([...question, `${gate.origin}/bailian/miniapp-stream`]), { code: 0, stdout: TEXT });
});

test('curl is cut off in mid-answer, says so, and goes on by the last id', async () => {
  const [whileCut, whenBack] = await scriptInParts();
  let isCut = false;
  const first = await curl([...question, `${gate.origin}/bailian/stream`], (sofar) => {
    if (isCut || countOf(eventsOf(sofar)) < 3) return;
    isCut = true;
    gate.cut();
  });
  assert.equal(first.code, 18); // CURLE_PARTIAL_FILE
  for (const name of [whileCut, whenBack]) await server.emulator.release(name);
  const before = eventsOf(first.stdout);
  const [lastId] = before.at(-1);
  const id = lastId.split(':')[0];
  const rest = await curl(['-H', `Last-Event-ID: ${lastId}`, `${gate.origin}/bailian/streams/${id}/events`]);
  assert.equal(rest.code, 0);
  await isWhole([...before, ...eventsOf(rest.stdout)], id);
});
