// SPDX-License-Identifier: Apache-2.0
// sync - the whole answer at once, when it has ended: the last resort.
import { answered } from './exchange.js';
import { endOf } from './plain.js';
import { pollTransport } from './polling.js';

export function syncTransport(http, sleep) {
  return {
    name: 'sync',
    isQuiet: true,

    // A connection that ends before is no matter: the key is that of the same
    // question.
    async* ask(question, control) {
      const { streamId, content = '' } = await answered(http, 'api/chat/sync', question, control);
      control.opened();
      control.alive();
      yield { streamId, isNamed: true };
      yield { streamId, loose: content };
      yield await endOf(http, streamId, control.signal);
    },

    resume: pollTransport(http, sleep).resume,
  };
}
