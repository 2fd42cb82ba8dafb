// SPDX-License-Identifier: Apache-2.0
// events - the forms that the server gives an event -> one. What comes out:
//   {streamId, seq, conversationId, itemId, content, reasoning, references,
//    status, replace, rewrite, usage, isReconnect, end}
// with only those members that the event has. Without a seq it is a heartbeat,
// the request to reconnect, {streamId, isNamed} (the stream's id is known now) or
// {streamId, loose}: text without a number.
import { Lost } from './errors.js';

export function parse(text) {
  try {
    const value = JSON.parse(text);
    if (value && typeof value === 'object') return value;
  } catch {
    // said below
  }
  throw new Lost('garbage');
}

// "<stream id>:<seq>"
function place(id) {
  const found = /^([^:]+):(\d{1,15})$/.exec(id ?? '');
  return found ? { streamId: found[1], seq: Number(found[2]) } : {};
}

function endOfChat(data) {
  return {
    text: String(data.content ?? ''),
    finishReason: data.finishReason ?? null,
    error: data.error,
    code: data.code,
    usage: data.usage,
    length: data.length,
    sha256: data.sha256,
  };
}

// An event of the chat dialect (docs/protocol.md, "Ask").
export function fromChat({ data: text, id }) {
  const data = parse(text);
  const item = { ...place(id), conversationId: data.conversionId, itemId: data.conversionItemId };
  if (data.isEnd) return { ...item, end: endOfChat(data) };
  if (data.reconnect) return { ...item, isReconnect: true };
  for (const name of ['content', 'reasoning', 'replace']) {
    if (typeof data[name] === 'string') item[name] = data[name];
  }
  if (Array.isArray(data.references)) item.references = data.references;
  if (data.status && typeof data.status === 'object') item.status = data.status;
  return item;
}

const GOOD = ['completed', 'length'];

function endOfBatch(fields) {
  const isGood = GOOD.includes(fields.outcome);
  return {
    text: undefined, // the batch form does not repeat it
    finishReason: isGood ? fields.finishReason ?? null : fields.outcome,
    error: isGood ? undefined : fields.reason || fields.outcome,
    code: isGood ? undefined : fields.reason || fields.outcome,
    length: fields.length,
    sha256: fields.sha256,
  };
}

// An event of `?as=json` (docs/protocol.md, "Kinds of events").
export function fromBatch(streamId, { seq, kind, text = '', fields = {} }) {
  const item = { streamId, seq };
  switch (kind) {
    case 'start': return item;
    case 'delta': return { ...item, content: text };
    case 'reasoning': return { ...item, reasoning: text };
    case 'search': return { ...item, references: fields.references };
    case 'usage': return { ...item, usage: fields };
    case 'replace': return { ...item, rewrite: { keep: fields.keep, text } };
    case 'end': return { ...item, end: endOfBatch(fields) };
    default: return { ...item, status: { type: kind, ...fields } };
  }
}

// The state of a stream that has ended (docs/protocol.md, "State and stop"): an
// end without a number.
export function fromState(streamId, { outcome, code, length, sha256 }) {
  return { streamId, end: endOfBatch({ outcome, reason: code, length, sha256 }) };
}

// A CHAT_STREAM_… message of the WebSocket protocol; failure: the ERROR that
// came before an end.
export function fromMessage(type, data, failure) {
  const { messageId: streamId, seq } = data;
  if (type === 'CHAT_STREAM_START') {
    if (data.after) return { streamId, isNamed: true };
    return { streamId, seq: 1, conversationId: data.conversationId, itemId: data.requestId === streamId ? undefined : data.requestId };
  }
  if (type === 'CHAT_STREAM_END') return { streamId, seq, end: endOfMessages(data, failure) };
  return { ...data, streamId, seq };
}

function endOfMessages({ finishReason, totalTokens, length, sha256 }, failure) {
  const isGood = GOOD.includes(finishReason);
  return {
    text: undefined,
    finishReason: finishReason === 'completed' ? 'stop' : finishReason,
    error: isGood ? undefined : failure?.data ?? finishReason,
    code: isGood ? undefined : failure?.code ?? finishReason,
    usage: totalTokens === null ? undefined : { totalTokens },
    length,
    sha256,
  };
}
