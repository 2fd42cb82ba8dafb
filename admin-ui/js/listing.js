// SPDX-License-Identifier: Apache-2.0
// Filter, sort and page of rows that are here already. Pure.

const fold = (value) => String(value ?? '').toLocaleLowerCase();

export function matches(row, q, fields) {
  const words = fold(q).split(/\s+/).filter(Boolean);
  const text = fields.map((name) => fold(row[name])).join('\n');
  return words.every((word) => text.includes(word));
}

function compare(a, b) {
  const isNone = (value) => value === null || value === undefined;
  if (isNone(a) || isNone(b)) return isNone(a) - isNone(b);
  if (typeof a === 'string' || typeof b === 'string') return String(a).localeCompare(String(b), undefined, { numeric: true });
  return a < b ? -1 : Number(a > b);
}

// What is shown: {rows, total, page, pages}. What has no value stands last.
export function arrange(all, { q = '', fields = [], value = null, order = 'asc', page = 0, size = 50 }) {
  let rows = q ? all.filter((row) => matches(row, q, fields)) : all;
  if (value) {
    const sign = order === 'desc' ? -1 : 1;
    rows = rows.map((row, i) => [value(row), i, row])
      .sort((a, b) => {
        const isNone = [a[0], b[0]].some((one) => one === null || one === undefined);
        return (isNone ? 1 : sign) * compare(a[0], b[0]) || a[1] - b[1];
      })
      .map((triple) => triple[2]);
  }
  const pages = Math.max(1, Math.ceil(rows.length / size));
  const at = Math.min(page, pages - 1);
  return { rows: rows.slice(at * size, (at + 1) * size), total: rows.length, page: at, pages };
}
