// SPDX-License-Identifier: Apache-2.0
// A chart of some series over time, by uPlot, in the colours of the page.
import UPlot from '../vendor/uplot.esm.js';
import { h, replace, setText } from './dom.js';
import { clock, moment, steps } from './format.js';

const COLOURS = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7', '--c8', '--c9', '--c10', '--c11', '--c12', '--c13'];
const number = (one, i) => one.colour ?? (i % COLOURS.length) + 1;
// A value between two gaps has no line: it is a point.
const alone = (plot, i) => plot.data[i].flatMap((n, at, all) => (n !== null && (all[at - 1] ?? null) === null && (all[at + 1] ?? null) === null ? [at] : []));
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const HEIGHT = 170;
const SHORT_S = 900; // what is shorter has seconds at its axis

// series: [{name, values, colour?}], of `stepMs` from `from` (ms); `colour` is
// 1 to 13, by place where it is left out. show(n) -> text.
export function makeChart(title, show) {
  const place = h('div', { class: 'plot', 'aria-hidden': 'true' });
  const legend = h('ul', { class: 'legend' });
  const node = h('figure', { class: 'chart' }, h('figcaption', {}, title), place, legend);
  let plot = null;
  let last = null;

  function data({ from, stepMs, series }) {
    const length = Math.max(0, ...series.map((one) => one.values.length));
    return [Array.from({ length }, (_, i) => (from + i * stepMs) / 1000), ...series.map((one) => one.values)];
  }

  function timeOf(given, s) {
    if (given.isLong) return moment(s * 1000).slice(5, 16);
    return last.span < SHORT_S ? clock(s * 1000) : clock(s * 1000).slice(0, 5);
  }

  function build(given) {
    plot?.destroy();
    const axis = { stroke: colour('--soft'), grid: { stroke: colour('--line'), width: 1 }, ticks: { show: false }, font: '12px system-ui, sans-serif' };
    plot = new UPlot({
      width: Math.max(place.clientWidth, 200),
      height: HEIGHT,
      padding: [8, given.isLong ? 36 : 18, 0, 0],
      legend: { show: false },
      cursor: { y: false, drag: { x: false, y: false } },
      scales: { y: { range: (_, low, high) => [Math.min(0, low ?? 0), (high || 1) * 1.08] } },
      axes: [
        { ...axis, size: 28, values: (_, ticks) => ticks.map((s) => timeOf(given, s)), space: given.isLong ? 100 : 75 },
        { ...axis, size: 56, incrs: steps(show), values: (_, ticks) => ticks.map((n) => (n === null ? '' : show(n))) },
      ],
      series: [{}, ...given.series.map((one, i) => {
        const stroke = colour(COLOURS[number(one, i) - 1]);
        return {
          label: one.name, stroke, width: 1.6, points: { show: false, size: 6, fill: stroke, filter: alone },
          fill: given.series.length === 1 ? `${colour(COLOURS[0])}22` : undefined,
        };
      })],
      hooks: { setCursor: [(u) => drawLegend(u.cursor.idx)] },
    }, data(given), place);
  }

  // What the legend says: the value under the pointer, else the newest one.
  function drawLegend(index) {
    if (!last) return;
    const items = last.series.map((one, i) => {
      const at = index ?? one.values.findLastIndex((n) => n !== null);
      const value = one.values[at];
      return h('li', { 'data-colour': String(number(one, i)) }, h('span', {}, one.name), ' ',
        h('b', {}, value === null || value === undefined ? '–' : show(value)));
    });
    replace(legend, items);
  }

  return {
    node,
    setTitle: (text) => setText(node.firstElementChild, text),
    update(given) {
      const names = given.series.map((one) => one.name).join('\n');
      const isSame = plot && last && names === last.series.map((one) => one.name).join('\n') && last.isLong === given.isLong;
      last = { ...given, span: (Math.max(0, ...given.series.map((one) => one.values.length)) * given.stepMs) / 1000 };
      if (isSame) plot.setData(data(given));
      else build(given);
      drawLegend(plot.cursor.idx);
    },
    redraw() {
      if (last) build(last);
    },
    resize() {
      if (plot && place.clientWidth) plot.setSize({ width: place.clientWidth, height: HEIGHT });
    },
    destroy: () => plot?.destroy(),
  };
}

// Charts that follow the width and the colours of the page until released.
export function keepCharts(charts) {
  const resized = new ResizeObserver(() => { for (const chart of charts) chart.resize(); });
  const redraw = () => { for (const chart of charts) chart.redraw(); };
  for (const chart of charts) resized.observe(chart.node);
  document.addEventListener('theme', redraw);
  return () => {
    resized.disconnect();
    document.removeEventListener('theme', redraw);
    for (const chart of charts) chart.destroy();
  };
}
