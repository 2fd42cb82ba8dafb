// SPDX-License-Identifier: Apache-2.0
// The SDK's one-file build in a hostile mini-program, against the real module.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { holds, startServer } from './server.mjs';
import { createWeixin, CUTS, loadInWeixin } from './weixin.mjs';

let server;
const pieces = ['绿茶', '🍵适合', '用 80 ℃', ' 的水', '冲泡，', '太烫', '会发苦。'];
const TEXT = pieces.join('');
let count = 0;

before(async () => { server = await startServer(); });
after(() => server?.stop());

const script = (interval, more = {}) => server.emulator.script({ answer: { pieces, interval, first_delay: 0, ...more } });

// The rest comes when it is released.
const scriptInTwo = () => server.emulator.script({ answer: { pieces: pieces.slice(0, 3), interval: 0, first_delay: 0, finish: false } },
  { barrier: `wx${barrier += 1}` }, { answer: { pieces: pieces.slice(3), interval: 0, first_delay: 0 } });
const release = () => server.emulator.release(`wx${barrier}`);
let barrier = 0;

function open(conditions = {}, options = {}) {
  const weixin = createWeixin(conditions);
  const { BailianClient } = loadInWeixin(weixin);
  const client = new BailianClient({ base: server.base, userId: `wx${count += 1}`, random: () => 0, leastMs: 20, mostMs: 40, ...options });
  return { weixin, client };
}

// -> {events, end, text}; during(event, answer) is called for each.
async function read(answer, during = () => {}) {
  const events = [];
  for await (const event of answer) {
    events.push(event);
    during(event, answer);
  }
  return { events, end: events[events.length - 1], text: events.filter((one) => one.type === 'content').map((one) => one.text).join('') };
}

function isWhole({ text, end }) {
  assert.equal(text, TEXT);
  assert.equal(end.text, TEXT);
  assert.equal(end.isComplete, true);
}

const by = (hasSockets) => (hasSockets ? 'by WebSocket' : 'by chunks');
const reasons = ({ events }) => events.filter((one) => one.type === 'reconnecting').map((one) => one.reason);

test('an answer arrives whole in single bytes, in odd pieces and in chunks that were put together', async () => {
  for (const conditions of [{ cut: CUTS.single }, { cut: CUTS.odd }, { mergeMs: 120 }, { mergeMs: 70, cut: CUTS.single }]) {
    await script(0.02);
    const { weixin, client } = open(conditions);
    const run = await read(client.ask('绿茶？'));
    isWhole(run);
    assert.deepEqual(reasons(run), []);
    assert.deepEqual(weixin.told.calls.map((one) => one.name), ['request']);
    assert.equal(weixin.listeners, 0, 'no listener is left');
  }
});

test('events come while the answer runs, and not at its end', async () => {
  await server.emulator.script({ answer: { pieces: ['first'], interval: 0, finish: false } }, { barrier: `wx${barrier += 1}` }, { close: true });
  const { client } = open();
  const answer = client.ask('hi');
  let isReleased = false;
  const events = [];
  await assert.rejects(async () => {
    for await (const event of answer) {
      events.push(event.type);
      if (event.type !== 'content' || isReleased) continue;
      isReleased = true;
      await release();
    }
  }, { code: 'upstream_cut' });
  assert.ok(isReleased, String(events));
});

test('requests that end after a while although they deliver are continued', async () => {
  await scriptInTwo();
  const { weixin, client } = open({ timeoutMs: 1000 });
  let isContinued = false;
  const run = await read(client.ask('绿茶？'), ({ type }) => {
    if (type !== 'reconnected' || isContinued) return;
    isContinued = true;
    release();
  });
  isWhole(run);
  assert.ok(isContinued && weixin.told.calls.length > 1);
});

for (const hasSockets of [false, true]) test(`an answer that was interrupted in the background goes on in the foreground, at once, ${by(hasSockets)}`, async () => {
  await scriptInTwo();
  const { weixin, client } = open({ hasSockets }, { leastMs: 30000, mostMs: 30000, random: () => 1 }); // no wait of its own would end in time
  let isHidden = false;
  const run = await read(client.ask('绿茶？'), ({ type }) => {
    if (type === 'content' && !isHidden) {
      isHidden = true;
      weixin.background(50);
    }
    if (type !== 'reconnecting') return;
    weixin.foreground();
    release();
  });
  isWhole(run);
  assert.ok(weixin.told.interrupted > 0);
  assert.equal(reasons(run).length, 1);
  assert.ok(run.events.some((one) => one.type === 'reconnected'));
});

