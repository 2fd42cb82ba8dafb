// SPDX-License-Identifier: Apache-2.0
// weixin - a WeChat mini-program that is as unkind as the documentation allows:
// a script engine with the language and `wx`, and nothing else. No TextDecoder,
// no fetch, no URL; chunks of any size; ten requests and five sockets; total
// time-outs; a background that interrupts; a network that goes silent.
import { readFileSync } from 'node:fs';
import { request as httpRequest } from 'node:http';
import { join } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { root } from './server.mjs';
import { WebSocketClient } from './wsclient.mjs';

const REQUESTS = 10;
const SOCKETS = 5;
const METHODS = ['OPTIONS', 'GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'CONNECT'];
const MISSING = ['TextDecoder', 'TextEncoder', 'fetch', 'URL', 'AbortController', 'ReadableStream', 'EventSource', 'WebSocket', 'crypto',
  'queueMicrotask', 'structuredClone', 'process', 'window', 'document'];
// What engines of some years ago do not have.
const YOUNG = `delete Array.prototype.at; delete Array.prototype.flat; delete Array.prototype.flatMap; delete Array.prototype.findLast;
  delete Object.fromEntries; delete Object.hasOwn; delete Promise.allSettled; delete Promise.any; delete Promise.prototype.finally;
  delete String.prototype.at; delete String.prototype.matchAll; delete String.prototype.replaceAll; delete globalThis.WeakRef;
  delete globalThis.globalThis;`;

// How a platform hands out the bytes that came.
export const CUTS = {
  single: (bytes) => Array.from(bytes, (byte) => Uint8Array.of(byte)),
  whole: (bytes) => [bytes],
  odd: (bytes) => {
    const pieces = [];
    for (let at = 0, size = 1; at < bytes.length; at += size, size = (size * 5 + 3) % 23 + 1) pieces.push(bytes.subarray(at, at + size));
    return pieces;
  },
};

// What is no JSON stays text.
function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

const bufferOf = (bytes) => bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength);

