// SPDX-License-Identifier: Apache-2.0
// abort - AbortController for script engines that have none (mini-programs).

class SmallSignal {
  aborted = false;
  reason = undefined;
  #listeners = [];

  addEventListener(type, listener) {
    this.#listeners.push(listener);
  }

  removeEventListener(type, listener) {
    this.#listeners = this.#listeners.filter((other) => other !== listener);
  }

  abort(reason) {
    if (this.aborted) return;
    this.aborted = true;
    this.reason = reason;
    for (const listener of this.#listeners.splice(0)) listener({ type: 'abort' });
  }
}

export class SmallController {
  signal = new SmallSignal();

  abort(reason) {
    this.signal.abort(reason);
  }
}

export function createAbort() {
  return typeof AbortController === 'undefined' ? new SmallController() : new AbortController();
}
