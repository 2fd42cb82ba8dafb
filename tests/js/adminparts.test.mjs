// SPDX-License-Identifier: Apache-2.0
// The pure modules of the admin page, and its words.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { Feed } from '../../admin-ui/js/feed.js';
import * as format from '../../admin-ui/js/format.js';
import { readLines } from '../../admin-ui/js/lines.js';
import { arrange, matches } from '../../admin-ui/js/listing.js';
import { judge } from '../../admin-ui/js/ticks.js';

const folder = fileURLToPath(new URL('../../admin-ui/js/', import.meta.url));
const files = readdirSync(folder, { recursive: true }).filter((name) => name.endsWith('.js'));
const source = (name) => readFileSync(join(folder, name), 'utf8');
const tables = await Promise.all(files.filter((name) => name.startsWith('words')).map(async (name) => (await import(join(folder, name))).default));
const words = Object.assign({}, ...tables);

// --- words

test('every sentence is there in both languages, once, with the same places', () => {
  assert.ok(Object.keys(words).length > 200);
  assert.equal(tables.reduce((n, table) => n + Object.keys(table).length, 0), Object.keys(words).length, 'a name stands in two files');
  for (const [name, pair] of Object.entries(words)) {
    assert.equal(pair.length, 2, name);
    assert.ok(pair.every((text) => typeof text === 'string' && text.trim()), name);
    const places = pair.map((text) => [...text.matchAll(/\{\w+\}/g)].map(String).sort().join());
    assert.equal(places[0], places[1], name);
  }
});

test('every sentence that a page asks for is there', () => {
  let asked = 0;
  for (const name of files) {
    for (const [, word] of source(name).matchAll(/\bt\('([^'$]+)'/g)) {
      asked += 1;
      assert.ok(Object.hasOwn(words, word), `${name}: ${word}`);
    }
    for (const [, word] of source(name).matchAll(/\b(?:hint|empty): '([^'$]+)'/g)) assert.ok(Object.hasOwn(words, word), `${name}: ${word}`);
  }
  assert.ok(asked > 100);
});

