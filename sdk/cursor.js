// SPDX-License-Identifier: Apache-2.0
// cursor - one reader's place in the journal of a stream: drops what it has
// seen, puts the answer together, and proves at its end that it is whole. Pure.
import { BailianError } from './errors.js';
import { sha256 } from './sha256.js';
import { createDecoder, encodeUtf8 } from './text.js';

export class Cursor {
  streamId;
  conversationId;
  itemId;
  seq = 0; // of the newest event that was taken; 0 = none
  text = '';
  reasoning = '';
  references = [];
  usage = null;
  loose = 0; // characters at the end of the text that came without a number
  #isStarted = false;

  constructor(place = {}) {
    for (const name of ['streamId', 'conversationId', 'itemId', 'seq', 'text', 'reasoning']) {
      if (place[name] !== undefined) this[name] = place[name];
    }
  }

  // Begins again: what follows is the whole answer.
  rewind() {
    this.seq = 0;
    this.text = '';
    this.loose = 0;
    this.reasoning = '';
    this.references = [];
    return [{ type: 'rewind', seq: 0 }];
  }

  // An item of events.js -> what the reader is told, in order. An event that
  // was taken before tells nothing. The end is not taken here: see finish().
  take(item) {
    if (item.isNamed) this.streamId ??= item.streamId;
    if (item.loose !== undefined) return this.#takeLoose(item);
    if (!this.#isNew(item)) return [];
    const told = [];
    this.streamId = item.streamId;
    this.seq = item.seq;
    if (item.conversationId) this.conversationId = item.conversationId;
    if (item.itemId) this.itemId = item.itemId;
    if (!this.#isStarted) told.push(this.#start());
    this.#content(item, told);
    for (const event of told) event.seq = item.seq;
    return told;
  }

  #isNew(item) {
    if (!item.seq || item.seq <= this.seq) return false;
    return this.streamId === undefined || item.streamId === this.streamId;
  }

  // Text without a number stands until the numbered events that hold it come.
  #takeLoose({ streamId, loose: text }) {
    if (this.streamId !== undefined && streamId !== this.streamId) return [];
    this.streamId = streamId;
    this.text += text;
    this.loose += text.length;
    const told = { type: 'content', seq: this.seq, text };
    return this.#isStarted ? [told] : [{ ...this.#start(), seq: this.seq }, told];
  }

  // What of a numbered text has not been taken without a number.
  #fresh(text) {
    const known = Math.min(this.loose, text.length);
    this.loose -= known;
    return text.slice(known);
  }

  #start() {
    this.#isStarted = true;
    return { type: 'start', streamId: this.streamId, conversationId: this.conversationId, itemId: this.itemId };
  }

  #content(item, told) {
    if (item.reasoning) {
      this.reasoning += item.reasoning;
      told.push({ type: 'reasoning', text: item.reasoning });
    }
    const content = this.#fresh(item.content ?? '');
    if (content) {
      this.text += content;
      told.push({ type: 'content', text: content });
    }
    if (item.references) {
      this.references = [...this.references, ...item.references]; // each event has new ones
      told.push({ type: 'references', references: item.references });
    }
    if (item.status) told.push({ type: 'status', status: item.status });
    if (item.usage) this.usage = item.usage;
    const whole = item.rewrite ? rewritten(this.text, item.rewrite) : item.replace;
    if (whole !== undefined) told.push(this.#replace(whole));
  }

  #replace(text) {
    this.text = text;
    this.loose = 0;
    return { type: 'replace', text };
  }

  // The end of the journal -> what the reader is told last. Throws BailianError
  // `damaged` when the text is not the one that the server stored: nothing was
  // taken then, and the answer may be read again from its beginning.
  async finish(item) {
    const end = item.end;
    const whole = end.text ?? this.text;
    if (!await isProven(whole, end)) {
      throw new BailianError('damaged', 'The answer is not what the server stored.', { isPassing: true });
    }
    const told = whole === this.text ? [] : [this.#replace(whole)];
    this.seq = item.seq || this.seq;
    this.usage = end.usage ?? this.usage;
    told.push({
      type: 'end', seq: this.seq, text: whole, finishReason: end.finishReason, usage: this.usage,
      isComplete: end.error === undefined, error: end.error, code: end.code,
    });
    return told;
  }
}

// A failure may lack the proof, an answer that calls itself whole may not.
async function isProven(text, end) {
  if (end.error !== undefined && end.sha256 === undefined) return true;
  const bytes = encodeUtf8(text);
  return bytes.length === end.length && await sha256(bytes) === end.sha256;
}

// keep counts bytes of UTF-8.
function rewritten(text, { keep, text: added }) {
  return createDecoder().decode(encodeUtf8(text).subarray(0, keep)) + added;
}
