// SPDX-License-Identifier: Apache-2.0
// Who did what to which object.
import { append, h } from '../dom.js';
import { moment } from '../format.js';
import { makePaged } from '../paged.js';
import { t, term } from '../text.js';

const COLUMNS = [
  { id: 'at', text: (row) => moment(row.at) },
  { id: 'actor', text: (row) => row.actor, title: (row) => row.actor },
  { id: 'from', text: (row) => row.from ?? '–' },
  { id: 'action', text: (row) => row.action },
  { id: 'object', text: (row) => row.object ?? '–', title: (row) => row.object },
  { id: 'detail', text: (row) => row.detail ?? '–', title: (row) => row.detail },
  { id: 'outcome', text: (row) => term('done', row.outcome), badge: (row) => (row.outcome === 'done' ? 'good' : 'bad') },
];

export function open(page) {
  const list = makePaged(page, { id: 'audit', columns: COLUMNS, key: (row) => row.id, label: t('page.audit'), path: 'api/audit', file: 'audit.csv', empty: 'audit.empty',
    filters: {
      q: { label: t('audit.q'), kind: 'wide' }, actor: { label: t('audit.actor') }, action: { label: t('audit.action') }, object: { label: t('audit.object') },
      outcome: { label: t('filter.outcome'), type: 'choice', options: [['', t('all')], ['done', t('done.done')], ['refused', t('done.refused')]] },
      from: { label: t('from'), type: 'time' }, to: { label: t('to'), type: 'time' },
    } });
  append(page.root, [h('div', { class: 'head' }, h('h2', {}, t('page.audit')), h('span', { class: 'soft' }, t('audit.intro'))), list.node]);
}
