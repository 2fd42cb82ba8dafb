// SPDX-License-Identifier: Apache-2.0
// What becomes of an answer when the connection, the server or the bytes fail.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BailianClient } from '../../sdk/bailian-stream.js';
import { Machine } from '../../sdk/machine.js';
import {
  clock, delta, drain, end, event, heartbeat, json, LOST, nothing, refused, server, SILENCE, start, stream, STREAM,
} from './scripted.mjs';

// Asks a scripted server -> {events, end, error, asked, waits}.
async function ask(answers, { options = {}, aside, during } = {}) {
  const time = clock(options);
  const played = server(answers, aside);
  const client = new BailianClient({ base: '/b', userId: 'u', fetch: played.fetch, ...time.options, ...options });
  const answer = client.ask('hi', { conversationId: 'c', itemId: 'i' });
  const events = [];
  let error;
  try {
    for await (const one of answer) {
      events.push(one);
      during?.(one, answer);
    }
  } catch (failure) {
    error = failure;
  }
  return { answer, events, error, end: events.at(-1), asked: played.asked, waits: time.waits };
}

const types = ({ events }) => events.map((one) => one.type);
const shown = ({ events }) => events.filter((one) => one.type === 'content').map((one) => one.text).join('');
const resumes = ({ asked }) => asked.filter((one) => one.url.includes('/events')).map((one) => one.headers['Last-Event-ID'] ?? one.url);
const whole = () => stream(start(), delta(2, '绿'), delta(3, '茶'), end(4, '绿茶'));

test('an answer without losses is told in order, and is whole at its end', async () => {
  const run = await ask([whole()]);
  assert.deepEqual(types(run), ['start', 'content', 'content', 'end']);
  assert.equal(run.end.text, '绿茶');
  assert.equal(run.end.isComplete, true);
  assert.deepEqual(run.asked[0].body, { message: 'hi', conversionId: 'c', conversionItemId: 'i', userId: 'u' });
  assert.match(run.asked[0].headers['Idempotency-Key'], /^[0-9a-f]{32}$/);
});

test('a loss in mid-answer is resumed after the last event that came, and nothing is told twice', async () => {
  const run = await ask([stream(start(), delta(2, 'a'), LOST), stream(delta(2, 'a'), delta(3, 'b'), end(4, 'ab'))]);
  assert.deepEqual(types(run), ['start', 'content', 'reconnecting', 'reconnected', 'content', 'end']);
  assert.deepEqual(resumes(run), [`${STREAM}:2`]);
  assert.equal(shown(run), 'ab');
});

test('an answer that is cut at any byte of its stream comes out whole', async () => {
  const text = start() + delta(2, '绿🍵') + event(3, { reasoning: 'r' }) + delta(5, '茶') + end(6, '绿🍵茶');
  const bytes = Buffer.from(text);
  for (let at = 0; at < bytes.length; at++) {
    const run = await ask([stream(bytes.subarray(0, at), LOST), stream(text)]);
    assert.equal(run.end.text, '绿🍵茶', `cut at ${at}: ${run.error}`);
    assert.equal(shown(run), '绿🍵茶', `cut at ${at}`);
  }
});

test('a connection that closes without an end event is a loss, not an end', async () => {
  const run = await ask([stream(start(), delta(2, 'a')), stream(end(3, 'a'))]);
  assert.deepEqual(types(run), ['start', 'content', 'reconnecting', 'reconnected', 'end']);
});

test('a question that got no answer is posted again with the same key', async () => {
  const run = await ask([refused(), stream(LOST), whole()]);
  const posts = run.asked.filter((one) => one.method === 'POST');
  assert.equal(posts.length, 3);
  assert.equal(new Set(posts.map((one) => one.headers['Idempotency-Key'])).size, 1);
  assert.equal(run.end.isComplete, true);
});

test('a heartbeat has no number and moves nothing', async () => {
  const run = await ask([stream(heartbeat(), start(), heartbeat(), ': hb\n\n', delta(2, 'a'), LOST), stream(heartbeat(), end(3, 'a'))]);
  assert.deepEqual(resumes(run), [`${STREAM}:2`]);
});

test('a refusal is shown and not tried again', async () => {
  for (const status of [400, 401, 403, 404, 409, 413, 415, 429]) {
    const run = await ask([json({ code: 'some_code', title: 'A sentence.', detail: 'd', requestId: 'r' }, status)]);
    assert.deepEqual(run.events, []);
    assert.equal(run.error.code, 'some_code');
    assert.equal(run.error.message, 'A sentence.');
    assert.equal(run.error.status, status);
    assert.equal(run.asked.length, 1);
  }
});