test('every column, field, fold and page has its name', async () => {
  for (const name of files.filter((one) => one.startsWith('views'))) {
    for (const [, id] of source(name).matchAll(/\{ id: '(\w+)', (?:number|text|badge|make|link)/g)) assert.ok(words[`col.${id}`], `${name}: col.${id}`);
    for (const [, id] of source(name).matchAll(/\{ name: '([\w.]+)', (?:type|needed|hint|group)/g)) assert.ok(words[`field.${id}`], `${name}: field.${id}`);
    for (const [, id] of source(name).matchAll(/group: '(\w+)'/g)) assert.ok(words[`group.${id}`], `${name}: group.${id}`);
  }
  for (const [, id] of source('pages.js').matchAll(/name: '(\w+)'/g)) assert.ok(words[`page.${id}`], `page.${id}`);
});

test('every code of docs/errors.md has its words', () => {
  const table = readFileSync(join(folder, '../../docs/errors.md'), 'utf8');
  const codes = [...table.matchAll(/^\| `(\w+)` \| \d{3} /gm)].map(([, code]) => code);
  assert.ok(codes.length > 30);
  assert.deepEqual(Object.keys(words).filter((name) => name.startsWith('code.')), codes.map((code) => `code.${code}`));
});

// --- numbers

const sources = (under) => readdirSync(join(folder, '../../mod_bailian_sse', under), { recursive: true }).filter((name) => name.endsWith('.c'))
  .map((name) => readFileSync(join(folder, '../../mod_bailian_sse', under, name), 'utf8'));

test('every action that the audit knows has its words, and no other', () => {
  const found = new Set();
  for (const text of [...sources('store'), ...sources('httpd')]) {
    for (const [, action] of text.matchAll(/"((?:key|upstream|app|caller|alert|stream|conversation|setting|admin)(?:\.[a-z]+){1,2})"/g)) {
      if (!/\.(h|md|json)$/.test(action)) found.add(`action.${action}`);
    }
  }
  assert.ok(found.size > 30);
  assert.deepEqual(Object.keys(words).filter((name) => name.startsWith('action.')).sort(), [...found].sort());
});

test('every code of Bailian that is told apart has its meaning', () => {
  const known = new Set(Object.keys(words).filter((name) => name.startsWith('upstream.')).map((name) => name.slice(9).toLowerCase().replaceAll('_', '')));
  const [, table] = /code_t codes\[\] = \{(.*?)\n\};/s.exec(readFileSync(join(folder, '../../mod_bailian_sse/upstream/app_errors.c'), 'utf8'));
  const codes = [...table.matchAll(/\{"([^"]+)",/g)].map(([, code]) => code);
  assert.ok(codes.length > 50);
  assert.deepEqual(codes.filter((code) => !known.has(code.toLowerCase().replaceAll('_', ''))), []);
});

test('durations read as people say them', () => {
  const all = [[-1, '–'], [null, '–'], [0, '0 ms'], [999, '999 ms'], [4250, '4.2 s'], [59999, '59.9 s'], [65000, '1:05'], [7389000, '2:03:09']];
  for (const [ms, text] of all) assert.equal(format.duration(ms), text);
  assert.equal(format.age(59999), '59 s');
});

test('counts, sizes and rates are short and never NaN', () => {
  assert.equal(format.count(1234567), '1,234,567');
  assert.equal(format.bytes(1536), '1.5 KB');
  assert.equal(format.bytes(5 * 1048576), '5.0 MB');
  assert.equal(format.rate(2.449), '2.4');
  for (const show of [format.count, format.bytes, format.rate, format.moment, format.clock]) assert.equal(show(undefined), '–');
  assert.equal(format.moment('not a time'), '–');
});

test('the ticks of an axis say what they stand for', () => {
  const plain = (text) => Number(text.replaceAll(',', ''));
  for (const show of [format.count, format.rate]) {
    const steps = format.steps(show);
    for (const step of steps) for (const n of [0, 1, 2, 3, 7]) assert.ok(Math.abs(plain(show(n * step)) - n * step) < 1e-6, `${n} x ${step}`);
    assert.deepEqual(steps, [...steps].sort((a, b) => a - b));
    assert.ok(steps.at(-1) > 1e9);
  }
});

// --- lists

const rows = [{ name: 'key10', note: null, n: 3 }, { name: 'key9', note: 'Team A', n: null }, { name: 'Other', note: 'team b', n: 1 }];

test('a filter takes every word, in any field, whatever its case', () => {
  assert.ok(matches(rows[1], 'team KEY', ['name', 'note']));
  assert.ok(!matches(rows[0], 'team', ['name', 'note']));
  assert.equal(arrange(rows, { q: 'team', fields: ['name', 'note'] }).total, 2);
});

test('rows are sorted by number within text; what has no value stands last either way', () => {
  const by = (value, order) => arrange(rows, { value, order }).rows.map((row) => row.name);
  assert.deepEqual(by((row) => row.name, 'asc'), ['key9', 'key10', 'Other']);
  assert.deepEqual(by((row) => row.n, 'asc'), ['Other', 'key10', 'key9']);
  assert.deepEqual(by((row) => row.n, 'desc'), ['key10', 'Other', 'key9']);
});

test('a page past the end is the last one', () => {
  const many = Array.from({ length: 120 }, (_, n) => ({ n }));
  assert.deepEqual(arrange(many, { page: 9, size: 50 }).rows.map((row) => row.n), Array.from({ length: 20 }, (_, n) => 100 + n));
  assert.deepEqual(arrange([], { page: 3 }), { rows: [], total: 0, page: 0, pages: 1 });
});

// --- the live feed

const at = (ms) => new Date(1e12 + ms).toISOString();
const row = (id, more) => ({ id, ageMs: 1000, silentMs: 10, events: 1, ...more });
const snapshot = () => {
  const feed = new Feed();
  feed.snapshot({ at: at(0), total: 3, matched: 2, phases: { streaming: 2 }, items: [row('a'), row('b')] });
  return feed;
};

test('a change replaces whole rows, takes away what is gone and keeps the order told', () => {
  const feed = snapshot();
  feed.change({ at: at(1000), total: 3, matched: 2, phases: {}, items: [row('c'), row('b', { events: 9 })], gone: ['a'], order: ['c', 'b'] });
  assert.deepEqual(feed.rows().map((one) => [one.id, one.events]), [['c', 1], ['b', 9]]);
});

test('a row that did not change grows older', () => {
  const feed = snapshot();
  feed.change({ at: at(2500), total: 2, matched: 2, phases: {}, items: [row('b', { ageMs: 3600, silentMs: -1 })] });
  assert.deepEqual(feed.rows().map((one) => [one.ageMs, one.silentMs]), [[3500, 2510], [3600, -1]]);
});

test('a new row without an order stands last, and a new snapshot forgets all before', () => {
  const feed = snapshot();
  feed.change({ at: at(1), total: 4, matched: 3, phases: {}, items: [row('z')] });
  assert.deepEqual(feed.rows().map((one) => one.id), ['a', 'b', 'z']);
  feed.snapshot({ at: at(2), total: 0, matched: 0, phases: {}, items: [] });
  assert.deepEqual(feed.rows(), []);
  assert.equal(feed.info.total, 0);
});

// --- keys as people paste them

test('pasted keys: commas of either kind, tabs, empty lines and comments', () => {
  assert.deepEqual(readLines('a, sk-1\n\n# no\r\nb，sk-2，acc\nc\tsk-3\tacc\tnote, with comma\nd'), [
    { name: 'a', secret: 'sk-1' }, { name: 'b', secret: 'sk-2', account: 'acc' },
    { name: 'c', secret: 'sk-3', account: 'acc', note: 'note, with comma' }, { name: 'd', secret: '' }]);
});

// --- path check

const ticks = (n, arrive) => Array.from({ length: n }, (_, i) => ({ sentMs: i * 250, atMs: 5000 + arrive(i) }));
const kind = (arrived, more = {}) => judge(arrived, { everyMs: 250, of: arrived.length, isDone: true, ...more }).kind;

test('ticks that come as they are sent are good, also with a constant delay', () => {
  assert.equal(kind(ticks(20, (i) => i * 250)), 'good');
  assert.equal(kind(ticks(20, (i) => i * 250 + 900)), 'good');
});

test('ticks that come in bursts were held back; one burst behind a lost packet is only late', () => {
  assert.equal(kind(ticks(20, (i) => Math.ceil((i + 1) / 10) * 2500)), 'held');
  assert.equal(kind(ticks(20, () => 5000)), 'held');
  assert.equal(kind(ticks(20, (i) => (i === 8 || i === 9 ? 2600 : i * 250))), 'late');
});

test('ticks that do not all come were cut', () => {
  assert.equal(kind(ticks(7, (i) => i * 250), { of: 20 }), 'cut');
  assert.equal(kind([], { of: 20, isDone: false }), 'cut');
});
