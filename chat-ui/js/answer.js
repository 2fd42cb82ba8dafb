// SPDX-License-Identifier: Apache-2.0
// answer - one answer: shown as it comes, or as it was stored.
import { copyText, element, link, safeUrl, template } from './dom.js';
import { MarkdownView } from './markdown.js';
import { failureText, has, hush, say, sentence } from './text.js';

const NOTICE_MS = 6000; // how long good news stays
const STEPS_MOST = 50;

export class AnswerView {
  element = template('answer');
  #text = '';
  #reasoning = '';
  #markdown = new MarkdownView(this.#part('.text'));
  #frame = 0;
  #iterator = null;
  #onChange;

  // onChange: it has grown. onRetry: asked again.
  constructor({ onChange = () => {}, onRetry }) {
    this.#onChange = onChange;
    this.#part('.copy').addEventListener('click', () => this.#copy());
    this.#part('.retry').addEventListener('click', onRetry);
  }

  #part(selector) {
    return this.element.querySelector(selector);
  }

  set #state(state) {
    this.element.dataset.state = state;
    this.element.setAttribute('aria-busy', String(['waiting', 'streaming', 'reconnecting'].includes(state)));
  }

  // --- an answer that runs

  // Until its end, or until leave(). Resolves when it has ended.
  async follow(answer, { isPickedUp = false } = {}) {
    this.#state = 'waiting';
    this.#iterator = answer[Symbol.asyncIterator]();
    this.#part('.now').addEventListener('click', () => answer.retryNow());
    if (isPickedUp) this.#notice('pickedUp', {}, true);
    try {
      for await (const event of this.#iterator) this.#take(event);
    } catch (error) {
      if (error.code !== 'closed') this.#fail(error);
    }
    this.#paint();
  }

  // The element is taken away, the answer goes on.
  leave() {
    this.#iterator?.return();
  }

  #take(event) {
    switch (event.type) {
      case 'snapshot': this.#snapshot(event); break;
      case 'content': this.#text += event.text; break;
      case 'reasoning': this.#reasoning += event.text; break;
      case 'replace': this.#text = event.text; break;
      case 'rewind': this.#forget(); break;
      case 'references': this.#references(event.references); break;
      case 'status': this.#step(event.status); break;
      case 'reconnecting': this.#reconnecting(event); return;
      case 'reconnected': this.#notice('reconnected', {}, true); break;
      case 'end': this.#end(event); return;
      default: break;
    }
    this.#state = this.#text || this.#reasoning ? 'streaming' : 'waiting';
    this.#paintSoon();
  }

  #snapshot({ text, reasoning, references }) {
    this.#forget();
    this.#text = text;
    this.#reasoning = reasoning;
    this.#references(references);
  }

  #forget() {
    this.#text = this.#reasoning = '';
    this.#part('.references ol').replaceChildren();
    this.#references([]);
  }

  #reconnecting({ attempt }) {
    this.#state = 'reconnecting';
    this.#notice('reconnecting', { attempt });
    this.#part('.now').hidden = false;
  }

  #end(event) {
    this.#text = event.text;
    this.#state = 'done';
    this.#hushNotice();
    if (event.usage) this.#usage(event.usage);
    if (event.code === 'cancelled') this.#notice('stopped');
    else if (event.finishReason === 'length' || event.isComplete && event.code) this.#notice('tooLong');
    this.#finish();
  }

  #fail(error) {
    this.#hushNotice();
    if (error.code === 'cancelled') {
      this.#notice('stopped');
    } else {
      this.#state = 'failed';
      this.#failure(failureText(error), error.code);
    }
    this.#finish();
  }

  // --- an answer from the history

  show(message) {
    this.#text = message.content;
    this.#reasoning = message.reasoning ?? '';
    this.#references(message.references ?? []);
    if (message.usage) this.#usage(message.usage);
    this.#state = 'done';
    if (message.outcome === 'cancelled') this.#notice('stopped');
    else if (message.outcome === 'length') this.#notice('tooLong');
    else if (message.outcome !== 'completed') this.#pastFailure(message);
    this.#finish();
    this.#paint();
  }

  #pastFailure({ outcome, reason }) {
    this.#state = 'failed';
    this.#failure(sentence(has(outcome) ? outcome : 'failed'), reason);
  }

  // --- parts

  #notice(key, given, isPassing = false) {
    const notice = this.#part('.notice');
    say(notice.querySelector('.said'), key, given);
    notice.hidden = false;
    notice.dataset.kind = key;
    this.#part('.now').hidden = true;
    if (isPassing) setTimeout(() => notice.dataset.kind === key && this.#hushNotice(), NOTICE_MS);
  }

  #hushNotice() {
    const notice = this.#part('.notice');
    notice.hidden = true;
    hush(notice.querySelector('.said'));
  }

  #failure(text, code) {
    const failure = this.#part('.failure');
    failure.querySelector('strong').textContent = text;
    failure.querySelector('.why').textContent = code ?? '';
    failure.hidden = false;
  }

  // More of them.
  #references(references) {
    const box = this.#part('.references');
    const list = box.querySelector('ol');
    list.append(...references.map(referenceRow));
    box.hidden = !list.childElementCount;
  }

  #step(status) {
    const box = this.#part('.steps');
    const list = box.querySelector('ol');
    const text = stepText(status);
    if (!text) return;
    list.append(element('li', '', text));
    if (list.childElementCount > STEPS_MOST) list.firstElementChild.remove();
    say(box.querySelector('summary'), 'steps', { last: text });
    box.hidden = false;
  }

  #usage({ inputTokens, outputTokens }) {
    if (inputTokens === undefined) return;
    say(this.#part('.usage'), 'usage', { input: inputTokens, output: outputTokens });
  }

  #finish() {
    this.#part('.actions').hidden = false;
    this.#part('.copy').hidden = !this.#text;
  }

  // At most once a frame, however many events come.
  #paintSoon() {
    this.#frame ||= requestAnimationFrame(() => this.#paint());
  }

  #paint() {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    this.#markdown.show(this.#text);
    const thinking = this.#part('.thinking');
    thinking.hidden = !this.#reasoning;
    thinking.querySelector('.reasoning').textContent = this.#reasoning;
    this.#onChange();
  }

  async #copy() {
    const button = this.#part('.copy');
    await copyText(this.#text);
    say(button, 'copied');
    setTimeout(() => say(button, 'copy'), 1500);
  }
}

function referenceRow({ index, title, docName, url, text }) {
  const row = element('li');
  if (/^\d{1,6}$/.test(index)) row.value = Number(index); // as the text cites it
  const name = title || docName || sentence('document');
  const target = safeUrl(url ?? '');
  row.append(target ? link(name, target) : element('span', 'name', name));
  if (text) row.append(element('p', 'quote', text));
  return row;
}

function stepText({ type, node, name, state, text }) {
  const what = node || name || text || (type === 'notice' ? '' : type);
  const how = has(`step_${state}`) ? sentence(`step_${state}`) : state; // workflows have words of their own
  return what && how ? `${what} · ${how}` : what;
}
