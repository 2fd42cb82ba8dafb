// SPDX-License-Identifier: Apache-2.0
// Which transport is tried when: down when one does not work, up again later.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BailianClient } from '../../sdk/bailian-stream.js';
import { createMemory, Ladder } from '../../sdk/ladder.js';
import { clock, delta, end, json, LOST, server, SILENCE, start, stream, STREAM } from './scripted.mjs';

const OPTIONS = { climbMs: 60, climbMostMs: 240 };
const RUNGS = [{ name: 'a', isHttpStream: true }, { name: 'b' }, { name: 'c', isHttpStream: true }, { name: 'd' }];
const ladder = (memory = createMemory(OPTIONS)) => new Ladder(RUNGS, memory, OPTIONS);

test('a transport that does not work makes place for the next, until the last', () => {
  const one = ladder();
  const names = [one.rung.name];
  while (one.fall(0, 'network')) names.push(one.rung.name);
  assert.deepEqual(names, ['a', 'b', 'c', 'd']);
  assert.equal(one.fall(0, 'network'), false);
});

test('what holds one HTTP answer back is not tried with another', () => {
  const one = ladder();
  one.fall(0, 'silent');
  assert.equal(one.rung.name, 'b');
  one.fall(0, 'silent'); // b is none: it says nothing of c
  assert.equal(one.rung.name, 'c');
  one.fall(0, 'silent');
  assert.equal(one.rung.name, 'd');
});

test('the next answer begins where the last one had success, and climbs when it is time', () => {
  const memory = createMemory(OPTIONS);
  ladder(memory).fall(1000, 'refused');
  const next = ladder(memory);
  assert.equal(next.rung.name, 'b');
  assert.equal(next.mayClimb(1059), false);
  assert.equal(next.mayClimb(1060), true);
  next.climb(1060);
  assert.equal(next.rung.name, 'a');
  assert.equal(ladder(memory).mayClimb(1060), false, 'one probes at a time');
  next.proven(1061);
  assert.equal(ladder(memory).rung.name, 'a');
});

test('a probe that fails doubles the time to the next one, up to a bound, and a success forgets it', () => {
  const memory = createMemory(OPTIONS);
  const one = ladder(memory);
  one.fall(0, 'refused');
  const waits = [];
  let now = 0;
  for (let i = 0; i < 5; i++) {
    waits.push(memory.climbAt - now);
    now = memory.climbAt;
    one.climb(now);
    one.fall(now, 'silent');
  }
  assert.deepEqual(waits, [60, 120, 240, 240, 240]);
  one.climb(now);
  one.proven(now);
  one.fall(now, 'refused');
  assert.equal(memory.climbAt - now, 60);
});

test('an answer for which there is no room goes elsewhere alone', () => {
  const memory = createMemory(OPTIONS);
  const one = ladder(memory);
  one.fall(0, 'busy');
  assert.equal(one.rung.name, 'b');
  assert.equal(ladder(memory).rung.name, 'a');
});

// --- a whole reading

const batch = (events, complete = false) => json({ streamId: STREAM, events, next: events.at(-1)?.seq ?? 0, complete });
const started = batch([{ seq: 1, kind: 'start' }, { seq: 2, kind: 'delta', text: 'a' }]);

const none = batch([]);
none.parts = [JSON.stringify({ streamId: STREAM, events: [], next: 2, complete: false })];
// The second loss is waited for 1500 ms, a batch without news is asked for 200 ms
// after the first one: then it is time to climb.
const POLLING = { transport: ['sse', 'poll'], climbMs: 1650 };

async function read(answers, options = {}, aside) {
  const time = clock();
  const played = server(answers, aside);
  const client = new BailianClient({ base: '/b', userId: 'u', fetch: played.fetch, giveUpMs: 100000, ...time.options, ...options });
  const answer = client.ask('hi', { conversationId: 'c', itemId: 'i' });
  const events = [];
  for await (const one of answer) events.push(one);
  return { answer, events, asked: played.asked, text: events.filter((one) => one.type === 'content').map((one) => one.text).join('') };
}

