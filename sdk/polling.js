// SPDX-License-Identifier: Apache-2.0
// polling - batches of events, for places where something holds an answer back.
import { BailianError, Lost } from './errors.js';
import { fromBatch } from './events.js';
import { CLIMB, NOTHING, post } from './exchange.js';

const LEAST_MS = 500;
const MOST_MS = 3000;

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
  let wait = LEAST_MS;
  for (;;) {
    await control.gate();
    const { events, next, complete, isNothing } = await batch(http, at, control);
    control.opened();
    control.alive();
    for (const event of events) yield fromBatch(at.streamId, event);
    if (isNothing) yield NOTHING;
    if (isNothing || complete) return;
    if (control.mayClimb()) yield CLIMB;
    wait = events.length ? LEAST_MS : Math.min(wait * 1.5, MOST_MS);
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

// Asks, and gives the id of the stream as soon as it is known.
export async function begin(http, question, control, sleep) {
  const asked = post(http, question, control, { isStream: false });
  let refusal;
  asked.then(drain).catch((failure) => { refusal ??= failure; });
  // A proxy may take the header away: then the history tells.
  const said = asked.then((response) => response.headers.get('x-bailian-stream') ?? new Promise(() => {}));
  said.catch(() => {}); // told by refusal
  let streamId;
  for (let wait = LEAST_MS; !streamId; wait = Math.min(wait * 1.5, MOST_MS)) {
    streamId = await Promise.race([said, sleep(wait, control.signal)]);
    if (refusal) throw refusal;
    streamId ||= await findStream(http, question, control.signal).catch(notYet);
  }
  return streamId;
}

function notYet(failure) {
  if (failure instanceof BailianError && failure.status === 404) return undefined;
  throw failure;
}

// reading: what fetches the batches, if another than what asks.
export function pollTransport(http, sleep, { name = 'poll', reading = http } = {}) {
  return {
    name,

    async* ask(question, control) {
      const streamId = await begin(http, question, control, sleep);
      yield { streamId, isNamed: true };
      yield* poll(reading, { streamId, seq: 0 }, control, sleep);
    },

    async* resume(place, control) {
      yield* poll(reading, place, control, sleep);
    },
  };
}