// cut: of CUTS. mergeMs: chunks of so long come together. timeoutMs: of each
// request as a whole. hasChunks: false for a base library before 2.20.
// isDevtools: no status with the headers. hasSockets: wx.connectSocket. refuses: names of calls that fail.
export function createWeixin({ cut = CUTS.whole, mergeMs = 0, timeoutMs = 60000, hasChunks = true, isDevtools = false,
  hasSockets = false, refuses = [] } = {}) {
  const running = new Set(); // {fail(errMsg), lose()}
  const sockets = new Set(); // the same
  const shown = new Set();
  const online = new Set();
  const files = new Map();
  const told = { most: 0, mostSockets: 0, calls: [], interrupted: 0, lost: 0 };
  let isBackground = false;
  let isSilent = false;
  let fileCount = 0;

  // One exchange with the server; the callbacks are those of the platform.
  function exchange(name, { url, method = 'GET', header, data, timeout = timeoutMs, success, fail, complete }, { onHead, onBytes, answerOf }) {
    const later = (call, ...args) => setImmediate(() => call?.(...args));
    let isOver = false;
    let isLost = false;
    const one = {
      lose: () => { isLost = true; told.lost += 1; },
      fail: (why) => {
        if (isOver) return;
        end();
        later(fail, { errMsg: `${name}:fail ${why}` });
        later(complete, {});
      },
    };
    const end = () => {
      isOver = true;
      clearTimeout(timer);
      running.delete(one);
      sent?.destroy();
    };
    const timer = setTimeout(() => one.fail('timeout'), Math.min(timeout, timeoutMs));
    let sent;
    told.calls.push({ name, method, url });
    const why = refuses.includes(name) ? 'url not in domain list'
      : !METHODS.includes(method) ? `invalid method ${method}` : !/^https?:\/\//.test(url) ? 'invalid url'
        : isBackground ? 'interrupted' : running.size >= REQUESTS ? 'exceed max task count' : '';
    if (why) {
      setImmediate(() => one.fail(why));
      return one;
    }
    running.add(one);
    told.most = Math.max(told.most, running.size);
    if (isSilent) {
      one.lose();
      return one;
    }
    sent = httpRequest(url, { method, agent: false, headers: { 'content-type': 'application/json', ...header,
      Referer: 'https://servicewechat.com/wx0123456789abcdef/1/page-frame.html' } }, (response) => {
      if (isLost) return;
      onHead(response);
      const bytes = [];
      response.on('data', (piece) => {
        if (isLost || isOver) return;
        bytes.push(piece);
        onBytes?.(piece);
      });
      response.on('close', () => {
        if (isLost || isOver) return;
        if (!response.complete) {
          one.fail('errcode:-100 cronet_error_code:-100 error_msg:net::ERR_CONNECTION_CLOSED');
          return;
        }
        const answer = answerOf(response, Buffer.concat(bytes));
        end();
        later(success, answer);
        later(complete, {});
      });
    });
    sent.on('error', () => { if (!isLost) one.fail('net::ERR_CONNECTION_RESET'); });
    sent.end(data);
    return one;
  }

  const headerOf = (response) => Object.fromEntries(Object.entries(response.headers)
    .map(([key, value]) => [key.replace(/(^|-)[a-z]/g, (letter) => letter.toUpperCase()), value]));

  function request(options) {
    const heads = [];
    const chunks = [];
    let waiting = [];
    let merge = null;
    const hand = () => {
      merge = null;
      const all = Buffer.concat(waiting);
      waiting = [];
      for (const piece of cut(all)) for (const tell of chunks) tell({ data: bufferOf(piece) });
    };
    const one = exchange('request', options, {
      onHead: (response) => {
        for (const tell of heads) tell({ header: headerOf(response), cookies: [], ...(!isDevtools && { statusCode: response.statusCode }) });
      },
      onBytes: (piece) => {
        if (!options.enableChunked || !hasChunks) return;
        waiting.push(piece);
        if (!mergeMs) hand();
        else merge ??= setTimeout(hand, mergeMs);
      },
      answerOf: (response, bytes) => {
        if (merge) { clearTimeout(merge); hand(); }
        const isChunked = options.enableChunked && hasChunks && bytes.length;
        const typed = (text) => ((options.dataType ?? 'json') === 'json' ? parsed(text) : text);
        // Of a chunked answer platforms give all, or the rest, or nothing.
        const data = isChunked ? Buffer.from('{"not": "to be relied on"}') : bytes;
        return { statusCode: response.statusCode, header: headerOf(response), errMsg: 'request:ok',
          data: options.responseType === 'arraybuffer' ? bufferOf(data) : typed(data.toString()) };
      },
    });
    const task = { abort: () => one.fail('abort'), onHeadersReceived: (tell) => heads.push(tell), offHeadersReceived() {} };
    if (hasChunks) Object.assign(task, { onChunkReceived: (tell) => chunks.push(tell), offChunkReceived() {} });
    return task;
  }

  function downloadFile(options) {
    const heads = [];
    const one = exchange('downloadFile', options, {
      onHead: (response) => { for (const tell of heads) tell({ header: headerOf(response) }); },
      answerOf: (response, bytes) => {
        const tempFilePath = `http://tmp/${fileCount += 1}`;
        files.set(tempFilePath, bytes);
        return { statusCode: response.statusCode, tempFilePath, filePath: '', errMsg: 'downloadFile:ok' };
      },
    });
    return { abort: () => one.fail('abort'), onHeadersReceived: (tell) => heads.push(tell), onProgressUpdate() {} };
  }

  function connectSocket({ url, header, protocols = [], success, fail, complete }) {
    const tell = { open: [], message: [], close: [], error: [] };
    const all = (name, event) => setImmediate(() => { for (const one of tell[name]) one(event); });
    const on = (name) => (listener) => tell[name].push(listener);
    let socket;
    let isOver = false;
    const end = (code) => {
      if (isOver) return;
      isOver = true;
      sockets.delete(one);
      all('close', { code, reason: '' });
    };
    const one = {
      lose: () => { socket?.lose(); told.lost += 1; },
      fail: () => { socket?.lose(); all('error', { errMsg: 'interrupted' }); end(1006); },
    };
    told.calls.push({ name: 'connectSocket', url });
    const why = refuses.includes('connectSocket') ? 'url not in domain list' : isBackground ? 'interrupted'
      : sockets.size >= SOCKETS ? 'exceed max task count' : '';
    setImmediate(() => {
      if (why) fail?.({ errMsg: `connectSocket:fail ${why}` });
      else success?.({ errMsg: 'connectSocket:ok' });
      complete?.({});
    });
    const task = {
      onOpen: on('open'), onMessage: on('message'), onClose: on('close'), onError: on('error'),
      send: ({ data, fail: failed }) => (isOver ? failed?.({ errMsg: 'sendSocketMessage:fail' }) : socket?.send(data)),
      close: ({ code = 1000 } = {}) => { if (!isOver) socket?.close(code); end(code); },
    };
    if (why) {
      isOver = true;
      return task;
    }
    sockets.add(one);
    told.mostSockets = Math.max(told.mostSockets, sockets.size);
    if (isSilent) {
      one.lose();
      return task;
    }
    socket = new WebSocketClient(url, protocols, header);
    socket.onopen = () => all('open', { header: {} });
    socket.onmessage = ({ data }) => all('message', { data });
    socket.onclose = ({ code }) => end(code);
    return task;
  }

  const fileSystem = {
    readFile({ filePath, success, fail, complete }) {
      setImmediate(() => {
        if (files.has(filePath)) success({ data: bufferOf(files.get(filePath)), errMsg: 'readFile:ok' });
        else fail({ errMsg: `readFile:fail no such file ${filePath}` });
        complete?.({});
      });
    },
    unlink({ filePath }) { files.delete(filePath); },
  };

  return {
    told,
    files,
    wx: {
      request, downloadFile, ...(hasSockets && { connectSocket }), getFileSystemManager: () => fileSystem, canIUse: () => true,
      onAppShow: (tell) => shown.add(tell), offAppShow: (tell) => shown.delete(tell),
      onNetworkStatusChange: (tell) => online.add(tell), offNetworkStatusChange: (tell) => online.delete(tell),
    },
    get listeners() { return shown.size + online.size; },
    get running() { return running.size + sockets.size; },
    // What is not done `afterMs` after the program left the screen is interrupted.
    background: (afterMs = 5000) => new Promise((done) => {
      setTimeout(() => {
        isBackground = true;
        told.interrupted += running.size + sockets.size;
        for (const one of [...running, ...sockets]) one.fail('interrupted');
        done();
      }, afterMs);
    }),
    foreground: () => {
      isBackground = false;
      for (const tell of shown) tell({ path: 'pages/chat/chat', scene: 1001 });
    },
    // A tunnel: nothing comes any more, and nobody says so.
    goSilent: () => {
      isSilent = true;
      for (const one of [...running, ...sockets]) one.lose();
    },
    // Whether it was away.
    comeBack: () => {
      const wasSilent = isSilent;
      isSilent = false;
      for (const tell of online) tell({ isConnected: true, networkType: '4g' });
      return wasSilent;
    },
  };
}

// The UMD build in an engine of its own, that has the language, `wx` and timers.
export function loadInWeixin({ wx }) {
  const module = { exports: {} };
  const context = createContext({ wx, module, exports: module.exports, setTimeout, clearTimeout });
  runInContext(YOUNG, context);
  const has = runInContext(`[${MISSING.map((name) => `typeof ${name}`)}]`, context);
  if (has.some((one) => one !== 'undefined')) throw new Error(`the engine has too much: ${MISSING.filter((_, i) => has[i] !== 'undefined')}`);
  runInContext(readFileSync(join(root, 'sdk/umd/index.js'), 'utf8'), context, { filename: 'sdk/umd/index.js' });
  return module.exports;
}
