// SPDX-License-Identifier: Apache-2.0
// polling - batches of events, for places where something holds an answer back.
// The server keeps a poll until there is news; where such a wait leads nowhere
// it is asked every now and then instead.
import { Lost } from './errors.js';
import { fromBatch } from './events.js';
import { answered, CLIMB, jsonOf, NOTHING } from './exchange.js';

const HOLD_MS = 25000; // below what mini-programs and most proxies let a request last
const HOLD_LEAST_MS = 1000;
const GATHER_MS = 200; // what comes meanwhile comes together
const LEAST_MS = 500;
const MOST_MS = 3000;
const MISSES = 2; // held polls in a row that got no answer

async function batch(http, place, control, holdMs = 0) {
  const response = await http.request('GET', `streams/${place.streamId}/events`, {
    query: { as: 'json', after: String(place.seq), ...(holdMs && { wait: String(holdMs) }) }, signal: control.signal, isHeld: holdMs > 0,
  });
  if (response.status === 204) return { events: [], next: place.seq, isNothing: true };
  return jsonOf(response, control);
}

// memory.misses: what this client knows of held polls here. 0: is not to be held.
function holdMsOf(memory, control) {
  const ms = memory.misses < MISSES ? Math.min(HOLD_MS, Math.round(control.climbInMs())) : 0;
  return ms < HOLD_LEAST_MS ? 0 : ms;
}

async function held(http, place, control, holdMs, memory) {
  try {
    const found = await batch(http, place, control, holdMs);
    memory.misses = 0;
    return found;
  } catch (failure) {
    if (failure?.reason === 'busy') return batch(http, place, control); // no room for one that lasts
    if (failure instanceof Lost && failure.reason !== 'closed') memory.misses += 1;
    throw failure;
  }
}

async function* poll(http, place, control, sleep, memory) {
  let at = { ...place };
  let wait = LEAST_MS;
  let holdMs = 0; // the first answer tells that this way works
  for (;;) {
    await control.gate();
    const { events, next, complete, isNothing } = await (holdMs ? held(http, at, control, holdMs, memory) : batch(http, at, control));
    control.opened();
    control.alive();
    for (const event of events) yield fromBatch(at.streamId, event);
    if (isNothing) yield NOTHING;
    if (isNothing || complete) return;
    if (control.mayClimb()) yield CLIMB;
    wait = events.length ? LEAST_MS : Math.min(wait * 1.5, MOST_MS);
    at = { streamId: at.streamId, seq: next };
    holdMs = holdMsOf(memory, control);
    await sleep(holdMs && events.length ? GATHER_MS : wait, control.signal);
  }
}

// Asks, and gives the id of the stream: the answer is read elsewhere.
export async function begin(http, question, control) {
  return (await answered(http, 'api/chat/stream', question, control)).streamId;
}

// reading: what fetches the batches, if another than what asks.
export function pollTransport(http, sleep, { name = 'poll', reading = http } = {}) {
  const memory = { misses: 0 };
  return {
    name,

    async* ask(question, control) {
      const streamId = await begin(http, question, control);
      yield { streamId, isNamed: true };
      yield* poll(reading, { streamId, seq: 0 }, control, sleep, memory);
    },

    async* resume(place, control) {
      yield* poll(reading, place, control, sleep, memory);
    },
  };
}