test('a 4xx is a refusal also without words, and also when it says when to come back', async () => {
  const page = await ask([{ status: 404, type: 'text/html', parts: ['<html>'] }]);
  assert.equal(page.error.status, 404);
  const limited = await ask([json({ code: 'rate_limited', title: 'Slowly.' }, 429, { 'retry-after': '9' })]);
  assert.equal(limited.error.code, 'rate_limited');
  assert.equal(limited.error.retryAfterMs, 9000);
  assert.equal(limited.error.isPassing, true);
});

test('a resume that is refused ends the reading with what the server says', async () => {
  const run = await ask([stream(start(), LOST), json({ code: 'events_trimmed', title: 'gone' }, 410)]);
  assert.equal(run.error.code, 'events_trimmed');
});

test('a server that says when to come back is asked then; one that does not say is not asked again', async () => {
  const busy = json({ code: 'overloaded', title: 'busy' }, 503, { 'retry-after': '7' });
  const run = await ask([busy, whole()]);
  assert.equal(run.end.isComplete, true);
  assert.ok(run.waits.includes(7000), String(run.waits));
  const broken = await ask([json({ code: 'store_corrupt', title: 'broken' }, 503)]);
  assert.equal(broken.error.code, 'store_corrupt');
});

test('a proxy without an upstream is a passing loss', async () => {
  const page = { status: 502, type: 'text/html', parts: ['<html>'] };
  const run = await ask([page, page, whole()]);
  assert.equal(run.end.isComplete, true);
});

test('something else that answers a question is a refusal, and in mid-answer a loss', async () => {
  const login = { status: 200, type: 'text/html', parts: ['<form>'] };
  assert.equal((await ask([login])).error.code, 'bad_answer');
  const run = await ask([stream(start(), LOST), login, stream(end(2, ''))]);
  assert.equal(run.end.isComplete, true);
});

test('waits grow from what the server said to 30 s, with chance in them, and begin anew after progress', async () => {
  const run = await ask([stream('retry: 2000\n', start(), LOST), ...Array(7).fill(refused()), stream(delta(2, 'a'), LOST), stream(end(3, 'a'))]);
  const delays = run.events.filter((one) => one.type === 'reconnecting').map((one) => one.delayMs);
  assert.deepEqual(delays, [2000, 3000, 6000, 12000, 22500, 22500, 22500, 22500, 2000]);
});

test('the wait lies between half and all of its bound', () => {
  for (const [chance, expected] of [[0, 4000], [0.999999, 8000]]) {
    const machine = new Machine({ leastMs: 1000, mostMs: 30000, giveUpMs: 1e9, random: () => chance }, 0);
    let wait;
    for (let i = 0; i < 4; i++) {
      wait = machine.lost({ reason: 'network' }, 0);
      machine.on('due');
    }
    assert.equal(Math.round(wait), expected);
  }
});

test('the machine refuses what cannot happen', () => {
  const machine = new Machine({ leastMs: 1, mostMs: 1, giveUpMs: 1, random: () => 0 }, 0);
  assert.throws(() => machine.on('due'), /cannot happen/);
  machine.on('opened');
  assert.throws(() => machine.on('opened'), /cannot happen/);
  machine.on('end');
  machine.on('end');
  assert.throws(() => machine.lost({ reason: 'network' }, 0), /cannot happen/);
});

test('without anything new for too long the reading ends as unreachable', async () => {
  const run = await ask([stream(start(), LOST), ...Array(100).fill(refused())], { options: { giveUpMs: 60000 } });
  assert.equal(run.error.code, 'unreachable');
  assert.ok(run.asked.length < 12);
});

test('silence for 45 s is a loss', async () => {
  const run = await ask([stream(start(), delta(2, 'a'), SILENCE), stream(end(3, 'a'))]);
  assert.deepEqual(types(run), ['start', 'content', 'reconnecting', 'reconnected', 'end']);
  assert.ok(run.waits.includes(45000));
});

test('a server that restarts asks its reader back after the time it gives', async () => {
  const run = await ask([stream(start(), drain(3120)), stream(end(2, ''))]);
  const told = run.events.find((one) => one.type === 'reconnecting');
  assert.equal(told.reason, 'draining');
  assert.equal(told.delayMs, 3120);
  assert.equal(run.end.isComplete, true);
});

test('bytes that are no event are a loss', async () => {
  const run = await ask([stream(start(), 'data: {"content":\n\n'), stream('data: 7\n\n'), stream(end(2, ''))],
    { options: { transport: 'sse' } });
  assert.deepEqual(run.events.filter((one) => one.type === 'reconnecting').map((one) => one.reason), ['garbage', 'garbage']);
});

test('an event of another stream is not taken', async () => {
  const foreign = delta(2, 'x').replace(STREAM, 'f'.repeat(32));
  const run = await ask([stream(start(), foreign, delta(2, 'a'), end(3, 'a'))]);
  assert.equal(shown(run), 'a');
});

