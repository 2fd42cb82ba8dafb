// SPDX-License-Identifier: Apache-2.0
// transports - ways to read a stream, behind one interface without a policy:
//
//   ask(question, control)    begins one and reads it
//   resume(place, control)    reads {streamId, seq, loose} on
//
// Both give an async iterable of {retry} and of items (events.js), and throw
// Lost (a passing loss) or BailianError (a refusal). control has `signal`,
// `alive()`, to be called whenever bytes came, `opened()`, `gate()`, which is
// awaited before more is read, `mayClimb()` and `climbInMs()`. A new transport is one more
// object of this kind, with `name`, and where it is so `isHttpStream` (needs an
// HTTP answer that is not held back), `isQuiet` (has no heartbeats).
import { plainTransport } from './plain.js';
import { pollTransport } from './polling.js';
import { socketTransport } from './socket.js';
import { sseTransport } from './sse.js';
import { syncTransport } from './sync.js';

// In the order in which they are tried.
const ORDER = {
  web: ['sse', 'websocket', 'text', 'poll', 'sync'],
  weixin: ['websocket', 'sse', 'download', 'poll', 'sync'],
};

// chosen: `auto`, a name, or names in the order in which they are tried.
export function transportsOf(platform, http, sleep, chosen) {
  const makers = {
    sse: () => sseTransport(http),
    websocket: () => platform.connect && socketTransport(http, platform),
    text: () => plainTransport(http),
    download: () => platform.download && pollTransport(http, sleep, { name: 'download', reading: http.by(platform.download) }),
    poll: () => pollTransport(http, sleep),
    sync: () => syncTransport(http, sleep),
  };
  const names = chosen === 'auto' ? ORDER[platform.name] : [].concat(chosen);
  for (const name of names) if (!makers[name]) throw new TypeError(`transport: there is no ${name}`);
  const found = names.map((name) => makers[name]()).filter(Boolean);
  if (!found.length) throw new TypeError(`transport: ${names} is not possible here`);
  return found;
}
