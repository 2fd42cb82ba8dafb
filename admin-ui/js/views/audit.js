// SPDX-License-Identifier: Apache-2.0
// Who did what to which object.
import { append, h } from '../dom.js';
import { moment, NONE } from '../format.js';
import { makePaged } from '../paged.js';
import { has, t, term, terms } from '../text.js';

const isTested = (action) => action === 'key.test' || action === 'alert.test';
const valueText = (value) => (value === null ? t('none') : value === true ? t('yes') : value === false ? t('no') : typeof value === 'object' ? JSON.stringify(value) : String(value));
const fieldName = (name) => (has(`field.${name}`) ? t(`field.${name}`) : name);

// What was changed, with its values or the names alone; null: it is a text.
function changes(detail) {
  if (!/^[{[]/.test(detail)) return null;
  try {
    return JSON.parse(detail);
  } catch {
    return null; // cut, or no JSON after all
  }
}

// The detail as people read it; what is no code and no name of a field stays.
function detailText({ action, detail }) {
  if (!detail) return NONE;
  if (action === 'admin.refused') return t('role.needs', { role: term('role', detail) });
  if (action === 'alert.silence') return t('detail.minutes', { n: detail });
  if (isTested(action)) return term(detail === 'ok' ? 'check' : 'code', detail);
  const changed = changes(detail);
  if (!changed) return detail;
  const parts = Array.isArray(changed) ? changed.map(fieldName) : Object.entries(changed).map(([name, value]) => t('detail.pair', { name: fieldName(name), value: valueText(value) }));
  return parts.join(t('detail.comma'));
}

const COLUMNS = [
  { id: 'at', text: (row) => moment(row.at) },
  { id: 'actor', text: (row) => row.actor, title: (row) => row.actor },
  { id: 'from', text: (row) => row.from ?? NONE },
  { id: 'action', text: (row) => term('action', row.action), title: (row) => row.action },
  { id: 'object', text: (row) => term('object', row.object), title: (row) => row.object },
  { id: 'detail', text: detailText, title: (row) => row.detail },
  { id: 'outcome', text: (row) => term('done', row.outcome), title: (row) => row.outcome, badge: (row) => (row.outcome === 'done' ? 'good' : 'bad') },
];

export function open(page) {
  const list = makePaged(page, { id: 'audit', columns: COLUMNS, key: (row) => row.id, label: t('page.audit'), path: 'api/audit', file: 'audit.csv', empty: 'audit.empty',
    filters: {
      q: { label: t('audit.q'), kind: 'wide' }, actor: { label: t('audit.actor') }, action: { label: t('audit.action'), known: terms('action') }, object: { label: t('audit.object') },
      outcome: { label: t('filter.outcome'), type: 'choice', options: [['', t('all')], ['done', t('done.done')], ['refused', t('done.refused')]] },
      from: { label: t('from'), type: 'time' }, to: { label: t('to'), type: 'time' },
    } });
  append(page.root, [h('div', { class: 'head' }, h('h2', {}, t('page.audit')), h('span', { class: 'soft' }, t('audit.intro'))), list.node]);
}
