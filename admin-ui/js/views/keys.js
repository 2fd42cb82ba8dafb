// SPDX-License-Identifier: Apache-2.0
// API keys: secrets go in and never come out.
import { post } from '../api.js';
import { all, appsField, createObject, editObject, makeList, removeObject, rowButtons, someUpstreams } from '../crud.js';
import { attempt, confirm, edit, toast } from '../dialog.js';
import { append, button, h, setText } from '../dom.js';
import { age, count, duration, moment, NONE, tail, when } from '../format.js';
import { t, term } from '../text.js';
import { importKeys } from './keys-import.js';

const pathOf = (key, verb) => `api/keys/${encodeURIComponent(key.id)}${verb ? `/${verb}` : ''}`;
export const keyState = (state) => ({ ok: 'good', cooling: 'busy', disabled: '', failing: 'busy' })[state] ?? 'bad';

const checkText = ({ ok, code, status, latencyMs }) => (ok ? t('keys.works', { ms: duration(latencyMs) })
  : t('keys.fails', { code: term('code', code), status: status || NONE }));
const stateText = (key) => (key.coolingMs > 0 ? t('state.left', { state: term('state', key.state), left: age(key.coolingMs) }) : term('state', key.state));
const sum = (all) => Object.values(all ?? {}).reduce((a, b) => a + b, 0);
const errorsText = (key) => Object.entries(key.errors ?? {}).map(([code, n]) => `${term('code', code)} ${count(n)}`).join(', ') || '0';
const listed = (names) => (names?.length ? names.join(', ') : t('all'));

const COLUMNS = [
  { id: 'name', text: (k) => k.name, title: (k) => k.name, sort: (k) => k.name },
  { id: 'upstream', text: (k) => k.upstream, sort: (k) => k.upstream },
  { id: 'last4', text: (k) => tail(k.last4) },
  { id: 'state', text: stateText, badge: (k) => keyState(k.state), sort: (k) => k.state },
  { id: 'check', text: (k) => (k.check ? checkText(k.check) : t('never')), badge: (k) => (k.check ? (k.check.ok ? 'good' : 'bad') : ''), title: (k) => moment(k.check?.at), sort: (k) => k.check?.latencyMs },
  { id: 'weight', number: 1, text: (k) => count(k.weight), sort: (k) => k.weight },
  { id: 'priority', number: 1, text: (k) => count(k.priority), sort: (k) => k.priority, hide: true },
  { id: 'requests', number: 1, text: (k) => count(k.requests), sort: (k) => k.requests },
  { id: 'throttled', number: 1, text: (k) => count(k.throttled), sort: (k) => k.throttled },
  { id: 'lastUsedAt', text: (k) => when(k.lastUsedAt), title: (k) => moment(k.lastUsedAt), sort: (k) => k.lastUsedAt },
  { id: 'errors', text: errorsText, title: errorsText, sort: (k) => sum(k.errors) },
  { id: 'inputTokens', number: 1, text: (k) => count(k.inputTokens), sort: (k) => k.inputTokens, hide: true },
  { id: 'outputTokens', number: 1, text: (k) => count(k.outputTokens), sort: (k) => k.outputTokens, hide: true },
  { id: 'account', text: (k) => k.account ?? NONE, sort: (k) => k.account, hide: true },
  { id: 'apps', text: (k) => listed(k.apps), hide: true },
  { id: 'models', text: (k) => listed(k.models), hide: true },
  { id: 'note', text: (k) => k.note ?? NONE, title: (k) => k.note, hide: true },
  { id: 'fingerprint', text: (k) => k.fingerprint, hide: true },
];

const SECRET = { name: 'secret', type: 'secret', needed: true, hint: 'hint.secret' };
const shared = async (page, chosen) => [
  { name: 'weight', type: 'number', hint: 'hint.weight', value: 1, group: 'more' },
  { name: 'priority', type: 'number', hint: 'hint.priority', value: 0, group: 'more' },
  await appsField(page, chosen, { group: 'more' }),
  { name: 'models', type: 'names', hint: 'hint.names', group: 'more' },
  { name: 'account', type: 'text', hint: 'hint.account', group: 'more' },
  { name: 'note', type: 'area', group: 'more' },
];

