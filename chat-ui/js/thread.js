// SPDX-License-Identifier: Apache-2.0
// thread - the messages of the conversation that is open. Answers that run go
// on while another conversation is looked at.
import { AnswerView } from './answer.js';
import { byId, template } from './dom.js';
import { keepPlace, placeOf } from './settings.js';
import { failureText, sentence } from './text.js';

const NEAR_END = 80; // pixels
const KEEP_MS = 400; // between two notes of where we are

export class Thread {
  #client;
  #onChange;
  #running = new Map(); // conversation id -> {answer, question}
  #open = null; // conversation id
  #turn = 0; // counts openings: an answer to an older one is dropped
  #views = [];
  #notedAt = 0;
  #sticks = true; // the end stays in sight
  #box = byId('thread');
  #list = byId('messages');

  // onChange(conversation id): a question was asked, or an answer has ended.
  constructor(client, onChange) {
    this.#client = client;
    this.#onChange = onChange;
    this.#box.addEventListener('scroll', () => {
      this.#sticks = this.#distance() < NEAR_END;
      this.#showWay();
    }, { passive: true });
    byId('to-end').addEventListener('click', () => this.#toEnd());
    this.#box.querySelector('.again').addEventListener('click', () => this.open(this.#open));
  }

  get isAnswering() {
    return this.#running.has(this.#open);
  }

  // null: a conversation that has not begun.
  async open(id) {
    const turn = ++this.#turn;
    this.#clear();
    this.#open = id;
    this.#state = id ? 'loading' : 'empty';
    if (!id) return null;
    try {
      const found = await this.#load(id);
      if (turn !== this.#turn) return null;
      this.#show(id, found.messages);
      return found;
    } catch (error) {
      if (turn !== this.#turn) return null;
      this.#box.querySelector('.failed .why').textContent = error.status === 404 ? sentence('gone') : failureText(error);
      this.#state = 'failed';
      return null;
    }
  }

  // One that has just begun may not be in the history yet.
  async #load(id) {
    try {
      return await this.#client.conversations.read(id);
    } catch (error) {
      if (error.status !== 404 || !(this.#running.has(id) || placeOf(id))) throw error;
      return { title: '', messages: [] };
    }
  }

  ask(id, question) {
    this.#open = id;
    const answer = this.#client.ask(question, { conversationId: id, on: (event) => this.#note(id, event) });
    this.#begin(id, answer, question);
  }

  stop() {
    this.#running.get(this.#open)?.answer.stop();
  }

  // --- what is shown

  set #state(state) {
    this.#box.dataset.state = state;
  }

  #clear() {
    for (const view of this.#views) view.leave();
    this.#views = [];
    this.#list.replaceChildren();
    byId('to-end').hidden = true;
  }

  #show(id, messages) {
    const running = this.#running.get(id);
    const place = running ? null : placeOf(id) ?? liveOf(messages);
    const live = running?.answer.streamId ?? place?.streamId;
    let question = '';
    for (const message of messages) {
      if (message.role === 'user') question = message.content;
      if (message.role === 'assistant' && isOf(message, live)) continue; // comes below
      if (message.role === 'user') this.#showQuestion(message.content);
      else this.#addAnswer(question).show(message);
    }
    if (running && !messages.some((m) => isOf(m, live))) this.#showQuestion(running.question);
    if (running) this.#addAnswer(running.question).follow(running.answer);
    else if (place) this.#pickUp(id, place, question);
    this.#state = this.#list.childElementCount ? 'ready' : 'empty';
    this.#toEnd();
  }

  #showQuestion(text) {
    const element = template('question');
    element.querySelector('.text').textContent = text;
    this.#list.append(element);
    return element;
  }

  // forget: takes away what a repeated question takes the place of.
  #addAnswer(question, forget = () => {}) {
    const view = new AnswerView({
      onChange: () => (this.#sticks ? this.#toEnd() : this.#showWay()),
      onRetry: () => {
        if (!question || this.isAnswering) return;
        forget();
        this.ask(this.#open, question);
      },
    });
    this.#views.push(view);
    this.#list.append(view.element);
    return view;
  }

  // --- answers that run

  #begin(id, answer, question) {
    const asked = this.#showQuestion(question);
    const view = this.#addAnswer(question, () => {
      if (answer.streamId) return; // it is in the history
      asked.remove();
      view.element.remove();
    });
    this.#state = 'ready';
    this.#toEnd();
    view.follow(answer);
    this.#watch(id, answer, question);
  }

  // The page was loaded anew in mid-answer: read from the beginning, because
  // nothing of the text was kept.
  #pickUp(id, { streamId, seq }, question) {
    const answer = this.#client.follow({ streamId, conversationId: id }, { on: (event) => this.#note(id, event) });
    this.#addAnswer(question).follow(answer, { isPickedUp: seq > 0 });
    this.#watch(id, answer, question);
  }

  async #watch(id, answer, question) {
    this.#running.set(id, { answer, question });
    this.#onChange(id);
    await answer.done.catch(() => {}); // its view says what went wrong
    this.#running.delete(id);
    keepPlace(id, null);
    this.#onChange(id);
  }

  // Where the answer was read to, for when the page is loaded anew.
  #note(id, { type, seq }) {
    const answer = this.#running.get(id)?.answer;
    if (type === 'start') this.#onChange(id);
    if (type !== 'start' && Date.now() - this.#notedAt < KEEP_MS) return;
    if (!answer?.streamId || !seq || type === 'end') return;
    this.#notedAt = Date.now();
    keepPlace(id, { streamId: answer.streamId, seq });
  }

  // --- scrolling

  #distance() {
    return this.#box.scrollHeight - this.#box.scrollTop - this.#box.clientHeight;
  }

  #toEnd() {
    this.#sticks = true;
    this.#box.scrollTop = this.#box.scrollHeight;
  }

  #showWay() {
    byId('to-end').hidden = this.#distance() < NEAR_END;
  }
}

const isOf = (message, streamId) => streamId !== undefined && message.streamId === streamId;

function liveOf(messages) {
  const live = messages.find((message) => message.state === 'live' && message.streamId);
  return live && { streamId: live.streamId, seq: live.content ? 1 : 0 };
}
