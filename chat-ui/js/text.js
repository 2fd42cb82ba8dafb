// SPDX-License-Identifier: Apache-2.0
// text - every visible sentence, and the only place that knows the language.

const TEXT = {
  en: {
    page: 'Bailian chat',
    skip: 'To the question',
    conversations: 'Conversations',
    messages: 'Messages',
    newChat: 'New chat',
    closeList: 'Close the list',
    openList: 'Conversations',
    search: 'Search conversations',
    loading: 'Loading …',
    noConversations: 'No conversations yet.',
    nothingFound: 'Nothing found.',
    tryAgain: 'Try again',
    more: 'More',
    language: 'Language',
    theme: 'Appearance',
    themeAuto: 'As the system',
    themeLight: 'Light',
    themeDark: 'Dark',
    export: 'Export',
    exportMarkdown: 'Export as Markdown',
    exportJson: 'Export as JSON',
    hello: 'What would you like to know?',
    helloMore: 'Ask below. An answer that is cut off by the network goes on by itself.',
    toEnd: 'To the end',
    question: 'Write your question',
    send: 'Send',
    stop: 'Stop',
    hint: 'Enter sends, Shift + Enter starts a new line',
    cancel: 'Cancel',
    delete: 'Delete',
    newTitle: 'New title',
    rename: 'Rename',
    you: 'You',
    assistant: 'Assistant',
    retryNow: 'Try now',
    thinking: 'Thinking',
    references: 'References',
    copy: 'Copy',
    copied: 'Copied',
    askAgain: 'Ask again',
    askDelete: 'Delete “{title}”? This cannot be undone.',
    reconnecting: 'The connection was lost. Connecting again, attempt {attempt} …',
    reconnected: 'Connected again: the answer goes on where it was cut off.',
    pickedUp: 'Picked up again after the page was loaded anew.',
    steps: 'Steps: {last}',
    step_running: 'running',
    step_executing: 'running',
    step_done: 'done',
    step_success: 'done',
    step_fail: 'failed',
    usage: '{input} + {output} tokens',
    stopped: 'Stopped.',
    tooLong: 'The answer reached its largest length.',
    gone: 'This conversation does not exist.',
    failed: 'Something went wrong.',
    error: 'The answer failed.',
    timeout: 'The answer took too long.',
    interrupted: 'The server was interrupted while it answered.',
    unreachable: 'The server cannot be reached. Check the network.',
    damaged: 'The answer did not arrive as the server stored it.',
    bad_answer: 'Something else than the server answered. You may have to log in again.',
    document: 'Document',
  },
  zh: {
    page: '百炼对话',
    skip: '跳到输入框',
    conversations: '会话列表',
    messages: '消息',
    newChat: '新对话',
    closeList: '关闭列表',
    openList: '会话列表',
    search: '搜索会话',
    loading: '加载中…',
    noConversations: '还没有会话。',
    nothingFound: '没有找到匹配的会话。',
    tryAgain: '重试',
    more: '更多',
    language: '语言',
    theme: '外观',
    themeAuto: '跟随系统',
    themeLight: '浅色',
    themeDark: '深色',
    export: '导出',
    exportMarkdown: '导出为 Markdown',
    exportJson: '导出为 JSON',
    hello: '想了解什么？',
    helloMore: '在下方输入问题。网络中断时，回答会自动接着显示。',
    toEnd: '回到底部',
    question: '输入你的问题',
    send: '发送',
    stop: '停止',
    hint: 'Enter 发送，Shift + Enter 换行',
    cancel: '取消',
    delete: '删除',
    newTitle: '新标题',
    rename: '重命名',
    you: '你',
    assistant: '助手',
    retryNow: '立即重试',
    thinking: '思考过程',
    references: '参考资料',
    copy: '复制',
    copied: '已复制',
    askAgain: '重新提问',
    askDelete: '删除“{title}”？删除后无法恢复。',
    reconnecting: '连接已中断，正在重新连接（第 {attempt} 次）…',
    reconnected: '已重新连接，回答从中断处继续。',
    pickedUp: '页面重新加载后已接着显示。',
    steps: '步骤：{last}',
    step_running: '进行中',
    step_executing: '进行中',
    step_done: '完成',
    step_success: '完成',
    step_fail: '失败',
    usage: '{input} + {output} tokens',
    stopped: '已停止。',
    tooLong: '回答已达到长度上限。',
    gone: '该会话不存在。',
    failed: '出错了。',
    error: '回答失败。',
    timeout: '回答超时。',
    interrupted: '服务器在回答过程中被中断。',
    unreachable: '无法连接服务器，请检查网络。',
    damaged: '收到的回答与服务器保存的不一致。',
    bad_answer: '应答并非来自服务器，可能需要重新登录。',
    document: '文档',
  },
};

let current = 'en';
const values = new WeakMap(); // element -> what stands in its sentence

export const language = () => current;

export function preferred() {
  return (navigator.languages?.[0] ?? navigator.language ?? 'en').toLowerCase().startsWith('zh') ? 'zh' : 'en';
}

export function has(key) {
  return key in TEXT[current];
}

export function sentence(key, given = {}) {
  return TEXT[current][key].replace(/\{(\w+)\}/g, (whole, name) => String(given[name] ?? ''));
}

// The element says this, also after the language was changed.
export function say(element, key, given) {
  element.dataset.text = key;
  if (given) values.set(element, given);
  element.textContent = sentence(key, given);
}

export function hush(element) {
  delete element.dataset.text;
  element.textContent = '';
}

// Fills in the sentences of a page or of a fresh copy of a template.
export function translate(root) {
  for (const element of root.querySelectorAll('[data-text]')) {
    element.textContent = sentence(element.dataset.text, values.get(element));
  }
  for (const element of root.querySelectorAll('[data-text-label]')) {
    element.setAttribute('aria-label', sentence(element.dataset.textLabel));
    if (element.localName === 'button') element.title = sentence(element.dataset.textLabel);
  }
  for (const element of root.querySelectorAll('[data-text-placeholder]')) {
    element.placeholder = sentence(element.dataset.textPlaceholder);
  }
}

export function speak(chosen) {
  current = chosen in TEXT ? chosen : 'en';
  document.documentElement.lang = current === 'zh' ? 'zh-CN' : 'en';
  translate(document);
}

// What to say of a failure: the server's own sentence when it has one.
export function failureText(error) {
  if (has(error?.code)) return sentence(error.code);
  return error?.message || sentence('failed');
}

export function when(iso) {
  const at = new Date(iso);
  const isToday = at.toDateString() === new Date().toDateString();
  return new Intl.DateTimeFormat(document.documentElement.lang,
    isToday ? { timeStyle: 'short' } : { dateStyle: 'medium' }).format(at);
}
