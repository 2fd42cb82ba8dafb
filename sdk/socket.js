// SPDX-License-Identifier: Apache-2.0
// socket - the message protocol on a WebSocket (docs/protocol.md, "Messages"), a
// connection for each answer.
import { PushedBody } from './body.js';
import { BailianError, Lost } from './errors.js';
import { orLost } from './exchange.js';
import { fromMessage, parse } from './events.js';

const COMES_BACK = 4001; // the server goes on answering
const PASSING = ['draining', 'overloaded', 'store_unavailable'];

// What cannot be said in this protocol goes by another transport.
function messageOf({ body, key }) {
  if (body.message === undefined) throw new Lost('busy');
  return { message: body.message, conversationId: body.conversionId, requestId: body.conversionItemId, model: body.appId, key };
}

// Messages as they come, until the connection ends.
async function* messages(platform, address, headers, data, control) {
  const inbox = new PushedBody(() => {});
  let isOpen = false;
  const socket = platform.connect(address, headers, {
    open: () => {
      isOpen = true;
      socket.send(JSON.stringify({ type: 'CHAT_REQUEST', data }));
    },
    message: (text) => inbox.push(text),
    close: (code) => inbox.end(new Lost(!isOpen ? 'refused' : code === 1012 ? 'draining' : 'closed')),
  });
  control.signal.addEventListener('abort', () => inbox.end(control.signal.reason), { once: true });
  const reader = inbox.getReader();
  try {
    for (;;) {
      await control.gate();
      const { value } = await reader.read(); // it ends by a failure only
      control.alive();
      yield parse(value);
    }
  } finally {
    socket.close(COMES_BACK);
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
    if (type === 'WARNING' && message.code === 'draining') throw new Lost('draining');
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
  async function* run(data, control) {
    const { url, headers } = await http.socketAddress('ws');
    yield* orLost(read(messages(platform, url, headers, data, control), control), control.signal);
  }
  return {
    name: 'websocket',
    ask: (question, control) => run(messageOf(question), control),
    resume: ({ streamId, seq }, control) => run({ resume: { streamId, after: seq } }, control),
  };
}
