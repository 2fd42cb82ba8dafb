// SPDX-License-Identifier: Apache-2.0
// Who used how much.
import { h, setText } from '../dom.js';
import { count, NONE, tail } from '../format.js';
import { makePaged } from '../paged.js';
import { t } from '../text.js';

const GROUPS = ['day', 'user', 'app', 'key'];
const COLUMNS = [
  { id: 'name', text: (u) => u.name ?? t('usage.none'), title: (u) => u.name },
  { id: 'last4', text: (u) => tail(u.last4), hide: true },
  { id: 'upstream', text: (u) => u.upstream ?? NONE, hide: true },
  { id: 'streams', number: 1, text: (u) => count(u.streams) },
  { id: 'failures', number: 1, text: (u) => count(u.failures) },
  { id: 'inputTokens', number: 1, text: (u) => count(u.inputTokens) },
  { id: 'outputTokens', number: 1, text: (u) => count(u.outputTokens) },
];

export function openUsage(page) {
  const total = h('p', { class: 'soft' });
  const list = makePaged(page, { id: 'usage', columns: COLUMNS, key: (u) => `${u.keyId ?? ''} ${u.name}`, label: t('tab.usage'), path: 'api/usage', file: 'usage.csv',
    filters: {
      by: { label: t('usage.by'), type: 'choice', kind: 'narrow', options: GROUPS.map((id) => [id, t(`by.${id}`)]) },
      from: { label: t('from'), type: 'day' }, to: { label: t('to'), type: 'day' }, user: { label: t('filter.user'), kind: 'narrow' }, app: { label: t('filter.app'), kind: 'narrow' },
    },
    filled(_, { total: sums, more }) {
      setText(total, [t('usage.total', { streams: count(sums.streams), failures: count(sums.failures), in: count(sums.inputTokens), out: count(sums.outputTokens) }), more ? t('usage.more', { n: count(more) }) : ''].join(' '));
    } });
  return [total, list.node];
}
