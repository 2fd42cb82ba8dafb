// SPDX-License-Identifier: Apache-2.0
// text - UTF-8 both ways, for places that have no TextDecoder or TextEncoder
// (mini-programs, small script engines).

const REPLACEMENT = 0xfffd;
// String.fromCharCode takes its characters as arguments, and those are limited.
const PIECE = 4096;

// Bytes in any cuts -> text, by the rules of the WHATWG decoder: each largest
// part of a sequence that cannot go on becomes one U+FFFD. A byte order mark
// stays: the parser drops it.
export class Utf8Decoder {
  #point = 0; // of the sequence that has begun
  #missing = 0; // bytes of it that have not come
  #least = 0x80; // what the next byte may be: this ...
  #most = 0xbf; // ... to this

  decode(bytes) {
    const units = [];
    let text = '';
    for (const byte of bytes) {
      this.#take(byte, units);
      if (units.length >= PIECE) text += String.fromCharCode(...units.splice(0));
    }
    return text + String.fromCharCode(...units);
  }

  // No byte follows.
  end() {
    const isCut = this.#missing > 0;
    this.#reset();
    return isCut ? String.fromCharCode(REPLACEMENT) : '';
  }

  #reset() {
    this.#missing = 0;
    this.#least = 0x80;
    this.#most = 0xbf;
  }

  #take(byte, units) {
    if (this.#missing === 0) {
      this.#begin(byte, units);
      return;
    }
    if (byte < this.#least || byte > this.#most) {
      this.#reset();
      units.push(REPLACEMENT);
      this.#begin(byte, units); // it may begin the next one
      return;
    }
    this.#least = 0x80;
    this.#most = 0xbf;
    this.#point = (this.#point << 6) | (byte & 0x3f);
    this.#missing -= 1;
    if (this.#missing === 0) put(this.#point, units);
  }

  #begin(byte, units) {
    if (byte < 0x80) {
      units.push(byte);
    } else if (byte >= 0xc2 && byte <= 0xdf) {
      this.#open(byte & 0x1f, 1);
    } else if (byte >= 0xe0 && byte <= 0xef) {
      this.#open(byte & 0x0f, 2);
      if (byte === 0xe0) this.#least = 0xa0; // overlong
      if (byte === 0xed) this.#most = 0x9f; // surrogates
    } else if (byte >= 0xf0 && byte <= 0xf4) {
      this.#open(byte & 0x07, 3);
      if (byte === 0xf0) this.#least = 0x90; // overlong
      if (byte === 0xf4) this.#most = 0x8f; // above U+10FFFF
    } else {
      units.push(REPLACEMENT);
    }
  }

  #open(bits, missing) {
    this.#point = bits;
    this.#missing = missing;
  }
}

function put(point, units) {
  if (point < 0x10000) {
    units.push(point);
    return;
  }
  units.push(0xd800 + ((point - 0x10000) >> 10), 0xdc00 + ((point - 0x10000) & 0x3ff));
}

// The same interface over the platform's decoder, which is faster.
class PlatformDecoder {
  #decoder = new TextDecoder('utf-8', { ignoreBOM: true });

  decode(bytes) {
    return this.#decoder.decode(bytes, { stream: true });
  }

  end() {
    return this.#decoder.decode();
  }
}

export function createDecoder() {
  return typeof TextDecoder === 'undefined' ? new Utf8Decoder() : new PlatformDecoder();
}

// A surrogate without its other half becomes U+FFFD, as in TextEncoder.
export function encodeUtf8ByHand(text) {
  const bytes = new Uint8Array(text.length * 3);
  let n = 0;
  for (const char of text) {
    let point = char.codePointAt(0);
    if (point >= 0xd800 && point <= 0xdfff) point = REPLACEMENT;
    if (point < 0x80) {
      bytes[n++] = point;
      continue;
    }
    const tails = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    bytes[n++] = [0, 0xc0, 0xe0, 0xf0][tails] | (point >> (6 * tails));
    for (let i = tails - 1; i >= 0; i--) bytes[n++] = 0x80 | ((point >> (6 * i)) & 0x3f);
  }
  return bytes.subarray(0, n);
}

export function encodeUtf8(text) {
  return typeof TextEncoder === 'undefined' ? encodeUtf8ByHand(text) : new TextEncoder().encode(text);
}
