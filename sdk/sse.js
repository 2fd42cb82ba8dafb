// SPDX-License-Identifier: Apache-2.0
// sse - Server-Sent Events over fetch, or over a mini-program's chunked request.
import { checkType, chunks, NOTHING, orLost, post } from './exchange.js';
import { fromChat } from './events.js';
import { SseParser } from './parser.js';

const EVENT_STREAM = /^text\/event-stream\b/;

async function* readSse(response, control) {
  const parser = new SseParser();
  for await (const bytes of chunks(response, control)) {
    for (const event of parser.push(bytes)) {
      if (event.retry !== undefined) yield { retry: event.retry };
      else if (event.data !== undefined) yield fromChat(event);
    }
  }
}

export function sseTransport(http) {
  return {
    name: 'sse',
    isHttpStream: true,

    async* ask(question, control) {
      const response = await post(http, 'stream', question, control, true);
      checkType(response, EVENT_STREAM, true);
      control.opened();
      yield* orLost(readSse(response, control), control.signal);
    },

    async* resume({ streamId, seq }, control) {
      const response = await http.request('GET', `streams/${streamId}/events`, {
        query: seq ? undefined : { after: 0 },
        headers: seq ? { 'Last-Event-ID': `${streamId}:${seq}` } : undefined,
        signal: control.signal, isStream: true,
      });
      control.opened();
      if (response.status === 204) {
        yield NOTHING;
        return;
      }
      checkType(response, EVENT_STREAM);
      yield* orLost(readSse(response, control), control.signal);
    },
  };
}
