// SPDX-License-Identifier: Apache-2.0
// platform - what the place we run in offers:
//   name        'web' (browsers, Node, workers) or 'weixin'
//   fetch       the standard's, or the same over something else
//   download    fetch's GET by other means, where there are any
//   connect     a WebSocket, where there is one: (url, headers, {open, message,
//               close}) gives {send, close}
//   onAwake(fn) calls fn when waiting has no more sense; gives a function that
//               ends that
import { Lost } from './errors.js';
import { weixinPlatform } from './weixin.js';

function onAwake(tell) {
  const isSeen = () => { if (document.visibilityState === 'visible') tell(); };
  globalThis.addEventListener?.('online', tell);
  globalThis.document?.addEventListener('visibilitychange', isSeen);
  return () => {
    globalThis.removeEventListener?.('online', tell);
    globalThis.document?.removeEventListener('visibilitychange', isSeen);
  };
}

// A page cannot send headers with it: a bearer token goes as a subprotocol, and
// whoever needs others gets another transport.
function protocolsOf(headers) {
  const names = Object.keys(headers);
  if (!names.length) return [];
  const token = names.length === 1 && /^authorization$/i.test(names[0]) && /^Bearer ([\w.~+-]+)$/.exec(headers[names[0]]);
  if (!token) throw new Lost('unsupported');
  return ['Bearer', token[1]];
}

const connectBy = (Socket) => (url, headers, { open, message, close }) => {
  const socket = new Socket(url, protocolsOf(headers));
  socket.onopen = open;
  socket.onmessage = ({ data }) => message(data);
  socket.onclose = ({ code, reason }) => close(code, reason);
  return { send: (text) => socket.send(text), close: (code) => socket.close(code) };
};

// Whoever brings a fetch of his own has to bring a WebSocket too: what the fetch
// adds would be missing there.
function webPlatform({ fetch, WebSocket: Socket = fetch ? undefined : globalThis.WebSocket }) {
  return {
    name: 'web', onAwake,
    fetch: fetch ?? ((...args) => globalThis.fetch(...args)),
    connect: Socket && connectBy(Socket),
  };
}

// A page inside a mini-program has a `wx` without request(): it is a browser.
const isWeixin = (given) => typeof given === 'object' && given !== null && typeof given.request === 'function';

export function platformOf({ wx: given, fetch, WebSocket: Socket }) {
  if (given) return weixinPlatform(given);
  const isWeb = fetch || typeof wx === 'undefined' || !isWeixin(wx);
  return isWeb ? webPlatform({ fetch, WebSocket: Socket }) : weixinPlatform(wx);
}
