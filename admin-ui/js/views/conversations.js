// SPDX-License-Identifier: Apache-2.0
// Conversations: list, usage and retention; one of them is conversation.js.
import { get, patch, post } from '../api.js';
import { confirm, edit, toast } from '../dialog.js';
import { append, button, fillList, h, replace, section } from '../dom.js';
import { bytes, count, moment, NONE } from '../format.js';
import { makePaged } from '../paged.js';
import { makeTable } from '../table.js';
import { t, term } from '../text.js';
import { outcomeState } from './stream.js';
import { openUsage } from './usage.js';

const OUTCOMES = ['live', 'completed', 'length', 'cancelled', 'timeout', 'error', 'interrupted'];

const columns = (mayRead) => [
  { id: 'updatedAt', text: (c) => moment(c.updatedAt), ...(mayRead && { link: (c) => `#conversation/${encodeURIComponent(c.id)}` }) },
  { id: 'owner', text: (c) => c.owner, title: (c) => c.owner },
  { id: 'title', text: (c) => c.title ?? NONE, title: (c) => c.title },
  { id: 'app', text: (c) => c.app ?? NONE },
  { id: 'questions', number: 1, text: (c) => count(c.questions) },
  { id: 'outcome', text: (c) => term('outcome', c.outcome), badge: (c) => outcomeState(c.outcome) },
  { id: 'createdAt', text: (c) => moment(c.createdAt), hide: true },
];

async function deleteMany() {
  const wanted = await edit({ title: t('conv.many.title'), intro: t('conv.many.intro'), ok: t('conv.many.count'), fields: [
    { name: 'user', type: 'text', hint: 'hint.user' }, { name: 'before', type: 'time' }],
    save: async (values) => ({ values, ...await post('api/conversations/delete', { ...values, dryRun: true }) }) });
  if (!wanted) return;
  const n = count(wanted.conversations);
  if (!wanted.conversations) {
    toast(t('conv.many.none'));
    return;
  }
  if (!await confirm({ title: t('conv.many.sure', { n }), text: t('conv.many.text'), ok: t('remove'), isDanger: true, list: Object.values(wanted.values).filter(Boolean) })) return;
  try {
    await post('api/conversations/delete', { ...wanted.values, dryRun: false });
    toast(t('conv.many.queued', { n }));
  } catch (error) {
    toast(error.message, 'failed');
  }
}

function deletions(page) {
  const table = makeTable({ id: 'deletions', label: t('conv.deletions'), key: (d) => d.id, columns: [
    { id: 'requestedAt', text: (d) => moment(d.requestedAt) }, { id: 'actor', text: (d) => d.actor },
    { id: 'user', text: (d) => d.user ?? t('all') }, { id: 'before', text: (d) => moment(d.before) },
    { id: 'deleted', number: 1, text: (d) => `${count(d.deleted)} / ${count(d.conversations)}` },
    { id: 'state', text: (d) => term('deletion', d.state), badge: (d) => (d.state === 'done' ? 'good' : 'busy') },
  ] });
  const node = section(t('conv.deletions'), table.node);
  node.hidden = true;
  page.every(3000, async (signal) => {
    const { items } = await get('api/deletions', {}, signal);
    node.hidden = !items.length;
    table.show(items);
  });
  return node;
}

function openList(page) {
  const mayRead = page.may('GET api/conversations/{id}');
  const list = makePaged(page, { id: 'conversations', columns: columns(mayRead), key: (c) => c.id, label: t('page.conversations'), path: 'api/conversations', empty: 'conv.empty',
    filters: {
      ...(mayRead && { q: { label: t('conv.words'), kind: 'wide' } }),
      user: { label: t('filter.user') }, app: { label: t('filter.app') },
      outcome: { label: t('filter.outcome'), type: 'choice', options: [['', t('all')], ...OUTCOMES.map((id) => [id, term('outcome', id)])] },
      from: { label: t('from'), type: 'time' }, to: { label: t('to'), type: 'time' },
      ...(mayRead && { titles: { label: t('conv.titles'), type: 'tick' } }),
    } });
  return [mayRead ? h('p', { class: 'soft' }, t('conv.audited')) : null, list.node, page.may('GET api/deletions') ? deletions(page) : null];
}

function openRetention(page) {
  const list = h('dl', { class: 'facts' });
  const panel = h('div', { class: 'panel' }, list);
  let now = null;
  const days = (n) => (n === null ? t('retention.forever') : t('retention.days', { n: count(n) }));
  const change = button(t('retention.change'), async () => {
    const said = await edit({ title: t('retention.title'), intro: t('retention.intro'), before: now.retention, fields: [
      { name: 'conversationDays', type: 'number', hint: 'hint.forever' }, { name: 'eventDays', type: 'number', hint: 'hint.events' }],
      save: (values) => patch('api/settings', { retention: values }, now.version) });
    if (said) toast(t('saved'));
    refresh();
  }, { disabled: true });
  const refresh = page.every(5000, async (signal) => {
    now = await get('api/settings', {}, signal);
    change.disabled = false;
    const { retention, progress: p } = now;
    fillList(list, [[t('field.conversationDays'), days(retention.conversationDays)], [t('field.eventDays'), days(retention.eventDays)],
      [t('retention.state'), term('retention', p.state)],
      [t('retention.pass'), p.passAt ? t('retention.pass.text', { at: moment(p.passAt), conversations: count(p.conversationsDeleted), streams: count(p.streamsTrimmed) }) : t('never')],
      [t('retention.oldest'), moment(p.oldestAt)], [t('retention.oldestEvents'), moment(p.oldestEventsAt)], [t('retention.free'), bytes(p.freeBytes)]]);
  });
  return [h('p', { class: 'soft' }, t('retention.intro')), panel, page.may('PATCH api/settings') ? h('p', {}, change) : null];
}

export function open(page) {
  const tabs = [['list', openList], page.may('GET api/usage') && ['usage', openUsage], page.may('GET api/settings') && ['retention', openRetention]].filter(Boolean);
  const [shown, draw] = tabs.find(([id]) => id === page.params.get('tab')) ?? tabs[0];
  const nav = h('nav', { class: 'tabs', 'aria-label': t('page.conversations') }, tabs.map(([id]) => h('a', { href: `#conversations${id === 'list' ? '' : `?tab=${id}`}`, 'aria-current': id === shown ? 'page' : undefined }, t(`tab.${id}`))));
  const body = h('div', { class: 'page' });
  append(page.root, [h('div', { class: 'head' }, h('h2', {}, t('page.conversations')), page.may('POST api/conversations/delete') && shown === 'list' ? button(t('conv.many'), deleteMany) : null), nav, body]);
  replace(body, draw(page));
}
