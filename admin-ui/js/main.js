// SPDX-License-Identifier: Apache-2.0
// The frame of all pages: who asks, where one can go, what is shown now, and
// how old it is.
import * as api from './api.js';
import { append, byId, button, h, notice, replace, setState, setText } from './dom.js';
import { explain } from './dialog.js';
import { age, clock } from './format.js';
import { applyTo, isChinese, remember, switchLanguage, t, term } from './text.js';
import { pages } from './pages.js';

const STALE_MS = 4000;
const AGAIN_MS = 5000;

let me = null; // {user, role, routes}
let current = null; // the open page: {name, close}
let freshAt = 0;
let failure = null;

// Nobody has to do anything on this page before it can go well.
const isPassing = (error) => !(error instanceof api.Refused) || error.status >= 500;
const may = (route) => me.routes.includes(route);
const canOpen = (page) => page.needs.every(may);

// --- how old is what is shown

const said = h('span');
const why = h('a', { href: '#overview' });
const login = button('', () => location.reload());

// Its nodes are kept: one of them can have the focus.
function showFailure(node) {
  const isOver = failure.status === 401;
  const since = freshAt ? ` ${t('stale', { at: clock(freshAt), age: age(Date.now() - freshAt) })}` : '';
  if (said.parentNode !== node) replace(node, said, ' ', why, login);
  setText(said, isOver ? t('logged.out') : `${explain(failure)}${since}`);
  setText(why, t('see.health'));
  setText(login, t('reload'));
  why.hidden = !/^store_/.test(failure.code) || current?.name === 'overview' || !may('GET api/health');
  login.hidden = !isOver;
}

// In place of what could not be loaded yet.
function showNone() {
  if (!current) return;
  const isWanted = failure && !freshAt && isPassing(failure);
  if (!isWanted) current.none.remove();
  else if (!current.none.isConnected) current.root.append(current.none);
}

function showState() {
  const node = byId('state');
  const old = Date.now() - freshAt;
  setState(node, failure ? 'failed' : freshAt ? 'ok' : 'loading');
  byId('main').dataset.stale = String(Boolean(failure && freshAt));
  showNone();
  if (failure) {
    showFailure(node);
  } else {
    setText(node, !freshAt ? t('loading') : old > STALE_MS ? t('as.of', { at: clock(freshAt) }) : t('fresh'));
  }
}

function told(error = null) {
  failure = error;
  if (!error) freshAt = Date.now();
  showState();
}

// --- pages

function readHash() {
  const [path, query] = location.hash.slice(1).split('?');
  const [name, ...rest] = path.split('/');
  return { name, id: rest.map(decodeURIComponent).join('/'), params: new URLSearchParams(query) };
}

// Asks again and again while the page is open and can be seen; ms 0: once. A
// failure is shown, and asked again when it can pass.
function every(ms, ask, signal) {
  let timer = null;
  const turn = async () => {
    let wait = ms;
    clearTimeout(timer);
    if (!document.hidden) {
      try {
        await ask(signal);
        if (!signal.aborted) told();
      } catch (error) {
        if (!signal.aborted) told(error);
        if (isPassing(error)) wait ||= AGAIN_MS;
      }
    }
    clearTimeout(timer);
    if (!signal.aborted && wait) timer = setTimeout(turn, wait);
  };
  signal.addEventListener('abort', () => clearTimeout(timer));
  turn();
  return turn;
}

function openPage() {
  const { name, id, params } = readHash();
  const wanted = pages.find((one) => one.name === name) ?? pages[0];
  const page = canOpen(wanted) ? wanted : { ...wanted, open: openNone };
  current?.close();
  const ending = new AbortController();
  const root = h('div', { class: 'page', 'data-page': page.name });
  const none = notice(t('none.yet'), 'failed');
  freshAt = 0;
  failure = null;
  replace(byId('main'), root);
  const after = page.open({
    root, id, params, may, me,
    signal: ending.signal,
    told,
    every: (ms, ask) => every(ms, ask, ending.signal),
    // Keeps what was chosen in the address, without a step in the history.
    keep(values) {
      const kept = new URLSearchParams(Object.entries(values).filter(([, value]) => value !== '' && value !== null && value !== undefined));
      const text = kept.toString();
      history.replaceState(null, '', `#${page.name}${id ? `/${encodeURIComponent(id)}` : ''}${text ? `?${text}` : ''}`);
    },
  });
  current = { name: page.name, root, none, close: () => { ending.abort(); after?.(); } };
  drawNav();
  showState();
}

// A page that this role, or this version of the module, does not have.
function openNone({ root, told: done }) {
  append(root, [h('div', { class: 'head' }, h('h2', {}, t('page.none'))), notice(t('page.none.text'))]);
  done();
}

function drawNav() {
  const shown = pages.find((one) => one.name === current?.name);
  replace(byId('nav'), pages.filter((one) => !one.parent && canOpen(one)).map((one) => h('a', {
    href: `#${one.name}`, 'aria-current': one === shown || one.name === shown?.parent ? 'page' : undefined }, t(`page.${one.name}`))));
  if (shown) document.title = `${t(`page.${shown.name}`)} · ${t('title')}`;
}

function openMenu(isOpen) {
  byId('menu').setAttribute('aria-expanded', String(isOpen));
  byId('side').dataset.open = String(isOpen);
}

// --- language and colours

function translate() {
  applyTo(document);
  setText(byId('language'), isChinese() ? 'English' : '中文');
  byId('language').lang = isChinese() ? 'en' : 'zh';
  setText(byId('who'), me ? t('who', { user: me.user, role: term('role', me.role) }) : '');
}

function switchTheme() {
  const root = document.documentElement;
  root.dataset.theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
  remember('bailian.admin.theme', root.dataset.theme);
  document.dispatchEvent(new Event('theme'));
}

// --- the start

function showRefusal(error) {
  replace(byId('main'), h('section', { class: 'refused' }, h('h2', {}, t('refused.title')), h('p', {}, explain(error)),
    error.status === 403 ? [h('p', {}, t('refused.role')), h('pre', {}, t('refused.lines'))] : null,
    button(t('again'), begin, { class: 'primary' })));
}

async function begin() {
  try {
    me = await api.get('api/me');
  } catch (error) {
    told(error);
    showRefusal(error);
    return;
  }
  translate();
  openPage();
}

byId('language').addEventListener('click', () => {
  switchLanguage();
  translate();
  if (me) openPage();
});
byId('theme').addEventListener('click', switchTheme);
byId('menu').addEventListener('click', () => openMenu(byId('menu').getAttribute('aria-expanded') !== 'true'));
byId('skip').addEventListener('click', (event) => { event.preventDefault(); byId('main').focus(); });
byId('side').addEventListener('keydown', (event) => {
  if (event.key === 'Escape') { openMenu(false); byId('menu').focus(); }
});
addEventListener('hashchange', () => {
  openMenu(false);
  if (!me) return;
  openPage();
  byId('main').focus({ preventScroll: true });
  scrollTo(0, 0);
});
setInterval(showState, 1000);

translate();
begin();
