// SPDX-License-Identifier: Apache-2.0
// The language of the page. Every sentence that is seen is in words/, as
// [English, Chinese].
import alerts from './words/alerts.js';
import audit from './words/audit.js';
import codes from './words/codes.js';
import common from './words/common.js';
import live from './words/live.js';
import manage from './words/manage.js';
import records from './words/records.js';
import upstream from './words/upstream.js';

const words = { ...alerts, ...audit, ...codes, ...common, ...live, ...manage, ...records, ...upstream };

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is switched off
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // then it holds for this page only
  }
}

export const remembered = stored;

let language = stored('bailian.admin.language') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en');

export const isChinese = () => language === 'zh';
export const tag = () => (isChinese() ? 'zh-CN' : 'en');
export const has = (name) => Object.hasOwn(words, name);

// The sentence called `name`; {x} in it is replaced by values.x.
export function t(name, values = {}) {
  const pair = has(name) ? words[name] : [name, name];
  return pair[isChinese() ? 1 : 0].replace(/\{(\w+)\}/g, (_, key) => String(values[key] ?? ''));
}

// The word for a value that the server sent, such as a phase; itself where
// there is none.
export const term = (kind, value) => (has(`${kind}.${value}`) ? t(`${kind}.${value}`) : String(value ?? '–'));

// All of a kind: [value, word].
export const terms = (kind) => Object.keys(words).filter((name) => name.startsWith(`${kind}.`)).map((name) => [name.slice(kind.length + 1), t(name)]);

// An upstream's own code, and behind it what it means, where that is known.
const folded = (code) => code.toLowerCase().replaceAll('_', '');
const upstreamCodes = new Map(Object.keys(upstream).map((name) => [folded(name.slice('upstream.'.length)), name]));

export function upstreamCode(code) {
  for (let part = folded(code ?? ''); part; part = part.slice(0, Math.max(0, part.lastIndexOf('.')))) {
    if (upstreamCodes.has(part)) return t('upstream.said', { code, means: t(upstreamCodes.get(part)) });
  }
  return code || '–';
}

export function switchLanguage() {
  language = isChinese() ? 'en' : 'zh';
  remember('bailian.admin.language', language);
}

export function applyTo(root) {
  root.documentElement.lang = tag();
  for (const node of root.querySelectorAll('[data-text]')) node.textContent = t(node.dataset.text);
  for (const node of root.querySelectorAll('[data-label]')) node.setAttribute('aria-label', t(node.dataset.label));
  root.title = t('title');
}
