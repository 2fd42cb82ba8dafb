// SPDX-License-Identifier: Apache-2.0
// polling - batches of events, for places where something holds an answer back.
import { fromBatch } from './events.js';
import { answered, CLIMB, jsonOf, NOTHING } from './exchange.js';

const LEAST_MS = 500;
const MOST_MS = 3000;

async function batch(http, place, control) {
  const response = await http.request('GET', `streams/${place.streamId}/events`, {
    query: { as: 'json', after: String(place.seq) }, signal: control.signal,
  });
  if (response.status === 204) return { events: [], next: place.seq, isNothing: true };
  return jsonOf(response, control);
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

// Asks, and gives the id of the stream: the answer is read elsewhere.
export async function begin(http, question, control) {
  return (await answered(http, 'api/chat/stream', question, control)).streamId;
}

// reading: what fetches the batches, if another than what asks.
export function pollTransport(http, sleep, { name = 'poll', reading = http } = {}) {
  return {
    name,

    async* ask(question, control) {
      const streamId = await begin(http, question, control);
      yield { streamId, isNamed: true };
      yield* poll(reading, { streamId, seq: 0 }, control, sleep);
    },

    async* resume(place, control) {
      yield* poll(reading, place, control, sleep);
    },
  };
}
