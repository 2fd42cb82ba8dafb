// SPDX-License-Identifier: Apache-2.0
// One conversation, read by somebody who may.
import { address, get, remove } from '../api.js';
import { attempt, confirm } from '../dialog.js';
import { append, button, h, notice, replace, setText } from '../dom.js';
import { count, moment } from '../format.js';
import { t, term } from '../text.js';
import { outcomeState } from './stream.js';

const safe = (url) => (/^https?:\/\//i.test(url ?? '') ? url : null);

function reference({ title, url, index }) {
  const text = `${index ?? ''} ${title ?? url ?? ''}`;
  return h('li', {}, safe(url) ? h('a', { href: safe(url), target: '_blank', rel: 'noopener noreferrer' }, text) : text);
}

function message(m, hasStream) {
  const outcome = m.role === 'assistant' ? m.outcome ?? m.state : null;
  return h('article', { class: 'message', 'data-role': m.role }, h('div', { class: 'meta' },
    h('b', {}, term('msg', m.role)), h('time', {}, moment(m.createdAt)),
    outcome ? h('span', { class: 'badge', 'data-state': outcomeState(outcome) }, [term('outcome', outcome), m.reason && term('code', m.reason)].filter(Boolean).join(' · ')) : null,
    m.app ? h('span', {}, m.app) : null,
    m.usage ? h('span', {}, t('msg.tokens', { in: count(m.usage.inputTokens), out: count(m.usage.outputTokens) })) : null,
    m.streamId && hasStream ? h('a', { href: `#stream/${encodeURIComponent(m.streamId)}` }, t('page.stream')) : null),
  m.reasoning ? h('details', {}, h('summary', {}, t('conv.reasoning')), h('div', { class: 'text' }, m.reasoning)) : null,
  h('div', { class: 'text' }, m.content),
  m.references?.length ? h('ul', {}, m.references.map(reference)) : null);
}

export function open(page) {
  const path = `api/conversations/${encodeURIComponent(page.id)}`;
  const title = h('span');
  const body = h('div', { class: 'messages' });
  const file = (format, name) => h('a', { class: 'button', download: name, href: address(`${path}/export`, { format }).href }, format === 'json' ? t('json') : 'Markdown');
  const erase = async () => {
    if (!await confirm({ title: t('conv.delete.title'), text: t('conv.delete.text'), ok: t('remove'), isDanger: true })) return;
    if (await attempt(() => remove(path), t('conv.deleted'))) location.hash = '#conversations';
  };
  append(page.root, [h('div', { class: 'head' }, h('h2', {}, title), h('div', { class: 'toolbar' }, h('a', { class: 'button', href: '#conversations' }, t('conv.back')),
    page.may('GET api/conversations/{id}/export') ? [file('markdown', 'conversation.md'), file('json', 'conversation.json')] : null,
    page.may('DELETE api/conversations/{id}') ? button(t('remove'), erase, { class: 'danger' }) : null)), body]);
  page.every(0, async (signal) => {
    try {
      const found = await get(path, {}, signal);
      setText(title, found.title ?? found.conversationId ?? page.id);
      replace(body, h('p', { class: 'soft' }, `${found.owner} · ${moment(found.createdAt)}`), found.messages.map((one) => message(one, page.may('GET api/streams/{id}'))));
    } catch (error) {
      if (error.status !== 404) throw error;
      replace(body, notice(t('conv.gone')));
    }
  });
}
