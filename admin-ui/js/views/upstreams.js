// SPDX-License-Identifier: Apache-2.0
// Upstreams and apps: where answers come from, and how they are asked for.
import { post } from '../api.js';
import { all, createObject, editObject, makeList, removeObject, rowButtons, someUpstreams } from '../crud.js';
import { attempt, toast } from '../dialog.js';
import { append, button, h, section } from '../dom.js';
import { count, duration, NONE } from '../format.js';
import { t, term } from '../text.js';
import { keyState } from './keys.js';
import { tryApp } from './try.js';

const text = (name, more) => ({ name, type: 'text', ...more });
const number = (name, more) => ({ name, type: 'number', ...more });
const NAME = text('name', { needed: true, hint: 'hint.name' });
const TIMEOUTS = ['connectTimeoutMs', 'firstContentTimeoutMs', 'gapTimeoutMs', 'totalTimeoutMs'].map((name) => number(name, { group: 'timeouts', hint: 'hint.empty' }));
const PACES = () => [['', t('as.set')], ...['off', 'fixed', 'exponential'].map((id) => [id, t(`pace.${id}`)])];
const FLOWS = ['none', 'full_thoughts', 'message_format', 'message_format_plus', 'agent_format'].map((id) => [id, id]);

const upstreamFields = () => [
  text('baseUrl', { needed: true, hint: 'hint.url' }), text('region'), text('note'),
  text('workspace', { group: 'network' }), text('caFile', { group: 'network' }), text('proxy', { group: 'network' }),
  { name: 'http2', type: 'switch', value: true, group: 'network' }, ...TIMEOUTS,
];
const appFields = (upstreams) => [
  { name: 'upstream', type: 'choice', options: upstreams.map((one) => [one.name, one.name]), needed: true }, text('appId', { needed: true }),
  { name: 'default', type: 'switch' }, text('note'),
  { name: 'incremental', type: 'switch', value: true, group: 'request' }, { name: 'thoughts', type: 'switch', group: 'request' }, { name: 'thinking', type: 'three', group: 'request' },
  { name: 'flow', type: 'choice', options: FLOWS, group: 'request' }, text('answerNodes', { group: 'request' }), text('workspace', { group: 'request' }),
  { name: 'parameters', type: 'json', hint: 'hint.parameters', group: 'request' },
  ...TIMEOUTS,
  { name: 'retryPace', type: 'choice', options: PACES(), group: 'retry' }, number('retries', { group: 'retry' }), number('retryIntervalMs', { group: 'retry' }),
  number('heartbeatFirstMs', { group: 'retry' }), number('heartbeatMs', { group: 'retry' }),
  text('policy', { hint: 'hint.policy', group: 'limits' }), number('maxStreamsPerPrincipal', { group: 'limits' }), number('queueBytes', { group: 'limits' }),
];

const keysText = ({ enabled, disabled, reenter }) => [t('upstreams.keys', { enabled }), disabled && t('upstreams.keys.disabled', { n: disabled }), reenter && t('upstreams.keys.reenter', { n: reenter })].filter(Boolean).join(', ');
const UPSTREAM_COLUMNS = [
  { id: 'name', text: (u) => u.name, title: (u) => u.name, sort: (u) => u.name },
  { id: 'state', text: (u) => (u.nextProbeMs > 0 ? t('state.left', { state: term('state', u.state), left: duration(u.nextProbeMs) }) : term('state', u.state)), badge: (u) => keyState(u.state), sort: (u) => u.state },
  { id: 'baseUrl', text: (u) => u.baseUrl, title: (u) => u.baseUrl, sort: (u) => u.baseUrl },
  { id: 'keys', text: (u) => keysText(u.keys), title: (u) => keysText(u.keys) },
  { id: 'apps', number: 1, text: (u) => count(u.apps), sort: (u) => u.apps },
  { id: 'region', text: (u) => u.region ?? NONE, sort: (u) => u.region },
  { id: 'failures', number: 1, text: (u) => count(u.failures), sort: (u) => u.failures, hide: true },
  { id: 'note', text: (u) => u.note ?? NONE, title: (u) => u.note, hide: true },
];
const APP_COLUMNS = [
  { id: 'name', text: (a) => a.name, title: (a) => a.name, sort: (a) => a.name },
  { id: 'upstream', text: (a) => a.upstream, sort: (a) => a.upstream },
  { id: 'appId', text: (a) => a.appId, title: (a) => a.appId },
  { id: 'default', text: (a) => (a.default ? t('yes') : NONE), sort: (a) => (a.default ? 0 : 1) },
  { id: 'policy', text: (a) => a.policy ?? t('as.set') },
  { id: 'note', text: (a) => a.note ?? NONE, title: (a) => a.note },
];

