// SPDX-License-Identifier: Apache-2.0
// The chat page in a real browser, against the real module and the emulator.
import assert from 'node:assert/strict';
import { after, afterEach, before, beforeEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { chromium } from 'playwright-core';
import { openGate } from './gate.mjs';
import { startServer } from './server.mjs';

const ARGS = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
  '--disable-component-update', '--disable-sync'];
const WAIT = 15000;
const pieces = ['绿茶', '适合用', ' **80 ℃** ', '左右的水', '冲泡，', '水太烫', '会让茶汤', '发苦。'];
const SHOWN = '绿茶适合用 80 ℃ 左右的水冲泡，水太烫会让茶汤发苦。';

let server;
let gate;
let browser;
let page;
let said; // console messages and errors of the page
let left; // requests to another host
let expected; // what Chromium itself says of a request that failed on purpose
const CUT = /^Failed to load resource: net::ERR_/;
const NOT_FOUND = /^Failed to load resource: .* 404/;

before(async () => {
  server = await startServer();
  gate = await openGate(server.origin);
  browser = await chromium.launch({ executablePath: process.env.BL_CHROMIUM || '/usr/bin/chromium', args: ARGS });
});
after(async () => {
  await browser?.close();
  await gate?.close();
  await server?.stop();
});

async function openPage(options = {}, path = '/bailian/chat/') {
  const context = await browser.newContext({ locale: 'en-US', viewport: { width: 1280, height: 800 }, ...options });
  page = await context.newPage();
  page.setDefaultTimeout(WAIT);
  said = [];
  left = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(String(error)));
  page.on('dialog', (dialog) => { said.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  context.on('request', (request) => { if (new URL(request.url()).host !== new URL(gate.origin).host) left.push(request.url()); });
  await page.goto(gate.origin + path);
  await page.waitForSelector('#list[data-state="empty"], #list[data-state="ready"]', { state: 'attached' });
}

// Playwright's own waitForFunction needs eval, which the page's policy forbids.
async function eventually(what, arg) {
  const end = Date.now() + WAIT;
  while (!await page.evaluate(what, arg)) {
    if (Date.now() > end) throw new Error(`not within ${WAIT} ms: ${what}`);
    await sleep(30);
  }
}

beforeEach(() => {
  expected = /^$/;
  return openPage();
});
afterEach(async () => {
  gate.open();
  await page.context().close();
  assert.deepEqual(left, [], 'requests to another host');
  assert.deepEqual(said.filter((line) => !expected.test(line)), [], 'messages on the console');
});

const answers = (interval, more = {}) => server.emulator.script({ answer: { pieces, interval, first_delay: 0, ...more } });
const last = (selector = '') => `.assistant:last-child${selector}`;
const lastIs = (state) => page.waitForSelector(last(`[data-state="${state}"]`));
const textOf = (selector) => page.locator(selector).innerText();

async function ask(text) {
  await page.fill('#question', text);
  await page.press('#question', 'Enter');
}

async function asked(text) {
  await ask(text);
  await lastIs('done');
}

// --- asking

test('a question is answered: thinking, Markdown, list, title', async () => {
  await answers(0.05, { thinking: ['想一想'] });
  assert.ok(await page.isVisible('#thread .state.empty'));
  await asked('绿茶要多热的水？');
  assert.equal(await textOf(last(' .text')), SHOWN);
  assert.equal(await textOf(last(' .text strong')), '80 ℃');
  assert.equal(await page.locator(last(' .reasoning')).textContent(), '想一想');
  assert.match(await textOf(last(' .usage')), /\d+ \+ \d+ tokens/);
  await page.waitForSelector('#list .open[aria-current="page"]');
  assert.equal(await textOf('#list .name'), '绿茶要多热的水？');
  assert.equal(await textOf('#title'), '绿茶要多热的水？');
  assert.equal(await page.getAttribute(last(), 'aria-busy'), 'false');
});

test('words are shown as they come', async () => {
  await server.emulator.script({ answer: { pieces: ['first '], interval: 0, finish: false } }, { barrier: 'rest' },
    { answer: { pieces: ['second'], interval: 0 } });
  await ask('hi');
  await eventually(() => document.querySelector('.assistant .text').textContent.includes('first'));
  assert.equal(await page.getAttribute(last(), 'aria-busy'), 'true');
  assert.ok(await page.isVisible('#stop'));
  await server.emulator.release('rest');
  await lastIs('done');
  assert.equal(await textOf(last(' .text')), 'first second');
});

test('a stopped answer keeps what it has and says so', async () => {
  await server.emulator.script({ answer: { pieces: ['some', ' text'], interval: 0, finish: false } }, { stall: true });
  await ask('hi');
  await eventually(() => document.querySelector('.assistant .text').textContent.includes('text'));
  await page.click('#stop');
  await lastIs('done');
  assert.equal(await textOf(last(' .notice .said')), 'Stopped.');
  assert.equal(await textOf(last(' .text')), 'some text');
  assert.ok(await page.isVisible('#send'));
});

test('an answer that fails says why, and can be asked for again', async () => {
  await server.emulator.script({ json: { status: 400, body: { code: 'DataInspectionFailed', message: 'secret words of the upstream' } } });
  await ask('bad question');
  await lastIs('failed');
  assert.match(await textOf(last(' .failure')), /^The model service rejected this request\..*upstream_rejected$/s);
  assert.ok(!(await page.content()).includes('secret words'));
  await answers(0.02);
  await page.click(last(' .retry'));
  await lastIs('done');
  assert.equal(await textOf(last(' .text')), SHOWN);
});

test('references are listed under the number that cites them, with safe links only', async () => {
  const output = (text, reason, more = {}) => ({ event: { data: JSON.stringify({
    output: { session_id: '0'.repeat(32), finish_reason: reason, text, ...more }, usage: {}, request_id: 'r' }) } });
  const doc = (index_id, title, doc_url) => ({ index_id, title, doc_name: title, doc_url, text: `text of ${title}` });
  await server.emulator.script(
    output('可以退货<ref>[1]</ref>。', 'null', { doc_references: [doc('1', '退货政策', 'https://example.com/a'), doc('2', 'No link', 'javascript:alert(1)')] }),
    output('', 'stop'));
  await asked('退货？');
  assert.equal(await textOf(last(' .text')), '可以退货[1]。');
  const links = await page.locator(last(' .references a')).evaluateAll((all) => all.map((a) => [a.href, a.rel, a.target, a.textContent]));
  assert.deepEqual(links, [['https://example.com/a', 'noopener noreferrer', '_blank', '退货政策']]);
  assert.equal(await page.locator(last(' .references li')).count(), 2);
});

// --- losses

test('a page that is loaded anew in mid-answer goes on', async () => {
  await answers(0.25);
  await ask('绿茶？');
  await eventually(() => document.querySelector('.assistant .text').textContent.includes('绿茶适合'));
  await page.waitForTimeout(500);
  await page.reload();
  await page.waitForSelector(last(' .notice[data-kind="pickedUp"]'));
  await lastIs('done');
  assert.equal(await textOf(last(' .text')), SHOWN);
  assert.equal(await page.locator('.message').count(), 2);
  assert.equal(await page.evaluate(() => sessionStorage.length), 0);
});

test('an answer survives a tunnel: the page says that it reconnects, and that it has', async () => {
  expected = CUT;
  await answers(0.25);
  await ask('绿茶？');
  await eventually(() => document.querySelector('.assistant .text').textContent.includes('绿茶'));
  gate.shut();
  await lastIs('reconnecting');
  assert.match(await textOf(last(' .said')), /^The connection was lost/);
  gate.open();
  await page.click(last(' .now'));
  await page.waitForSelector(last(' .notice[data-kind="reconnected"]'));
  await lastIs('done');
  assert.equal(await textOf(last(' .text')), SHOWN);
});

test('an answer goes on while another conversation is looked at', async () => {
  await answers(0.15);
  await ask('first');
  await eventually(() => document.querySelector('.assistant .text').textContent.includes('绿茶'));
  await page.click('#new');
  assert.ok(await page.isVisible('#send'));
  await page.waitForSelector('#list .open');
  await page.click('#list .open');
  await lastIs('done');
  assert.equal(await textOf(last(' .text')), SHOWN);
  assert.equal(await page.locator('.message').count(), 2);
});

test('a server that is away is a drawn state with a way out', async () => {
  expected = CUT;
  await asked('hi');
  gate.shut();
  await page.fill('#search', 'x');
  await page.waitForSelector('#list[data-state="failed"]');
  assert.match(await textOf('#list .failed .why'), /cannot be reached/);
  gate.open();
  await page.fill('#search', '');
  await page.waitForSelector('#list[data-state="ready"]');
});

test('a conversation that does not exist is said so', async () => {
  expected = NOT_FOUND;
  await page.goto(`${gate.origin}/bailian/chat/#nobody-has-this`);
  await page.waitForSelector('#thread[data-state="failed"]');
  assert.match(await textOf('#thread .failed .why'), /does not exist/);
});

// --- conversations

test('conversations are found by their words, renamed and deleted', async () => {
  await answers(0.03);
  await asked('关于茶叶的问题');
  await page.click('#new');
  await asked('something else');
  await eventually(() => document.querySelectorAll('#list .row').length === 2);

  await page.fill('#search', '茶叶');
  await eventually(() => document.querySelectorAll('#list .row').length === 1);
  assert.equal(await textOf('#list .name'), '关于茶叶的问题');
  await page.fill('#search', 'no such words');
  await page.waitForSelector('#list[data-state="nothing"]');
  await page.fill('#search', '');
  await eventually(() => document.querySelectorAll('#list .row').length === 2);

  const row = page.locator('#list .row', { hasText: '关于茶叶的问题' });
  await row.hover();
  await row.locator('.rename').click();
  await row.locator('input').fill('新的标题');
  // A list that comes meanwhile takes nothing away.
  const list = page.waitForResponse((response) => response.url().includes('/conversations?'));
  await page.evaluate(() => document.getElementById('search').dispatchEvent(new Event('input')));
  await (await list).finished();
  await row.locator('input').press('Enter');
  await page.waitForSelector('#list .name:text-is("新的标题")');
  await page.click('#list .open:has-text("新的标题")');
  await eventually(() => document.getElementById('title').textContent === '新的标题');

  const renamed = page.locator('#list .row', { hasText: '新的标题' });
  await renamed.hover();
  await renamed.locator('.remove').click();
  await page.click('#confirm button[value="no"]');
  assert.equal(await page.locator('#list .row').count(), 2);
  await renamed.hover();
  await renamed.locator('.remove').click();
  await page.click('#confirm button[value="yes"]');
  await eventually(() => document.querySelectorAll('#list .row').length === 1);
  await page.waitForSelector('#thread[data-state="empty"]');
});

test('a conversation is exported as Markdown and as JSON', async () => {
  await answers(0.03);
  await asked('export me');
  await page.waitForSelector('#list .open');
  for (const [id, name] of [['#export-markdown', 'conversation.md'], ['#export-json', 'conversation.json']]) {
    const [download] = await Promise.all([page.waitForEvent('download'), page.click(id)]);
    assert.equal(download.suggestedFilename(), name);
    await download.delete();
  }
});

test('the browser remembers who asks, and no word of what was asked or answered', async () => {
  await answers(0.03);
  await asked('秘密的问题');
  const kept = await page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));
  assert.ok(!kept.includes('秘密') && !kept.includes('绿茶'), kept);
  const user = await page.evaluate(() => localStorage.getItem('bailian.user'));
  assert.match(user, /^[0-9a-f]{32}$/);
  await page.reload();
  await eventually(() => document.querySelectorAll('.message').length === 2);
  assert.equal(await page.evaluate(() => localStorage.getItem('bailian.user')), user);
});

