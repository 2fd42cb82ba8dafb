// SPDX-License-Identifier: Apache-2.0
// A table whose rows are kept by key, so that focus, selection and a screen
// reader's place survive a refresh. A column:
//   id        its name; its heading is t(`col.${id}`)
//   text      row -> string
//   badge     row -> state: the text in a badge that is drawn by it
//   link      row -> href: the text is a link
//   title     row -> the whole text, where the cell may cut it
//   make      row() -> node, once a row, such as buttons
//   number    it is a number
//   sort      the server's name of it, or a function row -> value
//   hide      not shown until chosen
import { h, setState, setText } from './dom.js';
import { remember, remembered, t } from './text.js';

export function makeTable({ id, columns, key, label, selectable = false, onSort, onSelect, sort = '', order = 'asc', empty = 'nothing' }) {
  const rows = new Map(); // key -> {tr, row}
  const chosen = new Set();
  const remembers = `bailian.admin.columns.${id}`;
  let hidden = new Set(hiddenAtFirst());
  const head = h('tr');
  const body = h('tbody');
  const table = h('table', { class: 'list' }, h('caption', { class: 'unseen' }, label), h('thead', {}, head), body);
  const nothing = h('p', { class: 'nothing', hidden: true });
  const scroll = h('div', { class: 'scroll', hidden: true, tabindex: '0', role: 'region', 'aria-label': label }, table);
  const node = h('div', { class: 'table' }, scroll, nothing);
  const all = h('input', { type: 'checkbox', 'aria-label': t('select.all'), onchange: () => selectAll(all.checked) });

  function hiddenAtFirst() {
    const kept = remembered(remembers);
    if (kept !== null) return kept.split(',').filter(Boolean);
    return columns.filter((column) => column.hide).map((column) => column.id);
  }

  const shown = () => columns.filter((column) => !hidden.has(column.id));

  function heading(column) {
    const kind = column.number ? { class: 'number' } : {};
    if (!column.sort) return h('th', { scope: 'col', ...kind }, column.make ? h('span', { class: 'unseen' }, t(`col.${column.id}`)) : t(`col.${column.id}`));
    const isSorted = sort === column.id;
    return h('th', { scope: 'col', ...kind, 'aria-sort': isSorted ? (order === 'asc' ? 'ascending' : 'descending') : undefined },
      h('button', { type: 'button', class: 'sort', onclick: () => sortBy(column) }, t(`col.${column.id}`)));
  }

  function drawHead() {
    const focused = [...head.children].findIndex((th) => th.contains(document.activeElement));
    head.replaceChildren(...(selectable ? [h('th', { class: 'pick' }, all)] : []), ...shown().map(heading));
    if (focused >= 0) head.children[focused]?.querySelector('button')?.focus();
  }

  function sortBy(column) {
    if (sort === column.id) order = order === 'asc' ? 'desc' : 'asc';
    else [sort, order] = [column.id, column.number ? 'desc' : 'asc'];
    drawHead();
    onSort?.();
  }

  function makeRow(rowKey) {
    const kept = { tr: h('tr'), row: null };
    if (selectable) {
      const box = h('input', { type: 'checkbox', onchange: () => pick(rowKey, box.checked) });
      kept.tr.append(h('td', { class: 'pick' }, box));
    }
    for (const column of shown()) {
      const cell = h('td', { 'data-col': column.id, 'data-label': column.make ? '' : t(`col.${column.id}`), ...(column.number ? { class: 'number' } : {}) });
      if (column.make) cell.append(column.make(() => kept.row));
      else if (column.link) cell.append(h('a'));
      else if (column.badge) cell.append(h('span', { class: 'badge' }));
      kept.tr.append(cell);
    }
    return kept;
  }

  function fill(kept) {
    const { tr, row } = kept;
    shown().forEach((column, i) => {
      const cell = tr.cells[i + (selectable ? 1 : 0)];
      if (column.make) {
        cell.firstElementChild.refresh?.(row);
        return;
      }
      const place = cell.firstElementChild ?? cell;
      setText(place, column.text(row));
      if (column.link) place.setAttribute('href', column.link(row));
      if (column.badge) setState(place, column.badge(row));
      if (column.title) cell.title = column.title(row) ?? '';
    });
    if (selectable) {
      const box = tr.cells[0].firstElementChild;
      box.checked = chosen.has(key(row));
      box.setAttribute('aria-label', t('select.one', { name: row.name ?? row.id }));
    }
  }

  function pick(rowKey, isPicked) {
    if (isPicked) chosen.add(rowKey);
    else chosen.delete(rowKey);
    onSelect?.([...chosen]);
  }

  function selectAll(isPicked) {
    for (const [rowKey, kept] of rows) {
      kept.tr.cells[0].firstElementChild.checked = isPicked;
      if (isPicked) chosen.add(rowKey);
      else chosen.delete(rowKey);
    }
    onSelect?.([...chosen]);
  }

  function show(list, isFiltered = false) {
    const wanted = new Set(list.map(key));
    for (const [rowKey, kept] of rows) {
      if (!wanted.has(rowKey)) {
        kept.tr.remove();
        rows.delete(rowKey);
        if (chosen.delete(rowKey)) onSelect?.([...chosen]);
      }
    }
    list.forEach((row, i) => {
      const rowKey = key(row);
      if (!rows.has(rowKey)) rows.set(rowKey, makeRow(rowKey));
      const kept = rows.get(rowKey);
      kept.row = row;
      fill(kept);
      if (body.children[i] !== kept.tr) body.insertBefore(kept.tr, body.children[i] ?? null);
    });
    all.checked = list.length > 0 && list.every((row) => chosen.has(key(row)));
    scroll.hidden = list.length === 0;
    nothing.hidden = list.length > 0;
    setText(nothing, t(isFiltered ? 'nothing.found' : empty));
  }

  function chooseColumns() {
    const boxes = columns.filter((column) => !column.make).map((column) => {
      const box = h('input', { type: 'checkbox', checked: !hidden.has(column.id), onchange: () => {
        if (box.checked) hidden.delete(column.id);
        else hidden.add(column.id);
        remember(remembers, [...hidden].join(','));
        redraw();
      } });
      return h('label', {}, box, t(`col.${column.id}`));
    });
    return h('details', { class: 'columns' }, h('summary', {}, t('columns')), h('div', { class: 'menu' }, boxes));
  }

  function redraw() {
    const list = [...body.children].map((tr) => [...rows.values()].find((kept) => kept.tr === tr).row);
    rows.clear();
    body.replaceChildren();
    drawHead();
    show(list);
  }

  drawHead();
  return {
    node,
    show,
    chooseColumns,
    selected: () => [...chosen],
    clear: () => { chosen.clear(); show([...rows.values()].map((kept) => kept.row)); onSelect?.([]); },
    sorted: () => {
      const column = columns.find((one) => one.id === sort);
      return { by: column?.sort, order };
    },
  };
}

// «100–200 of 345», back and on. go(-1 | 1) asks for another page.
export function makePager(go) {
  const back = h('button', { type: 'button', disabled: true, onclick: () => go(-1) }, t('page.back'));
  const on = h('button', { type: 'button', disabled: true, onclick: () => go(1) }, t('page.on'));
  const text = h('span');
  const node = h('div', { class: 'pager', hidden: true }, text, back, on);
  return {
    node,
    show({ from, count, total, hasBack, hasOn }) {
      setText(text, !count ? '' : total === undefined ? t('page.range', { from: from + 1, to: from + count })
        : t('page.of', { from: from + 1, to: from + count, total: total.toLocaleString('en-US') }));
      back.disabled = !hasBack;
      on.disabled = !hasOn;
      node.hidden = !hasBack && !hasOn;
    },
  };
}
