// SPDX-License-Identifier: Apache-2.0
// The page asks once a second and shows what it got; a failure is shown and
// asked again.
import * as api from './api.js';
import { byId, element, fillList, setText } from './dom.js';
import { applyTo, remember, switchLanguage, t, theme } from './text.js';

const EVERY_MS = 1000;
const ROWS = 200;

let before = null; // counters of the last answer, for rates
let isPaused = false;

const seconds = (ms) => (ms < 0 ? '–' : ms < 10000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 1000)} s`);
const count = (n) => n.toLocaleString();
const bytes = (n) => (n < 1024 ? `${n} B` : n < 1048576 ? `${(n / 1024).toFixed(1)} KB` : `${(n / 1048576).toFixed(1)} MB`);

// [field of col, is it a number, what stands in the cell]
const columns = [
  ['id', 0, (s) => s.id.slice(0, 8)],
  ['owner', 0, (s) => s.owner],
  ['app', 0, (s) => s.app],
  ['phase', 0, (s) => t().phase[s.phase] ?? s.phase],
  ['age', 1, (s) => seconds(s.ageMs)],
  ['first', 1, (s) => seconds(s.firstContentMs)],
  ['silent', 1, (s) => seconds(s.silentMs)],
  ['events', 1, (s) => count(s.events)],
  ['bytes', 1, (s) => bytes(s.bytes)],
  ['queue', 1, (s) => bytes(s.queueBytes)],
  ['heartbeats', 1, (s) => count(s.heartbeats)],
  ['attempt', 1, (s) => `${s.attempt}/${s.attemptsMost}`],
  ['readers', 1, (s) => count(s.readers)],
  ['key', 0, (s) => (s.key ? `…${s.key}` : '–')],
  ['pid', 1, (s) => String(s.pid)],
];

function rate(now, name, passed) {
  if (!before) return '–';
  return ((now[name] - before.counters[name]) / passed).toFixed(1);
}

function showNow(o) {
  const at = performance.now();
  const passed = before ? Math.max((at - before.at) / 1000, 0.001) : 1;
  const c = o.counters;
  fillList(byId('cards'), [
    [t().streams, count(o.live)],
    [t().eventRate, rate(c, 'events', passed)],
    [t().heartbeatRate, rate(c, 'heartbeats', passed)],
    [t().retryRate, rate(c, 'retries', passed)],
    [t().parked, count(c.readers_parked)],
    [t().resumed, count(c.readers_resumed)],
    [t().tokensIn, count(c.input_tokens)],
    [t().tokensOut, count(c.output_tokens)],
  ]);
  before = { at, counters: c };
}

function showEnds(c) {
  fillList(byId('ends'), ['completed', 'length', 'cancelled', 'timeout', 'error', 'interrupted', 'refused'].map(
    (name) => {
      const n = c[`streams_${name}`];
      return [t()[name], count(n), n && ['timeout', 'error'].includes(name) ? 'bad' : ''];
    }));
}

function showServer(o) {
  const children = o.children.map((c) => `${c.pid} (${c.live}${c.draining ? `, ${t().draining}` : ''})`);
  fillList(byId('server'), [
    [t().version, `mod_bailian_sse ${o.version}`],
    [t().children, children.join(', ')],
    [t().store, `${o.store.state}, ${count(o.store.queued)} ${t().queued}, SQLite ${o.store.sqlite} (${o.store.guarded ? t().guarded : t().unguarded})`],
    [t().wal, bytes(o.store.walBytes)],
  ]);
}

function fillRow(row, s) {
  columns.forEach(([name, isNumber, show], i) => {
    let cell = row.cells[i];
    if (!cell) {
      cell = element('td', undefined, isNumber ? { class: 'number' } : name === 'owner' ? { class: 'who' } : {});
      row.append(cell);
    }
    setText(cell, show(s));
    if (name === 'phase') cell.dataset.phase = s.phase;
    if (name === 'owner') cell.title = s.owner;
    if (name === 'id') cell.title = s.id;
  });
}

function showStreams(live) {
  const table = byId('streams');
  const body = table.tBodies[0];
  table.hidden = !live.items.length;
  byId('empty').hidden = !table.hidden;
  setText(byId('total'), live.total ? t().shown(live.items.length, live.total) : '');
  while (body.rows.length > live.items.length) body.lastElementChild.remove();
  live.items.forEach((s, i) => fillRow(body.rows[i] ?? body.insertRow(), s));
}

function showHead() {
  const head = byId('columns');
  head.replaceChildren(...columns.map(([name, isNumber]) =>
    element('th', t().col[name], isNumber ? { scope: 'col', class: 'number' } : { scope: 'col' })));
}

function showState(state, text) {
  const node = byId('state');
  node.dataset.state = state;
  setText(node, text);
}

async function refresh() {
  try {
    const [o, live] = await Promise.all([api.overview(), api.live(ROWS)]);
    showNow(o);
    showEnds(o.counters);
    showServer(o);
    showStreams(live);
    showState('ok', t().fresh);
  } catch (error) {
    before = null;
    showState('failed', error instanceof api.Refused ? `${error.message} ${error.detail}` : t().failed);
  }
}

async function loop() {
  for (;;) {
    if (!isPaused && !document.hidden) await refresh();
    await new Promise((done) => setTimeout(done, EVERY_MS));
  }
}

function translate() {
  applyTo(document);
  setText(byId('language'), t().language);
  byId('language').lang = t().language === 'English' ? 'en' : 'zh';
  setText(byId('pause'), isPaused ? t().resume : t().pause);
  showHead();
}

byId('language').addEventListener('click', () => {
  switchLanguage();
  translate();
  refresh();
});
byId('pause').addEventListener('click', () => {
  isPaused = !isPaused;
  byId('pause').setAttribute('aria-pressed', String(isPaused));
  translate();
  if (isPaused) showState('loading', t().paused);
});
byId('theme').addEventListener('click', () => {
  const root = document.documentElement;
  const isDark = root.dataset.theme
    ? root.dataset.theme === 'dark'
    : matchMedia('(prefers-color-scheme: dark)').matches;
  root.dataset.theme = isDark ? 'light' : 'dark';
  remember('bailian.admin.theme', root.dataset.theme);
});

if (theme()) document.documentElement.dataset.theme = theme();
translate();
showState('loading', t().loading);
loop();