// --- by keyboard, in two languages, on a phone

test('all of it works by keyboard', async () => {
  await answers(0.02);
  await page.keyboard.type('one');
  await page.keyboard.press('Shift+Enter');
  await page.keyboard.type('two');
  assert.equal(await page.inputValue('#question'), 'one\ntwo');
  await page.keyboard.press('Enter');
  await lastIs('done');
  assert.equal(await textOf('.user .text'), 'one\ntwo');
  assert.equal(await page.evaluate(() => document.activeElement.id), 'question');
  const reached = [];
  await page.evaluate(() => document.activeElement.blur());
  for (let i = 0; i < 20; i++) {
    await page.keyboard.press('Tab');
    reached.push(await page.evaluate(() => document.activeElement.id || document.activeElement.className));
    if (reached.at(-1) !== '') assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), 'none', reached.at(-1));
  }
  for (const name of ['new', 'search', 'open', 'icon rename', 'icon remove', 'language', 'theme', 'export-json', 'copy', 'question']) {
    assert.ok(reached.includes(name), `${name} in ${reached}`);
  }
});

test('Enter belongs to the input method while it is composing', async () => {
  await page.fill('#question', 'ni hao');
  await page.evaluate(() => document.getElementById('question').dispatchEvent(
    new KeyboardEvent('keydown', { key: 'Enter', isComposing: true, bubbles: true, cancelable: true })));
  assert.equal(await page.locator('.message').count(), 0);
});

