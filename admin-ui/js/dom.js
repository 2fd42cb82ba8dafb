// SPDX-License-Identifier: Apache-2.0
// Data goes in by textContent and nothing else.

export const byId = (id) => document.getElementById(id);

export function element(name, text, attributes = {}) {
  const node = document.createElement(name);
  if (text !== undefined) node.textContent = text;
  for (const [key, value] of Object.entries(attributes)) {
    node.setAttribute(key, value);
  }
  return node;
}

// Fills a <dl> with [label, value, state] rows; nodes are kept, so that a
// screen reader's place and a selection survive the refresh.
export function fillList(list, rows) {
  const template = byId('card');
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([label, value, state], i) => {
    let row = list.children[i];
    if (!row) {
      row = template.content.firstElementChild.cloneNode(true);
      list.append(row);
    }
    if (state) row.dataset.state = state;
    else delete row.dataset.state;
    setText(row.querySelector('dt'), label);
    setText(row.querySelector('dd'), value);
  });
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
