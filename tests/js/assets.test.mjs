// SPDX-License-Identifier: Apache-2.0
// {base}/chat/: what is served, and with which headers.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { request } from 'node:http';
import { join, relative } from 'node:path';
import { after, before, test } from 'node:test';
import { root, startServer } from './server.mjs';

let server;
before(async () => { server = await startServer(); });
after(() => server?.stop());

const get = (path, options) => fetch(`${server.base}${path}`, { redirect: 'manual', ...options });

// The status for a path as it stands: fetch would tidy it up.
function statusOf(path) {
  const { hostname, port } = new URL(server.origin);
  return new Promise((done, fail) => {
    request({ hostname, port, path: `/bailian/chat/${path}`, agent: false }, (response) => {
      response.resume();
      done(response.statusCode);
    }).on('error', fail).end();
  });
}

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
  + "base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const TYPES = { html: 'text/html', css: 'text/css', js: 'text/javascript', mjs: 'text/javascript', svg: 'image/svg+xml' };

function files(folder) {
  return readdirSync(join(root, folder), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && Object.keys(TYPES).includes(entry.name.split('.').at(-1)) && !entry.name.endsWith('.d.ts'))
    .map((entry) => relative(join(root, folder), join(entry.path, entry.name)));
}

test('every file of the page and of the SDK is served, as it is, with its type', async () => {
  const paths = [...files('chat-ui').map((name) => [name, `chat-ui/${name}`]),
    ...files('sdk').filter((name) => !name.startsWith('examples/')).map((name) => [`sdk/${name}`, `sdk/${name}`])];
  assert.ok(paths.length > 15);
  for (const [name, path] of paths) {
    const response = await get(`/chat/${name}`);
    assert.equal(response.status, 200, name);
    assert.ok(response.headers.get('content-type').startsWith(TYPES[name.split('.').at(-1)]), name);
    assert.equal(await response.text(), readFileSync(join(root, path), 'utf8'), `${name} is older than the build`);
  }
});

test('every answer below chat/ has the policy and the other headers', async () => {
  for (const path of ['/chat/', '/chat/app.css', '/chat/js/main.js']) {
    const { headers } = await get(path);
    assert.equal(headers.get('content-security-policy'), POLICY);
    assert.equal(headers.get('x-content-type-options'), 'nosniff');
    assert.equal(headers.get('referrer-policy'), 'no-referrer');
    assert.equal(headers.get('cross-origin-opener-policy'), 'same-origin');
    assert.equal(headers.get('cache-control'), 'no-cache');
  }
});

test('a browser that has the file gets 304, with the same policy', async () => {
  const etag = (await get('/chat/app.css')).headers.get('etag');
  assert.match(etag, /^"[0-9a-f]{32}"$/);
  const again = await get('/chat/app.css', { headers: { 'If-None-Match': etag } });
  assert.equal(again.status, 304);
  assert.equal(again.headers.get('content-security-policy'), POLICY);
  assert.equal((await get('/chat/app.css', { headers: { 'If-None-Match': '"other"' } })).status, 200);
});

test('HEAD tells the same without the file', async () => {
  const response = await get('/chat/', { method: 'HEAD' });
  assert.equal(response.status, 200);
  assert.ok(Number(response.headers.get('content-length')) > 1000);
});

test('the base leads to the page, relatively', async () => {
  for (const path of ['', '/', '/chat']) {
    const response = await get(path);
    assert.equal(response.status, 302);
    assert.ok(!/^\/|:/.test(response.headers.get('location')));
    assert.equal(new URL(response.headers.get('location'), `${server.base}${path}`).pathname, '/bailian/chat/');
  }
});

test('a path that is not in the table is 404, whatever it looks like', async () => {
  for (const path of ['x', 'js', 'js/', 'js/main.js/', 'js/../x', '../chat/../chat/x', '..%2findex.html', '%2e%2e/sdk', '../../etc/passwd',
    'index.html%00', 'INDEX.HTML', 'index.html;x', 'index.html.', 'vendor/VENDOR.md', 'sdk/package.json', 'a'.repeat(4000)]) {
    const status = await statusOf(path);
    assert.ok([400, 404].includes(status), `${path}: ${status}`);
  }
});

test('other methods are refused', async () => {
  for (const method of ['POST', 'PUT', 'DELETE', 'PATCH']) assert.equal((await get('/chat/', { method })).status, 405);
});

test('BailianChatPage off: there is no page', async () => {
  for (const path of ['', '/', '/chat', '/chat/', '/chat/sdk/parser.js']) {
    assert.equal((await fetch(`${server.origin}/nopage${path}`, { redirect: 'manual' })).status, 404);
  }
});

test('the vendored files are those of their list', () => {
  for (const folder of ['chat-ui/vendor', 'admin-ui/vendor']) {
    const list = readFileSync(join(root, folder, 'VENDOR.md'), 'utf8');
    const rows = [...list.matchAll(/^\| `([^`]+)` .*`([0-9a-f]{64})` \|$/gm)];
    assert.equal(rows.length, 2);
    for (const [, name, sum] of rows) {
      assert.equal(createHash('sha256').update(readFileSync(join(root, folder, name))).digest('hex'), sum, name);
    }
  }
});

test('the page and the SDK write no markup and use no code from strings', () => {
  const forbidden = /\.(inner|outer)HTML|insertAdjacentHTML|document\.write|\beval\(|new Function|\balert\(|\bon\w+="/;
  for (const folder of ['admin-ui', 'chat-ui', 'sdk']) {
    for (const name of files(folder).filter((one) => !one.startsWith('vendor/'))) {
      assert.doesNotMatch(readFileSync(join(root, folder, name), 'utf8'), forbidden, name);
    }
  }
});

test('every sentence exists in both languages', () => {
  const text = readFileSync(join(root, 'chat-ui/js/text.js'), 'utf8');
  const keys = (language) => [...new RegExp(`^  ${language}: \\{([\\s\\S]*?)^  \\},`, 'm').exec(text)[1].matchAll(/^ {4}(\w+):/gm)].map(([, key]) => key);
  assert.ok(keys('en').length > 40);
  assert.deepEqual(keys('zh'), keys('en'));
  const page = readFileSync(join(root, 'chat-ui/index.html'), 'utf8');
  for (const [, key] of page.matchAll(/data-text(?:-label|-placeholder)?="(\w+)"/g)) assert.ok(keys('en').includes(key), key);
});

test('S-28: a page remembers in one place, and no credential', () => {
  const folders = ['chat-ui', 'admin-ui', 'sdk'];
  const texts = folders.flatMap((folder) => files(folder)
    .filter((name) => !name.includes('vendor/') && !name.startsWith('examples/'))
    .map((name) => [`${folder}/${name}`, readFileSync(join(root, folder, name), 'utf8')]));
  const keeping = texts.filter(([, text]) => /\b(localStorage|sessionStorage|indexedDB|document\.cookie|caches\.open)\b/.test(text));
  assert.deepEqual(keeping.map(([path]) => path).sort(),
    ['admin-ui/js/text.js', 'admin-ui/js/theme.js', 'chat-ui/js/settings.js']);
  const kept = texts.flatMap(([, text]) => [...text.matchAll(/(?:\bremember|\bkeepPlace|\bsetItem|\bkeep)\(\s*('[^']*'|`[^`]*`|[a-zA-Z.]+)/g)].map((found) => found[1]));
  for (const name of kept) assert.doesNotMatch(name, /token|ticket|secret|password|credential/i);
});
