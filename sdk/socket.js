// SPDX-License-Identifier: Apache-2.0
// socket - the message protocol on a WebSocket (docs/protocol.md, "Messages"), one
// connection for the answers of a client.
import { BailianError, Lost } from './errors.js';
import { orLost } from './exchange.js';
import { fromMessage, parse } from './events.js';
import { Line, Reading } from './line.js';
import { randomId } from './random.js';

const PASSING = ['draining', 'overloaded', 'store_unavailable'];

// What cannot be said in this protocol goes by another transport.
function messageOf({ body, key }) {
  if (body.message === undefined) throw new Lost('busy');
  return { message: body.message, conversationId: body.conversionId, model: body.appId, key };
}

// Its messages as they come, until the connection ends.
async function* messages(line, reading, control) {
  const { inbox } = reading;
  control.signal.addEventListener('abort', () => {
    const { reason } = control.signal;
    inbox.end(reason);
    if (reason?.reason !== 'closed') line.break(); // it was silent for too long
  }, { once: true });
  line.join(reading);
  const reader = inbox.getReader();
  try {
    for (;;) {
      await control.gate();
      const { value } = await reader.read(); // it ends by a failure only
      control.alive();
      yield parse(value);
    }
  } finally {
    line.leave(reading);
  }
}

function refusal({ code, data }) {
  return PASSING.includes(code) ? new Lost('status', { cause: new BailianError(code, data, { isPassing: true }) })
    : new BailianError(code, data);
}

async function* read(received, control) {
  let isStarted = false;
  let failure; // the ERROR that comes before an end
  for await (const message of received) {
    const { type, data } = message;
    if (type === 'ERROR' && !isStarted) throw refusal(message);
    if (type === 'ERROR' && message.messageId) failure = message;
    if (type === 'WARNING' && data?.resume) throw new Lost('draining');
    if (type === 'CHAT_STREAM_START') {
      isStarted = true;
      control.opened();
    }
    if (!/^CHAT_STREAM_/.test(type)) continue;
    yield fromMessage(type, data, failure);
    if (type === 'CHAT_STREAM_END') return;
  }
}

// http: where the server is, and what is sent to it with each request.
export function socketTransport(http, platform) {
  const lines = new Set();

  function lineFor(reading, { url, headers }) {
    const name = JSON.stringify([url, headers]);
    const known = [...lines].find((one) => one.name === name && one.takes(reading));
    if (known) return known;
    const line = new Line(platform, { name, url, headers }, () => lines.delete(line));
    lines.add(line);
    return line;
  }

  async function* run(data, requestId, control) {
    const address = await http.socketAddress('ws');
    if (control.signal.aborted) throw control.signal.reason;
    const reading = new Reading(data, requestId);
    yield* orLost(read(messages(lineFor(reading, address), reading, control), control), control.signal);
  }
  return {
    name: 'websocket',
    ask: (question, control) => run(messageOf(question), question.body.conversionItemId, control),
    resume: ({ streamId, seq }, control) => run({ resume: { streamId, after: seq } }, randomId(), control),
  };
}