export function open(page) {
  const state = h('select', { onchange: () => refresh() }, h('option', { value: '' }, t('all')),
    ['ok', 'cooling', 'refused', 'disabled', 'reenter', 'unopenable'].map((id) => h('option', { value: id }, term('state', id))));
  const testButton = button(t('keys.test.all'), testMany);
  const may = (verb) => page.may(`POST api/keys/{id}/${verb}`);
  const actions = rowButtons([
    may('test') && [t('keys.test'), (key) => act(() => post(pathOf(key, 'test')), (said) => t('keys.tested', { name: said.name, result: checkText(said.check) }))],
    may('restore') && [t('keys.restore'), (key) => act(() => post(pathOf(key, 'restore')), t('keys.restored', { name: key.name })), (key) => ['cooling', 'refused'].includes(key.state)],
    page.may('PATCH api/keys/{id}') && [t('change'), change],
    may('replace') && [t('keys.replace'), replaceSecret],
    may('enable') && [t('keys.enable'), (key) => act(() => post(pathOf(key, 'enable'), {}, key.version), t('keys.is.enabled', { name: key.name })), (key) => key.state === 'disabled'],
    may('disable') && [t('keys.disable'), disable, (key) => !['disabled', 'reenter'].includes(key.state)],
    page.may('DELETE api/keys/{id}') && [t('remove'), async (key) => { await removeObject({ path: pathOf(key), name: key.name, version: key.version, text: t('keys.remove.text') }); refresh(); }],
  ]);
  const list = makeList({ id: 'keys', columns: [...COLUMNS, { id: 'actions', make: actions }], key: (k) => k.id, label: t('page.keys'), fields: ['name', 'upstream', 'last4', 'note', 'account'], empty: 'keys.empty',
    sort: 'name', selectable: may('test'), onSelect: (ids) => setText(testButton, ids.length ? t('keys.test.some', { n: ids.length }) : t('keys.test.all')),
    tools: [h('label', {}, t('filter.state'), state)] });

  async function act(what, done) {
    await attempt(what, done);
    refresh();
  }

  async function testMany() {
    const ids = list.table.selected();
    testButton.disabled = true;
    testButton.setAttribute('aria-busy', 'true');
    await act(() => post('api/keys/test', ids.length ? { ids } : {}), ({ items }) => t('keys.tested.many', { ok: items.filter((key) => key.check?.ok).length, n: items.length }));
    testButton.disabled = false;
    testButton.removeAttribute('aria-busy');
  }

  const names = (upstreams) => upstreams.map((one) => [one.name, one.name]);

  async function add() {
    const upstreams = await someUpstreams(page);
    if (!upstreams) return;
    const fields = await shared(page);
    const key = await createObject({ path: 'api/keys', title: t('keys.add.title'), fields: [
      { name: 'name', type: 'text', needed: true, hint: 'hint.name' }, { name: 'upstream', type: 'choice', options: names(upstreams), needed: true }, SECRET, ...fields] });
    if (key) toast(t('keys.added', { name: key.name }));
    refresh();
  }

  async function importMany() {
    const upstreams = await someUpstreams(page);
    if (upstreams) await importKeys(names(upstreams));
    refresh();
  }

  async function change(key) {
    const fields = await shared(page, key.apps);
    await editObject({ path: pathOf(key), before: key, title: t('keys.edit.title', { name: key.name }),
      fields: [{ name: 'name', type: 'text', needed: true, hint: 'hint.name' }, ...fields.map((field) => ({ ...field, group: undefined, value: undefined }))] });
    refresh();
  }

  async function replaceSecret(key) {
    const said = await edit({ title: t('keys.replace.title', { name: key.name }), intro: t('keys.replace.intro'), before: { name: key.name }, fields: [SECRET],
      ok: t('keys.replace'),
      save: ({ secret }) => post(pathOf(key, 'replace'), { secret }, key.version) });
    if (said) toast(t('keys.replaced', { name: key.name }));
    refresh();
  }

  async function disable(key) {
    const isWanted = await confirm({ title: t('keys.disable.title', { name: key.name }), text: t('keys.disable.text'), ok: t('keys.disable') });
    if (isWanted) await act(() => post(pathOf(key, 'disable'), {}, key.version), t('keys.is.disabled', { name: key.name }));
  }

  append(page.root, [
    h('div', { class: 'head' }, h('h2', {}, t('page.keys')), h('div', { class: 'toolbar' },
      page.may('POST api/keys/test') ? testButton : null,
      page.may('POST api/keys/import') ? button(t('keys.import'), importMany) : null,
      page.may('POST api/keys') ? button(t('keys.add'), add, { class: 'primary' }) : null)),
    list.node,
  ]);
  const refresh = page.every(3000, async (signal) => {
    list.show(await all('api/keys', { state: state.value }, signal));
  });
}