test('the page speaks Chinese and English, and remembers which', async () => {
  await page.context().close();
  await openPage({ locale: 'zh-CN' });
  assert.equal(await textOf('#send'), '发送');
  assert.equal(await page.getAttribute('html', 'lang'), 'zh-CN');
  await server.emulator.script({ json: { status: 400, body: { code: 'InvalidParameter' } } });
  await ask('x');
  await lastIs('failed');
  assert.match(await textOf(last(' .failure')), /^模型服务拒绝了此请求/);
  await page.selectOption('#language', 'en');
  assert.equal(await textOf('#send'), 'Send');
  await page.reload();
  await page.waitForSelector('#list[data-state="ready"]');
  assert.equal(await textOf('#send'), 'Send');
});

test('the states of steps are said in the language of the page', async () => {
  await page.context().close();
  await openPage({ locale: 'zh-CN' });
  const output = (more, reason) => ({ event: { data: JSON.stringify({
    output: { session_id: '0'.repeat(32), finish_reason: reason, text: '', ...more }, usage: {}, request_id: 'r' }) } });
  await server.emulator.script(output({ thoughts: [{ action_type: 'api', action_name: '知识库检索', observation: 'ok' }] }, 'null'), output({ text: 'x' }, 'stop'));
  await asked('x');
  assert.equal(await textOf(last(' .steps summary')), '步骤：知识库检索 · 完成');
});