for (const hasSockets of [false, true]) test(`a network that goes silent is noticed by the watchdog, and the answer goes on, ${by(hasSockets)}`, async () => {
  await scriptInTwo();
  const { weixin, client } = open({ hasSockets }, { silenceMs: 2500, openMs: 2500, transport: hasSockets ? 'websocket' : 'sse' });
  let isSilent = false;
  const run = await read(client.ask('绿茶？'), ({ type }) => {
    if (type === 'content' && !isSilent) {
      isSilent = true;
      weixin.goSilent();
    }
    if (type === 'reconnecting' && weixin.comeBack()) release();
  });
  isWhole(run);
  assert.ok(weixin.told.lost > 0);
  assert.ok(reasons(run).length > 0);
});

test('twelve answers at once, with ten requests: all are whole', async () => {
  await script(0.05);
  const { weixin, client } = open({ cut: CUTS.odd });
  const runs = await Promise.all(Array.from({ length: 12 }, (_, i) => read(client.ask(`绿茶 ${i}？`))));
  for (const run of runs) isWhole(run);
  assert.ok(weixin.told.most <= 8, `${weixin.told.most} at once`);
  assert.equal(weixin.running, 0);
});

test('an answer comes by WebSocket where the program may, and by chunks where not', async () => {
  for (const [refuses, name] of [[[], 'websocket'], [['connectSocket'], 'sse']]) {
    await script(0.02);
    const { weixin, client } = open({ hasSockets: true, refuses, cut: CUTS.odd });
    const answer = client.ask('绿茶？');
    const run = await read(answer);
    isWhole(run);
    assert.equal(answer.transport, name);
    assert.deepEqual(reasons(run), []);
    assert.equal(weixin.running, 0, 'no socket is left');
  }
});

test('twelve answers at once share one of the five sockets, and all are whole', async () => {
  await script(0.05);
  const { weixin, client } = open({ hasSockets: true });
  const asked = Array.from({ length: 12 }, (_, i) => client.ask(`绿茶 ${i}？`));
  for (const run of await Promise.all(asked.map((one) => read(one)))) isWhole(run);
  assert.equal(weixin.told.mostSockets, 1);
  assert.ok(weixin.told.most <= 8, `${weixin.told.most} at once`);
  assert.equal(weixin.running, 0);
});

test('developer tools, which tell no status with the headers', async () => {
  await script(0.02);
  const { client } = open({ isDevtools: true });
  isWhole(await read(client.ask('绿茶？')));
});

test('a refusal that comes in chunks is thrown with its code', async () => {
  for (const conditions of [{ cut: CUTS.single }, { isDevtools: true }, { hasChunks: false }]) {
    const { client } = open(conditions);
    await assert.rejects(client.ask('').done, (error) => error.code === 'bad_value' && error.status === 400 && error.message.length > 5);
  }
});

test('a base library without chunks downloads batches, and without a domain for that it polls', async () => {
  for (const [refuses, name] of [[[], 'download'], [['downloadFile'], 'poll']]) {
    await script(0.05);
    const { weixin, client } = open({ hasChunks: false, refuses });
    const answer = client.ask('绿茶？');
    const run = await read(answer);
    isWhole(run);
    assert.equal(answer.transport, name);
    assert.equal(weixin.files.size, 0, 'no file is left');
  }
});

test('an answer is stopped', async () => {
  await server.emulator.script({ answer: { pieces: ['a', 'b'], interval: 0.05, finish: false } }, { stall: true });
  const { weixin, client } = open();
  const { end } = await read(client.ask('hi'), ({ type }, answer) => type === 'content' && answer.stop());
  assert.equal(end.code, 'cancelled');
  assert.ok(weixin.told.calls.some((one) => one.method === 'DELETE'));
});

test('conversations are listed, renamed without PATCH, exported and deleted', async () => {
  await script(0);
  const { client } = open();
  await client.ask('第一个问题', { conversationId: 'one' }).done;
  await holds(async () => assert.equal((await client.conversations.list()).items.map((one) => one.conversationId).join(), 'one'));
  assert.equal((await client.conversations.rename('one', '新的标题')).title, '新的标题');
  assert.match(await client.conversations.export('one', 'markdown'), /^# 新的标题/);
  await client.conversations.delete('one');
  await assert.rejects(client.conversations.read('one'), { code: 'not_found' });
});

test('a base that is no whole address is said at once', () => {
  const { BailianClient } = loadInWeixin(createWeixin());
  assert.throws(() => new BailianClient({ base: '/bailian' }), /base: /);
});
