#!/usr/bin/env node
// SPDX-License-Identifier: Apache-2.0
// sdk-umd - the modules of sdk/ -> sdk/umd/index.js, one file for
// mini-programs, <script> and require(), in the JavaScript of 2015.
//
//   node build/sdk-umd.mjs [OUT]
//
// Needs esbuild (npm ci in tests/js). The result is in the repository, so that
// nobody else does; tests/js/umd.test.mjs tells when it is older than its sources.
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const sdk = join(root, 'sdk');
export const UMD = join(sdk, 'umd/index.js');

// Of the modules that it is made of.
export function sum() {
  const hash = createHash('sha256');
  for (const name of readdirSync(sdk).filter((one) => one.endsWith('.js')).sort()) {
    hash.update(`${name}\0`).update(readFileSync(join(sdk, name))).update('\0');
  }
  return hash.digest('hex');
}

const head = () => `/*! bailian-stream. SPDX-License-Identifier: Apache-2.0. Made by build/sdk-umd.mjs: do not edit.
    sources ${sum()} */
(function (root, make) {
  if (typeof module === 'object' && module.exports) module.exports = make(root);
  else if (typeof define === 'function' && define.amd) define([], function () { return make(root); });
  else root.BailianStream = make(root);
})(typeof globalThis !== 'undefined' ? globalThis : typeof self !== 'undefined' ? self : this || {}, function (root) {
'use strict';`;

export async function build() {
  const { build: bundle } = await import(createRequire(join(root, 'tests/js/')).resolve('esbuild'));
  const { outputFiles: [{ text }] } = await bundle({
    entryPoints: [join(sdk, 'bailian-stream.js')], absWorkingDir: sdk, bundle: true, write: false, target: 'es2015', charset: 'utf8',
    format: 'iife', globalName: 'made', define: { globalThis: 'root' }, legalComments: 'none',
    banner: { js: head() }, footer: { js: 'return made;\n});' },
  });
  return text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(process.argv[2] ?? UMD, await build());