test('an event out of order is dropped', async () => {
  const run = await ask([stream(start(), delta(3, 'b'), delta(2, 'a'), delta(3, 'b'), end(4, 'b'))]);
  assert.equal(shown(run), 'b');
});

test('a number that is missing is no fault: some events are not shown', async () => {
  const run = await ask([stream(start(), delta(2, 'a'), delta(9, 'b'), end(12, 'ab'))]);
  assert.equal(run.end.isComplete, true);
});

test('a correction of the upstream takes the place of the text so far', async () => {
  const run = await ask([stream(start(), delta(2, 'wrong'), event(3, { replace: 'ri' }), delta(4, 'ght'), end(5, 'right'))]);
  assert.deepEqual(types(run), ['start', 'content', 'replace', 'content', 'end']);
  assert.equal(run.answer.text, 'right');
});

test('an end whose text is more than what came tells the whole first', async () => {
  const run = await ask([stream(start(), delta(2, 'a'), end(3, 'abc'))]);
  assert.deepEqual(run.events.slice(-2).map((one) => [one.type, one.text]), [['replace', 'abc'], ['end', 'abc']]);
});

test('an end that does not prove its text is read again once, and then refused', async () => {
  const bad = { wrongSum: { sha256: '0'.repeat(64) }, wrongLength: { length: 1 }, noSum: { sha256: undefined } };
  for (const [name, more] of Object.entries(bad)) {
    const again = await ask([stream(start(), delta(2, '绿茶'), end(3, '绿茶', more)), whole()]);
    assert.ok(types(again).includes('rewind'), name);
    assert.equal(again.end.isComplete, true, name);
    assert.match(resumes(again)[0], /after=0/);
    const never = await ask([stream(start(), end(3, '绿茶', more)), stream(start(), end(3, '绿茶', more))]);
    assert.equal(never.error.code, 'damaged', name);
    assert.ok(!types(never).includes('end'), name);
  }
});

test('nothing more, without an end, is read again once, and then refused', async () => {
  const run = await ask([stream(start(), delta(2, '绿'), LOST), nothing(), whole()]);
  assert.equal(run.end.isComplete, true);
  const never = await ask([stream(start(), LOST), nothing(), nothing()]);
  assert.equal(never.error.code, 'damaged');
});

test('an answer that failed tells what came, its end, and throws', async () => {
  const run = await ask([stream(start(), delta(2, 'a'), end(3, 'a', { error: 'It broke.', code: 'upstream_cut', finishReason: 'error' }))]);
  assert.equal(run.end.isComplete, false);
  assert.equal(run.end.text, 'a');
  assert.equal(run.error.code, 'upstream_cut');
  assert.equal(run.error.message, 'It broke.');
  await assert.rejects(run.answer.done, { code: 'upstream_cut' });
});

test('stop ends the answer on the server and is no failure', async () => {
  let hasDeleted;
  const deleted = new Promise((done) => { hasDeleted = done; });
  const run = await ask([stream(start(), delta(2, 'a'), () => deleted,
    end(3, 'a', { error: 'Stopped.', code: 'cancelled', finishReason: 'cancelled' }))], {
    aside: () => { hasDeleted(); return json({ outcome: 'cancelled' }); },
    during: (one, answer) => one.type === 'content' && answer.stop(),
  });
  assert.equal(run.error, undefined);
  assert.equal(run.end.code, 'cancelled');
  assert.equal(run.end.isComplete, false);
  assert.deepEqual(run.asked.filter((one) => one.method === 'DELETE').map((one) => one.url), [`/b/streams/${STREAM}?userId=u`]);
});

test('stop is over within 5 s although the server does not answer', async () => {
  const run = await ask([stream(start(), SILENCE)], {
    aside: () => LOST, during: (one, answer) => one.type === 'start' && answer.stop(),
  });
  assert.equal(run.end.code, 'cancelled');
  assert.ok(run.waits.includes(5000));
});

test('a loop that is left closes the connection and does not stop the server', async () => {
  const time = clock();
  const played = server([stream(start(), delta(2, 'a'), SILENCE)]);
  const answer = new BailianClient({ fetch: played.fetch, ...time.options }).ask('hi');
  for await (const one of answer) if (one.type === 'content') break;
  await assert.rejects(answer.done, { code: 'closed' });
  assert.ok(!played.asked.some((one) => one.method === 'DELETE'));
});

test('a reader that comes late is told what there was', async () => {
  const time = clock();
  const answer = new BailianClient({ fetch: server([whole()]).fetch, ...time.options }).ask('hi');
  await answer.done;
  const events = [];
  for await (const one of answer) events.push(one);
  assert.equal(events.length, 1);
  assert.equal(events[0].type, 'snapshot');
  assert.equal(events[0].text, '绿茶');
});

