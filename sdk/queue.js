// SPDX-License-Identifier: Apache-2.0
// queue - events that one iterator has not taken yet. Pure.

const MOST = 256; // that wait for a slow iterator

export class Queue {
  #events = [];
  #isEnded = false;
  #arrival = null;
  #space = null;

  tell(event) {
    this.#events.push(event);
    this.#arrival?.();
  }

  end() {
    this.#isEnded = true;
    this.#arrival?.();
  }

  // Nobody takes any more.
  drop() {
    this.#events = [];
    this.#space?.();
  }

  async next() {
    while (!this.#events.length && !this.#isEnded) {
      await new Promise((arrived) => { this.#arrival = arrived; });
    }
    const event = this.#events.shift();
    if (this.#events.length < MOST) this.#space?.();
    return event;
  }

  async room() {
    if (this.#events.length < MOST) return;
    await new Promise((space) => { this.#space = space; });
    this.#space = null;
  }
}
