// SPDX-License-Identifier: Apache-2.0
// weixin - a WeChat mini-program as a place to read from: wx.request and
// wx.downloadFile in the form of fetch. It has no fetch, no streams and often no
// TextDecoder, ten requests at once, and none in the background.
import { PushedBody } from './body.js';
import { Lost } from './errors.js';
import { createDecoder, encodeUtf8 } from './text.js';

// Of the ten requests that WeChat lets a program have: some are the program's.
const PLACES = 8;
const STREAM_PLACES = 5;
const METHODS = { PATCH: 'POST' }; // wx.request has no PATCH; the server takes POST for it

// Short requests wait for a place, those that last do not: they would wait for minutes.
export class Places {
  #taken = 0;
  #streams = 0;
  #waiting = [];

  // A function that leaves the place; it may be called more than once.
  async take(isStream = false) {
    if (isStream && (this.#streams >= STREAM_PLACES || this.#taken >= PLACES)) throw new Lost('busy');
    if (isStream) this.#streams += 1;
    if (this.#taken < PLACES) this.#taken += 1;
    else await new Promise((free) => { this.#waiting.push(free); }); // somebody hands his over
    let isLeft = false;
    return () => {
      if (!isLeft) this.#leave(isStream);
      isLeft = true;
    };
  }

  #leave(isStream) {
    if (isStream) this.#streams -= 1;
    const next = this.#waiting.shift();
    if (next) next();
    else this.#taken -= 1;
  }
}

// Of a response: what the client uses of fetch's.
class Reply {
  constructor({ status, header, body, text }) {
    this.status = status;
    this.ok = status >= 200 && status < 300;
    this.body = body;
    this.text = text;
    this.headers = { get: (name) => valueOf(header, name) };
  }

  async json() {
    return JSON.parse(await this.text());
  }
}

// Platforms spell the names of headers as they like.
function valueOf(header, name) {
  const found = Object.keys(header ?? {}).find((key) => key.toLowerCase() === name);
  return found === undefined ? null : String(header[found]);
}

const bytesOf = (data) => (typeof data === 'string' ? encodeUtf8(data) : new Uint8Array(data ?? 0));

async function textOf(reader) {
  const decoder = createDecoder();
  let text = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return text + decoder.end();
    text += decoder.decode(value);
  }
}

// One request: settles once, with a Reply or a failure; its body may fail later.
// leave: it is over.
function exchange(wx, url, { method, headers, body: sent, signal, isStream = false }, leave) {
  return new Promise((resolve, reject) => {
    let hasChunks = false;
    const end = () => { task.abort(); leave(); };
    const body = new PushedBody(end, isStream ? undefined : Infinity);
    const reply = (status, header) => resolve(new Reply({ status, header, body, text: () => textOf(body.getReader()) }));
    const fail = (failure) => { leave(); reject(failure); body.end(failure); };
    const task = wx.request({
      url, method: METHODS[method] ?? method, header: headers, data: sent,
      dataType: 'other', responseType: 'arraybuffer', enableChunked: isStream,
      success: ({ statusCode, header, data }) => {
        leave();
        if (!hasChunks) body.push(bytesOf(data)); // else data is not to be relied on
        reply(statusCode, header);
        body.end();
      },
      fail: ({ errMsg }) => fail(new TypeError(errMsg)),
    });
    signal?.addEventListener('abort', () => { end(); fail(signal.reason); }, { once: true });
    if (!isStream) return;
    if (typeof task.onChunkReceived !== 'function') { // base library before 2.20
      end();
      fail(new Lost('unsupported'));
      return;
    }
    // The developer tools tell no status here: then it is the end that tells it.
    task.onHeadersReceived(({ statusCode, header }) => { if (statusCode) reply(statusCode, header); });
    task.onChunkReceived(({ data }) => {
      hasChunks = true;
      body.push(new Uint8Array(data));
    });
  });
}

// GET by wx.downloadFile: its address is in another list of the console than
// that of wx.request, and what it brings stands in a file.
function download(wx, url, { headers, signal }, leave) {
  return new Promise((resolve, reject) => {
    const files = wx.getFileSystemManager();
    let header;
    const refuse = ({ errMsg }) => reject(new Lost('refused', { cause: new TypeError(errMsg) }));
    const task = wx.downloadFile({
      url, header: headers,
      success: ({ statusCode, tempFilePath }) => files.readFile({
        filePath: tempFilePath,
        success: ({ data }) => resolve(new Reply({ status: statusCode, header, text: () => textOf(read(bytesOf(data))) })),
        fail: refuse,
        complete: () => files.unlink({ filePath: tempFilePath }),
      }),
      fail: refuse,
      complete: leave,
    });
    task.onHeadersReceived((said) => { header = said.header; });
    signal?.addEventListener('abort', () => { task.abort(); leave(); reject(signal.reason); }, { once: true });
  });
}

function read(bytes) {
  const body = new PushedBody(() => {}, Infinity);
  body.push(bytes);
  body.end();
  return body.getReader();
}

// A program may have five sockets. There are no pings: the server's heartbeats
// are messages.
const SOCKETS = 5;

function connector(wx) {
  let count = 0;
  return (url, headers, { open, message, close }) => {
    if (count >= SOCKETS) throw new Lost('busy');
    count += 1;
    let isOver = false;
    const end = (code, reason) => {
      if (isOver) return;
      isOver = true;
      count -= 1;
      close(code, reason);
    };
    const task = wx.connectSocket({ url, header: headers, fail: () => end(1006) });
    task.onOpen(open);
    task.onMessage(({ data }) => message(data));
    task.onClose(({ code, reason }) => end(code, reason));
    task.onError(() => end(1006));
    return { send: (text) => task.send({ data: text, fail: () => end(1006) }), close: (code) => { task.close({ code }); end(code); } };
  };
}

// In the background nothing works. Back from there, or with a network again, it
// is time to try.
function onAwake(wx, tell) {
  const isOnline = ({ isConnected }) => { if (isConnected) tell(); };
  wx.onAppShow?.(tell);
  wx.onNetworkStatusChange?.(isOnline);
  return () => {
    wx.offAppShow?.(tell);
    wx.offNetworkStatusChange?.(isOnline);
  };
}

// wx: the global of that name.
export function weixinPlatform(wx) {
  const places = new Places();
  const placed = (call) => async (url, init) => {
    const leave = await places.take(init.isStream || init.isHeld);
    if (!init.signal?.aborted) return call(wx, url, init, leave);
    leave();
    throw init.signal.reason;
  };
  return {
    name: 'weixin',
    fetch: placed(exchange),
    connect: wx.connectSocket && connector(wx),
    download: wx.downloadFile && placed(download),
    onAwake: (tell) => onAwake(wx, tell),
  };
}
