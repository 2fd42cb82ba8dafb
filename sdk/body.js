// SPDX-License-Identifier: Apache-2.0
// body - bytes that a platform pushes -> a reader that pulls them, like that of
// a fetch's response. Pure.
import { Lost } from './errors.js';

// A reader who does not read for so long loses the connection, not the memory:
// what is dropped here is read again by its number.
const MOST_BYTES = 4 * 1024 * 1024;

export class PushedBody {
  #pieces = [];
  #bytes = 0;
  #isEnded = false;
  #failure = null;
  #arrival = null;
  #onCancel;
  #most;

  // onCancel: nobody takes any more.
  constructor(onCancel, most = MOST_BYTES) {
    this.#onCancel = onCancel;
    this.#most = most;
  }

  push(bytes) {
    if (this.#isEnded) return;
    if (this.#bytes > this.#most) {
      this.end(new Lost('overrun'));
      this.#onCancel();
      return;
    }
    if (bytes.length) this.#pieces.push(bytes);
    this.#bytes += bytes.length;
    this.#arrival?.();
  }

  end(failure = null) {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#failure = failure;
    this.#arrival?.();
  }

  getReader() {
    return { read: () => this.#read(), cancel: () => this.cancel() };
  }

  async cancel() {
    const wasEnded = this.#isEnded;
    this.end();
    this.#pieces = [];
    if (!wasEnded) this.#onCancel();
  }

  async #read() {
    while (!this.#pieces.length && !this.#isEnded) {
      await new Promise((arrived) => { this.#arrival = arrived; });
    }
    if (this.#pieces.length) {
      const value = this.#pieces.shift();
      this.#bytes -= value.length;
      return { done: false, value };
    }
    if (this.#failure) throw this.#failure;
    return { done: true, value: undefined };
  }
}