test('a paused reading takes nothing, does not count as silence, and goes on', async () => {
  const time = clock();
  const played = server([stream(start(), delta(2, 'a'), end(3, 'a'))]);
  const client = new BailianClient({ fetch: played.fetch, ...time.options });
  const events = [];
  const answer = client.ask('hi', { on: (one) => events.push(one.type) });
  answer.pause();
  for (let i = 0; i < 100; i++) await new Promise((done) => { setImmediate(done); });
  assert.deepEqual(events, []);
  assert.ok(!time.waits.includes(45000));
  answer.resume();
  await answer.done;
  assert.deepEqual(events, ['start', 'content', 'end']);
});

test('a stream that was begun earlier is followed from a place', async () => {
  const time = clock();
  const played = server([stream(delta(3, 'b'), end(4, 'ab'))]);
  const client = new BailianClient({ base: '/b', fetch: played.fetch, ...time.options });
  const answer = client.follow({ streamId: STREAM, seq: 2, text: 'a' });
  assert.equal((await answer.done).text, 'ab');
  assert.equal(played.asked[0].headers['Last-Event-ID'], `${STREAM}:2`);
});

// --- polling

const batch = (events, complete = false) => json({ streamId: STREAM, events, next: events.at(-1)?.seq ?? 0, complete });

test('polling tells the same events, and its end is proven too', async () => {
  const last = JSON.parse(/data: (.*)/.exec(end(6, '绿🍵'))[1]);
  const fields = { outcome: 'completed', finishReason: 'stop', length: last.length, sha256: last.sha256 };
  const posted = json({ success: true, data: { sessionId: 'c', streamId: STREAM } });
  const run = await ask([posted,
    batch([{ seq: 1, kind: 'start' }, { seq: 2, kind: 'reasoning', text: 'r' }, { seq: 3, kind: 'delta', text: '绿X' }]),
    batch([{ seq: 4, kind: 'replace', text: '🍵', fields: { keep: 3 } }, { seq: 5, kind: 'usage', fields: { inputTokens: 1 } },
      { seq: 6, kind: 'end', fields }], true)], { options: { transport: 'poll' } });
  assert.deepEqual(types(run), ['start', 'reasoning', 'content', 'replace', 'end']);
  assert.equal(run.end.text, '绿🍵');
  assert.deepEqual(run.end.usage, { inputTokens: 1 });
});

test('polls after the first are held by the server, until two of them in a row got no answer', async () => {
  const posted = json({ success: true, data: { sessionId: 'c', streamId: STREAM } });
  const news = (seq) => batch([{ seq, kind: 'delta', text: 'x' }]);
  const fields = { outcome: 'error', reason: 'upstream_cut' };
  const run = await ask([posted, batch([{ seq: 1, kind: 'start' }]), news(2), LOST, news(3), SILENCE, news(4), news(5),
    batch([{ seq: 6, kind: 'end', fields }], true)], { options: { transport: 'poll' } });
  const waits = run.asked.slice(1).map(({ url }) => Number(/wait=(\d+)/.exec(url)?.[1] ?? 0));
  assert.deepEqual(waits, [0, 25000, 25000, 0, 25000, 0, 0, 0]);
  assert.equal(run.error.code, 'upstream_cut');
  assert.equal(run.answer.text, 'xxxx');
});

test('a server that does not hold polls is asked less and less often', async () => {
  const time = clock();
  const none = json({ streamId: STREAM, events: [], next: 1, complete: false });
  const last = batch([{ seq: 2, kind: 'end', fields: { outcome: 'error', reason: 'upstream_cut' } }], true);
  const played = server([batch([{ seq: 1, kind: 'start' }]), none, none, none, last]);
  const client = new BailianClient({ base: '/b', fetch: played.fetch, transport: 'poll', ...time.options });
  await assert.rejects(client.follow({ streamId: STREAM }).done, { code: 'upstream_cut' });
  assert.deepEqual(time.waits, [200, 750, 1125, 1687.5]);
});

test('two connections in a row without a byte make it poll, by the same key', async () => {
  const posted = json({ success: true, data: { sessionId: 'c', streamId: STREAM } });
  const fields = { outcome: 'error', reason: 'upstream_cut' };
  const run = await ask([SILENCE, SILENCE, posted, batch([{ seq: 1, kind: 'start' }, { seq: 2, kind: 'end', fields }], true)]);
  assert.deepEqual(run.events.filter((one) => one.type === 'reconnecting').map((one) => one.reason), ['silent', 'silent']);
  assert.equal(run.error.code, 'upstream_cut');
  assert.match(run.asked.at(-1).url, /as=json&after=0/);
  assert.equal(new Set(run.asked.filter((one) => one.method === 'POST').map((one) => one.headers['Idempotency-Key'])).size, 1);
});
