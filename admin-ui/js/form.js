// SPDX-License-Identifier: Apache-2.0
// Forms out of a list of fields. A field:
//   name      member of the object that is sent; its label is t(`field.${name}`)
//   type      text, secret, number, switch, three (yes, no, as set elsewhere),
//             choice (options: [value, text]), several (the same, or [value,
//             text, what it means]), names (a list), area, json, time
//   hint      name of a sentence below it
//   group     name of the fold it stands in
//   needed    it cannot be empty
// An empty text, number or json is null; an empty list is [].
import { freshId, h, replace, setText } from './dom.js';
import { t } from './text.js';

class Wrong extends Error {}

const readers = {
  text: (input) => input.value.trim() || null,
  secret: (input) => input.value.trim() || null,
  area: (input) => input.value || null,
  choice: (input) => (input.value === '' ? null : input.value),
  switch: (input) => input.checked,
  three: (input) => ({ '': null, yes: true, no: false })[input.value],
  several: (box) => [...box.querySelectorAll('input:checked')].map((input) => input.value),
  names: (input) => input.value.split(/[\s,，、]+/).filter(Boolean),
  number(input) {
    if (input.value.trim() === '' && !input.validity.badInput) return null;
    const n = Number(input.value);
    if (input.validity.badInput || !Number.isSafeInteger(n)) throw new Wrong(t('wrong.number'));
    return n;
  },
  json(input) {
    if (!input.value.trim()) return null;
    try {
      return JSON.parse(input.value);
    } catch {
      throw new Wrong(t('wrong.json'));
    }
  },
  time(input) {
    if (!input.value) return null;
    const date = new Date(input.value);
    if (Number.isNaN(date.getTime())) throw new Wrong(t('wrong.time'));
    return date.toISOString();
  },
};

function localTime(value) {
  if (!value) return '';
  const date = new Date(value);
  return new Date(date.getTime() - date.getTimezoneOffset() * 60000).toISOString().slice(0, 16);
}

function makeBoxes({ name, options }, chosen = []) {
  return h('div', { role: 'group', class: 'several' }, options.map(([value, said, meaning]) => h('label', {},
    h('input', { type: 'checkbox', name, value, checked: chosen.includes(value) }), h('span', {}, said, meaning ? h('small', {}, meaning) : null))));
}

function makeInput(field, value) {
  const text = value === null || value === undefined ? '' : String(value);
  switch (field.type) {
    case 'secret': return h('input', { type: 'password', autocomplete: 'new-password', spellcheck: 'false' });
    case 'number': return h('input', { type: 'number', step: '1', inputmode: 'numeric', placeholder: field.placeholder, value: text });
    case 'switch': return h('input', { type: 'checkbox', checked: Boolean(value) });
    case 'area': return h('textarea', { rows: field.rows ?? '3', spellcheck: 'false', value: text });
    case 'json': return h('textarea', { rows: '4', spellcheck: 'false', class: 'code', value: value ? JSON.stringify(value, null, 2) : '' });
    case 'several': return makeBoxes(field, value ?? []);
    case 'names': return h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', value: (value ?? []).join(', ') });
    case 'time': return h('input', { type: 'datetime-local', value: localTime(value) });
    case 'three':
      return h('select', {}, [['', t('as.set')], ['yes', t('yes')], ['no', t('no')]].map(([id, said]) => h('option', {
        value: id, selected: id === (value === true ? 'yes' : value === false ? 'no' : '') }, said)));
    case 'choice':
      return h('select', {}, field.options.map(([id, said]) => h('option', { value: id, selected: id === text }, said)));
    default: return h('input', { type: 'text', autocomplete: 'off', spellcheck: 'false', placeholder: field.placeholder, value: text });
  }
}

const isSame = (a, b) => JSON.stringify(a ?? null) === JSON.stringify(b ?? null);

