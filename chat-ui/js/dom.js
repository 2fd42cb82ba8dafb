// SPDX-License-Identifier: Apache-2.0
// dom - the few things that every view does with elements.
import { translate } from './text.js';

export const byId = (id) => document.getElementById(id);

// A fresh copy of a template's only element.
export function template(id) {
  const copy = byId(`${id}-template`).content.firstElementChild.cloneNode(true);
  translate(copy);
  return copy;
}

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

const LINK_SCHEMES = ['http:', 'https:', 'mailto:'];

// The address if a link may lead there, else ''.
export function safeUrl(text) {
  try {
    const url = new URL(text);
    return LINK_SCHEMES.includes(url.protocol) ? url.href : '';
  } catch {
    return ''; // a relative one would lead into this server
  }
}

export function link(text, url) {
  const made = element('a', '', text);
  made.href = url;
  made.rel = 'noopener noreferrer';
  made.target = '_blank';
  return made;
}

// The clipboard exists in secure contexts only.
export async function copyText(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const area = element('textarea', 'hidden');
  area.value = text;
  document.body.append(area);
  area.select();
  document.execCommand('copy');
  area.remove();
}
