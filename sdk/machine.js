// SPDX-License-Identifier: Apache-2.0
// machine - the life of one reading: opening, reading, waiting to open again,
// over. One table changes the state, one formula says how long to wait. Pure:
// time and chance are given.

// A cell that is missing cannot happen.
const NEXT = {
  /*          opening                reading               waiting               over */
  opened: { opening: 'reading' },
  lost:   { opening: 'waiting', reading: 'waiting' },
  due:    {                                            waiting: 'opening' },
  moved:  { opening: 'opening', reading: 'opening' }, // to another transport
  end:    { opening: 'over',    reading: 'over',       waiting: 'over',   over: 'over' },
};

export class Machine {
  state = 'opening';
  attempts = 0; // losses since something new came
  silences = 0; // losses in a row without a single byte, or without a good one
  retryMs = null; // the server's `retry:`, with its chance in it (C15)
  #options;
  #progressAt;

  // leastMs, mostMs, giveUpMs, random() in [0, 1)
  constructor(options, nowMs) {
    this.#options = options;
    this.#progressAt = nowMs;
  }

  get isOver() {
    return this.state === 'over';
  }

  on(event) {
    const next = NEXT[event][this.state];
    if (!next) throw new Error(`${event} cannot happen when ${this.state}`);
    this.state = next;
  }

  // Something new was read.
  progressed(nowMs) {
    this.attempts = 0;
    this.silences = 0;
    this.#progressAt = nowMs;
  }

  // We were asleep, or without a network: that time does not count.
  awoke(nowMs) {
    this.#progressAt = nowMs;
  }

  // The connection is gone -> how long to wait, or null: it has been too long.
  // Without bounds a server that restarts would get all its readers at once.
  lost({ reason, retryAfterMs = 0 }, nowMs) {
    this.on('lost');
    this.silences = reason === 'silent' || reason === 'garbage' ? this.silences + 1 : 0;
    if (nowMs - this.#progressAt > this.#options.giveUpMs) return null;
    const wait = Math.max(this.#backOff(), retryAfterMs);
    this.attempts += 1;
    return wait;
  }

  #backOff() {
    const { leastMs, mostMs, random } = this.#options;
    if (this.attempts === 0 && this.retryMs !== null) return Math.min(this.retryMs, mostMs);
    const most = Math.min(mostMs, (this.retryMs ?? leastMs) * 2 ** Math.min(this.attempts, 20));
    return most / 2 + random() * (most / 2);
  }
}
