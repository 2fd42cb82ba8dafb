// SPDX-License-Identifier: Apache-2.0
// «Try it»: asks an app and shows the answer as it streams.
import { events } from '../api.js';
import { explain, openDialog } from '../dialog.js';
import { button, h, replace, setText } from '../dom.js';
import { makeForm } from '../form.js';
import { count, duration } from '../format.js';
import { t } from '../text.js';

export async function tryApp(app) {
  const form = makeForm([{ name: 'message', type: 'area', rows: 3, needed: true }]);
  const answer = h('div', { class: 'answer', tabindex: '0', role: 'log', 'aria-label': t('apps.try.answer'), hidden: true });
  const figures = h('p', { class: 'soft', role: 'status' });
  const failure = h('p', { class: 'failure', role: 'alert', hidden: true });
  let conversationId;
  let asking = null;
  const ask = button(t('apps.try.ask'), () => (asking ? asking.abort() : send()), { class: 'primary' });

  async function send() {
    const values = form.values();
    if (!values) return;
    asking = new AbortController();
    const { signal } = asking;
    const began = performance.now();
    let first = 0;
    let n = 0;
    setText(ask, t('apps.try.stop'));
    replace(answer);
    answer.hidden = false;
    failure.hidden = true;
    setText(figures, '');
    try {
      for await (const { data } of events(`api/apps/${encodeURIComponent(app.name)}/try`, { method: 'POST', body: { message: values.message, ...(conversationId && { conversationId }) }, signal })) {
        const event = JSON.parse(data);
        conversationId = event.conversionId || conversationId;
        n += 1;
        if (event.content) first ||= performance.now() - began;
        if (event.isEnd) {
          setText(answer, event.content || answer.textContent);
          if (event.error || (event.code && event.finishReason === 'error')) fail(event.message ?? event.error ?? event.code);
        } else if (event.content) answer.append(event.content);
        setText(figures, t('apps.try.first', { ms: first ? duration(first) : '–', n: count(n) }));
      }
    } catch (error) {
      if (!signal.aborted) fail(explain(error));
    }
    asking = null;
    setText(ask, t('apps.try.ask'));
  }

  function fail(text) {
    setText(failure, String(text));
    failure.hidden = false;
  }

  const box = openDialog(t('apps.try.title', { name: app.name }), h('p', { class: 'soft' }, t('apps.try.intro')), form.node, answer, figures, failure,
    h('div', { class: 'buttons' }, button(t('close'), () => box.close()), ask));
  form.focus();
  await box.closed;
  asking?.abort();
}