export function makeForm(fields, before = {}) {
  const alert = h('p', { class: 'failure', role: 'alert', hidden: true });
  const parts = new Map(fields.map((field) => [field.name, makePart(field)]));
  const types = fields.map((field) => field.type ?? 'text');
  // Password managers, and Chromium on its console, want to know whose it is.
  const whose = types.includes('secret') && !types.includes('text')
    ? h('input', { type: 'text', autocomplete: 'username', value: before.name ?? '', hidden: true }) : null;
  const node = h('div', { class: 'form' }, alert, whose);
  const folds = new Map();

  function makePart(field) {
    const id = freshId('f');
    const type = field.type ?? 'text';
    const input = makeInput({ ...field, type }, before[field.name] ?? field.value);
    input.id = id;
    input.name = field.name;
    if (field.needed) input.setAttribute('aria-required', 'true');
    const hint = field.hint ? h('small', { id: `${id}-hint` }, t(field.hint)) : null;
    const error = h('small', { class: 'failure', id: `${id}-error`, hidden: true });
    input.setAttribute('aria-describedby', [hint && `${id}-hint`, `${id}-error`].filter(Boolean).join(' '));
    input.addEventListener('input', () => clear(part));
    const label = type === 'several' ? h('span', { class: 'label', id: `${id}-label` }, t(`field.${field.name}`)) : h('label', { for: id }, t(`field.${field.name}`));
    if (type === 'several') input.setAttribute('aria-labelledby', label.id);
    const part = { field: { ...field, type }, input, error, node: h('div', { class: type === 'switch' ? 'field switch' : 'field' },
      type === 'switch' ? [input, label] : [label, input], hint, error) };
    return part;
  }

  for (const { field, node: place } of parts.values()) {
    if (!field.group) node.append(place);
    else {
      if (!folds.has(field.group)) {
        folds.set(field.group, h('details', { class: 'fold' }, h('summary', {}, t(`group.${field.group}`))));
        node.append(folds.get(field.group));
      }
      folds.get(field.group).append(place);
    }
  }

  function clear(part) {
    part.input.removeAttribute('aria-invalid');
    part.error.hidden = true;
  }

  function complain(part, text) {
    part.input.setAttribute('aria-invalid', 'true');
    setText(part.error, text);
    part.error.hidden = false;
    const fold = part.node.closest('details');
    if (fold) fold.open = true;
    (part.input.querySelector('input') ?? part.input).focus();
  }

  // All values, or null where one cannot be sent: that is said at its field.
  function values() {
    const found = {};
    let first = null;
    alert.hidden = true;
    for (const part of parts.values()) {
      clear(part);
      try {
        const value = readers[part.field.type](part.input);
        if (part.field.needed && (value === null || value.length === 0)) throw new Wrong(t('wrong.needed'));
        found[part.field.name] = value;
      } catch (error) {
        if (!(error instanceof Wrong)) throw error;
        first ??= [part, error.message];
        complain(part, error.message);
      }
    }
    if (first) complain(...first);
    return first ? null : found;
  }

  return {
    node,
    values,
    input: (name) => parts.get(name)?.input,
    hide: (name, isHidden) => { parts.get(name).node.hidden = isHidden; },
    // What is not as it was; secrets only when one was entered.
    changes(found) {
      return Object.fromEntries(Object.entries(found).filter(([name, value]) => (
        parts.get(name).field.type === 'secret' ? value !== null : !isSame(value, before[name]))));
    },
    // For POST: what was left empty is not sent.
    filled: (found) => Object.fromEntries(Object.entries(found).filter(([, value]) => value !== null)),
    showError(text, field) {
      const part = parts.get(field);
      if (part) complain(part, text);
      else {
        replace(alert, text);
        alert.hidden = false;
        alert.scrollIntoView({ block: 'nearest' });
      }
    },
    forget: () => { for (const part of parts.values()) if (part.field.type === 'secret') part.input.value = ''; },
    focus: () => node.querySelector('input, select, textarea')?.focus(),
  };
}
