// SPDX-License-Identifier: Apache-2.0
// Questions in a dialog. Escape and «Cancel» answer no; what has the focus
// before has it afterwards.
import { button, freshId, h, replace, setText } from './dom.js';
import { makeForm } from './form.js';
import { Lost, Refused } from './api.js';
import { t } from './text.js';

export const explain = (error) => (error instanceof Lost ? t('lost')
  : error instanceof Refused ? [error.message, error.detail].filter((text, i, all) => text && all.indexOf(text) === i).join(' ')
    : String(error?.message ?? error));

// At a field: what is wrong with it, without its name.
function explainField(error) {
  const { detail, field } = error;
  if (!field || !detail) return explain(error);
  return detail.startsWith(`${field} `) ? detail.slice(field.length + 1) : detail;
}

export function openDialog(title, ...children) {
  const id = freshId('d');
  const before = document.activeElement;
  const body = h('div', { class: 'body' });
  const dialog = h('dialog', { 'aria-labelledby': id }, h('h2', { id }, title), body);
  replace(body, children);
  document.body.append(dialog);
  const closed = new Promise((done) => {
    dialog.addEventListener('close', () => {
      dialog.remove();
      if (before?.isConnected) before.focus();
      done();
    });
  });
  dialog.showModal();
  return { dialog, body, closed, close: () => dialog.close() };
}

// Is it wanted? `list` names what is meant.
export async function confirm({ title, text, ok, isDanger = false, list = [] }) {
  let isWanted = false;
  const yes = button(ok, () => { isWanted = true; box.close(); }, { class: isDanger ? 'danger' : 'primary', value: 'yes' });
  const no = button(t('cancel'), () => box.close(), { value: 'no' });
  const box = openDialog(title, h('p', {}, text), list.length ? h('ul', { class: 'names' }, list.map((name) => h('li', {}, name))) : null,
    h('div', { class: 'buttons' }, no, yes));
  no.focus();
  await box.closed;
  return isWanted;
}

// A form. save(values, form) does it, and throws what the server said: that is
// shown, and nothing entered is lost. Resolves to what save returned, or null.
// conflict(found) -> nodes is shown at 412, below the form.
export async function edit({ title, fields, before, save, ok, intro, conflict }) {
  const form = makeForm(fields, before);
  const extra = h('div');
  const submit = h('button', { type: 'submit', class: 'primary' }, ok ?? t('save'));
  let result = null;
  let isBusy = false;

  async function send(event) {
    event?.preventDefault();
    const values = isBusy ? null : form.values();
    if (!values) return;
    isBusy = true;
    submit.disabled = true;
    submit.setAttribute('aria-busy', 'true');
    replace(extra);
    try {
      result = (await save(values, form)) ?? true;
      box.close();
    } catch (error) {
      if (error.code === 'version_conflict' && conflict) replace(extra, await conflict(values, form, () => box.close()));
      else form.showError(form.input(error.field) ? explainField(error) : explain(error), error.field);
    } finally {
      isBusy = false;
      submit.disabled = false;
      submit.removeAttribute('aria-busy');
    }
  }

  const box = openDialog(title, h('form', { onsubmit: send, novalidate: '' }, intro ? h('p', { class: 'soft' }, intro) : null, form.node, extra,
    h('div', { class: 'buttons' }, button(t('cancel'), () => box.close()), submit)));
  form.focus();
  await box.closed;
  form.forget();
  return result;
}

// A short word that something was done, or was not.
export function toast(text, state = 'ok') {
  const node = h('p', { class: 'toast', 'data-state': state });
  setText(node, text);
  const place = document.getElementById('toasts');
  place.append(node);
  setTimeout(() => node.remove(), state === 'ok' ? 4000 : 10000);
}

// Does it, and says how it went; true when it was done.
export async function attempt(what, done) {
  try {
    const said = await what();
    toast(typeof done === 'function' ? done(said) : done);
    return true;
  } catch (error) {
    toast(error.code === 'version_conflict' ? t('conflict.short') : explain(error), 'failed');
    return false;
  }
}
