// SPDX-License-Identifier: Apache-2.0
// The examples in a browser, bundled as their readers would, against the real
// module; the SDK's types by tsc; and the one-file build made again.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { chromium } from 'playwright-core';
import { compileScript, parse } from 'vue/compiler-sfc';
import { build as buildUmd, UMD } from '../../build/sdk-umd.mjs';
import { openGate } from './gate.mjs';
import { root, startServer } from './server.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const examples = join(root, 'sdk/examples');
const pieces = ['绿茶', '🍵适合', '用 80 ℃', ' 的水。'];
const TEXT = pieces.join('');
let server;
let gate;
let site;
let browser;
let page;
let barrier = 0;

const ENTRIES = {
  react: `import { createElement } from 'react'; import { createRoot } from 'react-dom/client';
    import { BailianClient, randomId } from 'bailian-stream'; import { Chat } from '${examples}/react/Chat';
    createRoot(document.getElementById('app')).render(createElement(Chat, { client: new BailianClient({ userId: randomId() }) }));`,
  vue: `import { createApp } from 'vue'; import { BailianClient, randomId } from 'bailian-stream'; import Chat from '${examples}/vue/Chat.vue';
    createApp(Chat, { client: new BailianClient({ userId: randomId() }) }).mount('#app');`,
};

const singleFile = {
  name: 'vue',
  setup: (one) => one.onLoad({ filter: /\.vue$/ }, ({ path }) => {
    const { descriptor, errors } = parse(readFileSync(path, 'utf8'), { filename: path });
    assert.deepEqual(errors, []);
    return { contents: compileScript(descriptor, { id: 'chat', inlineTemplate: true }).content, loader: 'js', resolveDir: dirname(path) };
  }),
};

async function bundle(contents) {
  const { outputFiles: [{ text }] } = await build({
    stdin: { contents, resolveDir: here }, bundle: true, write: false, format: 'esm', jsx: 'automatic', plugins: [singleFile],
    nodePaths: [join(here, 'node_modules')], alias: { 'bailian-stream': join(root, 'sdk/bailian-stream.js') },
    define: { 'process.env.NODE_ENV': '"production"', __VUE_OPTIONS_API__: 'false', __VUE_PROD_DEVTOOLS__: 'false', __VUE_PROD_HYDRATION_MISMATCH_DETAILS__: 'false' },
  });
  return text;
}

// The files by their path; everything else is the module's.
async function openSite(files) {
  const { hostname, port } = new URL(gate.origin);
  const listener = createServer((asked, answer) => {
    const file = files[asked.url];
    if (file !== undefined) {
      answer.writeHead(200, { 'Content-Type': asked.url.endsWith('.js') ? 'text/javascript' : 'text/html; charset=utf-8' });
      answer.end(file);
      return;
    }
    const passed = request({ hostname, port, path: asked.url, method: asked.method, headers: asked.headers, agent: false }, (from) => {
      answer.writeHead(from.statusCode, from.headers);
      from.pipe(answer);
      from.on('error', () => answer.destroy());
      from.on('close', () => { if (!from.complete) answer.destroy(); });
    });
    passed.on('error', () => answer.destroy());
    answer.on('close', () => passed.destroy());
    asked.pipe(passed);
  });
  await new Promise((done) => { listener.listen(0, '127.0.0.1', done); });
  return { origin: `http://127.0.0.1:${listener.address().port}`,
    close: () => new Promise((done) => { listener.close(done); listener.closeAllConnections(); }) };
}

before(async () => {
  server = await startServer();
  gate = await openGate(server.origin);
  const files = {};
  for (const [name, entry] of Object.entries(ENTRIES)) {
    files[`/${name}/`] = '<!doctype html><meta charset="utf-8"><div id="app"></div><script type="module" src="app.js"></script>';
    files[`/${name}/app.js`] = await bundle(entry);
  }
  files['/page/'] = readFileSync(join(examples, 'page/index.html'), 'utf8');
  files['/page/page.js'] = readFileSync(join(examples, 'page/page.js'), 'utf8');
  site = await openSite(files);
  browser = await chromium.launch({ executablePath: process.env.BL_CHROMIUM || '/usr/bin/chromium',
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--disable-component-update', '--disable-sync'] });
});
after(async () => {
  await browser?.close();
  await site?.close();
  await gate?.close();
  await server?.stop();
});

const answer = (some, more) => ({ answer: { pieces: some, interval: 0, first_delay: 0, ...more } });
const shows = (text) => page.waitForFunction((wanted) => document.querySelector('.answer')?.textContent === wanted, text, { timeout: 60000 });
const says = (pattern) => page.waitForFunction((wanted) => new RegExp(wanted).test(document.querySelector('[role=status]')?.textContent ?? ''),
  pattern.source, { timeout: 60000 });

async function ask(question) {
  await page.fill('[name=question]', question);
  await page.click('[type=submit]');
}

for (const name of ['page', 'react', 'vue']) {
  test(`${name}: asks, is cut off in mid-answer, goes on, stops, and says what went wrong`, async () => {
    page = await browser.newPage();
    const wrong = [];
    page.on('pageerror', (error) => wrong.push(String(error)));
    await page.goto(`${site.origin}/${name}/`);
    await server.emulator.script(answer(pieces.slice(0, 2), { finish: false }), { barrier: `ex${barrier += 1}` }, answer(pieces.slice(2)));
    await ask('绿茶？');
    await shows(pieces.slice(0, 2).join(''));
    gate.shut();
    await says(/Connecting again|reconnecting/);
    gate.open();
    await server.emulator.release(`ex${barrier}`);
    await shows(TEXT);
    await says(/^Done|^done/);

    await server.emulator.script(answer(['half'], { finish: false }), { stall: true });
    await ask('hi');
    await shows('half');
    await page.click('[name=stop]');
    await says(/^Stopped|^stopped/);

    await server.emulator.script({ json: { status: 400, body: { code: 'InvalidParameter' } } });
    await ask('hi');
    await says(/\(upstream_rejected\)$/);
    assert.deepEqual(wrong, []);
    await page.close();
  });
}

for (const name of ['web', 'mini-program']) {
  test(`the types are right for their users: ${name}`, async () => {
    const tsc = join(here, 'node_modules/typescript/bin/tsc');
    const { stdout, code = 0 } = await promisify(execFile)(process.execPath, [tsc, '-p', join(here, 'types', `${name}.json`)]).catch((error) => error);
    assert.equal(stdout, '');
    assert.equal(code, 0);
  });
}

test('the one-file build is made of the modules, byte for byte', async () => {
  assert.equal(readFileSync(UMD, 'utf8'), await buildUmd());
});
