// SPDX-License-Identifier: Apache-2.0
// The SDK against the real module and the emulator, through a gate that loses
// connections.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { BailianClient, randomId } from '../../sdk/bailian-stream.js';
import { openGate } from './gate.mjs';
import { holds, startServer } from './server.mjs';

let server;
let gate;
const quick = { random: () => 0, mostMs: 40, giveUpMs: 15000 }; // also shortens the server's `retry:`
const pieces = ['绿茶', '🍵适合', '用 80 ℃', ' 的水', '冲泡，', '太烫', '会发苦。'];
const TEXT = pieces.join('');

before(async () => {
  server = await startServer();
  gate = await openGate(server.origin);
});
after(async () => {
  await gate?.close();
  await server?.stop();
});

function client(options = {}) {
  return new BailianClient({ base: `${gate.origin}/bailian`, userId: randomId(), ...quick, ...options });
}

async function read(answer) {
  const events = [];
  for await (const event of answer) events.push(event);
  return events;
}

const contentOf = (events) => events.filter((one) => one.type === 'content').map((one) => one.text).join('');
const slowly = (interval) => server.emulator.script({ answer: { pieces, interval, first_delay: 0, thinking: ['想一想'] } });

test('an answer arrives with thinking, text, usage and its proof', async () => {
  await slowly(0);
  const events = await read(client().ask('绿茶？'));
  assert.equal(contentOf(events), TEXT);
  assert.equal(events.find((one) => one.type === 'reasoning').text, '想一想');
  assert.equal(events.at(-1).isComplete, true);
  assert.ok(events.at(-1).usage.outputTokens > 0);
});

test('an answer whose connections each end after a few hundred bytes arrives whole and once', async () => {
  await slowly(0.02);
  for (const bytes of [1000, 1111, 1303]) { // the end event has to fit
    gate.cutAfter(bytes);
    const before = gate.accepted;
    const events = await read(client().ask('绿茶？'));
    gate.cutAfter(Infinity);
    assert.equal(contentOf(events), TEXT, `cut after ${bytes}`);
    assert.equal(events.at(-1).isComplete, true);
    assert.ok(gate.accepted - before > 2, 'there were losses');
  }
});

test('a question whose answer was lost before its first byte is asked once', async () => {
  await slowly(0.05);
  const me = client();
  gate.cutAfter(0);
  setTimeout(() => gate.cutAfter(Infinity), 300);
  const events = await read(me.ask('绿茶？', { conversationId: 'once' }));
  assert.equal(contentOf(events), TEXT);
  await holds(async () => assert.equal((await me.conversations.read('once')).messages.length, 2));
});

test('an answer goes on after a while without any network', async () => {
  await slowly(0.1);
  let wasCut = false;
  let losses = 0;
  const events = await read(client().ask('绿茶？', { on: ({ type }) => {
    if (type === 'content' && !wasCut) {
      wasCut = true;
      gate.shut();
    }
    if (type === 'reconnecting' && (losses += 1) === 2) gate.open();
  } }));
  assert.equal(contentOf(events), TEXT);
  assert.ok(events.filter((one) => one.type === 'reconnecting').length >= 2);
  assert.ok(events.some((one) => one.type === 'reconnected'));
});

for (const transport of ['poll', 'text', 'sync']) {
  test(`the same answer comes by ${transport}`, async () => {
    await slowly(0.05);
    const events = await read(client({ transport }).ask('绿茶？'));
    assert.equal(contentOf(events), TEXT);
    assert.equal(events.at(-1).isComplete, true);
  });
}

test('a stopped answer ends as cancelled, and the server has stopped it', async () => {
  await server.emulator.script({ answer: { pieces: ['a', 'b'], interval: 0.05, finish: false } }, { stall: true });
  const me = client();
  const answer = me.ask('hi', { on: ({ type }) => type === 'content' && answer.stop() });
  const events = await read(answer);
  assert.equal(events.at(-1).code, 'cancelled');
  assert.equal((await me.state(answer.streamId)).outcome, 'cancelled');
});

test('a question that is refused throws what the server says, in the language asked for', async () => {
  for (const transport of ['sse', 'poll', 'text', 'sync']) {
    await assert.rejects(client({ language: 'zh-CN', transport }).ask('').done, (error) => {
      assert.equal(error.code, 'bad_value');
      assert.equal(error.status, 400);
      assert.equal(error.message, '请求中某个字段的值不被允许。');
      return true;
    });
  }
});

test('an upstream that breaks off in mid-answer is a failure with the text so far', async () => {
  await server.emulator.script({ answer: { pieces: ['half'], interval: 0, finish: false } }, { close: true });
  const answer = client().ask('hi');
  const events = [];
  await assert.rejects(async () => { for await (const one of answer) events.push(one); }, { code: 'upstream_cut' });
  assert.equal(events.at(-1).text, 'half');
  assert.equal(events.at(-1).isComplete, false);
});

test('somebody else cannot follow a stream', async () => {
  await slowly(0.05);
  const answer = client().ask('hi');
  await answer.done;
  await assert.rejects(client().follow({ streamId: answer.streamId }).done, { code: 'not_found' });
});

test('an answer that has ended can be read again from any place', async () => {
  await slowly(0.05);
  const me = client();
  const answer = me.ask('hi');
  const events = await read(answer);
  const at = events.findIndex((one) => one.type === 'content');
  const seq = events[at].seq;
  const rest = await read(me.follow({ streamId: answer.streamId, seq, text: events[at].text }));
  assert.equal(rest.at(-1).text, TEXT);
  assert.equal(contentOf(rest), TEXT.slice(events[at].text.length));
});

test('a paused reading misses nothing', async () => {
  await slowly(0.02);
  const answer = client().ask('hi', { on: ({ type }) => type === 'start' && answer.pause() });
  setTimeout(() => answer.resume(), 500);
  assert.equal((await answer.done).text, TEXT);
});

test('a graceful restart in mid-answer loses nothing', async () => {
  await slowly(0.15);
  const answer = client().ask('hi');
  await sleep(200);
  const events = read(answer);
  await server.graceful();
  assert.equal((await events).at(-1).text, TEXT);
});

test('conversations are listed, found, renamed, exported and deleted', async () => {
  await slowly(0.05);
  const me = client();
  await me.ask('第一个问题', { conversationId: 'one' }).done;
  await me.ask('the other', { conversationId: 'two' }).done;
  await holds(async () => assert.deepEqual((await me.conversations.list()).items.map((one) => one.conversationId).sort(), ['one', 'two']));
  assert.deepEqual((await me.conversations.list({ q: '问题' })).items.map((one) => one.conversationId), ['one']);
  await me.conversations.rename('one', '新的标题');
  await holds(async () => {
    const { title, messages } = await me.conversations.read('one');
    assert.equal(title, '新的标题');
    assert.equal(messages[1].content, TEXT);
  });
  assert.match(await me.conversations.export('one', 'markdown'), /^# 新的标题/);
  assert.equal((await fetch(me.conversations.exportUrl('one'))).status, 200);
  await me.conversations.delete('one');
  await assert.rejects(me.conversations.read('one'), { code: 'not_found' });
});

test('the server has nothing to say about all this in its log', () => {
  const lines = server.log().split('\n').filter((line) => /:(warn|error|crit|alert|emerg)\]/.test(line)
    && !line.includes('upstream_cut') && !/BL\d+.*(cut|broke)/.test(line));
  assert.deepEqual(lines, []);
});
