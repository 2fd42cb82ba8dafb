// SPDX-License-Identifier: Apache-2.0
// A page that asks and shows the answer as it comes.
const { BailianClient, randomId } = require('bailian-stream');

// In the console's lists of domains for `request` and `downloadFile`.
const BASE = 'https://chat.example.com/bailian';
const SHOW_MS = 80; // setData crosses to another thread: not for every word

function userId() {
  const known = wx.getStorageSync('bailian.user');
  if (known) return known;
  const made = randomId();
  wx.setStorageSync('bailian.user', made);
  return made;
}

const client = new BailianClient({ base: BASE, userId: userId(), language: 'zh-CN' });

Page({
  data: { question: '', text: '', note: '', isRunning: false },
  conversationId: '',
  /** @type {import('bailian-stream').Answer | null} */
  answer: null,
  /** @type {any} */
  timer: null,

  onLoad() {
    this.conversationId = randomId();
  },

  // The answer goes on on the server; it is in the conversation later.
  onUnload() {
    if (this.answer) this.answer.close();
    clearTimeout(this.timer);
  },

  /** @param {{ detail: { value: string } }} event */
  onQuestion({ detail }) {
    this.setData({ question: detail.value });
  },

  ask() {
    const question = this.data.question.trim();
    if (!question || this.data.isRunning) return;
    this.setData({ question: '', text: '', note: '', isRunning: true });
    const answer = client.ask(question, { conversationId: this.conversationId, on: (event) => this.take(event) });
    this.answer = answer;
    answer.done.then(
      (end) => this.finish(end.isComplete ? '' : '已停止。'),
      (error) => error.code !== 'closed' && this.finish(`${error.message}（${error.code}）`),
    );
  },

  stop() {
    if (this.answer) this.answer.stop();
  },

  /** @param {import('bailian-stream').StreamEvent} event */
  take(event) {
    if (event.type === 'reconnecting') this.setData({ note: `连接已断开，正在重连（第 ${event.attempt} 次）…` });
    else if (event.type === 'reconnected') this.setData({ note: '' });
    if (!this.timer) this.timer = setTimeout(() => this.show(), SHOW_MS);
  },

  show() {
    this.timer = null;
    if (this.answer && this.answer.text !== this.data.text) this.setData({ text: this.answer.text });
  },

  /** @param {string} note */
  finish(note) {
    clearTimeout(this.timer);
    this.show();
    this.setData({ note, isRunning: false });
  },
});