const posted = json({ success: true, data: { sessionId: 'c', streamId: STREAM } });

test('from polling the reading climbs to the stream in mid-answer, without a word of it', async () => {
  const run = await read([SILENCE, SILENCE, posted, started, none, stream(delta(3, 'b'), end(4, 'ab'))], POLLING);
  assert.equal(run.text, 'ab');
  assert.equal(run.answer.transport, 'sse');
  assert.equal(run.asked.at(-1).headers['Last-Event-ID'], `${STREAM}:2`);
  assert.equal(run.events.filter((one) => one.type === 'reconnecting').length, 2, 'only what came before');
});

test('a climb that leads nowhere goes back to polling, at once and without a loss', async () => {
  for (const nowhere of [SILENCE, LOST, stream(SILENCE), { status: 502, type: 'text/html', parts: ['x'] }]) {
    const run = await read([SILENCE, SILENCE, posted, started, none, nowhere,
      batch([{ seq: 3, kind: 'delta', text: 'b' }, { seq: 4, kind: 'end', fields: endFields('ab') }], true)],
    POLLING);
    assert.equal(run.text, 'ab');
    assert.equal(run.answer.transport, 'poll');
    assert.equal(run.events.filter((one) => one.type === 'reconnecting').length, 2);
  }
});

function endFields(text) {
  const { length, sha256 } = JSON.parse(/data: (.*)/.exec(end(1, text))[1]);
  return { outcome: 'completed', finishReason: 'stop', length, sha256 };
}

const plain = (...parts) => ({ status: 200, type: 'text/plain; charset=utf-8', parts });
const ended = (text) => () => json({ live: false, ...endFields(text) });

test('text without numbers is shown as it comes, and proven by the state of the stream', async () => {
  const run = await read([posted, plain('绿', '🍵茶')], { transport: 'text' }, ended('绿🍵茶'));
  assert.equal(run.text, '绿🍵茶');
  assert.equal(run.events.at(-1).isComplete, true);
  const bytes = Buffer.from('绿🍵茶');
  for (let at = 0; at <= bytes.length; at++) { // lost at every byte
    const again = await read([posted, plain(bytes.subarray(0, at), LOST), plain(bytes)], { transport: 'text' }, ended('绿🍵茶'));
    assert.equal(again.text, '绿🍵茶', `lost at ${at}`);
  }
});

test('what came as text without numbers is not told again by another transport', async () => {
  const whole = stream(start(), delta(2, 'ab'), delta(3, 'cd'), end(4, 'abcd'));
  const page = { status: 200, type: 'text/html', parts: ['<form>'] };
  for (const early of ['a', 'ab', 'abc', 'abcd']) {
    const run = await read([posted, plain(early, LOST), page, page, whole], { transport: ['text', 'sse'] });
    assert.equal(run.text, 'abcd', early);
    assert.equal(run.answer.transport, 'sse');
  }
});

test('text that is not what the server stored is read again by a transport with numbers', async () => {
  const run = await read([posted, plain('wrong'), stream(start(), delta(2, 'right'), end(3, 'right'))], { transport: ['text', 'sse'] }, ended('right'));
  assert.ok(run.events.some((one) => one.type === 'rewind'));
  assert.equal(run.events.at(-1).text, 'right');
});

test('the whole at once is proven like any other', async () => {
  const whole = json({ success: true, data: { sessionId: 'c', streamId: STREAM, content: '绿🍵', complete: true, seq: 4 } });
  const run = await read([LOST, whole], { transport: 'sync' }, ended('绿🍵'));
  assert.equal(run.text, '绿🍵');
  assert.equal(run.events.at(-1).isComplete, true);
  assert.equal(new Set(run.asked.filter((one) => one.method === 'POST').map((one) => one.headers['Idempotency-Key'])).size, 1);
});

test('a transport that does not exist, or not here, is said at once', () => {
  assert.throws(() => new BailianClient({ transport: 'pigeon' }), /there is no pigeon/);
  assert.throws(() => new BailianClient({ transport: 'download' }), /not possible here/);
});
