// SPDX-License-Identifier: Apache-2.0
// bailian-stream - the client: asks, reads the answer through losses of the
// connection, and calls it whole only when it is proven to be.
import { Answer, sleep } from './answer.js';
import { Conversations } from './conversations.js';
import { Http } from './http.js';
import { createMemory } from './ladder.js';
import { platformOf } from './platform.js';
import { randomId } from './random.js';
import { transportsOf } from './transports.js';

export { Answer } from './answer.js';
export { BailianError } from './errors.js';
export { randomId } from './random.js';

const DEFAULTS = {
  transport: 'auto',
  leastMs: 1000, // first wait after a loss, unless the server says `retry:`
  mostMs: 30000,
  giveUpMs: 15 * 60000, // without anything new
  silenceMs: 45000, // three heartbeats of the server
  openMs: 20000, // until the head of the answer
  trialMs: 8000, // until the first byte on a transport that is only tried
  climbMs: 60000, // until a better transport is tried again ...
  climbMostMs: 600000, // ... at first, and after many failures
  stopMs: 5000, // until the end that follows stop()
  random: Math.random,
  now: () => Date.now(),
  setTimeout: (fn, ms) => setTimeout(fn, ms),
  clearTimeout: (timer) => clearTimeout(timer),
};

export class BailianClient {
  #http;
  #context; // what all answers of this client share

  // See bailian-stream.d.ts.
  constructor({ base = '/bailian', userId, headers, language, fetch: given, WebSocket: Socket, wx: weixin, ...own } = {}) {
    const options = { ...DEFAULTS, ...own };
    const platform = platformOf({ wx: weixin, fetch: given, WebSocket: Socket });
    if (platform.name === 'weixin' && !/^https?:\/\//.test(base)) {
      throw new TypeError('base: a mini-program needs the whole address, https://…');
    }
    this.#http = new Http({ base: base.replace(/\/+$/, ''), fetch: platform.fetch, headers, userId, language });
    this.#context = {
      http: this.#http, options, platform, memory: createMemory(options),
      transports: transportsOf(platform, this.#http, (ms, signal) => sleep(options, ms, signal), options.transport),
    };
    this.conversations = new Conversations(this.#http);
  }

  ask(message, { conversationId, itemId, appId, key, ...listeners } = {}) {
    const body = {
      ...(typeof message === 'string' ? { message } : { messages: message }),
      conversionId: conversationId ?? randomId(),
      conversionItemId: itemId ?? randomId(),
      ...(appId && { appId }),
      ...(this.#http.userId && { userId: this.#http.userId }),
    };
    const place = { conversationId: body.conversionId, itemId: body.conversionItemId };
    return new Answer(this.#context, place, { body, key: key ?? randomId() }, listeners);
  }

  // Reads a stream that began earlier: {streamId, seq, text, reasoning}, of
  // which all but the id may be missing.
  follow(place, listeners = {}) {
    return new Answer(this.#context, place, null, listeners);
  }

  // What is known of a stream: {live, outcome, ...}.
  state(streamId) {
    return this.#http.json('GET', `streams/${streamId}`);
  }
}
