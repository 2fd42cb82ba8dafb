// SPDX-License-Identifier: Apache-2.0
// Every sentence that is seen.

const sentences = {
  en: {
    title: 'Bailian admin', pause: 'Pause', resume: 'Resume', theme: 'Light / dark',
    language: '中文', now: 'Now', live: 'Live streams', empty: 'No stream is running.',
    ends: 'How streams ended', server: 'Server',
    loading: 'Loading …', fresh: 'Updated every second', paused: 'Paused',
    failed: 'The server does not answer; trying again.',
    streams: 'Streams now', eventRate: 'Events / s', heartbeatRate: 'Heartbeats / s',
    retryRate: 'Retries / s', parked: 'Readers parked', resumed: 'Readers resumed',
    tokensIn: 'Tokens in', tokensOut: 'Tokens out',
    completed: 'completed', length: 'length', cancelled: 'cancelled', timeout: 'timeout',
    error: 'error', interrupted: 'interrupted', refused: 'refused at start',
    version: 'Module', children: 'Children', store: 'Database', queued: 'waiting to be written',
    wal: 'Write-ahead log', draining: 'draining', guarded: 'guarded', unguarded: 'NOT guarded',
    shown: (n, total) => (n < total ? `${n} of ${total}` : `${total}`),
    col: {
      id: 'Stream', owner: 'Caller', app: 'App', phase: 'Phase', age: 'Age',
      first: 'First content', silent: 'Silent for', events: 'Events', bytes: 'Bytes', queue: 'Queue',
      heartbeats: 'Heartbeats', attempt: 'Attempt', readers: 'Readers', key: 'Key', pid: 'Child',
    },
    phase: {
      connecting: 'connecting', waiting: 'waiting', streaming: 'streaming', paused: 'paused',
      retrying: 'retrying', detached: 'detached', ending: 'ending',
    },
  },
  zh: {
    title: '百炼管理', pause: '暂停', resume: '继续', theme: '浅色 / 深色',
    language: 'English', now: '当前', live: '实时流', empty: '当前没有正在运行的流。',
    ends: '流的结束方式', server: '服务器',
    loading: '加载中…', fresh: '每秒更新', paused: '已暂停',
    failed: '服务器没有响应，正在重试。',
    streams: '当前流数', eventRate: '事件 / 秒', heartbeatRate: '心跳 / 秒',
    retryRate: '重试 / 秒', parked: '已驻留的读者', resumed: '续传的读者',
    tokensIn: '输入 Token', tokensOut: '输出 Token',
    completed: '完成', length: '达到长度上限', cancelled: '已取消', timeout: '超时',
    error: '错误', interrupted: '中断', refused: '开始时被拒绝',
    version: '模块', children: '子进程', store: '数据库', queued: '条待写入',
    wal: '预写日志', draining: '正在收尾', guarded: '已防护', unguarded: '未防护',
    shown: (n, total) => (n < total ? `${n} / ${total}` : `${total}`),
    col: {
      id: '流', owner: '调用者', app: '应用', phase: '阶段', age: '时长',
      first: '首个内容', silent: '静默', events: '事件', bytes: '字节', queue: '队列',
      heartbeats: '心跳', attempt: '尝试', readers: '读者', key: 'Key', pid: '子进程',
    },
    phase: {
      connecting: '连接中', waiting: '等待中', streaming: '传输中', paused: '已暂停',
      retrying: '重试中', detached: '无读者', ending: '结束中',
    },
  },
};

function stored(name) {
  try {
    return localStorage.getItem(name);
  } catch {
    return null; // storage is switched off
  }
}

export function remember(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // then it holds for this page only
  }
}

let language = stored('bailian.admin.language') ?? (navigator.language.startsWith('zh') ? 'zh' : 'en');

export const t = () => sentences[language];
export const theme = () => stored('bailian.admin.theme');

export function switchLanguage() {
  language = language === 'zh' ? 'en' : 'zh';
  remember('bailian.admin.language', language);
}

export function applyTo(root) {
  root.documentElement.lang = language === 'zh' ? 'zh-CN' : 'en';
  for (const node of root.querySelectorAll('[data-text]')) {
    node.textContent = t()[node.dataset.text];
  }
  root.title = t().title;
}
