// SPDX-License-Identifier: Apache-2.0
// plain - the text alone, as it comes: for places that let no event stream pass.
// Its pieces have no numbers; the state of the stream proves them at the end.
import { Lost } from './errors.js';
import { fromState } from './events.js';
import { begin } from './polling.js';
import { checkType, chunks, orLost } from './exchange.js';
import { createDecoder } from './text.js';

const PLAIN = /^text\/plain\b/;

// Without its first `known` characters.
function* pieces(decoder, bytes, left) {
  const text = decoder.decode(bytes);
  const known = Math.min(left.known, text.length);
  left.known -= known;
  if (text.length > known) yield text.slice(known);
}

async function* read(response, { streamId, loose }, control) {
  const decoder = createDecoder();
  const left = { known: loose };
  for await (const bytes of chunks(response, control)) {
    for (const text of pieces(decoder, bytes, left)) yield { streamId, loose: text };
  }
}

export async function endOf(http, streamId, signal) {
  const state = await (await http.request('GET', `streams/${streamId}`, { signal })).json();
  if (state.live) throw new Lost('closed');
  return fromState(streamId, state);
}

export function plainTransport(http) {
  async function* resume(place, control) {
    const response = await http.request('GET', `streams/${place.streamId}/events`, {
      query: { as: 'text', after: String(place.seq) }, signal: control.signal, isStream: true,
    });
    control.opened();
    if (response.status !== 204) {
      checkType(response, PLAIN);
      yield* orLost(read(response, place, control), control.signal);
    }
    yield await endOf(http, place.streamId, control.signal);
  }
  return {
    name: 'text',
    isHttpStream: true,
    isQuiet: true,

    async* ask(question, control) {
      const streamId = await begin(http, question, control);
      yield { streamId, isNamed: true };
      yield* resume({ streamId, seq: 0, loose: 0 }, control);
    },

    resume,
  };
}