test('light and dark follow the system until somebody chooses', async () => {
  const paper = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await paper();
  await page.emulateMedia({ colorScheme: 'dark' });
  const dark = await paper();
  assert.notEqual(light, dark);
  await page.selectOption('#theme', 'light');
  assert.equal(await paper(), light);
  await page.reload();
  assert.equal(await paper(), light);
});

test('on a phone the list is a drawer, and nothing is wider than the screen', async () => {
  await page.context().close();
  await openPage({ viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
  const wide = `| ${'long heading '.repeat(9)} | b |\n| --- | --- |\n| c | d |\n\n\`\`\`\n${'code '.repeat(60)}\n\`\`\`\n\n${'w'.repeat(300)}`;
  await server.emulator.script({ answer: { pieces: [wide], interval: 0 } });
  await asked('q'.repeat(200));
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth), 390);
  assert.equal(await page.evaluate(() => document.getElementById('thread').scrollWidth <= 390), true);
  assert.ok(!await page.isVisible('#search'));
  await page.click('#open-side');
  await page.waitForSelector('#search', { state: 'visible' });
  await page.keyboard.press('Escape');
  await page.waitForSelector('#search', { state: 'hidden' });
});

// --- hostile answers (S-26, S-67): from the upstream, not from the user

const CANARY = 'http://canary.invalid';
const HOSTILE = [
  '<script>window.hit = 1; fetch("X")</script>', '<img src=x onerror="window.hit=1">', `<img src="${CANARY}/i.png">`,
  '<svg onload="window.hit=1"></svg>', '<svg><script>window.hit=1</script></svg>', `<iframe src="${CANARY}/f"></iframe>`,
  '<iframe srcdoc="<script>parent.hit=1</script>"></iframe>', `<link rel=stylesheet href="${CANARY}/s.css">`,
  `<style>body{background:url(${CANARY}/b.png)}</style>`, `<body onload="window.hit=1">`, '<details open ontoggle="window.hit=1">x</details>',
  `<video src="${CANARY}/v" autoplay></video>`, `<audio src="${CANARY}/a"></audio>`, `<object data="${CANARY}/o"></object>`,
  `<embed src="${CANARY}/e">`, `<meta http-equiv=refresh content="0;url=${CANARY}">`, `<base href="${CANARY}/">`,
  `<form action="${CANARY}"><input name=a autofocus onfocus="window.hit=1"></form>`, '<a href="javascript:window.hit=1">x</a>',
  '<math><mtext><table><mglyph><style><img src=x onerror="window.hit=1">', '<noscript><p title="</noscript><img src=x onerror=window.hit=1>">',
  '<template><img src=x onerror="window.hit=1"></template>', '<div style="position:fixed;inset:0">x</div>', '<input autofocus onfocus=window.hit=1>',
  '[x](javascript:window.hit=1)', '[x](JaVaScRiPt:window.hit=1)', '[x](java\tscript:window.hit=1)', '[x](data:text/html,<script>opener.hit=1</script>)',
  '[x](vbscript:x)', '[x](ftp://ok.example/)', '[x](tel:1)', '<a href="blob:x">x</a>', '[x](/bailian/conversations)', '[x](//canary.invalid/)', '[x](&#106;avascript:window.hit=1)', '[x](\u0001javascript:window.hit=1)',
  `![x](${CANARY}/m.png)`, '![x](javascript:window.hit=1)', '![x" onerror="window.hit=1](y)', `![x][r]\n\n[r]: ${CANARY}/r.png`,
  '<javascript:window.hit=1>', '<http://ok.example/"onmouseover="window.hit=1>', '`<img src=x onerror="window.hit=1">`',
  '```"><img src=x onerror="window.hit=1">\nx\n```', '```html\n</code></pre><img src=x onerror="window.hit=1">\n```',
  '| a |\n| --- |\n| <img src=x onerror="window.hit=1"> |', '# <img src=x onerror="window.hit=1">', '> <script>window.hit=1</script>',
  '- [ ] <img src=x onerror="window.hit=1">', '<a href="https://ok.example" onclick="window.hit=1" target="_self">x</a>', '<x onclick="window.hit=1">',
  '<p id="question" name="ask">clobber</p>', '<a id="messages"></a><a id="messages" name="innerHTML"></a>', '<ref onclick="window.hit=1">',
  '&lt;img src=x onerror="window.hit=1"&gt;', '"><img src=x onerror="window.hit=1">', "'-window.hit=1-'", '${window.hit=1}', '{{window.hit=1}}',
  '<!--><img src=x onerror="window.hit=1">-->', '<![CDATA[<img src=x onerror="window.hit=1">]]>', '\u2028<script>window.hit=1</script>', '<br/onload=window.hit=1>',
];

