// SPDX-License-Identifier: Apache-2.0
// The SDK's WebSocket transport, and every change from one transport to another,
// against the real module through a gate that loses connections.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { BailianClient, randomId } from '../../sdk/bailian-stream.js';
import { openGate } from './gate.mjs';
import { holds, startServer } from './server.mjs';
import { WebSocketClient } from './wsclient.mjs';

let server;
let gate;
let barrier = 0;
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

const client = (options = {}) => new BailianClient({ base: `${gate.origin}/bailian`, userId: randomId(), WebSocket: WebSocketClient,
  transport: 'websocket', random: () => 0, leastMs: 20, mostMs: 40, giveUpMs: 60000, ...options });
const answer = (some, more) => ({ answer: { pieces: some, interval: 0, first_delay: 0, ...more } });
// The rest comes when it is released.
const scriptInTwo = () => server.emulator.script(answer(pieces.slice(0, 3), { finish: false, thinking: ['想一想'] }),
  { barrier: `ws${barrier += 1}` }, answer(pieces.slice(3)));
const release = () => server.emulator.release(`ws${barrier}`);

async function read(asked, during = () => {}) {
  const events = [];
  for await (const event of asked) {
    events.push(event);
    await during(event, asked);
  }
  return { events, end: events.at(-1), text: events.filter((one) => one.type === 'content').map((one) => one.text).join('') };
}

function isWhole({ text, end }) {
  assert.equal(text, TEXT);
  assert.equal(end.text, TEXT);
  assert.equal(end.isComplete, true);
  assert.equal(end.finishReason, 'stop');
}

test('an answer arrives on a WebSocket with its start, thinking and proof', async () => {
  await server.emulator.script(answer(pieces, { thinking: ['想一想'] }));
  const run = await read(client().ask('绿茶？', { conversationId: 'c-1', itemId: 'i-1' }));
  isWhole(run);
  assert.deepEqual([run.events[0].type, run.events[0].conversationId, run.events[0].itemId], ['start', 'c-1', 'i-1']);
  assert.equal(run.events.find((one) => one.type === 'reasoning').text, '想一想');
  assert.ok(run.end.usage.totalTokens > 0);
});

test('a WebSocket that is lost in mid-answer is resumed, and nothing comes twice', async () => {
  await scriptInTwo();
  let isCut = false;
  const run = await read(client().ask('绿茶？'), ({ type }) => {
    if (type === 'content' && !isCut) {
      isCut = true;
      gate.cut();
    }
    return type === 'reconnected' ? release() : undefined;
  });
  isWhole(run);
  assert.ok(isCut && run.events.some((one) => one.type === 'reconnected'));
});

test('a server that restarts says when to come back', async () => {
  await scriptInTwo();
  let isTold = false;
  class Restarted extends WebSocketClient {
    set onmessage(take) {
      super.onmessage = (event) => {
        take(event);
        if (isTold || !event.data.includes('CHAT_STREAM_DATA')) return;
        isTold = true;
        this.lose();
        this.onclose({ code: 1012, reason: 'draining retry=1234' });
      };
    }
  }
  const run = await read(client({ WebSocket: Restarted }).ask('绿茶？'), ({ type }) => (type === 'reconnected' ? release() : undefined));
  isWhole(run);
  const { reason, delayMs } = run.events.find((one) => one.type === 'reconnecting');
  assert.deepEqual([reason, delayMs], ['draining', 1234]);
});

test('a question whose WebSocket was lost before its first word is asked once', async () => {
  await server.emulator.script(answer(pieces));
  let count = 0;
  class LostOnce extends WebSocketClient {
    set onmessage(take) {
      super.onmessage = (event) => {
        if (count || !event.data.includes('CHAT_STREAM_START')) {
          take(event);
          return;
        }
        count += 1; // the server has begun to answer
        this.lose();
        this.onclose({ code: 1006 });
      };
    }
  }
  const me = client({ WebSocket: LostOnce });
  const run = await read(me.ask('绿茶？', { conversationId: 'once' }));
  isWhole(run);
  assert.equal(count, 1);
  assert.ok(run.events.some((one) => one.type === 'reconnecting'));
  await holds(async () => assert.equal((await me.conversations.read('once')).messages.length, 2));
});

test('reading that is closed leaves the answer running, and it is followed later', async () => {
  await scriptInTwo();
  const me = client();
  const first = me.ask('绿茶？');
  for await (const event of first) if (event.type === 'content') break;
  await assert.rejects(first.done, { code: 'closed' });
  const { streamId, seq, text } = first;
  await release();
  const rest = await read(me.follow({ streamId, seq, text }));
  assert.equal(text + rest.text, TEXT);
  assert.equal(rest.end.isComplete, true);
});

