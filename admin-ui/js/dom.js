// SPDX-License-Identifier: Apache-2.0
// Data goes in by textContent and nothing else.

export const byId = (id) => document.getElementById(id);

const PROPERTIES = ['value', 'checked', 'disabled', 'hidden', 'selected', 'open'];

// h('button', { type: 'button', onclick: act }, 'text', node, …). A child that
// is null or false is left out; one that is text becomes a text node.
export function h(name, attributes = {}, ...children) {
  const node = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null) continue;
    if (key.startsWith('on')) node.addEventListener(key.slice(2), value);
    else if (PROPERTIES.includes(key)) node[key] = value;
    else node.setAttribute(key, value);
  }
  append(node, children);
  return node;
}

export function append(node, children) {
  for (const child of children.flat(Infinity)) {
    if (child !== null && child !== undefined && child !== false) {
      node.append(child instanceof Node ? child : String(child));
    }
  }
}

export function replace(node, ...children) {
  node.replaceChildren();
  append(node, children);
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

export function setState(node, state) {
  if (!state) delete node.dataset.state;
  else if (node.dataset.state !== state) node.dataset.state = state;
}

let made = 0;
export const freshId = (name) => `${name}-${(made += 1)}`;

// A button: what it says is a word of text.js, already looked up.
export function button(text, onclick, attributes = {}) {
  return h('button', { type: 'button', onclick, ...attributes }, text);
}

// Fills a <dl> with [label, value, state] rows; nodes are kept, so that a
// screen reader's place and a selection survive the refresh.
export function fillList(list, rows) {
  while (list.children.length > rows.length) list.lastElementChild.remove();
  rows.forEach(([label, value, state], i) => {
    let row = list.children[i];
    if (!row) {
      row = h('div', {}, h('dt'), h('dd'));
      list.append(row);
    }
    setState(row, state);
    setText(row.firstElementChild, label);
    const place = row.lastElementChild;
    if (value instanceof Node) replace(place, value);
    else setText(place, String(value ?? '–'));
  });
}

// An in-page message: nothing there, or a failure.
export const notice = (text, state, ...more) => h('div', { class: 'notice', 'data-state': state ?? 'empty' }, h('p', {}, text), more);

export function section(title, ...children) {
  const id = freshId('h');
  return h('section', { 'aria-labelledby': id }, h('h2', { id }, title), children);
}
