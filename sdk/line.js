// SPDX-License-Identifier: Apache-2.0
// line - one WebSocket of the message protocol and the answers that are read on
// it. It is closed with the last of them; when it fails, all of them have to
// resume.
import { PushedBody } from './body.js';
import { Lost } from './errors.js';
import { parse } from './events.js';

const MOST = 16; // answers on one connection; a server reads twice as many
const COMES_BACK = 4001; // the server goes on answering

// data: of its CHAT_REQUEST. It knows its stream by the answer, or before.
export class Reading {
  isEnded = false; // the server sends nothing more for it

  constructor(data, requestId) {
    this.requestId = requestId;
    this.streamId = data.resume?.streamId;
    this.request = { type: 'CHAT_REQUEST', data: { ...data, requestId } };
    this.inbox = new PushedBody(() => {});
  }

  is(id, requestId) {
    return id !== undefined && this.streamId !== undefined ? this.streamId === id : requestId !== undefined && this.requestId === requestId;
  }

  take(text, { type, data }) {
    if (type === 'CHAT_STREAM_START') this.streamId = data.messageId;
    if (type === 'CHAT_STREAM_END' || (type === 'ERROR' && this.streamId === undefined)) this.isEnded = true;
    this.inbox.push(text);
  }
}

// When to come back, by chance: "draining retry=3481" (C15).
const retryIn = (reason) => Number(/ retry=(\d{1,5})$/.exec(reason)?.[1] ?? 0);

export class Line {
  #socket;
  #isOpen = false;
  #isOver = false;
  #readings = new Set();
  #onOver;

  // name: what tells it from others; onOver: nothing more can be read on it.
  constructor(platform, { name, url, headers }, onOver) {
    this.name = name;
    this.#onOver = onOver;
    this.#socket = platform.connect(url, headers, {
      open: () => {
        this.#isOpen = true;
        for (const { request } of this.#readings) this.#send(request);
      },
      message: (text) => this.#take(text),
      close: (code, reason) => this.#end(new Lost(!this.#isOpen ? 'refused' : code === 1012 ? 'draining' : 'closed',
        { retryAfterMs: retryIn(reason) })),
    });
  }

  // Is there room, and nothing that it could be taken for?
  takes({ requestId, streamId }) {
    return !this.#isOver && this.#readings.size < MOST
      && ![...this.#readings].some((one) => one.requestId === requestId || (streamId !== undefined && one.streamId === streamId));
  }

  join(reading) {
    this.#readings.add(reading);
    if (this.#isOpen) this.#send(reading.request);
  }

  leave(reading) {
    if (!this.#readings.delete(reading)) return;
    if (!this.#readings.size) this.#close();
    else if (this.#isOpen && !reading.isEnded) {
      this.#send({ type: 'CHAT_STREAM_END', data: { messageId: reading.streamId ?? reading.requestId, leave: true } });
    }
  }

  // Nothing comes on it any more, though it looks open.
  break() {
    if (this.#isOver) return;
    this.#end(new Lost('network'));
    this.#socket.close(COMES_BACK);
  }

  #close() {
    this.#isOver = true;
    this.#onOver();
    this.#socket.close(COMES_BACK);
  }

  #end(lost) {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#onOver();
    for (const { inbox } of this.#readings) inbox.end(lost);
    this.#readings.clear();
  }

  #send(message) {
    this.#socket.send(JSON.stringify(message));
  }

  #take(text) {
    let message;
    try {
      message = parse(text);
    } catch (lost) {
      this.#end(lost);
      this.#socket.close(COMES_BACK);
      return;
    }
    for (const one of this.#addressees(message)) one.take(text, message);
  }

  // What is not about an answer, like a heartbeat, is for all of them; what is
  // about one that was left, for nobody.
  #addressees({ type, data, messageId = data?.messageId, requestId = data?.requestId }) {
    const all = [...this.#readings];
    if (messageId === undefined && requestId === undefined) {
      // One that was not looked at (its sender sends too many): the newest.
      return type === 'ERROR' ? all.filter((one) => one.streamId === undefined).slice(-1) : all;
    }
    return all.filter((one) => one.is(messageId, requestId)).slice(0, 1);
  }
}
