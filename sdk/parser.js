// SPDX-License-Identifier: Apache-2.0
// parser - bytes of a text/event-stream, cut anywhere -> events. Pure: no
// network, no clock. The rules are those of the HTML standard, with one
// difference: `id` is of the event that had the line, and undefined where none
// stood, because the server's heartbeats have no number.
import { createDecoder } from './text.js';

// The last event holds the whole answer: 8 MiB, each byte at most six in JSON.
const MOST_CHARACTERS = 64 * 1024 * 1024;

export class SseParser {
  #decoder;
  #most;
  #line = ''; // of which the end has not come
  #afterCr = false; // a LF that follows belongs to the line end before
  #atStart = true; // a byte order mark may follow
  #size = 0; // of the event that has begun
  #event = empty();

  // decoder: for tests.
  constructor({ decoder = createDecoder(), most = MOST_CHARACTERS } = {}) {
    this.#decoder = decoder;
    this.#most = most;
  }

  // The events that these bytes complete: {type, data, id} or {retry} or
  // {comment}. Throws RangeError when an event is too large.
  push(bytes) {
    const found = [];
    let text = this.#decoder.decode(bytes);
    if (this.#atStart && text) {
      if (text[0] === '\ufeff') text = text.slice(1);
      this.#atStart = false;
    }
    this.#lines(text, (line) => this.#take(line, found));
    return found;
  }

  #lines(text, take) {
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code !== 10 && code !== 13) {
        this.#afterCr = false;
        continue;
      }
      if (code === 10 && this.#afterCr) {
        this.#afterCr = false;
        from = i + 1;
        continue;
      }
      this.#afterCr = code === 13;
      const line = this.#line + text.slice(from, i);
      this.#line = '';
      from = i + 1;
      take(line);
    }
    this.#line += text.slice(from);
    if (this.#line.length + this.#size > this.#most) throw new RangeError('an event is too large');
  }

  #take(line, found) {
    if (line === '') {
      this.#dispatch(found);
      return;
    }
    this.#size += line.length;
    if (this.#size > this.#most) throw new RangeError('an event is too large');
    const colon = line.indexOf(':');
    if (colon === 0) {
      found.push({ comment: line.slice(1).trim() });
      return;
    }
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value[0] === ' ') value = value.slice(1);
    this.#field(name, value, found);
  }

  #field(name, value, found) {
    switch (name) {
      case 'data':
        this.#event.data.push(value);
        break;
      case 'id':
        if (!value.includes('\0')) this.#event.id = value;
        break;
      case 'event':
        this.#event.type = value;
        break;
      case 'retry':
        if (/^\d+$/.test(value)) found.push({ retry: Number(value) });
        break;
      default: // unknown fields are ignored
    }
  }

  #dispatch(found) {
    const { type, data, id } = this.#event;
    this.#event = empty();
    this.#size = 0;
    if (data.length) found.push({ type: type || 'message', data: data.join('\n'), id });
  }
}

function empty() {
  return { type: '', data: [], id: undefined };
}
