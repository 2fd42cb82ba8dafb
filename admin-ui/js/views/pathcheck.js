// SPDX-License-Identifier: Apache-2.0
// Timed ticks through the real path to this browser: is something holding
// events back, and what would help?
import { events } from '../api.js';
import { keepCharts, makeChart } from '../chart.js';
import { explain } from '../dialog.js';
import { append, button, fillList, h, replace, section, setState, setText } from '../dom.js';
import { duration } from '../format.js';
import { judge } from '../ticks.js';
import { t } from '../text.js';

function pathFacts(path) {
  const list = h('dl', { class: 'facts' });
  const said = (value) => (value ? t('yes') : t('no'));
  fillList(list, [[t('path.parked'), said(path.parked)], [t('path.http2'), said(path.http2)], [t('path.tls'), said(path.tls)],
    [t('path.filters'), (path.filters ?? []).join(', ') || t('none')], [t('path.proxies'), (path.proxies ?? []).join(', ') || t('none')]]);
  return list;
}

const hintNode = ({ detail, fix }) => h('li', {}, h('span', { class: 'badge', 'data-state': 'busy' }, t('check.warning')), h('span', {}, detail), fix ? h('code', { class: 'fix' }, fix) : null);

function verdictOf(found, of) {
  if (found.kind === 'cut') return ['failed', t('path.cut', { n: found.n, of })];
  if (found.kind === 'held') return ['failed', `${t('path.held', { n: found.bunched, of })} ${t('path.held.more')}`];
  if (found.kind === 'late') return ['warning', t('path.late', { ms: duration(found.worstMs) })];
  return ['good', `${t('path.good')} ${t('path.good.more', { ms: duration(found.worstMs) })}`];
}

export function open(page) {
  const number = (value, least, most) => h('input', { type: 'number', value: String(value), min: String(least), max: String(most) });
  const ticks = number(20, 2, 100);
  const every = number(250, 50, 2000);
  const verdict = h('div', { class: 'notice', role: 'status', hidden: true });
  const facts = h('div', { class: 'panel' });
  const hints = h('ul', { class: 'checks' });
  const chart = makeChart(t('path.chart'), (n) => duration(n));
  const results = h('div', { class: 'page', hidden: true }, chart.node, section(t('path.facts'), facts), hints);
  let asking = null;
  let drawing = null;
  const start = button(t('path.start'), () => (asking ? asking.abort() : run()), { class: 'primary' });

  function tell(state, text) {
    setState(verdict, state);
    replace(verdict, h('p', {}, text));
    verdict.hidden = false;
  }

  function draw(arrived, everyMs, of) {
    if (arrived.length) chart.update({ from: Date.now() - arrived.length * everyMs, stepMs: everyMs, series: [{ name: t('path.delay'), values: judge(arrived, { everyMs, of, isDone: true }).delays }] });
  }

  // Not while ticks are being read: what drawing takes would count as delay.
  function drawSoon(...what) {
    drawing ??= requestAnimationFrame(() => { drawing = null; draw(...what); });
  }

  async function run() {
    asking = new AbortController();
    const { signal } = asking;
    const arrived = [];
    const everyMs = Number(every.value);
    let of = Number(ticks.value);
    let isDone = false;
    setText(start, t('path.stop'));
    results.hidden = false;
    try {
      for await (const { type, data } of events('api/pathcheck', { query: { ticks: of, everyMs }, signal })) {
        if (type === 'done') { isDone = true; break; }
        const said = JSON.parse(data);
        if (type === 'path') {
          replace(facts, pathFacts(said));
          replace(hints, (said.hints ?? []).map(hintNode));
        } else if (type === 'tick') {
          of = said.of;
          arrived.push({ sentMs: said.sentMs, atMs: performance.now() });
          tell('empty', t('path.running', { n: said.n, of }));
          drawSoon(arrived, everyMs, of);
        }
      }
      draw(arrived, everyMs, of);
      tell(...verdictOf(judge(arrived, { everyMs, of, isDone }), of));
      page.told();
    } catch (error) {
      if (signal.aborted) tell(...verdictOf({ kind: 'cut', n: arrived.length }, of));
      else tell('failed', explain(error));
    }
    asking = null;
    setText(start, t('path.start'));
  }

  append(page.root, [h('div', { class: 'head' }, h('h2', {}, t('page.pathcheck'))), h('p', { class: 'soft' }, t('path.intro')),
    h('div', { class: 'toolbar' }, h('label', {}, t('path.ticks'), ticks), h('label', {}, t('path.every'), every), start), verdict, results]);
  page.told();
  const release = keepCharts([chart]);
  return () => { asking?.abort(); cancelAnimationFrame(drawing); release(); };
}