export function open(page) {
  let upstreams = [];
  const upstreamPath = (u, verb) => `api/upstreams/${encodeURIComponent(u.name)}${verb ? `/${verb}` : ''}`;
  const appPath = (a) => `api/apps/${encodeURIComponent(a.name)}`;
  const upstreamList = makeList({ id: 'upstreams', label: t('upstreams.title'), key: (u) => u.name, fields: ['name', 'baseUrl', 'region', 'note'], empty: 'upstreams.empty', sort: 'name',
    columns: [...UPSTREAM_COLUMNS, { id: 'actions', make: rowButtons([
      page.may('PATCH api/upstreams/{id}') && [t('change'), (u) => run(() => editObject({ path: upstreamPath(u), before: u, title: t('keys.edit.title', { name: u.name }), intro: t('upstreams.intro'),
        fields: upstreamFields(), done: (said) => said.notice }))],
      page.may('POST api/upstreams/{id}/restore') && [t('keys.restore'), (u) => run(() => attempt(() => post(upstreamPath(u, 'restore')), t('keys.restored', { name: u.name }))), (u) => u.state !== 'ok'],
      page.may('DELETE api/upstreams/{id}') && [t('remove'), (u) => run(() => removeObject({ path: upstreamPath(u), name: u.name, version: u.version, text: t('upstreams.remove.text') }))],
    ], 2) }] });
  const appList = makeList({ id: 'apps', label: t('apps.title'), key: (a) => a.name, fields: ['name', 'upstream', 'appId', 'note'], empty: 'apps.empty', sort: 'name',
    columns: [...APP_COLUMNS, { id: 'actions', make: rowButtons([
      page.may('POST api/apps/{id}/try') && [t('apps.try'), (a) => tryApp(a)],
      page.may('PATCH api/apps/{id}') && [t('change'), (a) => run(() => editObject({ path: appPath(a), before: a, title: t('keys.edit.title', { name: a.name }), fields: appFields(upstreams) }))],
      page.may('DELETE api/apps/{id}') && [t('remove'), (a) => run(() => removeObject({ path: appPath(a), name: a.name, version: a.version, text: t('apps.remove.text') }))],
    ]) }] });

  async function run(what) {
    await what();
    refresh();
  }

  const add = (path, title, fields) => run(async () => {
    const made = await createObject({ path, title, fields });
    if (made) toast(t('keys.added', { name: made.name }));
  });

  async function addApp() {
    const found = await someUpstreams(page);
    if (found) await add('api/apps', t('apps.add.title'), [NAME, ...appFields(found)]);
  }

  append(page.root, [
    h('div', { class: 'head' }, h('h2', {}, t('page.upstreams')), h('div', { class: 'toolbar' },
      page.may('POST api/upstreams') ? button(t('upstreams.add'), () => add('api/upstreams', t('upstreams.add.title'), [NAME, ...upstreamFields()])) : null,
      page.may('POST api/apps') ? button(t('apps.add'), addApp, { class: 'primary' }) : null)),
    section(t('apps.title'), appList.node),
    section(t('upstreams.title'), upstreamList.node),
  ]);
  const refresh = page.every(5000, async (signal) => {
    upstreams = await all('api/upstreams', {}, signal);
    upstreamList.show(upstreams);
    appList.show(await all('api/apps', {}, signal));
  });
}
