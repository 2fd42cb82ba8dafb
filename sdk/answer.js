// SPDX-License-Identifier: Apache-2.0
// answer - one answer that is being read: turns losses into waits, changes the
// transport where one does not work, tells the readers.
import { createAbort } from './abort.js';
import { Cursor } from './cursor.js';
import { BailianError, Lost } from './errors.js';
import { CLIMB, NOTHING } from './exchange.js';
import { Ladder } from './ladder.js';
import { Machine } from './machine.js';
import { Queue } from './queue.js';

const SILENCES = 2; // in a row, until another transport is tried
// Reasons for which a transport is left at once.
const USELESS = ['refused', 'unsupported', 'busy'];

// Iterate over it, or give it `on`.
export class Answer {
  #http;
  #options;
  #platform;
  #ladder;
  #cursor;
  #machine;
  #question; // null: only read on
  #readers = new Set();
  #settle;
  #abort = null; // of the connection that is open
  #wake = null; // ends the wait for the next try
  #open = null; // a promise while reading is paused
  #release = null;
  #isRewound = false;
  #isStopped = false;
  #stopTimer;
  #isClosed = false;
  #sleepAgain = () => {}; // does not listen for what wakes us up any longer

  // context: {http, options, platform, memory, transports} of the client.
  constructor({ http, options, platform, memory, transports }, place, question, { on, signal } = {}) {
    this.#http = http;
    this.#options = options;
    this.#platform = platform;
    this.#ladder = new Ladder(transports, memory, options);
    this.#cursor = new Cursor(place);
    this.#question = question;
    this.#machine = new Machine(options, options.now());
    if (on) this.#readers.add({ tell: on });
    // Resolves to the whole answer, or rejects with what the iteration throws.
    this.done = new Promise((resolve, reject) => { this.#settle = { resolve, reject }; });
    this.done.catch(() => {}); // whoever only iterates hears of it there
    signal?.addEventListener('abort', () => this.stop(), { once: true });
    if (signal?.aborted) this.stop();
    Promise.resolve().then(() => this.#run());
  }

  get streamId() { return this.#cursor.streamId; }
  get conversationId() { return this.#cursor.conversationId; }
  get itemId() { return this.#cursor.itemId; }
  get seq() { return this.#cursor.seq; }
  get text() { return this.#cursor.text; }
  get reasoning() { return this.#cursor.reasoning; }
  get references() { return this.#cursor.references; }
  get transport() { return this.#ladder.rung.name; }
  get state() { return this.#machine.state; }

  // --- what the reader may do

  // No more is read until resume(); the server waits for it for a while.
  pause() {
    this.#open ??= new Promise((release) => { this.#release = release; });
  }

  resume() {
    this.#release?.();
    this.#open = null;
    this.#release = null;
  }

  // Ends the answer on the server; its end comes as an event, `cancelled`.
  stop() {
    if (this.#isStopped || this.#machine.isOver) return;
    this.#isStopped = true;
    this.resume();
    if (this.streamId) this.#stopServer();
    this.#stopTimer = this.#options.setTimeout(() => this.#end(this.#cancelled()), this.#options.stopMs);
  }

  // Ends only the reading: what becomes of the answer is the server's policy.
  close() {
    this.#isClosed = true;
    this.#end(null);
  }

  // Does not wait any longer for the next try.
  retryNow() {
    this.#wake?.();
  }

  async* [Symbol.asyncIterator]() {
    const queue = new Queue();
    if (this.#cursor.seq) queue.tell(this.#soFar());
    this.#readers.add(queue);
    if (this.#machine.isOver) queue.end();
    try {
      for (let event; (event = await queue.next());) yield event;
      if (!this.#isClosed) await this.done;
    } finally {
      this.#readers.delete(queue);
      queue.drop();
      if (!this.#readers.size) this.close();
    }
  }

  // For a reader that comes late.
  #soFar() {
    const { streamId, conversationId, itemId, seq, text, reasoning, references } = this.#cursor;
    return { type: 'snapshot', streamId, conversationId, itemId, seq, text, reasoning, references };
  }

  // --- the loop

  async #run() {
    if (this.#machine.isOver) return;
    this.#sleepAgain = this.#platform.onAwake(() => this.#awake());
    try {
      while (!this.#machine.isOver) await this.#turn();
    } catch (failure) {
      this.#fail(failure);
    }
  }

  #awake() {
    this.#machine.awoke(this.#options.now());
    this.retryNow();
  }

  // One connection, and the wait after it.
  async #turn() {
    try {
      await this.#read();
    } catch (failure) {
      if (this.#machine.isOver) return;
      if (failure?.code === 'damaged' && !this.#isRewound) this.#rewind();
      else if (!(failure instanceof Lost)) throw failure;
      if (!this.#moved(failure)) await this.#wait(failure);
    }
  }

  // Whether the next try is by another transport, and at once.
  #moved({ reason }) {
    const now = this.#options.now();
    const isUp = reason === 'climb';
    if (isUp) this.#ladder.climb(now);
    else if (!this.#isToFall(reason) || !this.#ladder.fall(now, reason)) return false;
    this.#machine.on('moved');
    return true;
  }

  #isToFall(reason) {
    return USELESS.includes(reason) || this.#ladder.isProbe || (this.#ladder.isTrial && reason === 'silent');
  }

  async #read() {
    const abort = createAbort();
    if (this.#ladder.mayClimb(this.#options.now())) this.#ladder.climb(this.#options.now());
    const control = this.#watched(abort);
    this.#abort = abort;
    try {
      for await (const item of this.#items(control)) {
        await this.#take(item);
        if (this.#machine.isOver) return;
      }
    } catch (failure) {
      throw abort.signal.aborted ? abort.signal.reason : failure;
    } finally {
      control.stop();
      abort.abort(new Lost('closed'));
      this.#abort = null;
    }
    throw new Lost('closed');
  }

  #items(control) {
    const transport = this.#ladder.rung;
    const { streamId, seq, loose } = this.#cursor;
    return streamId ? transport.resume({ streamId, seq, loose }, control)
      : transport.ask(this.#question, control);
  }

  // What the transport tells of the connection, and the dog that watches it:
  // silence is a loss, unless we are the ones who do not read.
  #watched(abort) {
    let timer;
    let hasBytes = false;
    const { setTimeout: start, clearTimeout: stop, openMs, silenceMs, trialMs } = this.#options;
    const isTrial = this.#ladder.isTrial && !this.#ladder.rung.isQuiet;
    const first = (ms) => (isTrial && !hasBytes ? Math.min(ms, trialMs) : ms);
    const feed = (ms) => {
      stop(timer);
      timer = start(() => abort.abort(new Lost(hasBytes ? 'network' : 'silent')), ms);
    };
    feed(first(openMs));
    return {
      signal: abort.signal,
      opened: () => {
        if (this.#machine.state === 'opening') this.#opened();
        feed(first(silenceMs));
      },
      alive: () => {
        hasBytes = true;
        this.#ladder.proven(this.#options.now());
        feed(silenceMs);
      },
      mayClimb: () => this.#ladder.mayClimb(this.#options.now()),
      climbInMs: () => this.#ladder.climbInMs(this.#options.now()),
      gate: async () => {
        if (this.#open) {
          stop(timer);
          await this.#open;
          feed(first(silenceMs));
        }
        await this.#room();
      },
      stop: () => stop(timer),
    };
  }

  #opened() {
    this.#machine.on('opened');
    if (this.#machine.attempts) this.#tell({ type: 'reconnected', transport: this.transport, seq: this.seq });
  }

  async #take(item) {
    if (item === NOTHING) {
      // The end was not among what we read: it is read again from the start.
      throw new BailianError('damaged', 'The end of the answer is missing.');
    }
    if (item.retry !== undefined) {
      this.#machine.retryMs = item.retry;
      return;
    }
    if (item === CLIMB) throw new Lost('climb');
    if (item.isReconnect) throw new Lost('draining');
    if (item.end) {
      if (item.streamId !== this.streamId && this.streamId !== undefined) return;
      await this.#finish(item);
      return;
    }
    const told = this.#cursor.take(item);
    if (!told.length && item.seq === undefined) return; // a heartbeat
    if (item.seq || told.length) this.#machine.progressed(this.#options.now());
    for (const event of told) this.#tell(event);
    if (this.#isStopped && told[0]?.type === 'start') this.#stopServer();
  }

  #rewind() {
    this.#isRewound = true;
    for (const event of this.#cursor.rewind()) this.#tell(event);
  }

  async #wait(failure) {
    const lost = failure instanceof Lost ? failure : new Lost('damaged');
    const wait = this.#machine.lost(lost, this.#options.now());
    if (wait === null) throw lastWord(lost);
    const isDeaf = this.#machine.silences >= SILENCES || (lost.reason === 'damaged' && this.#ladder.rung.isQuiet);
    if (isDeaf) this.#ladder.fall(this.#options.now(), lost.reason);
    if (this.#isStopped && !this.streamId) {
      this.#end(this.#cancelled());
      return;
    }
    this.#tell({ type: 'reconnecting', attempt: this.#machine.attempts, delayMs: Math.round(wait), reason: lost.reason });
    await new Promise((due) => {
      const timer = this.#options.setTimeout(due, wait);
      this.#wake = () => { this.#options.clearTimeout(timer); due(); };
    });
    this.#wake = null;
    if (!this.#machine.isOver) this.#machine.on('due');
  }

  // --- ends

  async #finish(item) {
    let end;
    for (const event of await this.#cursor.finish(item)) {
      if (event.type === 'end') end = event;
      else this.#tell(event);
    }
    this.#end(end);
  }

  #cancelled() {
    return {
      type: 'end', seq: this.seq, text: this.text, finishReason: 'cancelled', usage: this.#cursor.usage,
      isComplete: false, error: 'The answer was stopped.', code: 'cancelled',
    };
  }

  // Once; end is the last event, or null when only the reading ends.
  #end(end) {
    if (this.#machine.isOver) return;
    this.#machine.on('end');
    if (end) this.#tell(end);
    const isWanted = end && (end.isComplete || (this.#isStopped && end.code === 'cancelled'));
    if (isWanted) this.#settle.resolve(end);
    else if (end) this.#settle.reject(new BailianError(end.code ?? 'internal', end.error, { isPassing: true }));
    else this.#settle.reject(new BailianError('closed', 'The reading was closed.'));
    this.#leave();
  }

  #fail(failure) {
    if (this.#machine.isOver) return;
    this.#machine.on('end');
    this.#settle.reject(failure instanceof BailianError ? failure
      : new BailianError('internal', String(failure?.message ?? failure)));
    this.#leave();
  }

  #leave() {
    this.#options.clearTimeout(this.#stopTimer);
    this.#sleepAgain();
    this.resume();
    this.#wake?.();
    this.#abort?.abort(new Lost('closed'));
    for (const reader of this.#readers) reader.end?.();
  }

  async #stopServer() {
    try {
      await this.#http.json('DELETE', `streams/${this.streamId}`);
    } catch {
      // The stream goes on without a reader; stopMs ends the wait for its end.
    }
  }

  // --- readers

  #tell(event) {
    for (const reader of this.#readers) reader.tell(event);
  }

  // A slow iterator slows the connection down, and not the memory up.
  async #room() {
    for (const reader of this.#readers) await reader.room?.();
  }
}

function lastWord(lost) {
  if (lost.cause instanceof BailianError) return lost.cause;
  return new BailianError('unreachable', 'The server cannot be reached.', { isPassing: true });
}

export function sleep({ setTimeout: start, clearTimeout: stop }, ms, signal) {
  return new Promise((done, fail) => {
    const isOver = () => { stop(timer); fail(signal.reason); };
    const timer = start(() => { signal.removeEventListener('abort', isOver); done(); }, ms);
    if (signal.aborted) isOver();
    else signal.addEventListener('abort', isOver, { once: true });
  });
}
