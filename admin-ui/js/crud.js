// SPDX-License-Identifier: Apache-2.0
// What lists of stored objects have in common: they are all here, are filtered
// and sorted here, and each can be added, edited and deleted.
import { get, patch, post, remove } from './api.js';
import { attempt, confirm, edit, explain, openDialog, toast } from './dialog.js';
import { button, h, replace } from './dom.js';
import { arrange } from './listing.js';
import { makePager, makeTable } from './table.js';
import { t } from './text.js';

const MOST = 500; // of a page of the API
const SIZE = 50; // rows that are shown at once

// All items of a list, page by page.
export async function all(path, query, signal) {
  const items = [];
  let cursor = '';
  do {
    const page = await get(path, { ...query, limit: MOST, cursor }, signal);
    items.push(...page.items);
    cursor = page.next;
  } while (cursor);
  return items;
}

// The upstreams, to choose from; null where there is none, which is said.
export async function someUpstreams(page) {
  try {
    const found = await all('api/upstreams', {}, page.signal);
    if (found.length) return found;
    toast(t('upstreams.first'), 'failed');
  } catch (error) {
    toast(explain(error), 'failed');
  }
  return null;
}

// A field that chooses among the apps; those that are chosen can be gone.
export async function appsField(page, chosen = [], more = {}) {
  const apps = await all('api/apps', {}, page.signal).catch(() => []);
  const names = new Set([...chosen, ...apps.map((app) => app.name)]);
  return { name: 'apps', type: 'several', options: [...names].map((name) => [name, name]), hint: 'hint.none', ...more };
}

// A table of objects that are all here. `fields`: in which the filter looks.
export function makeList({ fields, tools = [], ...options }) {
  let rows = [];
  let at = 0;
  const find = h('input', { type: 'search', oninput: () => { at = 0; draw(); } });
  const table = makeTable({ ...options, onSort: () => draw() });
  const pager = makePager((step) => { at += step; draw(); });

  function draw() {
    const { by, order } = table.sorted();
    const found = arrange(rows, { q: find.value, fields, value: by, order, page: at, size: SIZE });
    at = found.page;
    table.show(found.rows, rows.length > 0);
    pager.show({ from: at * SIZE, count: found.rows.length, total: found.total, hasBack: at > 0, hasOn: at + 1 < found.pages });
  }

  return {
    node: h('div', {}, h('div', { class: 'toolbar' }, h('label', { class: 'wide' }, t('search'), find), h('span', { class: 'space' }), tools, table.chooseColumns()), table.node, pager.node),
    table,
    show(list) { rows = list; draw(); },
  };
}

const FIT = 3; // buttons that stand in a row

// All that may be done with a row, to choose from.
async function choose(row, actions) {
  let chosen = null;
  const box = openDialog(row.name ?? row.id, h('div', { class: 'choices' }, actions.map(([text, act]) => button(text, () => { chosen = act; box.close(); }))),
    h('div', { class: 'buttons' }, button(t('cancel'), () => box.close())));
  await box.closed;
  chosen?.(row);
}

// Buttons of a row; a button is [text, act(row), when(row)] or null. What does
// not fit is behind «More».
export function rowButtons(list, fit = FIT) {
  const actions = list.filter(Boolean);
  const able = (row) => actions.filter(([, , when]) => !when || when(row));
  return (row) => {
    const first = actions.length > fit ? actions.slice(0, 1) : actions;
    const made = first.map(([text, act, when]) => ({ when, node: button(text, () => act(row()), { class: 'small' }) }));
    if (first.length < actions.length) made.push({ node: button(`${t('more')} …`, () => choose(row(), able(row()).filter((one) => !first.includes(one))), { class: 'small' }) });
    const box = h('div', { class: 'row-actions' }, made.map((one) => one.node));
    box.refresh = (now) => {
      for (const { when, node } of made) {
        node.hidden = when ? !when(now) : false;
        node.setAttribute('aria-label', `${node.textContent} ${now.name ?? now.id}`);
      }
    };
    return box;
  };
}

const shown = (value) => (value === null || value === undefined ? '–' : typeof value === 'object' ? JSON.stringify(value) : String(value));

// What an edit and the object as it is stored now do not agree in.
function conflictNodes(mine, now, save, discard) {
  const rows = Object.entries(mine).filter(([name, value]) => shown(value) !== shown(now[name]));
  return h('div', { class: 'conflict', role: 'alert' }, h('b', {}, t('conflict.title')),
    h('table', {}, h('thead', {}, h('tr', {}, ['', t('conflict.mine'), t('conflict.theirs')].map((text) => h('th', { scope: 'col' }, text)))),
      h('tbody', {}, rows.map(([name, value]) => h('tr', {}, h('th', { scope: 'row' }, t(`field.${name}`)), h('td', {}, shown(value)), h('td', {}, shown(now[name])))))),
    h('div', { class: 'buttons' }, button(t('conflict.discard'), discard), button(t('conflict.overwrite'), save, { class: 'primary' })));
}

// Edits the object at `path`; resolves to it as it is then, or to null. A
// conflict shows both versions and lets the user choose.
export async function editObject({ path, before, fields, title, intro, done }) {
  let { version } = before;
  const send = async (values, form) => {
    const changes = form.changes(values);
    return Object.keys(changes).length ? patch(path, changes, version) : before;
  };
  let overwritten = null;
  const result = await edit({ title, fields, before, intro, save: send,
    async conflict(values, form, close) {
      let now;
      try {
        now = await get(path);
      } catch {
        return h('p', { class: 'failure', role: 'alert' }, t('conflict.gone'));
      }
      version = now.version;
      const place = h('div');
      const save = async () => {
        try {
          overwritten = await send(values, form);
          close();
        } catch (error) {
          form.showError(explain(error), error.field);
        }
      };
      replace(place, conflictNodes(form.changes(values), now, save, close));
      return place;
    } });
  const object = result ?? overwritten;
  if (object) await attempt(async () => object, (said) => done?.(said) ?? t('saved'));
  return object;
}

export const createObject = ({ path, fields, title, intro, before, body = (values) => values }) => edit({
  title, intro, fields, before, ok: t('add'), save: (values, form) => post(path, body(form.filled(values), values)) });

export async function removeObject({ path, name, version, text }) {
  if (!await confirm({ title: t('keys.remove.title', { name }), text, ok: t('remove'), isDanger: true })) return false;
  return attempt(() => remove(path, version), t('removed', { name }));
}

