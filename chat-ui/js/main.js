// SPDX-License-Identifier: Apache-2.0
// main - puts the page together: which conversation is open (it stands behind
// the # of the address), the question, language and appearance.
import { BailianClient, randomId } from '../sdk/bailian-stream.js';
import { byId } from './dom.js';
import { remember, remembered, userId } from './settings.js';
import { Sidebar } from './sidebar.js';
import { language, preferred, sentence, speak } from './text.js';
import { Thread } from './thread.js';

const client = new BailianClient({
  base: new URL('..', document.baseURI).pathname,
  userId: userId(randomId),
  language,
});
const thread = new Thread(client, changed);
const sidebar = new Sidebar(client, { onGone: gone, onRenamed: (id, title) => { if (id === openId()) showTitle(title); } });
const question = byId('question');
let isBegun = false; // the conversation behind the # was begun here, just now

const HISTORY_MS = 800;
const openId = () => decodeURIComponent(location.hash.slice(1)) || null;

// --- which conversation

async function open() {
  const id = openId();
  sidebar.mark(id);
  closeSide();
  if (isBegun) {
    isBegun = false;
    showExport(id);
    return;
  }
  showTitle(sidebar.titleOf(id) ?? '');
  showExport(null);
  const found = await thread.open(id);
  if (found?.title) showTitle(found.title);
  if (found) showExport(id);
  showAnswering();
}

function showTitle(title) {
  byId('title').textContent = title;
  document.title = title ? `${title} · ${sentence('page')}` : sentence('page');
}

function showExport(id) {
  byId('export').hidden = !id;
  if (!id) return;
  byId('export-markdown').href = client.conversations.exportUrl(id, 'markdown');
  byId('export-json').href = client.conversations.exportUrl(id, 'json');
}

function gone(id) {
  if (id === openId()) location.hash = '';
}

// The history may be a moment behind, on a busy machine some moments.
async function list(id, tries) {
  await sidebar.load();
  if (tries <= 1 || sidebar.titleOf(id) !== undefined || byId('search').value) return;
  setTimeout(() => list(id, tries - 1), HISTORY_MS);
}

// An answer has begun or ended.
async function changed(id) {
  showAnswering();
  await list(id, 6);
}

// --- the question

function ask() {
  const text = question.value.trim();
  if (!text || thread.isAnswering) return;
  question.value = '';
  grow();
  let id = openId();
  if (!id) {
    id = randomId();
    isBegun = true;
    location.hash = id;
    showTitle(text.slice(0, 60));
  }
  thread.ask(id, text);
}

function showAnswering() {
  const hadFocus = [byId('send'), byId('stop')].includes(document.activeElement);
  byId('send').hidden = thread.isAnswering;
  byId('stop').hidden = !thread.isAnswering;
  if (hadFocus) question.focus();
}

function grow() {
  question.style.height = 'auto';
  question.style.height = `${Math.min(question.scrollHeight + 2, innerHeight * 0.4)}px`;
}

byId('ask').addEventListener('submit', (event) => { event.preventDefault(); ask(); });
byId('stop').addEventListener('click', () => thread.stop());
question.addEventListener('input', grow);
question.addEventListener('keydown', (event) => {
  // While an input method is composing, Enter takes its suggestion.
  if (event.key !== 'Enter' || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  ask();
});

// --- the list on a small screen

const small = matchMedia('(max-width: 760px)');

function closeSide() {
  document.body.dataset.side = 'closed';
  byId('sidebar').inert = small.matches;
}

byId('open-side').addEventListener('click', () => {
  document.body.dataset.side = 'open';
  byId('sidebar').inert = false;
  byId('close-side').focus();
});
for (const id of ['close-side', 'scrim']) byId(id).addEventListener('click', closeSide);
small.addEventListener('change', closeSide);
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && document.body.dataset.side === 'open') {
    closeSide();
    byId('open-side').focus();
  }
});
byId('new').addEventListener('click', () => {
  if (openId()) location.hash = '';
  closeSide();
  question.focus();
});

// --- language and appearance

function setLanguage(chosen) {
  speak(chosen);
  byId('language').value = language();
  showTitle(byId('title').textContent);
}

function setTheme(chosen) {
  document.documentElement.dataset.theme = chosen;
  byId('theme').value = chosen;
}

byId('language').addEventListener('change', ({ target }) => {
  remember('language', target.value);
  setLanguage(target.value);
  sidebar.load();
});
byId('theme').addEventListener('change', ({ target }) => {
  remember('theme', target.value);
  setTheme(target.value);
});

setTheme(['light', 'dark'].includes(remembered('theme')) ? remembered('theme') : 'auto');
setLanguage(remembered('language') ?? preferred());
addEventListener('hashchange', open);
open();
sidebar.load();
if (!small.matches) question.focus();
