// SPDX-License-Identifier: Apache-2.0
// Every stream of all children, pushed; filtered, sorted and cut by the server.
import { address, events, get, Lost, post } from '../api.js';
import { attempt, confirm } from '../dialog.js';
import { append, button, h, replace, setText } from '../dom.js';
import { Feed } from '../feed.js';
import { age, bytes, count, duration, rate, short, tail } from '../format.js';
import { makePager, makeTable } from '../table.js';
import { t, term } from '../text.js';

const PHASES = ['connecting', 'waiting', 'streaming', 'paused', 'retrying', 'detached', 'ending'];
const FILTERS = ['q', 'phase', 'app', 'user', 'key', 'transport'];
const POLL_MS = 2000;
const FEED_AGAIN_MS = 30000;

export const phaseState = (phase) => ({ streaming: 'good', retrying: 'bad', paused: 'busy', detached: 'busy' })[phase] ?? '';

export const phaseText = ({ phase, attempt: n, attemptsMost }) => (phase === 'retrying' ? `${term('phase', phase)} ${n}/${attemptsMost}` : term('phase', phase));

// A link where the page of one stream is there.
export const idColumn = (page) => ({ id: 'id', text: (s) => short(s.id), title: (s) => s.id,
  ...(page.may('GET api/streams/{id}') && { link: (s) => `#stream/${encodeURIComponent(s.id)}` }) });
const COLUMNS = [
  { id: 'owner', text: (s) => s.owner, title: (s) => s.owner, sort: 'owner' },
  { id: 'app', text: (s) => s.app, sort: 'app' },
  { id: 'transport', text: (s) => term('transport', s.transport) },
  { id: 'phase', text: phaseText, badge: (s) => phaseState(s.phase), sort: 'phase' },
  { id: 'age', number: 1, text: (s) => age(s.ageMs), sort: 'age' },
  { id: 'firstContent', number: 1, text: (s) => duration(s.firstContentMs), sort: 'firstContent' },
  { id: 'silent', number: 1, text: (s) => age(s.silentMs), sort: 'silent' },
  { id: 'rate', number: 1, text: (s) => rate(s.eventsPerSecond), sort: 'rate' },
  { id: 'events', number: 1, text: (s) => count(s.events), sort: 'events' },
  { id: 'bytes', number: 1, text: (s) => bytes(s.bytes), sort: 'bytes' },
  { id: 'queue', number: 1, text: (s) => bytes(s.queueBytes), sort: 'queue' },
  { id: 'heartbeats', number: 1, text: (s) => count(s.heartbeats), sort: 'heartbeats' },
  { id: 'attempt', number: 1, text: (s) => `${s.attempt}/${s.attemptsMost}`, sort: 'attempt' },
  { id: 'readers', number: 1, text: (s) => count(s.readers), sort: 'readers' },
  { id: 'key', text: (s) => tail(s.key) },
  { id: 'client', text: (s) => s.client, title: (s) => s.client },
  { id: 'pid', number: 1, text: (s) => String(s.pid), hide: true },
];

export async function stopStreams(ids) {
  const isWanted = await confirm({ title: ids.length === 1 ? t('live.stop.title1') : t('live.stop.title', { n: ids.length }),
    text: t('live.stop.text'), ok: t('live.stop'), isDanger: true, list: ids });
  if (!isWanted) return false;
  return attempt(() => post('api/live/stop', { ids }), ({ results }) => {
    const of = (state) => results.filter((one) => one.state === state).length;
    return t('live.stopped', { stopped: of('stopped'), stopping: of('stopping'), gone: of('gone') });
  });
}

function makeFilters(page, changed) {
  const given = (name) => page.params.get(name) ?? '';
  let timer = null;
  const later = () => { clearTimeout(timer); timer = setTimeout(changed, 300); };
  const text = (name, kind = {}) => h('input', { type: 'search', value: given(name), oninput: later, ...kind });
  const inputs = Object.fromEntries(FILTERS.map((name) => [name, text(name)]));
  inputs.phase = h('select', { onchange: changed }, h('option', { value: '' }, t('all')),
    PHASES.map((phase) => h('option', { value: phase, selected: phase === given('phase') }, term('phase', phase))));
  inputs.limit = h('select', { onchange: changed }, ['50', '100', '200', '500'].map((n) => h('option', { value: n, selected: n === (given('limit') || '100') }, n)));
  const label = (name, word, kind) => h('label', { class: kind }, t(`filter.${word ?? name}`), inputs[name]);
  return {
    nodes: [label('q', 'q', 'wide'), label('phase', 'phase', 'narrow'), label('app', 'app', 'narrow'), label('user', 'user', 'narrow'), label('key', 'key', 'narrow'), label('transport', 'transport', 'narrow'), label('limit', 'size', 'narrow')],
    values: () => Object.fromEntries(Object.entries(inputs).map(([name, input]) => [name, input.value.trim()])),
    // How many streams are in each phase stands in the choice.
    count(phases) {
      for (const option of [...inputs.phase.options].slice(1)) {
        const n = phases[option.value];
        setText(option, `${term('phase', option.value)}${n ? ` (${n})` : ''}`);
      }
    },
  };
}

