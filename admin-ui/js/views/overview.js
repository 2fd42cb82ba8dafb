// SPDX-License-Identifier: Apache-2.0
// What runs, how fast, what went wrong, and whether all is well.
import { get } from '../api.js';
import { keepCharts, makeChart } from '../chart.js';
import { append, fillList, h, replace, section, setState } from '../dom.js';
import { bytes, count, duration, rate } from '../format.js';
import { t, term } from '../text.js';

const SERIES = 'live,first_content_p50_ms,first_content_p95_ms,events,heartbeats,retries,errors';
const OUTCOMES = ['completed', 'length', 'cancelled', 'timeout', 'error', 'interrupted', 'refused'];
const BAD = ['timeout', 'error', 'refused'];
const STATES = { ok: 'good', warning: 'busy', error: 'bad' };

const sum = (all) => Object.values(all ?? {}).reduce((a, b) => a + b, 0);

function showNow(list, o) {
  const w = o.window ?? {};
  fillList(list, [
    [t('now.streams'), count(o.live)],
    [t('now.first50'), duration(w.firstContentP50Ms)],
    [t('now.first95'), duration(w.firstContentP95Ms)],
    [t('now.starts'), rate(w.streamsPerSecond)],
    [t('now.events'), rate(w.eventsPerSecond)],
    [t('now.heartbeats'), rate(w.heartbeatsPerSecond)],
    [t('now.retries'), rate(w.retriesPerSecond), w.retriesPerSecond >= 1 ? 'bad' : ''],
    [t('now.tokens'), rate(w.tokensPerSecond)],
  ].slice(0, o.window ? 8 : 1));
}

function showHour(list, o) {
  const hour = o.lastHour ?? {};
  const errors = sum(hour.errors);
  fillList(list, [
    [t('hour.streams'), count(hour.streams)],
    [t('hour.errors'), count(errors), errors ? 'bad' : ''],
    [t('now.first50'), duration(hour.firstContentP50Ms)],
    [t('now.first95'), duration(hour.firstContentP95Ms)],
    [t('hour.in'), count(hour.inputTokens)],
    [t('hour.out'), count(hour.outputTokens)],
  ]);
}

function showErrors(place, errors, hasEnds) {
  const rows = Object.entries(errors ?? {}).filter(([, n]) => n).sort((a, b) => b[1] - a[1]);
  if (!rows.length) {
    replace(place, h('p', { class: 'soft' }, t('overview.errors.none')));
    return;
  }
  const list = h('dl', { class: 'facts' });
  fillList(list, rows.map(([code, n]) => [term('code', code), hasEnds ? h('a', { href: `#ends?code=${encodeURIComponent(code)}` }, count(n)) : count(n)]));
  replace(place, list);
}

function showServer(list, o, versions) {
  const child = (c) => t(c.draining ? 'server.draining' : 'server.child', { pid: c.pid, live: count(c.live) });
  fillList(list, [
    [t('server.module'), `mod_bailian_sse ${o.version}`],
    [t('server.children'), o.children.map(child).join(', ')],
    [t('server.turn'), duration(Math.max(0, ...o.children.map((c) => c.turnLongestMs)))],
    [t('server.store'), t('server.store.text', { state: term(o.store.state === 'ok' ? 'check' : 'code', o.store.state), queued: count(o.store.queued) }), o.store.state === 'ok' ? '' : 'bad'],
    [t('server.memory'), o.memory.budgetBytes
      ? t('server.memory.of', { held: bytes(o.memory.heldBytes), budget: bytes(o.memory.budgetBytes) })
      : bytes(o.memory.heldBytes)],
    [t('server.wal'), bytes(o.store.walBytes)],
    ...(versions ? [[t('server.versions'), Object.entries(versions).map((pair) => pair.join(' ')).join(' · ')]] : []),
  ]);
}

// «upstream.<name>» is one of several.
function checkName(name) {
  const [kind, ...rest] = name.split('.');
  return [term('health', kind), rest.join('.')].filter(Boolean).join(' ');
}

