// SPDX-License-Identifier: Apache-2.0
// A list that the server filters and cuts into pages by cursor.
import { address, get } from './api.js';
import { freshId, h } from './dom.js';
import { makePager, makeTable } from './table.js';
import { t } from './text.js';

const TYPING_MS = 300;

// filters: {name: {label, type: text|time|choice|tick, options, kind, known}}, where
// kind is how broad it is: wide, narrow; known: what a text can well be. The
// page keeps what was entered in its address. query(values) -> for the server.
export function makePaged(page, { path, filters, query = (values) => values, file, filled = () => {}, ...options }) {
  let cursors = ['']; // of the pages before this one, and of this one
  let before = 0; // rows on the pages before
  let sizes = [];
  let next = null;
  let timer = null;
  const inputs = Object.fromEntries(Object.entries(filters).map(([name, filter]) => [name, makeInput(name, filter)]));
  const table = makeTable(options);
  const pager = makePager((step) => {
    if (step > 0) { before += sizes.at(-1); cursors.push(next); } else { cursors.pop(); sizes.pop(); before -= sizes.at(-1) ?? 0; }
    if (cursors.length === 1) before = 0;
    refresh();
  });
  const csv = file ? h('a', { class: 'button', download: file }, t('csv')) : null;

  function changed() {
    clearTimeout(timer);
    timer = setTimeout(() => { cursors = ['']; sizes = []; before = 0; page.keep({ tab: page.params.get('tab') ?? '', ...values() }); refresh(); }, TYPING_MS);
  }

  function makeInput(name, { type = 'text', options: choices, value = '', known = [] }) {
    const given = page.params.get(name) ?? value;
    if (type === 'choice') return h('select', { onchange: changed }, choices.map(([id, said]) => h('option', { value: id, selected: id === given }, said)));
    if (type === 'tick') return h('input', { type: 'checkbox', checked: given === '1', onchange: changed });
    const list = known.length ? freshId('known') : undefined;
    if (list) page.root.append(h('datalist', { id: list }, known.map(([id, said]) => h('option', { value: id }, said))));
    return h('input', { list, type: { time: 'datetime-local', day: 'date' }[type] ?? 'search', value: given, oninput: changed });
  }

  function values() {
    return Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.type === 'checkbox' ? (input.checked ? '1' : '') : input.value.trim()]));
  }

  function asked() {
    const found = values();
    for (const [name, { type }] of Object.entries(filters)) {
      if (type === 'time' && found[name]) found[name] = new Date(found[name]).toISOString();
    }
    return query(found);
  }

  async function ask(signal) {
    const wanted = asked();
    if (csv) csv.href = address(path, { ...wanted, format: 'csv' }).href;
    const said = await get(path, { ...wanted, cursor: cursors.at(-1) }, signal);
    next = said.next ?? null;
    sizes[cursors.length - 1] = said.items.length;
    table.show(said.items);
    pager.show({ from: before, count: said.items.length, hasBack: cursors.length > 1, hasOn: Boolean(next) });
    await filled(wanted, said, signal);
  }

  const label = (name, { label: text, type, kind }) => h('label', { class: kind ?? { tick: 'tick', time: 'time' }[type] ?? '' }, type === 'tick' ? [inputs[name], text] : [text, inputs[name]]);
  const refresh = page.every(0, ask);
  return {
    node: h('div', {}, h('div', { class: 'toolbar' }, Object.entries(filters).map(([name, filter]) => label(name, filter)), h('span', { class: 'space' }), table.chooseColumns(), csv), table.node, pager.node),
    table,
    refresh,
    asked,
  };
}
