// SPDX-License-Identifier: Apache-2.0
// How streams ended: over time, and one by one.
import { get } from '../api.js';
import { keepCharts, makeChart } from '../chart.js';
import { append, h } from '../dom.js';
import { bytes, count, duration, moment, NONE, tail } from '../format.js';
import { makePaged } from '../paged.js';
import { t, term, terms, upstreamCode } from '../text.js';
import { idColumn } from './live.js';
import { outcomeState } from './stream.js';

const RANGES = { '1h': 3600e3, '24h': 86400e3, '7d': 7 * 86400e3, '30d': 30 * 86400e3 };
const OUTCOMES = ['completed', 'length', 'cancelled', 'timeout', 'error', 'interrupted'];
const COLOURS = { completed: 1, length: 6, cancelled: 10, timeout: 2, error: 4, interrupted: 5 };
const GROUPS = ['outcome', 'code', 'app', 'upstream', 'key', 'attempts'];

const COLUMNS = [
  { id: 'endedAt', text: (s) => moment(s.endedAt) },
  { id: 'outcome', text: (s) => term('outcome', s.outcome), badge: (s) => outcomeState(s.outcome) },
  { id: 'code', text: (s) => term('code', s.code), title: (s) => s.code },
  { id: 'upstreamCode', text: (s) => upstreamCode(s.upstreamCode), title: (s) => upstreamCode(s.upstreamCode) },
  { id: 'attempts', number: 1, text: (s) => count(s.attempts.length), title: (s) => s.attempts.map((a) => `${a.n}: ${term('code', a.class)}`).join(', ') },
  { id: 'owner', text: (s) => s.owner, title: (s) => s.owner },
  { id: 'app', text: (s) => s.app },
  { id: 'upstream', text: (s) => s.upstream ?? NONE },
  { id: 'key', text: (s) => tail(s.key), title: (s) => s.keyName },
  { id: 'duration', number: 1, text: (s) => duration(s.durationMs) },
  { id: 'firstContent', number: 1, text: (s) => duration(s.firstContentMs) },
  { id: 'events', number: 1, text: (s) => count(s.events), hide: true },
  { id: 'bytes', number: 1, text: (s) => bytes(s.bytes), hide: true },
  { id: 'inputTokens', number: 1, text: (s) => count(s.inputTokens), hide: true },
  { id: 'outputTokens', number: 1, text: (s) => count(s.outputTokens), hide: true },
  { id: 'transport', text: (s) => term('transport', s.transport), hide: true },
  { id: 'client', text: (s) => s.client ?? NONE, hide: true },
  { id: 'requestId', text: (s) => s.requestId ?? NONE, title: (s) => s.requestId, hide: true },
  { id: 'upstreamRequestId', text: (s) => s.upstreamRequestId ?? NONE, title: (s) => s.upstreamRequestId, hide: true },
];

export function open(page) {
  const chart = makeChart(t('ends.chart'), count);
  const choices = (names, kind) => names.map((id) => [id, t(`${kind}.${id}`)]);
  const list = makePaged(page, { id: 'ends', columns: [idColumn(page), ...COLUMNS], key: (s) => s.id, label: t('page.ends'), path: 'api/ends', file: 'ends.csv', empty: 'ends.empty',
    filters: {
      q: { label: t('filter.find'), kind: 'wide' },
      range: { label: t('filter.range'), type: 'choice', options: choices(Object.keys(RANGES), 'range'), value: '24h' },
      by: { label: t('filter.by'), type: 'choice', options: choices(GROUPS, 'by') },
      outcome: { label: t('filter.outcome'), type: 'choice', options: [['', t('all')], ...OUTCOMES.map((id) => [id, term('outcome', id)])] },
      ...Object.fromEntries(['code', 'app', 'user', 'upstream', 'key'].map((name) => [name, { label: t(`filter.${name}`), kind: 'narrow', ...(name === 'code' && { known: terms('code') }) }])),
    },
    // Who asks for one stream by its id means it whenever it was.
    query: ({ range, by, ...rest }) => ({ ...rest, from: rest.q ? '' : String(Math.floor((Date.now() - RANGES[range]) / 60000) * 60000) }),
    async filled(wanted, _, signal) {
      const by = new URLSearchParams(location.hash.split('?')[1]).get('by') ?? page.params.get('by') ?? 'outcome';
      const { from, bucketMs, groups } = await get('api/ends/summary', { ...wanted, by }, signal);
      const name = (one) => (one === 'other' ? t('ends.other') : ['outcome', 'code'].includes(by) && one ? term(by, one) : one || NONE);
      const series = groups.length ? groups.map((group) => ({ name: `${name(group.name)} (${count(group.count)})`, values: group.values, ...(by === 'outcome' && { colour: COLOURS[group.name] }) })) : [{ name: t('by.outcome'), values: [] }];
      chart.update({ from: typeof from === 'number' ? from : Date.parse(from), stepMs: bucketMs, series, isLong: bucketMs >= 600000 });
    } });
  append(page.root, [h('div', { class: 'head' }, h('h2', {}, t('page.ends'))), chart.node, list.node]);
  return keepCharts([chart]);
}