function check({ name, state, detail, fix }) {
  return h('li', {}, h('span', { class: 'badge', 'data-state': STATES[state] ?? '' }, term('check', state)),
    h('span', {}, h('b', {}, checkName(name)), detail ? ` – ${detail}` : ''), fix ? h('span', { class: 'fix' }, fix) : null);
}

function showHealth(place, health) {
  const rank = ['error', 'warning', 'ok'];
  const checks = [...health.checks].sort((a, b) => rank.indexOf(a.state) - rank.indexOf(b.state));
  replace(place, h('ul', { class: 'checks' }, checks.map(check)));
}

function showCharts(charts, { stepMs, from, series }) {
  const start = typeof from === 'number' ? from : Date.parse(from);
  const perSecond = (values) => values.map((n) => (n === null ? null : (n * 1000) / stepMs));
  const perMinute = (values) => values.map((n) => (n === null ? null : (n * 60000) / stepMs));
  const draw = (chart, names, change) => chart.update({ from: start, stepMs,
    series: names.filter(([id]) => series[id]).map(([id, name]) => ({ name, values: change(series[id]) })) });
  const same = (values) => values;
  draw(charts.streams, [['live', t('series.live')]], same);
  draw(charts.first, [['first_content_p50_ms', 'p50'], ['first_content_p95_ms', 'p95']], same);
  draw(charts.events, [['events', t('series.events')], ['heartbeats', t('series.heartbeats')]], perSecond);
  draw(charts.errors, [['retries', t('series.retries')], ['errors', t('series.errors')]], perMinute);
}

export function open(page) {
  const now = h('dl', { class: 'cards' });
  const hour = h('dl', { class: 'cards' });
  const ends = h('dl', { class: 'cards' });
  const server = h('dl', { class: 'facts' });
  let versions = null;
  const errors = h('div');
  const health = h('div');
  const charts = {
    streams: makeChart(t('chart.streams'), count),
    first: makeChart(t('chart.first'), (n) => duration(n)),
    events: makeChart(t('chart.events'), rate),
    errors: makeChart(t('chart.errors'), rate),
  };
  const hourSection = section(t('overview.hour'), hour);
  const errorSection = section(t('overview.errors'), h('div', { class: 'panel' }, errors));
  const range = h('select', { class: 'range', 'aria-label': t('overview.range'), onchange: () => { page.keep({ range: range.value }); draw?.(); } },
    ['5m', '1h'].map((id) => h('option', { value: id, selected: id === (page.params.get('range') ?? '1h') }, t(`range.${id}`))));
  append(page.root, [
    h('div', { class: 'head' }, h('h2', {}, t('page.overview')), page.may('GET api/history') ? range : null),
    section(t('overview.now'), now),
    page.may('GET api/history') ? section(t('overview.charts'), h('div', { class: 'charts' }, Object.values(charts).map((chart) => chart.node))) : null,
    hourSection,
    h('div', { class: 'columns-2' },
      page.may('GET api/health') ? section(t('overview.health'), h('div', { class: 'panel' }, health)) : null,
      errorSection),
    section(t('overview.ends'), ends),
    section(t('overview.server'), h('div', { class: 'panel' }, server)),
  ]);
  const release = keepCharts(Object.values(charts));

  page.every(2000, async (signal) => {
    const o = await get('api/overview', {}, signal);
    showNow(now, o);
    hourSection.hidden = !o.lastHour;
    errorSection.hidden = !o.lastHour;
    showHour(hour, o);
    showErrors(errors, o.lastHour?.errors, page.may('GET api/ends'));
    showServer(server, o, versions);
    fillList(ends, OUTCOMES.map((name) => {
      const n = o.counters[`streams_${name}`];
      return [term('outcome', name), count(n), n && BAD.includes(name) ? 'bad' : ''];
    }));
    setState(server, o.store.state === 'ok' ? '' : 'bad');
  });
  const draw = page.may('GET api/history')
    ? page.every(5000, async (signal) => showCharts(charts, await get('api/history', { series: SERIES, range: range.value }, signal))) : null;
  if (page.may('GET api/health')) page.every(15000, async (signal) => {
    const said = await get('api/health', {}, signal);
    versions = said.versions;
    showHealth(health, said);
  });
  return release;
}
