// SPDX-License-Identifier: Apache-2.0
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { SseParser } from '../../sdk/parser.js';
import { sha256, sha256ByHand } from '../../sdk/sha256.js';
import { encodeUtf8ByHand, Utf8Decoder } from '../../sdk/text.js';

const bytesOf = (text) => new TextEncoder().encode(text);

const STREAM = '\ufeffretry: 2100\n: first\n\nid: 0f:1\ndata: {"content":"绿茶🍵"}\n\r\n'
  + 'id: 0f:2\r\nevent: odd\r\ndata: a\r\ndata:  b\r\ndata\r\n\r\nid: 0f:3\rdata: é\r\rdata: no id\n\n: hb\n\nignored: x\nid: 0f:4\n\n'
  + 'data: cut';
const EVENTS = [
  { retry: 2100 }, { comment: 'first' },
  { type: 'message', data: '{"content":"绿茶🍵"}', id: '0f:1' },
  { type: 'odd', data: 'a\n b\n', id: '0f:2' },
  { type: 'message', data: 'é', id: '0f:3' },
  { type: 'message', data: 'no id', id: undefined },
  { comment: 'hb' },
];
const DECODERS = { 'its own decoder': () => new Utf8Decoder(), "the platform's decoder": undefined };

for (const [name, make] of Object.entries(DECODERS)) {
  const parser = () => new SseParser(make && { decoder: make() });

  test(`parser gives the same events for every cut into two, with ${name}`, () => {
    const bytes = bytesOf(STREAM);
    for (let at = 0; at <= bytes.length; at++) {
      const p = parser();
      assert.deepEqual([...p.push(bytes.subarray(0, at)), ...p.push(bytes.subarray(at))], EVENTS, `cut at ${at}`);
    }
  });

  test(`parser gives the same events byte by byte, with ${name}`, () => {
    const p = parser();
    assert.deepEqual([...bytesOf(STREAM)].flatMap((byte) => p.push(Uint8Array.of(byte))), EVENTS);
  });
}

test('parser drops an event that has no blank line behind it', () => {
  assert.deepEqual(new SseParser().push(bytesOf('data: whole\n\ndata: half\n')),
    [{ type: 'message', data: 'whole', id: undefined }]);
});

test('parser refuses a line and an event above its limit, and takes one at it', () => {
  const push = (text) => new SseParser({ most: 20 }).push(bytesOf(text));
  assert.equal(push(`data: ${'x'.repeat(14)}\n\n`).length, 1);
  assert.throws(() => push(`data: ${'x'.repeat(15)}\n\n`), RangeError);
  assert.throws(() => push('x'.repeat(21)), RangeError);
  assert.throws(() => push('data: 1234\ndata: 56789\n\n'), RangeError);
});

test('parser does not take time that grows with the square of a line in small cuts', () => {
  const parser = new SseParser();
  const piece = bytesOf('x'.repeat(64));
  const from = Date.now();
  parser.push(bytesOf('data: '));
  for (let i = 0; i < 65536; i++) parser.push(piece); // 4 MiB
  assert.equal(parser.push(bytesOf('\n\n'))[0].data.length, 4 * 1024 * 1024);
  assert.ok(Date.now() - from < 10000); // half a second where it is linear
});

// A fixed sequence: a failure can be repeated.
function dice(seed) {
  let state = seed;
  return (below) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x100000000) * below);
  };
}

// Bytes that are often nearly right.
function nearlyUtf8(roll) {
  const samples = ['a', 'é', '绿', '🍵', '\u0000', '\uffff', '\u{10ffff}'];
  const odd = [0x80, 0xbf, 0xc0, 0xc2, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, 0xa0, 0x90];
  const bytes = [];
  for (let i = 0; i < 12; i++) {
    if (roll(3)) bytes.push(...bytesOf(samples[roll(samples.length)]).slice(0, 1 + roll(4)));
    else bytes.push(odd[roll(odd.length)]);
  }
  return Uint8Array.from(bytes);
}

test('decoder equals TextDecoder for 20,000 good and bad sequences, whole and in pieces', () => {
  const roll = dice(1);
  for (let i = 0; i < 20000; i++) {
    const bytes = nearlyUtf8(roll);
    const expected = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    const whole = new Utf8Decoder();
    assert.equal(whole.decode(bytes) + whole.end(), expected, `bytes ${bytes}`);
    const pieces = new Utf8Decoder();
    let text = '';
    for (let at = 0; at < bytes.length;) {
      const size = 1 + roll(3);
      text += pieces.decode(bytes.subarray(at, at + size));
      at += size;
    }
    assert.equal(text + pieces.end(), expected, `pieces of ${bytes}`);
  }
});

test('decoder takes a text longer than what a function takes as arguments', () => {
  const text = '绿茶🍵 and more. '.repeat(20000);
  const decoder = new Utf8Decoder();
  assert.equal(decoder.decode(bytesOf(text)) + decoder.end(), text);
});

test('encoder equals TextEncoder, also for half a pair', () => {
  for (const text of ['', 'a', 'é', '绿茶', '🍵', '\ud83c', '\udf75x', 'a\ud83cb', '\u{10ffff}', '\uffff']) {
    assert.deepEqual(encodeUtf8ByHand(text), bytesOf(text), JSON.stringify(text));
  }
});

test('sha256 equals the one of OpenSSL at every length to 200 and beyond', async () => {
  const roll = dice(2);
  for (const length of [...Array(200).keys(), 1000, 100003]) {
    const bytes = Uint8Array.from({ length }, () => roll(256));
    const expected = createHash('sha256').update(bytes).digest('hex');
    assert.equal(sha256ByHand(bytes), expected, `${length} bytes`);
    assert.equal(await sha256(bytes), expected);
  }
});
