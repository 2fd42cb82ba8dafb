// SPDX-License-Identifier: Apache-2.0
// sidebar - the list of conversations: search, rename, delete.
import { byId, template } from './dom.js';
import { failureText, sentence, when } from './text.js';

const PAGE = 30;
const SEARCH_MS = 250; // after the last key
const PAGES_AT_ONCE = 5; // a search may look at a part only

export class Sidebar {
  #client;
  #open = null; // conversation id
  #next = null; // where the next page begins
  #isStale = false; // a load came while a title was being typed
  #turn = 0; // counts loads: an answer to an older one is dropped
  #timer = 0;
  #box = byId('list');
  #list = byId('list').querySelector('ul');
  #onGone;
  #onRenamed;

  // onGone(id): deleted; onRenamed(id, title)
  constructor(client, { onGone, onRenamed }) {
    this.#client = client;
    this.#onGone = onGone;
    this.#onRenamed = onRenamed;
    byId('search').addEventListener('input', () => {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.load(), SEARCH_MS);
    });
    this.#box.querySelector('.more').addEventListener('click', () => this.#add());
    this.#box.querySelector('.again').addEventListener('click', () => this.load());
  }

  set #state(state) {
    this.#box.dataset.state = state;
  }

  mark(id) {
    this.#open = id;
    for (const row of this.#list.children) this.#markRow(row);
  }

  #markRow(row) {
    if (row.dataset.id === this.#open) row.querySelector('.open').setAttribute('aria-current', 'page');
    else row.querySelector('.open').removeAttribute('aria-current');
  }

  titleOf(id) {
    return [...this.#list.children].find((row) => row.dataset.id === id)?.querySelector('.name').textContent;
  }

  // From the beginning; what is there stays until the answer has come.
  async load() {
    if (!this.#list.childElementCount) this.#state = 'loading';
    this.#next = null;
    await this.#add(true);
  }

  async #add(isAnew = false) {
    const turn = ++this.#turn;
    try {
      const items = await this.#pages();
      if (turn !== this.#turn) return;
      this.#isStale = isAnew && Boolean(this.#list.querySelector('form:not([hidden])'));
      if (this.#isStale) return; // somebody types there: afterwards
      if (isAnew) this.#list.replaceChildren();
      this.#list.append(...items.map((item) => this.#row(item)));
      this.#state = this.#list.childElementCount ? 'ready' : byId('search').value.trim() ? 'nothing' : 'empty';
      this.#box.querySelector('.more').hidden = !this.#next;
    } catch (error) {
      if (turn !== this.#turn) return;
      this.#box.querySelector('.failed .why').textContent = failureText(error);
      this.#state = 'failed';
    }
  }

  async #pages() {
    const items = [];
    for (let i = 0; i < PAGES_AT_ONCE; i++) {
      const page = await this.#client.conversations.list({ q: byId('search').value.trim(), limit: PAGE, cursor: this.#next });
      items.push(...page.items);
      this.#next = page.next;
      if (items.length || !this.#next) break;
    }
    return items;
  }

  #row({ conversationId, title, updatedAt }) {
    const row = template('row');
    const open = row.querySelector('.open');
    row.dataset.id = conversationId;
    open.href = `#${encodeURIComponent(conversationId)}`;
    row.querySelector('.name').textContent = title;
    row.querySelector('time').textContent = when(updatedAt);
    row.querySelector('time').dateTime = updatedAt;
    row.querySelector('.rename').addEventListener('click', () => this.#rename(row, true));
    row.querySelector('.remove').addEventListener('click', () => this.#delete(row));
    const form = row.querySelector('form');
    form.addEventListener('submit', (event) => { event.preventDefault(); this.#saveTitle(row); });
    form.addEventListener('keydown', (event) => { if (event.key === 'Escape') this.#rename(row, false); });
    form.addEventListener('focusout', () => this.#rename(row, false));
    this.#markRow(row);
    return row;
  }

  // --- rename

  #rename(row, isOpen) {
    const form = row.querySelector('form');
    if (form.hidden === !isOpen) return;
    form.hidden = !isOpen;
    row.querySelector('.open').hidden = isOpen;
    row.querySelector('.tools').hidden = isOpen;
    if (!isOpen) {
      if (this.#isStale) this.load();
      return;
    }
    const input = form.querySelector('input');
    input.value = row.querySelector('.name').textContent;
    input.focus();
    input.select();
  }

  async #saveTitle(row) {
    const title = row.querySelector('input').value.trim();
    this.#rename(row, false);
    if (!title || title === row.querySelector('.name').textContent) return;
    try {
      const { title: now } = await this.#client.conversations.rename(row.dataset.id, title);
      row.querySelector('.name').textContent = now;
      this.#onRenamed(row.dataset.id, now);
      await this.load(); // what is on its way may not know it
    } catch (error) {
      this.#say(row, error);
    }
    [...this.#list.children].find((one) => one.dataset.id === row.dataset.id)?.querySelector('.open').focus();
  }

  // --- delete

  async #delete(row) {
    if (!await confirmed(sentence('askDelete', { title: row.querySelector('.name').textContent }))) return;
    try {
      await this.#client.conversations.delete(row.dataset.id);
      row.remove();
      if (!this.#list.childElementCount) await this.load();
      this.#onGone(row.dataset.id);
    } catch (error) {
      this.#say(row, error);
    }
  }

  // A failure that concerns one row is said in its place.
  #say(row, error) {
    row.dataset.failure = failureText(error);
    setTimeout(() => delete row.dataset.failure, 5000);
  }
}

function confirmed(text) {
  const dialog = byId('confirm');
  byId('confirm-text').textContent = text;
  dialog.returnValue = 'no';
  dialog.showModal();
  return new Promise((done) => {
    dialog.addEventListener('close', () => done(dialog.returnValue === 'yes'), { once: true });
  });
}
