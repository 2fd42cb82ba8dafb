// SPDX-License-Identifier: Apache-2.0
// Callers: tokens, which are shown once, and issuers of JWT.
import { post } from '../api.js';
import { all, appsField, createObject, editObject, makeList, removeObject, rowButtons } from '../crud.js';
import { attempt, confirm, openDialog, toast } from '../dialog.js';
import { append, button, h } from '../dom.js';
import { count, moment, NONE, tail } from '../format.js';
import { t, term } from '../text.js';

const pathOf = (caller, verb) => `api/callers/${encodeURIComponent(caller.id)}${verb ? `/${verb}` : ''}`;
const limits = (c) => [c.startsPerMinute && t('callers.limit.starts', { n: count(c.startsPerMinute) }), c.maxStreams && t('callers.limit.streams', { n: count(c.maxStreams) }),
  c.tokensPerDay && t('callers.limit.tokens', { n: count(c.tokensPerDay) })].filter(Boolean).join(', ') || NONE;

const COLUMNS = [
  { id: 'name', text: (c) => c.name, title: (c) => c.name, sort: (c) => c.name },
  { id: 'kind', text: (c) => term('kind', c.kind), sort: (c) => c.kind },
  { id: 'state', text: (c) => term('state', c.state), badge: (c) => ({ ok: 'good', disabled: '' })[c.state] ?? 'bad', sort: (c) => c.state },
  { id: 'scopes', text: (c) => c.scopes.map((one) => term('scope', one)).join(', ') },
  { id: 'apps', text: (c) => (c.apps.length ? c.apps.join(', ') : t('all')), title: (c) => c.apps.join(', ') },
  { id: 'last4', text: (c) => tail(c.last4) },
  { id: 'limits', text: limits, title: limits },
  { id: 'expiresAt', text: (c) => (c.expiresAt ? moment(c.expiresAt) : t('never')), sort: (c) => c.expiresAt },
  { id: 'note', text: (c) => c.note ?? NONE, title: (c) => c.note },
  { id: 'fingerprint', text: (c) => c.fingerprint ?? NONE, hide: true },
  { id: 'createdAt', text: (c) => moment(c.createdAt), sort: (c) => c.createdAt, hide: true },
];

const NAME = { name: 'name', type: 'text', needed: true, hint: 'hint.name' };
const SCOPES = ['ask', 'read', 'manage'];
const shared = async (page, chosen) => [
  { name: 'scopes', type: 'several', options: SCOPES.map((id) => [id, t(`scope.${id}`), t(`scope.${id}.means`)]), value: SCOPES, needed: true },
  await appsField(page, chosen),
  { name: 'expiresAt', type: 'time', hint: 'hint.expires' },
  { name: 'note', type: 'text' },
  ...['startsPerMinute', 'maxStreams', 'tokensPerDay'].map((name) => ({ name, type: 'number', hint: 'hint.empty', group: 'limits' })),
];
const ISSUER = [
  { name: 'issuer', type: 'text' }, { name: 'audience', type: 'text' },
  { name: 'publicKey', type: 'area', rows: 4, hint: 'hint.public', needed: true },
  { name: 'leewaySeconds', type: 'number', value: 60 },
];
const ALGORITHM = { name: 'algorithm', type: 'choice', options: ['RS256', 'ES256'].map((id) => [id, id]), needed: true };

// navigator.clipboard is there with TLS only; what is selected can be copied
// without it.
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return document.execCommand('copy');
  }
}

// The one time that a token is seen.
async function showOnce({ name, token }) {
  const place = h('input', { type: 'text', readonly: '', class: 'code', value: token, 'aria-label': t('kind.token'), onfocus: (event) => event.target.select() });
  const box = openDialog(t('callers.once.title', { name }), h('p', {}, t('callers.once')), place, h('div', { class: 'buttons' },
    button(t('copy'), async () => {
      place.select();
      if (await copied(token)) toast(t('copied'));
    }), button(t('close'), () => box.close(), { class: 'primary' })));
  await box.closed;
  place.value = '';
}

export function open(page) {
  const may = (verb) => page.may(`POST api/callers/{id}/${verb}`);
  const list = makeList({ id: 'callers', label: t('page.callers'), key: (c) => c.id, fields: ['name', 'note', 'last4', 'issuer'], empty: 'callers.empty', sort: 'name',
    columns: [...COLUMNS, { id: 'actions', make: rowButtons([
      page.may('PATCH api/callers/{id}') && [t('change'), change, (c) => c.state !== 'revoked'],
      may('enable') && [t('keys.enable'), (c) => act(() => post(pathOf(c, 'enable'), {}, c.version), t('keys.is.enabled', { name: c.name })), (c) => c.state === 'disabled'],
      may('disable') && [t('keys.disable'), (c) => act(() => post(pathOf(c, 'disable'), {}, c.version), t('keys.is.disabled', { name: c.name })), (c) => c.state === 'ok'],
      may('revoke') && [t('callers.revoke'), revoke, (c) => c.state !== 'revoked'],
      page.may('DELETE api/callers/{id}') && [t('remove'), async (c) => { await removeObject({ path: pathOf(c), name: c.name, version: c.version, text: t('callers.remove.text') }); refresh(); }],
    ]) }] });

  async function act(what, done) {
    await attempt(what, done);
    refresh();
  }

  async function add(kind) {
    const isToken = kind === 'token';
    const fields = await shared(page);
    const made = await createObject({ path: 'api/callers', title: t(isToken ? 'callers.add.title' : 'callers.issuer.title'),
      fields: isToken ? [NAME, ...fields] : [NAME, ALGORITHM, ...ISSUER, ...fields], body: (values) => ({ ...values, kind }) });
    if (made?.token) await showOnce(made);
    else if (made) toast(t('keys.added', { name: made.name }));
    refresh();
  }

  async function change(caller) {
    const fields = [...(caller.kind === 'jwt' ? ISSUER : []), ...await shared(page, caller.apps)].map((field) => ({ ...field, value: undefined }));
    await editObject({ path: pathOf(caller), before: caller, title: t('keys.edit.title', { name: caller.name }), fields });
    refresh();
  }

  async function revoke(caller) {
    const isWanted = await confirm({ title: t('callers.revoke.title', { name: caller.name }), text: t('callers.revoke.text'), ok: t('callers.revoke'), isDanger: true });
    if (isWanted) await act(() => post(pathOf(caller, 'revoke'), {}, caller.version), t('callers.revoked', { name: caller.name }));
  }

  append(page.root, [
    h('div', { class: 'head' }, h('h2', {}, t('page.callers')), page.may('POST api/callers') ? h('div', { class: 'toolbar' },
      button(t('callers.add.issuer'), () => add('jwt')), button(t('callers.add'), () => add('token'), { class: 'primary' })) : null),
    h('p', { class: 'soft' }, t('callers.intro')),
    list.node,
  ]);
  const refresh = page.every(5000, async (signal) => list.show(await all('api/callers', {}, signal)));
}
