// SPDX-License-Identifier: Apache-2.0
// sha256 - of bytes, in hex. WebCrypto exists in secure contexts only; a page on
// plain http has to do it by hand (FIPS 180-4).

const WORDS = 64;
const BLOCK = 64;

// The first 32 bits of the fractional parts of roots of the first primes.
function fraction(root) {
  return ((root - Math.floor(root)) * 0x100000000) >>> 0;
}

function primes(count) {
  const found = [];
  for (let n = 2; found.length < count; n++) {
    if (found.every((p) => n % p)) found.push(n);
  }
  return found;
}

const K = Uint32Array.from(primes(WORDS), (p) => fraction(Math.cbrt(p)));
const START = Uint32Array.from(primes(8), (p) => fraction(Math.sqrt(p)));

const turn = (x, n) => (x >>> n) | (x << (32 - n));

function pad(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(padded.length - 4, (bytes.length << 3) >>> 0);
  return view;
}

function schedule(w, view, at) {
  for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + i * 4);
  for (let i = 16; i < WORDS; i++) {
    const a = w[i - 15];
    const b = w[i - 2];
    w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
  }
}

function compress(state, w) {
  let [a, b, c, d, e, f, g, h] = state;
  for (let i = 0; i < WORDS; i++) {
    const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
    const t1 = (h + s1 + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
    const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
    const t2 = (s0 + ((a & b) ^ (a & c) ^ (b & c))) | 0;
    [h, g, f, e, d, c, b, a] = [g, f, e, (d + t1) | 0, c, b, a, (t1 + t2) | 0];
  }
  [a, b, c, d, e, f, g, h].forEach((word, i) => { state[i] += word; });
}

const hex = (numbers, digits) => Array.from(numbers, (n) => n.toString(16).padStart(digits, '0')).join('');

export function sha256ByHand(bytes) {
  const view = pad(bytes);
  const state = Uint32Array.from(START);
  const w = new Uint32Array(WORDS);
  for (let at = 0; at < view.byteLength; at += BLOCK) {
    schedule(w, view, at);
    compress(state, w);
  }
  return hex(state, 8);
}

export async function sha256(bytes) {
  const subtle = globalThis.crypto?.subtle;
  if (!subtle) return sha256ByHand(bytes);
  return hex(new Uint8Array(await subtle.digest('SHA-256', bytes)), 2);
}