test('an answer on a WebSocket is stopped', async () => {
  await server.emulator.script(answer(['a', 'b'], { finish: false }), { stall: true });
  const { end } = await read(client().ask('hi'), ({ type }, asked) => { if (type === 'content') asked.stop(); });
  assert.equal(end.code, 'cancelled');
});

test('failures and refusals have the codes that they have elsewhere', async () => {
  await server.emulator.script(answer(['half'], { finish: false }), { close: true });
  const asked = client().ask('hi');
  await assert.rejects(asked.done, { code: 'upstream_cut' });
  assert.equal(asked.text, 'half');
  await assert.rejects(client().ask('').done, { code: 'bad_value' });
  await assert.rejects(client().follow({ streamId: asked.streamId }).done, { code: 'not_found' });
});

const call = (method, path, body) => fetch(`${server.base}/conversations/${path}`, { method, body: body && JSON.stringify(body),
  headers: { 'Content-Type': 'application/json' } });

for (const transport of ['sse', 'websocket', 'text', 'poll']) {
  test(`a member who is put out of a conversation in mid-answer is told so, by ${transport}`, async () => {
    const owner = randomId();
    await server.emulator.script(answer(pieces));
    await client({ userId: owner }).ask('绿茶？', { conversationId: 'ours' }).done;
    const member = randomId();
    const me = client({ userId: member, transport });
    const { conversationId } = await holds(async () => {
      const reply = await call('POST', `ours/members?userId=${owner}`, { member });
      assert.equal(reply.status, 200);
      return reply.json();
    });
    await scriptInTwo();
    const asked = me.ask('还有呢？', { conversationId });
    let wasRemoved = false;
    await assert.rejects(read(asked, async ({ type }) => {
      if (type !== 'content' || wasRemoved) return;
      wasRemoved = true;
      const { status } = await call('DELETE', `${conversationId}/members?userId=${owner}&member=${member}`);
      assert.equal(status, 204);
    }), { code: 'not_found' });
    assert.ok(asked.text !== '' && pieces.slice(0, 3).join('').startsWith(asked.text));
    await release();
  });
}

test('a token goes as a subprotocol, and headers that cannot be sent need another transport', async () => {
  await server.emulator.script(answer(pieces));
  const asked = client({ transport: ['websocket', 'sse'], headers: { 'X-Tenant': 't' } }).ask('hi');
  isWhole(await read(asked));
  assert.equal(asked.transport, 'sse');
  const handshakes = [];
  class Spy extends WebSocketClient {
    constructor(url, protocols) {
      handshakes.push(protocols);
      super(url, protocols);
    }
  }
  const refused = client({ WebSocket: Spy, transport: ['websocket', 'sse'], headers: { Authorization: 'Bearer abc.def' } }).ask('hi');
  await assert.rejects(refused.done, { status: 401 }); // nobody knows this token
  assert.deepEqual(handshakes, [['Bearer', 'abc.def']]);
});

// --- several answers on one connection

// Counts connections, and what is sent on them.
function spied() {
  const told = { opened: 0, closed: 0, sent: [] };
  class Spy extends WebSocketClient {
    constructor(...args) {
      super(...args);
      told.opened += 1;
    }
    send(text) {
      told.sent.push(JSON.parse(text));
      super.send(text);
    }
    close(code) {
      told.closed += 1;
      super.close(code);
    }
  }
  return { told, Spy };
}
async function until(what) {
  while (!what()) await new Promise((done) => { setTimeout(done, 10); });
}
const began = (asked) => new Promise((done) => {
  (async () => { for await (const { type } of asked) if (type === 'content') done(); done(); })().catch(done);
});

test('answers that run at once share one connection, which is closed with the last of them', async () => {
  await server.emulator.script(answer(pieces, { interval: 0.02 }));
  const { told, Spy } = spied();
  const me = client({ WebSocket: Spy });
  const runs = await Promise.all(Array.from({ length: 6 }, (_, i) => read(me.ask(`绿茶 ${i}？`))));
  runs.forEach(isWhole);
  assert.deepEqual([told.opened, told.closed], [1, 1]);
  await server.emulator.script(answer(pieces));
  isWhole(await read(me.ask('绿茶？'))); // and a new one is made for the next
  assert.equal(told.opened, 2);
});

