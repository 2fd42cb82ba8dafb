// SPDX-License-Identifier: Apache-2.0
// The one-file build: made of these modules, and usable in every way that its
// head promises. Its behaviour is the matter of weixin.test.mjs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { test } from 'node:test';
import { createContext, runInContext } from 'node:vm';
import { sum, UMD } from '../../build/sdk-umd.mjs';
import * as modules from '../../sdk/bailian-stream.js';
import { root } from './server.mjs';

const text = readFileSync(UMD, 'utf8');
const names = Object.keys(modules).sort().join();

test('the one-file build is not older than the modules', () => {
  const made = /^ +sources ([0-9a-f]{64}) \*\/$/m.exec(text)?.[1];
  assert.equal(made, sum(), 'run: node build/sdk-umd.mjs');
});

test('it gives the same by require(), by define() and as a global', () => {
  assert.equal(Object.keys(createRequire(import.meta.url)(UMD)).sort().join(), names);
  let defined;
  const define = Object.assign((needs, make) => { defined = make(); }, { amd: {} });
  runInContext(text, createContext({ define }));
  assert.equal(Object.keys(defined).sort().join(), names);
  const page = createContext({});
  runInContext(text, page);
  assert.equal(runInContext('Object.keys(BailianStream).sort().join()', page), names);
});

test('it leaves nothing else behind', () => {
  const page = createContext({});
  runInContext(text, page);
  assert.deepEqual(Object.keys(page), ['BailianStream']);
});

test('it has no syntax younger than 2015', () => {
  // Private names, fields, optional chaining, ??, async and generators of it,
  // object spread, exponents, BigInt.
  const code = text.replace(/\/\/.*$/gm, '').replace(/\/\*[\s\S]*?\*\//g, '');
  for (const young of [/this\.#|\bin #/, /\?\?/, /\?\.[a-zA-Z_([]/, /\basync\b(?! ?[:=])/, /\bawait\b /, /\{ ?\.\.\./, /\*\*/, /\b\d+n\b/, /catch \{/]) {
    assert.doesNotMatch(code, young);
  }
});

test('every export has its types', () => {
  const types = readFileSync(join(root, 'sdk/bailian-stream.d.ts'), 'utf8');
  for (const name of names.split(',')) assert.match(types, new RegExp(`^export (class|function) ${name}\\b`, 'm'));
});
