// SPDX-License-Identifier: Apache-2.0
// ladder - which way to read is tried next: one rung down when a way does not
// work here, one up again when it may. Pure: time is given.
//
// All answers of a client share one memory, so that the next question begins
// where the last one had success; a fall for want of room is of one answer only.

export function createMemory({ climbMs }) {
  return { at: 0, climbAt: Infinity, waitMs: climbMs };
}

export class Ladder {
  isProbe = false; // we have climbed, and nothing proves yet that it works
  isTrial = false; // the same, or after a fall
  #rungs;
  #memory;
  #options;
  #at;

  // climbMs: until a higher rung is tried again; doubles up to climbMostMs.
  constructor(rungs, memory, options) {
    this.#rungs = rungs;
    this.#memory = memory;
    this.#options = options;
    this.#at = Math.min(memory.at, rungs.length - 1);
  }

  get rung() {
    return this.#rungs[this.#at];
  }

  // The way does not work here -> whether there is another one. What holds one
  // HTTP answer back holds them all back; without room (`busy`) it is only this
  // answer that goes elsewhere.
  fall(nowMs, reason) {
    const isHeld = reason === 'silent' && this.rung.isHttpStream;
    const below = this.#rungs.findIndex((rung, i) => i > this.#at && !(isHeld && rung.isHttpStream));
    if (below < 0) return false;
    this.#at = below;
    if (reason !== 'busy') this.#remember(nowMs, this.isProbe ? this.#memory.waitMs * 2 : this.#options.climbMs);
    this.isProbe = false;
    this.isTrial = true;
    return true;
  }

  mayClimb(nowMs) {
    return this.#at > 0 && nowMs >= this.#memory.climbAt;
  }

  // Until then; Infinity when there is nothing above.
  climbInMs(nowMs) {
    return this.#at > 0 ? Math.max(this.#memory.climbAt - nowMs, 0) : Infinity;
  }

  climb(nowMs) {
    this.#at -= 1;
    this.#memory.climbAt = nowMs + this.#memory.waitMs; // one prober at a time
    this.isProbe = true;
    this.isTrial = true;
  }

  // Bytes came.
  proven(nowMs) {
    if (this.isProbe) this.#remember(nowMs, this.#options.climbMs);
    this.isProbe = false;
    this.isTrial = false;
  }

  #remember(nowMs, waitMs) {
    this.#memory.at = this.#at;
    this.#memory.waitMs = Math.min(waitMs, this.#options.climbMostMs);
    this.#memory.climbAt = this.#at ? nowMs + this.#memory.waitMs : Infinity;
  }
}