test('more answers than one connection takes get another one', async () => {
  await server.emulator.script(answer(pieces, { interval: 0.05 }));
  const { told, Spy } = spied();
  const me = client({ WebSocket: Spy });
  const runs = await Promise.all(Array.from({ length: 18 }, (_, i) => read(me.ask(`绿茶 ${i}？`))));
  runs.forEach(isWhole);
  assert.equal(told.opened, 2);
});

test('a shared connection that is lost makes all its answers resume, on one again', async () => {
  await scriptInTwo();
  const { told, Spy } = spied();
  const me = client({ WebSocket: Spy });
  const asked = Array.from({ length: 4 }, (_, i) => me.ask(`绿茶 ${i}？`));
  const runs = Promise.all(asked.map((one) => read(one)));
  await Promise.all(asked.map(began));
  assert.equal(told.opened, 1);
  gate.cut();
  await release();
  for (const run of await runs) {
    isWhole(run);
    assert.ok(run.events.some((one) => one.type === 'reconnected'));
  }
  assert.ok(told.opened >= 2);
});

test('an answer that is not read any more leaves a shared connection to the others', async () => {
  await scriptInTwo();
  const { told, Spy } = spied();
  const me = client({ WebSocket: Spy });
  const [left, stays] = [me.ask('一'), me.ask('二')];
  const whole = read(stays);
  await Promise.all([began(left), began(stays)]);
  left.close();
  await assert.rejects(left.done, { code: 'closed' });
  await until(() => told.sent.some(({ data }) => data.leave));
  assert.deepEqual(told.sent.at(-1), { type: 'CHAT_STREAM_END', data: { messageId: left.streamId, leave: true } });
  const { streamId, seq, text } = left;
  const rest = read(me.follow({ streamId, seq, text })); // on the same connection
  await release();
  isWhole(await whole);
  assert.equal(text + (await rest).text, TEXT);
  assert.deepEqual([told.opened, told.closed], [1, 1]);
});

test('a refusal on a shared connection is of one question alone', async () => {
  await scriptInTwo();
  const { told, Spy } = spied();
  const me = client({ WebSocket: Spy });
  const good = read(me.ask('绿茶？'), ({ type }) => (type === 'content' ? release() : undefined));
  await assert.rejects(me.ask('').done, { code: 'bad_value' });
  await assert.rejects(me.follow({ streamId: '0'.repeat(32) }).done, { code: 'not_found' });
  isWhole(await good);
  assert.equal(told.opened, 1);
});

test('a connection that says what is no message is given up by all on it', async () => {
  await scriptInTwo();
  let isBroken = false;
  class Garbles extends WebSocketClient {
    set onmessage(take) {
      super.onmessage = (event) => {
        const isFirst = !isBroken && event.data.includes('CHAT_STREAM_DATA');
        isBroken ||= isFirst;
        take(isFirst ? { data: '{' } : event);
      };
    }
  }
  const me = client({ WebSocket: Garbles });
  const runs = await Promise.all(['一', '二'].map((text) => read(me.ask(text), ({ type }) => (type === 'content' ? release() : undefined))));
  runs.forEach(isWhole);
});

test('a proxy that knows no WebSocket makes it use the next transport, at once', async () => {
  await server.emulator.script(answer(pieces));
  class Refused extends WebSocketClient {
    constructor(url) { super(url.replace('/ws?', '/livez?'), []); }
  }
  const asked = client({ WebSocket: Refused, transport: ['websocket', 'poll'] }).ask('绿茶？');
  const run = await read(asked);
  isWhole(run);
  assert.equal(asked.transport, 'poll');
  assert.ok(!run.events.some((one) => one.type === 'reconnecting'));
});

test('an answer moves between every two transports in mid-answer without a word lost or twice', async () => {
  const names = ['sse', 'websocket', 'text', 'poll', 'sync'];
  for (const from of names) {
    for (const to of names.filter((name) => name !== from)) {
      if (from === 'sync') continue; // nothing is read before the end
      await scriptInTwo();
      const me = randomId();
      const first = client({ transport: from, userId: me }).ask('绿茶？');
      const events = [];
      for await (const event of first) {
        if (event.type === 'content') events.push(event.text);
        if (event.type === 'content' && (first.text.length > 3 || from === 'poll')) break;
      }
      const { streamId, seq } = first;
      // Text without numbers is told again by whoever follows from a number.
      const text = from === 'text' ? '' : first.text;
      await release();
      const rest = await read(client({ transport: to, userId: me }).follow({ streamId, seq, text }));
      assert.equal(text + rest.text, TEXT, `${from} to ${to}`);
      assert.equal(rest.end.isComplete, true);
    }
  }
});
