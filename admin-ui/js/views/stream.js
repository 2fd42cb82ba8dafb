// SPDX-License-Identifier: Apache-2.0
// One stream, live or ended: what happened to it, and why it ended.
import { events, get } from '../api.js';
import { explain } from '../dialog.js';
import { append, button, fillList, h, notice, replace, section, setState, setText } from '../dom.js';
import { age, bytes, count, duration, moment, rate, tail } from '../format.js';
import { makeTable } from '../table.js';
import { t, term, upstreamCode } from '../text.js';
import { phaseState, phaseText, stopStreams } from './live.js';

export const outcomeState = (outcome) => ({ completed: 'good', length: 'good', cancelled: '', live: 'busy' })[outcome] ?? 'bad';

const badge = (text, state) => h('span', { class: 'badge', 'data-state': state }, text);

function facts(s) {
  const rows = [
    s.live ? [t('col.phase'), badge(phaseText(s), phaseState(s.phase))]
      : [t('col.outcome'), h('span', {}, badge(term('outcome', s.outcome), outcomeState(s.outcome)), ' ', [s.code && term('code', s.code), s.upstreamCode && upstreamCode(s.upstreamCode)].filter(Boolean).join(' · '))],
    [t('col.owner'), s.owner], [t('col.app'), s.app], [t('col.transport'), term('transport', s.transport)], [t('col.client'), s.client],
    [t('col.startedAt'), moment(s.startedAt)],
    s.live ? [t('col.age'), age(s.ageMs)] : [t('col.duration'), duration(s.durationMs)],
    [t('col.firstContent'), duration(s.firstContentMs)],
    [t('col.events'), count(s.events)], [t('col.bytes'), bytes(s.bytes)],
  ];
  if (s.live) {
    rows.push([t('col.silent'), age(s.silentMs)], [t('col.rate'), rate(s.eventsPerSecond)], [t('col.queue'), bytes(s.queueBytes)],
      [t('col.heartbeats'), count(s.heartbeats)], [t('col.readers'), count(s.readers)], [t('col.attempt'), `${s.attempt}/${s.attemptsMost}`], [t('col.key'), tail(s.key)]);
  } else {
    rows.push([t('col.upstream'), s.upstream], [t('col.key'), `${s.keyName ?? ''} ${tail(s.key)}`], [t('stream.model'), s.model], [t('stream.finish'), s.finishReason],
      [t('col.inputTokens'), count(s.inputTokens)], [t('col.outputTokens'), count(s.outputTokens)],
      [t('col.requestId'), s.requestId], [t('col.upstreamRequestId'), s.upstreamRequestId], [t('stream.conversation'), s.conversationId]);
  }
  return rows.map(([label, value]) => [label, value || '–']);
}

function line({ atMs, what, n, class: kind, status, outcome }) {
  const said = t(`what.${what}`, { n: n ?? '', ms: duration(n), class: kind && kind !== 'ok' ? term('code', kind) : '', status: status || '', outcome: outcome ? term('outcome', outcome) : '' });
  const state = what === 'failed' || (what === 'end' && outcomeState(outcome) === 'bad') ? 'bad' : ['firstContent', 'end'].includes(what) ? 'good' : '';
  return h('li', { 'data-state': state }, h('time', {}, duration(atMs)), h('span', { class: 'what' }, said));
}

function makeText(page) {
  const answer = h('div', { class: 'answer', tabindex: '0', role: 'region', 'aria-label': t('stream.text'), hidden: true });
  const show = button(t('stream.text.show'), read);

  async function read() {
    show.hidden = true;
    answer.hidden = false;
    replace(answer);
    try {
      for await (const { data } of events(`api/streams/${encodeURIComponent(page.id)}/events`, { query: { after: 0 }, signal: page.signal })) {
        const event = JSON.parse(data);
        if (event.isEnd) setText(answer, event.content || answer.textContent);
        else if (event.content) answer.append(event.content);
      }
    } catch (error) {
      if (page.signal.aborted) return;
      append(answer, [h('p', { class: 'failure' }, explain(error))]);
      show.hidden = false;
    }
  }

  return section(t('stream.text'), page.may('GET api/streams/{id}/events') ? [h('p', { class: 'soft' }, show, ' ', t('stream.text.hint')), answer]
    : h('p', { class: 'soft' }, t('role.needs', { role: term('role', 'operator') })));
}

export function open(page) {
  const list = h('dl', { class: 'facts' });
  const timeline = h('ol', { class: 'timeline' });
  const lost = h('p', { class: 'soft', hidden: true });
  const attempts = makeTable({ id: 'attempts', label: t('stream.attempts'), key: (a) => a.n, columns: [
    { id: 'n', number: 1, text: (a) => count(a.n) },
    { id: 'class', text: (a) => term(a.class === 'ok' ? 'check' : 'code', a.class), title: (a) => a.class, badge: (a) => (a.class === 'ok' ? 'good' : 'bad') },
    { id: 'status', number: 1, text: (a) => (a.status ? String(a.status) : '–') },
    { id: 'upstreamCode', text: (a) => upstreamCode(a.code), title: (a) => upstreamCode(a.code) },
    { id: 'ms', number: 1, text: (a) => duration(a.ms) },
  ] });
  const stop = button(t('live.stop'), () => stopStreams([page.id]).then(refresh), { class: 'danger', hidden: true });
  const content = h('div', { class: 'page' },
    h('div', { class: 'columns-2' },
      section(t('stream.facts'), h('div', { class: 'panel' }, list)),
      section(t('stream.timeline'), h('div', { class: 'panel' }, timeline, lost))),
    section(t('stream.attempts'), attempts.node), makeText(page));
  append(page.root, [h('div', { class: 'head' }, h('h2', {}, `${t('page.stream')} `, h('code', {}, page.id)),
    h('div', { class: 'toolbar' }, h('a', { class: 'button', href: '#live' }, t('stream.back')), stop)), content]);
  let isOver = false;

  const refresh = page.every(1000, async (signal) => {
    if (isOver) return;
    let s;
    try {
      s = await get(`api/streams/${encodeURIComponent(page.id)}`, {}, signal);
    } catch (error) {
      if (error.status !== 404) throw error;
      isOver = true;
      replace(content, notice(t('stream.gone')));
      return;
    }
    isOver = !s.live;
    fillList(list, facts(s));
    replace(timeline, s.timeline.map(line));
    lost.hidden = !s.timelineLost;
    setText(lost, t('stream.lost', { n: count(s.timelineLost) }));
    attempts.show(s.attempts);
    stop.hidden = !s.live || !page.may('POST api/live/stop');
    setState(content, s.live ? 'live' : 'ended');
  });
}
