// SPDX-License-Identifier: Apache-2.0
// adminpage - the admin page in a real browser, for tests: opens and closes it,
// and finds what stands on it. The page must say nothing on the console and ask
// no other host.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
export const WAIT = 30000;
export const FAILED = /^Failed to load resource: /; // what Chromium itself says of an answer that is wanted to fail
export const PAGES = ['overview', 'live', 'stream/0001', 'ends', 'keys', 'upstreams', 'conversations', 'conversations?tab=usage', 'conversations?tab=retention',
  'conversation/1-2', 'callers', 'alerts', 'audit', 'pathcheck'];

let browser;
let said = []; // console messages and errors of the page
let left = []; // requests to another host
let expected = null;

export let page = null; // the one that is open

export async function launch() {
  browser = await chromium.launch({ executablePath: process.env.BL_CHROMIUM || '/usr/bin/chromium', args: ARGS });
}
export const quit = () => browser?.close();

// The page that is open may say this.
export const allow = (pattern) => { expected = pattern; };

export async function openPage(origin, path, options = {}) {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options });
  page = await context.newPage();
  page.setDefaultTimeout(WAIT);
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('dialog', (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  context.on('request', (request) => { if (new URL(request.url()).host !== new URL(origin).host) left.push(request.url()); });
  await page.goto(origin + path);
}

export async function closePage() {
  await page?.context().close();
  const [lines, hosts, pattern] = [said, left, expected];
  page = null;
  said = [];
  left = [];
  expected = null;
  assert.deepEqual(hosts, [], 'requests to another host');
  assert.deepEqual(lines.filter((line) => !pattern?.test(line)), [], 'messages on the console');
}

// Playwright's own waitForFunction needs eval, which the page's policy forbids.
export async function eventually(what, arg) {
  const end = Date.now() + WAIT;
  while (!await page.evaluate(what, arg)) {
    if (Date.now() > end) throw new Error(`not within ${WAIT} ms: ${what}\n${arg ?? ''}\n${(await page.innerText('body')).slice(0, 2000)}`);
    await sleep(30);
  }
}

export const shownPage = (name) => page.waitForSelector(`.page[data-page="${name}"]`);
export const settled = () => page.waitForSelector('#state[data-state="ok"]');
export const row = (text) => page.locator('table.list tbody tr', { hasText: text });
export const rowOf = (name) => page.locator('table.list tbody tr', { has: page.locator(`td[data-col="name"]:text-is("${name}")`) });
export const field = (label) => page.locator('dialog').getByLabel(label, { exact: true });
export const inDialog = (name) => page.locator('dialog').getByRole('button', { name, exact: true });

export async function go(name, link) {
  await page.getByRole('navigation', { name: 'Pages' }).getByRole('link', { name: link, exact: true }).click();
  await shownPage(name);
}

// By its address, without loading the frame again.
export async function turnTo(hash) {
  await page.evaluate((to) => {
    document.querySelector('.page')?.setAttribute('data-old', '');
    if (location.hash === `#${to}`) dispatchEvent(new Event('hashchange'));
    else location.hash = to;
  }, hash);
  await page.waitForSelector(`.page[data-page="${hash.split(/[/?]/)[0]}"]:not([data-old])`);
  await settled();
}

export async function more(name, action) {
  await rowOf(name).getByRole('button', { name: /^More/ }).click();
  await inDialog(action).click();
}

// What may stand on a page, whatever was stored.
export function whatIsWrong() {
  const wrong = [];
  if (globalThis.hit !== undefined) wrong.push('a script ran');
  for (const element of document.querySelectorAll('#main *, dialog *, #toasts *, #side *')) {
    if (/^(script|iframe|img|svg|math|object|embed|link|meta|base|video|audio|template)$/.test(element.localName)) wrong.push(element.localName);
    for (const { name, value } of element.attributes) {
      if (/^on|^srcdoc$|^src$/.test(name)) wrong.push(`${name} of ${element.localName}`);
      if (name === 'href' && !/^(#|https?:)/.test(value)) wrong.push(`href ${value}`);
    }
  }
  return wrong;
}