export function open(page) {
  const feed = new Feed();
  let skip = 0;
  let isPaused = false;
  let asking = null; // AbortController of the feed that runs
  const total = h('span', { class: 'soft' });
  const polled = h('p', { class: 'soft', hidden: true }, t('live.polled'));
  const table = makeTable({ id: 'live', columns: [idColumn(page), ...COLUMNS], key: (s) => s.id, label: t('page.live'), selectable: page.may('POST api/live/stop'), empty: 'live.empty',
    sort: page.params.get('sort') ?? 'age', order: page.params.get('order') ?? 'desc', onSort: again, onSelect: showSelected });
  const pager = makePager((step) => { skip = Math.max(0, skip + step * Number(filters.values().limit)); start(); });
  const filters = makeFilters(page, again);
  const pause = button(t('live.pause'), () => {
    isPaused = !isPaused;
    pause.setAttribute('aria-pressed', String(isPaused));
    setText(pause, t(isPaused ? 'live.resume' : 'live.pause'));
    if (isPaused) { asking?.abort(); page.told(); setText(total, t('live.paused')); } else start();
  }, { 'aria-pressed': 'false' });
  const stop = button('', async () => { if (await stopStreams(table.selected())) table.clear(); }, { class: 'danger', hidden: true });
  const csv = h('a', { class: 'button', download: 'live.csv' }, t('csv'));
  const json = h('a', { class: 'button', download: 'live.json' }, t('json'));

  function showSelected(ids) {
    stop.hidden = !ids.length;
    setText(stop, t('live.stop.some', { n: ids.length }));
  }

  function query() {
    const { by, order } = table.sorted();
    return { ...filters.values(), sort: by, order };
  }

  function show() {
    if (isPaused) return;
    const rows = feed.rows();
    const { total: all, matched, phases } = feed.info;
    table.show(rows, all > 0);
    filters.count(phases);
    setText(total, matched < all ? t('live.count', { matched: count(matched), total: count(all) }) : t('live.all', { total: count(all) }));
    pager.show({ from: skip, count: rows.length, total: matched, hasBack: skip > 0, hasOn: skip + rows.length < matched });
  }

  function again() {
    skip = 0;
    start();
  }

  async function listen(signal) {
    for await (const { type, data } of events('api/live/events', { query: { ...query(), skip: skip || '' }, signal })) {
      if (signal.aborted) return;
      if (type === 'snapshot') feed.snapshot(JSON.parse(data));
      else if (type === 'change') feed.change(JSON.parse(data));
      else continue;
      polled.hidden = true;
      page.told();
      show();
    }
  }

  // Without a feed (too many are open, or something on the way holds it back):
  // the list is asked for, and the feed again after a while.
  async function poll(signal) {
    const until = Date.now() + FEED_AGAIN_MS;
    while (!signal.aborted && Date.now() < until) {
      if (!document.hidden) {
        const list = await get('api/live', { ...query(), cursor: skip || '' }, signal);
        feed.snapshot({ ...list, at: list.at ?? new Date().toISOString() });
        polled.hidden = false;
        page.told();
        show();
      }
      await new Promise((done) => { setTimeout(done, POLL_MS); });
    }
  }

  async function run(signal) {
    let isHeld = !page.may('GET api/live/events');
    while (!signal.aborted) {
      try {
        await (isHeld ? poll(signal) : listen(signal));
        isHeld = !page.may('GET api/live/events');
      } catch (error) {
        if (signal.aborted) return;
        isHeld = !isHeld && !(error instanceof Lost) && error.code === 'overloaded';
        if (!isHeld) page.told(error);
        if (error.status === 400) return; // the filter is wrong: said, and asked when it is changed
      }
      if (!isHeld) await new Promise((done) => { setTimeout(done, 1000); });
    }
  }

  function start() {
    asking?.abort();
    const values = query();
    page.keep({ ...filters.values(), limit: values.limit === '100' ? '' : values.limit, ...(values.sort === 'age' && values.order === 'desc' ? {} : { sort: values.sort, order: values.order }) });
    csv.href = address('api/live', { ...values, limit: '', format: 'csv' }).href;
    json.href = address('api/live', { ...values, limit: '', format: 'json', export: '1' }).href;
    if (isPaused) return;
    asking = new AbortController();
    run(asking.signal);
  }

  append(page.root, [
    h('div', { class: 'head' }, h('h2', {}, t('page.live'), ' ', total), h('div', { class: 'toolbar' }, stop, pause, table.chooseColumns(), csv, json)),
    h('div', {}, h('div', { class: 'toolbar' }, filters.nodes), polled, table.node, pager.node),
  ]);
  replace(total);
  start();
  return () => asking?.abort();
}
