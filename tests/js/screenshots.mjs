// SPDX-License-Identifier: Apache-2.0
// screenshots - makes the pictures of docs/screenshots/admin: each page of the admin
// page, in both languages, light and dark, and some of them on a phone. What is
// shown comes from adminapi.mjs.
//
//   node tests/js/screenshots.mjs [PAGE...]      needs chromium and pngquant
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { answersOf, openAdminApi, problem } from './adminapi.mjs';
import { allow, closePage, launch, openPage, page, quit, settled } from './adminpage.mjs';

const folder = fileURLToPath(new URL('../../docs/screenshots/admin/', import.meta.url));
const DESK = { width: 1280, height: 800 };
const PHONE = { width: 390, height: 844 };
const ALL = { overview: 'overview', live: 'live', stream: 'stream/0002f1e2d3c4b5a69788796a5b4c3d2e', ends: 'ends', keys: 'keys', upstreams: 'upstreams', conversations: 'conversations',
  callers: 'callers', alerts: 'alerts', audit: 'audit', pathcheck: 'pathcheck' };
const ON_A_PHONE = ['overview', 'live', 'keys', 'stream'];

async function take(name, hash, { answers = answersOf(), act = async () => {}, viewport = DESK, ...options }) {
  const api = await openAdminApi(answers);
  await openPage(api.origin, `/#${hash}`, { viewport, timezoneId: 'Asia/Shanghai', ...options });
  await settled();
  await page.waitForTimeout(700); // the colours have changed, the charts are drawn
  if (hash === 'pathcheck') {
    await page.click('button.primary');
    await page.waitForSelector('.notice[data-state="good"], .notice[data-state="warning"]');
  }
  await act(answers);
  const file = join(folder, `${name}.png`);
  await page.screenshot({ path: file });
  await closePage();
  await api.close();
  execFileSync('pngquant', ['--force', '--strip', '--speed', '1', '--output', file, '48', file]);
  console.log(name);
}

// The server has lost its database after the page was drawn.
async function lose(answers) {
  allow(/./);
  for (const route of Object.keys(answers)) if (route !== 'GET api/me') answers[route] = problem(503, 'store_unavailable', { title: 'The database cannot be used.' });
  await page.waitForSelector('#state[data-state="failed"]');
  await page.waitForTimeout(700);
}

// Somebody else has saved the object that is being edited.
async function conflict(answers) {
  allow(/./);
  const now = { ...answers['GET api/apps'].items[2], version: 5, note: 'for the help desk and the shop' };
  answers['PATCH api/apps/{id}'] = problem(412, 'version_conflict', { detail: 'it has version 5 now' });
  answers['GET api/apps/{id}'] = now;
  await page.getByRole('button', { name: 'Edit default' }).click();
  await page.locator('dialog').getByLabel('Note', { exact: true }).fill('for everybody');
  await page.locator('dialog button.primary').click();
  await page.locator('.conflict').scrollIntoViewIfNeeded();
}

const wanted = process.argv.slice(2);
const isWanted = (name) => !wanted.length || wanted.includes(name);
mkdirSync(folder, { recursive: true });
await launch();
for (const [name, hash] of Object.entries(ALL).filter(([one]) => isWanted(one))) {
  for (const [language, locale] of [['en', 'en-US'], ['zh', 'zh-CN']]) {
    for (const colorScheme of ['light', 'dark']) await take(`${name}-${language}-${colorScheme}`, hash, { locale, colorScheme });
  }
  if (ON_A_PHONE.includes(name)) await take(`${name}-phone`, hash, { locale: 'zh-CN', viewport: PHONE });
}
if (isWanted('states')) {
  await take('state-lost', 'keys', { act: lose });
  await take('state-conflict', 'upstreams', { act: conflict });
  await take('state-empty', 'keys', { answers: answersOf({ rows: 0 }) });
}
await quit();