// What may stand in an answer, whatever it holds.
function whatIsWrong() {
  const wrong = [];
  if (globalThis.hit !== undefined) wrong.push('a script ran');
  for (const box of document.querySelectorAll('.message, #list, #title')) {
    for (const element of box.querySelectorAll('*')) {
      if (element.closest('svg') && element.closest('button')) continue; // our own icons
      if (/^(script|style|iframe|img|svg|math|object|embed|link|meta|base|video|audio|template|noscript)$/.test(element.localName)) wrong.push(element.localName);
      for (const { name, value } of element.attributes) {
        if (/^on|^style$|^srcdoc$|^src$/.test(name)) wrong.push(`${name} of ${element.localName}`);
        if (name === 'href' && !/^(https?:|mailto:|#)/.test(value)) wrong.push(`href ${value}`);
        if (name === 'href' && !value.startsWith('#') && (element.rel !== 'noopener noreferrer' || element.target !== '_blank')) wrong.push('an open link');
      }
    }
  }
  if (document.querySelectorAll('#question').length !== 1 || document.getElementById('messages').localName !== 'div') wrong.push('an id was taken');
  return wrong;
}

test('no payload in an answer, a thought or a name becomes markup, live or from the history', async () => {
  for (let at = 0; at < HOSTILE.length; at += 12) {
    const some = HOSTILE.slice(at, at + 12);
    // Whole, and cut into small pieces, because a cut makes other Markdown.
    await server.emulator.script({ answer: { pieces: some.flatMap((one) => [`${one}\n\n`, ...one.match(/[\s\S]{1,7}/g), '\n\n']),
      thinking: some, interval: 0, first_delay: 0.2 } });
    await asked(some[0]);
    assert.deepEqual(await page.evaluate(whatIsWrong), [], `payloads from ${at}`);
    for (const link of await page.locator(`${last(' .text a:not([href])')}`).all()) await link.click();
  }
  await page.reload();
  await eventually((n) => document.querySelectorAll('.message').length === n, 2 * Math.ceil(HOSTILE.length / 12));
  await page.waitForTimeout(300);
  assert.deepEqual(await page.evaluate(whatIsWrong), []);
});

test('no payload in a reference, a step or a title becomes markup', async () => {
  const docs = HOSTILE.map((one, i) => ({ index_id: String(i + 1), title: one, doc_name: one, doc_url: `https://${one}`, text: one }));
  const output = (text, reason, more = {}) => ({ event: { data: JSON.stringify({
    output: { session_id: '0'.repeat(32), finish_reason: reason, text, ...more }, usage: {}, request_id: 'r' }) } });
  const thoughts = HOSTILE.map((one) => ({ thought: one, action_type: 'api', action_name: one, action: one, action_input_stream: one, observation: one }));
  await server.emulator.script({ wait: 0.2 }, output('answer', 'null', { doc_references: docs, thoughts }), output('', 'stop'));
  for (const title of HOSTILE.slice(0, 3)) {
    await page.click('#new');
    await asked(title);
    assert.ok(await page.locator(last(' .references li')).count() >= 10);
    assert.deepEqual(await page.evaluate(whatIsWrong), []);
  }
  const { url } = await page.evaluate(() => ({ url: location.hash }));
  await page.reload();
  await page.waitForSelector(`#list .open[href="${url}"]`);
  assert.deepEqual(await page.evaluate(whatIsWrong), []);
});
