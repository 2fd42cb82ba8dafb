// SPDX-License-Identifier: Apache-2.0
// transports - ways to read a stream, behind one interface without a policy:
//
//   ask(question, control)    begins one and reads it
//   resume(place, control)    reads {streamId, seq} on
//
// Both give an async iterable of {retry} and of items (events.js), and throw
// Lost (a passing loss) or BailianError (a refusal). control has `signal`,
// `alive()`, to be called whenever bytes came, `opened()`, and `gate()`, which is
// awaited before more is read. A new transport is one more object of this kind.
import { BailianError, Lost } from './errors.js';
import { fromBatch, fromChat } from './events.js';
import { SseParser } from './parser.js';
import { encodeUtf8 } from './text.js';

const EVENT_STREAM = /^text\/event-stream\b/;

// Nothing comes after the place: the stream has ended there.
export const NOTHING = Object.freeze({ isNothing: true });

// --- Server-Sent Events over fetch

async function* chunks(response, control) {
  if (!response.body?.getReader) { // a fetch that cannot stream
    yield encodeUtf8(await response.text());
    return;
  }
  const reader = response.body.getReader();
  try {
    for (;;) {
      await control.gate();
      const { done, value } = await reader.read();
      if (done) return;
      control.alive();
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

async function* readSse(response, control) {
  const parser = new SseParser();
  for await (const bytes of chunks(response, control)) {
    for (const event of parser.push(bytes)) {
      if (event.retry !== undefined) yield { retry: event.retry };
      else if (event.data !== undefined) yield fromChat(event);
    }
  }
}

// A loss in mid-read is the platform's own error: one word for all of them.
async function* orLost(items, signal) {
  try {
    yield* items;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof Lost || cause instanceof BailianError) throw cause;
    throw new Lost(cause instanceof RangeError ? 'garbage' : 'network', { cause });
  }
}

function checkType(response, isAsk) {
  const type = response.headers.get('content-type') || '';
  if (EVENT_STREAM.test(type)) return;
  response.body?.cancel?.().catch(() => {});
  // A page to log in to, or of a network that wants to be paid first.
  if (isAsk) throw new BailianError('bad_answer', 'Something else than the server answered.', { status: response.status });
  throw new Lost('garbage');
}

const post = (http, question, control) => http.request('POST', 'stream', {
  body: question.body, headers: { 'Idempotency-Key': question.key }, signal: control.signal,
});

export function sseTransport(http) {
  return {
    name: 'sse',

    async* ask(question, control) {
      const response = await post(http, question, control);
      checkType(response, true);
      control.opened();
      yield* orLost(readSse(response, control), control.signal);
    },

    async* resume({ streamId, seq }, control) {
      const response = await http.request('GET', `streams/${streamId}/events`, {
        query: seq ? undefined : { after: 0 },
        headers: seq ? { 'Last-Event-ID': `${streamId}:${seq}` } : undefined,
        signal: control.signal,
      });
      control.opened();
      if (response.status === 204) {
        yield NOTHING;
        return;
      }
      checkType(response, false);
      yield* orLost(readSse(response, control), control.signal);
    },
  };
}

// --- polling, for places where something holds events back

const POLL_LEAST_MS = 500;
const POLL_MOST_MS = 3000;

async function batch(http, place, control) {
  const response = await http.request('GET', `streams/${place.streamId}/events`, {
    query: { as: 'json', after: String(place.seq) }, signal: control.signal,
  });
  if (response.status === 204) return { events: [], next: place.seq, isNothing: true };
  try {
    return await response.json();
  } catch (cause) {
    if (control.signal.aborted) throw control.signal.reason;
    throw new Lost('garbage', { cause });
  }
}

async function* poll(http, place, control, sleep) {
  let at = { ...place };
  let wait = POLL_LEAST_MS;
  for (;;) {
    await control.gate();
    const { events, next, complete, isNothing } = await batch(http, at, control);
    control.opened();
    control.alive();
    for (const event of events) yield fromBatch(at.streamId, event);
    if (isNothing) yield NOTHING;
    if (isNothing || complete) return;
    wait = events.length ? POLL_LEAST_MS : Math.min(wait * 1.5, POLL_MOST_MS);
    at = { streamId: at.streamId, seq: next };
    await sleep(wait, control.signal);
  }
}

// The id of the stream that answers a question, from the history: for when the
// answer to the POST itself is held back.
async function findStream(http, { body }, signal) {
  const path = `conversations/${encodeURIComponent(body.conversionId)}`;
  const { messages = [] } = await (await http.request('GET', path, { signal })).json();
  return messages.find((m) => m.itemId === body.conversionItemId && m.streamId)?.streamId;
}

// Reads the POST's answer to its end and drops it. It has to stay open: a
// stream whose last reader has gone may be cancelled (BailianDisconnect).
async function drain(response) {
  const reader = response.body?.getReader?.();
  while (reader && !(await reader.read()).done);
}

export function pollTransport(http, sleep) {
  return {
    name: 'poll',

    async* ask(question, control) {
      const asked = post(http, question, control);
      let refusal;
      asked.then(drain).catch((failure) => { refusal ??= failure; });
      const said = asked.then((response) => response.headers.get('x-bailian-stream'));
      let streamId;
      for (let wait = POLL_LEAST_MS; !streamId; wait = Math.min(wait * 1.5, POLL_MOST_MS)) {
        streamId = await Promise.race([said, sleep(wait, control.signal)]);
        if (refusal) throw refusal;
        streamId ||= await findStream(http, question, control.signal).catch(notYet);
      }
      yield* poll(http, { streamId, seq: 0 }, control, sleep);
    },

    async* resume(place, control) {
      yield* poll(http, place, control, sleep);
    },
  };
}

function notYet(failure) {
  if (failure instanceof BailianError && failure.status === 404) return undefined;
  throw failure;
}
