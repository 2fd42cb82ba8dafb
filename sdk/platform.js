// SPDX-License-Identifier: Apache-2.0
// platform - what the place we run in offers:
//   name        'web' (browsers, Node, workers) or 'weixin'
//   fetch       the standard's, or the same over something else
//   download    fetch's GET by other means, where there are any
//   onAwake(fn) calls fn when waiting has no more sense; gives a function that
//               ends that
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

const webPlatform = (fetch) => ({ name: 'web', fetch: fetch ?? ((...args) => globalThis.fetch(...args)), onAwake });

// A page inside a mini-program has a `wx` without request(): it is a browser.
const isWeixin = (given) => typeof given === 'object' && given !== null && typeof given.request === 'function';

export function platformOf({ wx: given, fetch }) {
  if (given) return weixinPlatform(given);
  if (fetch) return webPlatform(fetch);
  return typeof wx !== 'undefined' && isWeixin(wx) ? weixinPlatform(wx) : webPlatform();
}
