// SPDX-License-Identifier: Apache-2.0
// Many keys at once: a dry run shows what is wrong with which line.
import { post } from '../api.js';
import { explain, openDialog, toast } from '../dialog.js';
import { button, h, replace } from '../dom.js';
import { makeForm } from '../form.js';
import { count } from '../format.js';
import { readLines } from '../lines.js';
import { makeTable } from '../table.js';
import { t } from '../text.js';

export async function importKeys(upstreams) {
  const form = makeForm([{ name: 'upstream', type: 'choice', options: upstreams, needed: true }, { name: 'lines', type: 'area', rows: 8, needed: true }]);
  const result = h('div', { role: 'status' });
  const add = button('', () => send(false), { class: 'primary', hidden: true });
  const table = makeTable({ id: 'import', label: t('keys.import'), key: (row) => row.index, columns: [
    { id: 'index', number: 1, text: (row) => count(row.index + 1) },
    { id: 'name', text: (row) => row.name ?? '–' },
    { id: 'ok', text: (row) => (row.ok ? t('keys.item.ok') : row.detail), badge: (row) => (row.ok ? 'good' : 'bad'), title: (row) => row.detail },
  ] });
  form.input('lines').addEventListener('input', () => { add.hidden = true; });

  function tell({ items, added }) {
    const wrong = items.filter((one) => !one.ok).length;
    table.show(items);
    replace(result, h('p', { class: wrong ? 'failure' : '' }, wrong ? t('keys.import.wrong', { n: wrong }) : t('keys.import.ready', { n: items.length })), table.node);
    add.hidden = wrong > 0 || added > 0;
    replace(add, t('keys.import.now', { n: items.length }));
  }

  async function send(dryRun) {
    const values = form.values();
    if (!values) return;
    try {
      const said = await post('api/keys/import', { dryRun, keys: readLines(values.lines).map((key) => ({ upstream: values.upstream, ...key })) });
      if (dryRun) { tell(said); return; }
      toast(t('keys.import.done', { n: said.added }));
      box.close();
    } catch (error) {
      if (Array.isArray(error.problem?.items)) tell({ items: error.problem.items, added: 0 });
      else form.showError(explain(error), error.field === 'upstream' ? 'upstream' : '');
    }
  }

  const box = openDialog(t('keys.import.title'), h('p', { class: 'soft' }, t('keys.import.intro')), form.node, result,
    h('div', { class: 'buttons' }, button(t('cancel'), () => box.close()), button(t('keys.import.dry'), () => send(true)), add));
  form.focus();
  await box.closed;
  form.input('lines').value = ''; // secrets are not kept
}
