// SPDX-License-Identifier: Apache-2.0
// scripted - a server that is a list of answers, and a clock that is turned by
// hand: nothing here waits.
import { createHash, webcrypto } from 'node:crypto';

// WebCrypto works on other threads, which no script can order.
Object.defineProperty(globalThis, 'crypto', { value: { getRandomValues: webcrypto.getRandomValues.bind(webcrypto) } });

export const STREAM = '0f1e2d3c4b5a69788796a5b4c3d2e1f0';
const encode = (text) => new TextEncoder().encode(text);
const sha = (text) => createHash('sha256').update(text).digest('hex');

// --- events as the server writes them

export const event = (seq, more) => `id: ${STREAM}:${seq}\ndata: ${JSON.stringify({
  id: String(seq), conversionId: 'c', conversionItemId: 'i', content: '', isEnd: false, ...more })}\n\n`;
export const start = () => event(1, {});
export const delta = (seq, content) => event(seq, { content });
export const end = (seq, text, more) => event(seq, {
  content: text, isEnd: true, finishReason: 'stop', length: encode(text).length, sha256: sha(text), ...more });
export const heartbeat = () => 'data: {"id":"0","content":"","isEnd":false}\n\n';
export const drain = (retry) => `retry: ${retry}\ndata: {"id":"0","content":"","isEnd":false,"reconnect":true,"code":"draining"}\n\n`;

// --- answers

// parts: text, bytes, or LOST (the connection breaks), or SILENCE (nothing comes any
// more), or a function that is called.
export const LOST = Symbol('lost');
export const SILENCE = Symbol('silence');
export const stream = (...parts) => ({ status: 200, type: 'text/event-stream; charset=utf-8', parts });
export const json = (value, status = 200, headers = {}) => ({
  status, headers, type: status < 400 ? 'application/json' : 'application/problem+json', parts: [JSON.stringify(value)] });
export const nothing = () => ({ status: 204, parts: [] });
export const refused = () => LOST; // no connection at all

function body(parts, signal) {
  const left = [...parts];
  return new ReadableStream({
    start(to) {
      signal?.addEventListener('abort', () => { try { to.error(signal.reason); } catch { /* it is closed */ } });
    },
    async pull(to) {
      const part = left.shift();
      if (part === undefined) to.close();
      else if (part === LOST) to.error(new TypeError('terminated'));
      else if (part === SILENCE) await new Promise(() => {});
      else if (typeof part === 'function') { await part(); return this.pull(to); }
      else to.enqueue(typeof part === 'string' ? encode(part) : part);
      return undefined;
    },
  });
}

// fetch that plays the answers in order; `asked` holds what was requested.
// DELETE and history requests are answered by `aside`.
export function server(answers, aside = () => json({})) {
  const asked = [];
  const left = [...answers];
  const fetch = async (url, { method, headers, body: sent, signal }) => {
    const request = { method, url, headers, body: sent && JSON.parse(sent) };
    asked.push(request);
    const isMain = method === 'POST' || url.includes('/events');
    const answer = isMain ? left.shift() : aside(request);
    if (answer === undefined) throw new Error(`nothing is scripted for ${method} ${url}`);
    if (answer === LOST) throw new TypeError('fetch failed');
    if (answer === SILENCE) return new Promise((_, fail) => { signal.addEventListener('abort', () => fail(signal.reason)); });
    const { status, type, headers: more, parts } = answer;
    return new Response(status === 204 ? null : body(parts, signal), {
      status, headers: { ...(type && { 'content-type': type }), ...more } });
  };
  return { fetch, asked };
}

// Timers fire when nothing else happens any more; `waits` holds how long they
// took. Watchdogs fire only when they are the only ones left.
export function clock({ random = () => 0.5 } = {}) {
  let at = 1000000;
  let timers = [];
  let turning = null;
  const waits = [];
  const settle = async () => { for (let i = 0; i < 60; i++) await new Promise((done) => { setImmediate(done); }); };
  const turn = async () => {
    while (timers.length) {
      await settle();
      timers.sort((a, b) => a.due - b.due);
      const timer = timers.shift();
      if (!timer) break;
      at = Math.max(at, timer.due);
      waits.push(timer.ms);
      timer.fn();
    }
    turning = null;
  };
  return {
    waits,
    options: {
      random,
      now: () => at,
      setTimeout: (fn, ms) => {
        const timer = { fn, ms, due: at + ms };
        timers.push(timer);
        turning ??= Promise.resolve().then(turn);
        return timer;
      },
      clearTimeout: (timer) => { timers = timers.filter((other) => other !== timer); },
    },
  };
}
