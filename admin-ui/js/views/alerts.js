// SPDX-License-Identifier: Apache-2.0
// Alerts: rules, and the webhook that is told when one fires.
import { post } from '../api.js';
import { all, createObject, editObject, makeList, removeObject, rowButtons } from '../crud.js';
import { attempt, edit, toast } from '../dialog.js';
import { append, button, h } from '../dom.js';
import { duration, moment, NONE } from '../format.js';
import { t, term } from '../text.js';

const pathOf = (alert, verb) => `api/alerts/${encodeURIComponent(alert.id)}${verb ? `/${verb}` : ''}`;
const isSilent = (alert) => Date.parse(alert.silencedUntilAt) > Date.now();
const firing = (alert) => Object.keys(alert.firing ?? {});

const sentText = ({ ok, code, status }) => (ok ? t('alerts.arrived') : t('alerts.lost', { code: term('code', code), status: status || NONE }));
const rulesText = (alert) => [alert.errorPercent && t('rule.errors.over', { n: alert.errorPercent }), alert.firstContentMs && t('rule.first.over', { ms: duration(alert.firstContentMs) }),
  alert.keys && t('rule.keys'), alert.store && t('rule.store')].filter(Boolean).join(', ') || NONE;

function stateText(alert) {
  if (!alert.enabled) return term('state', 'disabled');
  if (firing(alert).length) return t('alerts.firing', { rules: firing(alert).map((rule) => term('rule', rule)).join(', ') });
  return isSilent(alert) ? t('alerts.silent', { at: moment(alert.silencedUntilAt) }) : t('alerts.quiet');
}

function stateOf(alert) {
  if (!alert.enabled) return '';
  if (firing(alert).length) return 'bad';
  return isSilent(alert) ? 'busy' : 'good';
}

const COLUMNS = [
  { id: 'name', text: (a) => a.name, title: (a) => a.name, sort: (a) => a.name },
  { id: 'state', text: stateText, badge: stateOf, sort: stateOf },
  { id: 'host', text: (a) => a.host, title: (a) => a.host, sort: (a) => a.host },
  { id: 'shape', text: (a) => term('shape', a.shape), sort: (a) => a.shape },
  { id: 'rules', text: rulesText, title: rulesText },
  { id: 'delivery', text: (a) => (a.delivery ? sentText(a.delivery) : t('never')), badge: (a) => (a.delivery ? (a.delivery.ok ? 'good' : 'bad') : ''), title: (a) => moment(a.delivery?.at) },
  { id: 'note', text: (a) => a.note ?? NONE, title: (a) => a.note, hide: true },
];

const URL_NEW = { name: 'url', type: 'secret', needed: true, hint: 'hint.webhook' };
const URL_KEPT = { name: 'url', type: 'secret', hint: 'hint.webhook.kept' };
const fields = (url) => [
  { name: 'name', type: 'text', needed: true, hint: 'hint.name' }, url,
  { name: 'shape', type: 'choice', options: ['generic', 'dingtalk', 'wecom', 'feishu'].map((id) => [id, t(`shape.${id}`)]), needed: true },
  { name: 'errorPercent', type: 'number', hint: 'hint.rule' }, { name: 'firstContentMs', type: 'number', hint: 'hint.rule' },
  { name: 'keys', type: 'switch', value: true }, { name: 'store', type: 'switch', value: true }, { name: 'enabled', type: 'switch', value: true },
  { name: 'windowSeconds', type: 'number', value: 300, needed: true, group: 'when' }, { name: 'leastStreams', type: 'number', value: 10, needed: true, group: 'when' },
  { name: 'repeatMinutes', type: 'number', value: 60, hint: 'hint.repeat', group: 'when' },
  { name: 'caFile', type: 'text', group: 'network' }, { name: 'proxy', type: 'text', group: 'network' }, { name: 'note', type: 'area', group: 'network' },
];

export function open(page) {
  const may = (verb) => page.may(`POST api/alerts/{id}/${verb}`);
  const list = makeList({ id: 'alerts', label: t('page.alerts'), key: (a) => a.id, fields: ['name', 'host', 'note'], empty: 'alerts.empty', sort: 'name',
    columns: [...COLUMNS, { id: 'actions', make: rowButtons([
      may('test') && [t('alerts.test'), (a) => act(() => post(pathOf(a, 'test')), (said) => t('alerts.tested', { name: a.name, result: sentText(said) }))],
      page.may('PATCH api/alerts/{id}') && [t('change'), change],
      may('silence') && [t('alerts.silence'), silence, (a) => !isSilent(a)],
      may('silence') && [t('alerts.silence.end'), (a) => act(() => post(pathOf(a, 'silence'), { minutes: 0 }), t('alerts.told', { name: a.name })), isSilent],
      page.may('DELETE api/alerts/{id}') && [t('remove'), async (a) => { await removeObject({ path: pathOf(a), name: a.name, version: a.version, text: t('alerts.remove.text') }); refresh(); }],
    ]) }] });

  async function act(what, done) {
    await attempt(what, done);
    refresh();
  }

  async function add() {
    const made = await createObject({ path: 'api/alerts', title: t('alerts.add.title'), fields: fields(URL_NEW), body: (filled, { repeatMinutes }) => ({ ...filled, repeatMinutes }) });
    if (made) toast(t('keys.added', { name: made.name }));
    refresh();
  }

  async function change(alert) {
    await editObject({ path: pathOf(alert), before: alert, title: t('keys.edit.title', { name: alert.name }), fields: fields(URL_KEPT).map((field) => ({ ...field, value: undefined })) });
    refresh();
  }

  async function silence(alert) {
    const said = await edit({ title: t('alerts.silence.title', { name: alert.name }), intro: t('alerts.silence.intro'), ok: t('alerts.silence'),
      fields: [{ name: 'minutes', type: 'number', value: 60, needed: true }], save: ({ minutes }) => post(pathOf(alert, 'silence'), { minutes }) });
    if (said) toast(t('alerts.silenced', { name: alert.name }));
    refresh();
  }

  append(page.root, [
    h('div', { class: 'head' }, h('h2', {}, t('page.alerts')), page.may('POST api/alerts') ? h('div', { class: 'toolbar' }, button(t('alerts.add'), add, { class: 'primary' })) : null),
    h('p', { class: 'soft' }, t('alerts.intro')),
    list.node,
  ]);
  const refresh = page.every(3000, async (signal) => list.show(await all('api/alerts', {}, signal)));
}
