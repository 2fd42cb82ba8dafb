/*! bailian-stream. SPDX-License-Identifier: Apache-2.0. Made by build/sdk-umd.mjs: do not edit.
    sources 032781cd0644c75cf9d064fc39f2bfe8690776711bc5020fa9a0c4c3453232c8 */
(function (root, make) {
  if (typeof module === 'object' && module.exports) module.exports = make(root);
  else if (typeof define === 'function' && define.amd) define([], function () { return make(root); });
  else root.BailianStream = make(root);
})(typeof globalThis !== 'undefined' ? globalThis : typeof self !== 'undefined' ? self : this || {}, function (root) {
'use strict';
var made = (() => {
  var __defProp = Object.defineProperty;
  var __defProps = Object.defineProperties;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropDescs = Object.getOwnPropertyDescriptors;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __getOwnPropSymbols = Object.getOwnPropertySymbols;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __propIsEnum = Object.prototype.propertyIsEnumerable;
  var __knownSymbol = (name, symbol) => (symbol = Symbol[name]) ? symbol : /* @__PURE__ */ Symbol.for("Symbol." + name);
  var __typeError = (msg) => {
    throw TypeError(msg);
  };
  var __pow = Math.pow;
  var __defNormalProp = (obj, key, value) => key in obj ? __defProp(obj, key, { enumerable: true, configurable: true, writable: true, value }) : obj[key] = value;
  var __spreadValues = (a, b) => {
    for (var prop in b || (b = {}))
      if (__hasOwnProp.call(b, prop))
        __defNormalProp(a, prop, b[prop]);
    if (__getOwnPropSymbols)
      for (var prop of __getOwnPropSymbols(b)) {
        if (__propIsEnum.call(b, prop))
          __defNormalProp(a, prop, b[prop]);
      }
    return a;
  };
  var __spreadProps = (a, b) => __defProps(a, __getOwnPropDescs(b));
  var __objRest = (source, exclude) => {
    var target = {};
    for (var prop in source)
      if (__hasOwnProp.call(source, prop) && exclude.indexOf(prop) < 0)
        target[prop] = source[prop];
    if (source != null && __getOwnPropSymbols)
      for (var prop of __getOwnPropSymbols(source)) {
        if (exclude.indexOf(prop) < 0 && __propIsEnum.call(source, prop))
          target[prop] = source[prop];
      }
    return target;
  };
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key) && key !== except)
          __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
    }
    return to;
  };
  var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);
  var __publicField = (obj, key, value) => __defNormalProp(obj, typeof key !== "symbol" ? key + "" : key, value);
  var __accessCheck = (obj, member, msg) => member.has(obj) || __typeError("Cannot " + msg);
  var __privateGet = (obj, member, getter) => (__accessCheck(obj, member, "read from private field"), getter ? getter.call(obj) : member.get(obj));
  var __privateAdd = (obj, member, value) => member.has(obj) ? __typeError("Cannot add the same private member more than once") : member instanceof WeakSet ? member.add(obj) : member.set(obj, value);
  var __privateSet = (obj, member, value, setter) => (__accessCheck(obj, member, "write to private field"), setter ? setter.call(obj, value) : member.set(obj, value), value);
  var __privateMethod = (obj, member, method) => (__accessCheck(obj, member, "access private method"), method);
  var __async = (__this, __arguments, generator) => {
    return new Promise((resolve, reject) => {
      var fulfilled = (value) => {
        try {
          step(generator.next(value));
        } catch (e) {
          reject(e);
        }
      };
      var rejected = (value) => {
        try {
          step(generator.throw(value));
        } catch (e) {
          reject(e);
        }
      };
      var step = (x) => x.done ? resolve(x.value) : Promise.resolve(x.value).then(fulfilled, rejected);
      step((generator = generator.apply(__this, __arguments)).next());
    });
  };
  var __await = function(promise, isYieldStar) {
    this[0] = promise;
    this[1] = isYieldStar;
  };
  var __asyncGenerator = (__this, __arguments, generator) => {
    var resume = (k, v, yes, no) => {
      try {
        var x = generator[k](v), isAwait = (v = x.value) instanceof __await, done = x.done;
        Promise.resolve(isAwait ? v[0] : v).then((y) => isAwait ? resume(k === "return" ? k : "next", v[1] ? { done: y.done, value: y.value } : y, yes, no) : yes({ value: y, done })).catch((e) => resume("throw", e, yes, no));
      } catch (e) {
        no(e);
      }
    }, method = (k, call, wait, clear) => it[k] = (x) => (call = new Promise((yes, no, run) => (run = () => resume(k, x, yes, no), q ? q.then(run) : run())), clear = () => q === wait && (q = 0), q = wait = call.then(clear, clear), call), q, it = {};
    return generator = generator.apply(__this, __arguments), it[__knownSymbol("asyncIterator")] = () => it, method("next"), method("throw"), method("return"), it;
  };
  var __yieldStar = (value) => {
    var obj = value[__knownSymbol("asyncIterator")], isAwait = false, method, it = {};
    if (obj == null) {
      obj = value[__knownSymbol("iterator")]();
      method = (k) => it[k] = (x) => obj[k](x);
    } else {
      obj = obj.call(value);
      method = (k) => it[k] = (v) => {
        if (isAwait) {
          isAwait = false;
          if (k === "throw") throw v;
          return v;
        }
        isAwait = true;
        return {
          done: false,
          value: new __await(new Promise((resolve) => {
            var x = obj[k](v);
            if (!(x instanceof Object)) __typeError("Object expected");
            resolve(x);
          }), 1)
        };
      };
    }
    return it[__knownSymbol("iterator")] = () => it, method("next"), "throw" in obj ? method("throw") : it.throw = (x) => {
      throw x;
    }, "return" in obj && method("return"), it;
  };
  var __forAwait = (obj, it, method) => (it = obj[__knownSymbol("asyncIterator")]) ? it.call(obj) : (obj = obj[__knownSymbol("iterator")](), it = {}, method = (key, fn) => (fn = obj[key]) && (it[key] = (arg) => new Promise((yes, no, done) => (arg = fn.call(obj, arg), done = arg.done, Promise.resolve(arg.value).then((value) => yes({ value, done }), no)))), method("next"), method("return"), it);

  // bailian-stream.js
  var bailian_stream_exports = {};
  __export(bailian_stream_exports, {
    Answer: () => Answer,
    BailianClient: () => BailianClient,
    BailianError: () => BailianError,
    randomId: () => randomId
  });

  // abort.js
  var _listeners;
  var SmallSignal = class {
    constructor() {
      __publicField(this, "aborted", false);
      __publicField(this, "reason");
      __privateAdd(this, _listeners, []);
    }
    addEventListener(type, listener) {
      __privateGet(this, _listeners).push(listener);
    }
    removeEventListener(type, listener) {
      __privateSet(this, _listeners, __privateGet(this, _listeners).filter((other) => other !== listener));
    }
    abort(reason) {
      if (this.aborted) return;
      this.aborted = true;
      this.reason = reason;
      for (const listener of __privateGet(this, _listeners).splice(0)) listener({ type: "abort" });
    }
  };
  _listeners = new WeakMap();
  var SmallController = class {
    constructor() {
      __publicField(this, "signal", new SmallSignal());
    }
    abort(reason) {
      this.signal.abort(reason);
    }
  };
  function createAbort() {
    return typeof AbortController === "undefined" ? new SmallController() : new AbortController();
  }

  // errors.js
  var BailianError = class extends Error {
    constructor(code, message, details = {}) {
      var _a, _b, _c, _d, _e;
      super(message || code);
      this.name = "BailianError";
      this.code = code;
      this.status = (_a = details.status) != null ? _a : 0;
      this.detail = (_b = details.detail) != null ? _b : "";
      this.requestId = (_c = details.requestId) != null ? _c : "";
      this.retryAfterMs = (_d = details.retryAfterMs) != null ? _d : 0;
      this.isPassing = (_e = details.isPassing) != null ? _e : false;
    }
  };
  var Lost = class extends Error {
    constructor(reason, { retryAfterMs = 0, cause } = {}) {
      super(reason, { cause });
      this.name = "Lost";
      this.reason = reason;
      this.retryAfterMs = retryAfterMs;
    }
  };
  var RETRY_AFTER_MOST_MS = 3e5;
  function retryAfter(response) {
    const seconds = Number(response.headers.get("retry-after") || NaN);
    if (!(seconds >= 0)) return void 0;
    return Math.min(seconds * 1e3, RETRY_AFTER_MOST_MS);
  }
  function problemOf(response) {
    return __async(this, null, function* () {
      if (!/\bjson\b/.test(response.headers.get("content-type") || "")) return {};
      try {
        return yield response.json();
      } catch (e) {
        return {};
      }
    });
  }
  function failureOf(response) {
    return __async(this, null, function* () {
      const problem = yield problemOf(response);
      const retryAfterMs = retryAfter(response);
      const isOurs = typeof problem.code === "string";
      const isPassing = response.status >= 500 && (!isOurs || retryAfterMs !== void 0);
      const error = new BailianError(isOurs ? problem.code : "bad_answer", problem.title || problem.error || `HTTP ${response.status}`, __spreadProps(__spreadValues({}, problem), {
        status: response.status,
        retryAfterMs,
        isPassing: isPassing || retryAfterMs !== void 0
      }));
      return isPassing ? new Lost("status", { retryAfterMs, cause: error }) : error;
    });
  }

  // sha256.js
  var WORDS = 64;
  var BLOCK = 64;
  function fraction(root2) {
    return (root2 - Math.floor(root2)) * 4294967296 >>> 0;
  }
  function primes(count) {
    const found = [];
    for (let n = 2; found.length < count; n++) {
      if (found.every((p) => n % p)) found.push(n);
    }
    return found;
  }
  var K = Uint32Array.from(primes(WORDS), (p) => fraction(Math.cbrt(p)));
  var START = Uint32Array.from(primes(8), (p) => fraction(Math.sqrt(p)));
  var turn = (x, n) => x >>> n | x << 32 - n;
  function pad(bytes) {
    const padded = new Uint8Array(Math.ceil((bytes.length + 9) / BLOCK) * BLOCK);
    padded.set(bytes);
    padded[bytes.length] = 128;
    const view = new DataView(padded.buffer);
    view.setUint32(padded.length - 8, Math.floor(bytes.length / 536870912));
    view.setUint32(padded.length - 4, bytes.length << 3 >>> 0);
    return view;
  }
  function schedule(w, view, at) {
    for (let i = 0; i < 16; i++) w[i] = view.getUint32(at + i * 4);
    for (let i = 16; i < WORDS; i++) {
      const a = w[i - 15];
      const b = w[i - 2];
      w[i] = w[i - 16] + (turn(a, 7) ^ turn(a, 18) ^ a >>> 3) + w[i - 7] + (turn(b, 17) ^ turn(b, 19) ^ b >>> 10);
    }
  }
  function compress(state, w) {
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < WORDS; i++) {
      const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
      const t1 = h + s1 + (e & f ^ ~e & g) + K[i] + w[i] | 0;
      const s0 = turn(a, 2) ^ turn(a, 13) ^ turn(a, 22);
      const t2 = s0 + (a & b ^ a & c ^ b & c) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, d + t1 | 0, c, b, a, t1 + t2 | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((word, i) => {
      state[i] += word;
    });
  }
  var hex = (numbers, digits) => Array.from(numbers, (n) => n.toString(16).padStart(digits, "0")).join("");
  function sha256ByHand(bytes) {
    const view = pad(bytes);
    const state = Uint32Array.from(START);
    const w = new Uint32Array(WORDS);
    for (let at = 0; at < view.byteLength; at += BLOCK) {
      schedule(w, view, at);
      compress(state, w);
    }
    return hex(state, 8);
  }
  function sha256(bytes) {
    return __async(this, null, function* () {
      var _a;
      const subtle = (_a = root.crypto) == null ? void 0 : _a.subtle;
      if (!subtle) return sha256ByHand(bytes);
      return hex(new Uint8Array(yield subtle.digest("SHA-256", bytes)), 2);
    });
  }

  // text.js
  var REPLACEMENT = 65533;
  var PIECE = 4096;
  var _point, _missing, _least, _most, _Utf8Decoder_instances, reset_fn, take_fn, begin_fn, open_fn;
  var Utf8Decoder = class {
    constructor() {
      __privateAdd(this, _Utf8Decoder_instances);
      __privateAdd(this, _point, 0);
      // of the sequence that has begun
      __privateAdd(this, _missing, 0);
      // bytes of it that have not come
      __privateAdd(this, _least, 128);
      // what the next byte may be: this ...
      __privateAdd(this, _most, 191);
    }
    // ... to this
    decode(bytes) {
      const units = [];
      let text = "";
      for (const byte of bytes) {
        __privateMethod(this, _Utf8Decoder_instances, take_fn).call(this, byte, units);
        if (units.length >= PIECE) text += String.fromCharCode(...units.splice(0));
      }
      return text + String.fromCharCode(...units);
    }
    // No byte follows.
    end() {
      const isCut = __privateGet(this, _missing) > 0;
      __privateMethod(this, _Utf8Decoder_instances, reset_fn).call(this);
      return isCut ? String.fromCharCode(REPLACEMENT) : "";
    }
  };
  _point = new WeakMap();
  _missing = new WeakMap();
  _least = new WeakMap();
  _most = new WeakMap();
  _Utf8Decoder_instances = new WeakSet();
  reset_fn = function() {
    __privateSet(this, _missing, 0);
    __privateSet(this, _least, 128);
    __privateSet(this, _most, 191);
  };
  take_fn = function(byte, units) {
    if (__privateGet(this, _missing) === 0) {
      __privateMethod(this, _Utf8Decoder_instances, begin_fn).call(this, byte, units);
      return;
    }
    if (byte < __privateGet(this, _least) || byte > __privateGet(this, _most)) {
      __privateMethod(this, _Utf8Decoder_instances, reset_fn).call(this);
      units.push(REPLACEMENT);
      __privateMethod(this, _Utf8Decoder_instances, begin_fn).call(this, byte, units);
      return;
    }
    __privateSet(this, _least, 128);
    __privateSet(this, _most, 191);
    __privateSet(this, _point, __privateGet(this, _point) << 6 | byte & 63);
    __privateSet(this, _missing, __privateGet(this, _missing) - 1);
    if (__privateGet(this, _missing) === 0) put(__privateGet(this, _point), units);
  };
  begin_fn = function(byte, units) {
    if (byte < 128) {
      units.push(byte);
    } else if (byte >= 194 && byte <= 223) {
      __privateMethod(this, _Utf8Decoder_instances, open_fn).call(this, byte & 31, 1);
    } else if (byte >= 224 && byte <= 239) {
      __privateMethod(this, _Utf8Decoder_instances, open_fn).call(this, byte & 15, 2);
      if (byte === 224) __privateSet(this, _least, 160);
      if (byte === 237) __privateSet(this, _most, 159);
    } else if (byte >= 240 && byte <= 244) {
      __privateMethod(this, _Utf8Decoder_instances, open_fn).call(this, byte & 7, 3);
      if (byte === 240) __privateSet(this, _least, 144);
      if (byte === 244) __privateSet(this, _most, 143);
    } else {
      units.push(REPLACEMENT);
    }
  };
  open_fn = function(bits, missing) {
    __privateSet(this, _point, bits);
    __privateSet(this, _missing, missing);
  };
  function put(point, units) {
    if (point < 65536) {
      units.push(point);
      return;
    }
    units.push(55296 + (point - 65536 >> 10), 56320 + (point - 65536 & 1023));
  }
  var _decoder;
  var PlatformDecoder = class {
    constructor() {
      __privateAdd(this, _decoder, new TextDecoder("utf-8", { ignoreBOM: true }));
    }
    decode(bytes) {
      return __privateGet(this, _decoder).decode(bytes, { stream: true });
    }
    end() {
      return __privateGet(this, _decoder).decode();
    }
  };
  _decoder = new WeakMap();
  function createDecoder() {
    return typeof TextDecoder === "undefined" ? new Utf8Decoder() : new PlatformDecoder();
  }
  function encodeUtf8ByHand(text) {
    const bytes = new Uint8Array(text.length * 3);
    let n = 0;
    for (const char of text) {
      let point = char.codePointAt(0);
      if (point >= 55296 && point <= 57343) point = REPLACEMENT;
      if (point < 128) {
        bytes[n++] = point;
        continue;
      }
      const tails = point < 2048 ? 1 : point < 65536 ? 2 : 3;
      bytes[n++] = [0, 192, 224, 240][tails] | point >> 6 * tails;
      for (let i = tails - 1; i >= 0; i--) bytes[n++] = 128 | point >> 6 * i & 63;
    }
    return bytes.subarray(0, n);
  }
  function encodeUtf8(text) {
    return typeof TextEncoder === "undefined" ? encodeUtf8ByHand(text) : new TextEncoder().encode(text);
  }

  // cursor.js
  var _isStarted, _Cursor_instances, isNew_fn, takeLoose_fn, fresh_fn, start_fn, content_fn, replace_fn;
  var Cursor = class {
    constructor(place2 = {}) {
      __privateAdd(this, _Cursor_instances);
      __publicField(this, "streamId");
      __publicField(this, "conversationId");
      __publicField(this, "itemId");
      __publicField(this, "seq", 0);
      // of the newest event that was taken; 0 = none
      __publicField(this, "text", "");
      __publicField(this, "reasoning", "");
      __publicField(this, "references", []);
      __publicField(this, "usage", null);
      __publicField(this, "loose", 0);
      // characters at the end of the text that came without a number
      __privateAdd(this, _isStarted, false);
      for (const name of ["streamId", "conversationId", "itemId", "seq", "text", "reasoning"]) {
        if (place2[name] !== void 0) this[name] = place2[name];
      }
    }
    // Begins again: what follows is the whole answer.
    rewind() {
      this.seq = 0;
      this.text = "";
      this.loose = 0;
      this.reasoning = "";
      this.references = [];
      return [{ type: "rewind", seq: 0 }];
    }
    // An item of events.js -> what the reader is told, in order. An event that
    // was taken before tells nothing. The end is not taken here: see finish().
    take(item) {
      var _a;
      if (item.isNamed) (_a = this.streamId) != null ? _a : this.streamId = item.streamId;
      if (item.loose !== void 0) return __privateMethod(this, _Cursor_instances, takeLoose_fn).call(this, item);
      if (!__privateMethod(this, _Cursor_instances, isNew_fn).call(this, item)) return [];
      const told = [];
      this.streamId = item.streamId;
      this.seq = item.seq;
      if (item.conversationId) this.conversationId = item.conversationId;
      if (item.itemId) this.itemId = item.itemId;
      if (!__privateGet(this, _isStarted)) told.push(__privateMethod(this, _Cursor_instances, start_fn).call(this));
      __privateMethod(this, _Cursor_instances, content_fn).call(this, item, told);
      for (const event of told) event.seq = item.seq;
      return told;
    }
    // The end of the journal -> what the reader is told last. Throws BailianError
    // `damaged` when the text is not the one that the server stored: nothing was
    // taken then, and the answer may be read again from its beginning.
    finish(item) {
      return __async(this, null, function* () {
        var _a, _b;
        const end = item.end;
        const whole = (_a = end.text) != null ? _a : this.text;
        if (!(yield isProven(whole, end))) {
          throw new BailianError("damaged", "The answer is not what the server stored.", { isPassing: true });
        }
        const told = whole === this.text ? [] : [__privateMethod(this, _Cursor_instances, replace_fn).call(this, whole)];
        this.seq = item.seq || this.seq;
        this.usage = (_b = end.usage) != null ? _b : this.usage;
        told.push({
          type: "end",
          seq: this.seq,
          text: whole,
          finishReason: end.finishReason,
          usage: this.usage,
          isComplete: end.error === void 0,
          error: end.error,
          code: end.code
        });
        return told;
      });
    }
  };
  _isStarted = new WeakMap();
  _Cursor_instances = new WeakSet();
  isNew_fn = function(item) {
    if (!item.seq || item.seq <= this.seq) return false;
    return this.streamId === void 0 || item.streamId === this.streamId;
  };
  // Text without a number stands until the numbered events that hold it come.
  takeLoose_fn = function({ streamId, loose: text }) {
    if (this.streamId !== void 0 && streamId !== this.streamId) return [];
    this.streamId = streamId;
    this.text += text;
    this.loose += text.length;
    const told = { type: "content", seq: this.seq, text };
    return __privateGet(this, _isStarted) ? [told] : [__spreadProps(__spreadValues({}, __privateMethod(this, _Cursor_instances, start_fn).call(this)), { seq: this.seq }), told];
  };
  // What of a numbered text has not been taken without a number.
  fresh_fn = function(text) {
    const known = Math.min(this.loose, text.length);
    this.loose -= known;
    return text.slice(known);
  };
  start_fn = function() {
    __privateSet(this, _isStarted, true);
    return { type: "start", streamId: this.streamId, conversationId: this.conversationId, itemId: this.itemId };
  };
  content_fn = function(item, told) {
    var _a;
    if (item.reasoning) {
      this.reasoning += item.reasoning;
      told.push({ type: "reasoning", text: item.reasoning });
    }
    const content = __privateMethod(this, _Cursor_instances, fresh_fn).call(this, (_a = item.content) != null ? _a : "");
    if (content) {
      this.text += content;
      told.push({ type: "content", text: content });
    }
    if (item.references) {
      this.references = [...this.references, ...item.references];
      told.push({ type: "references", references: item.references });
    }
    if (item.status) told.push({ type: "status", status: item.status });
    if (item.usage) this.usage = item.usage;
    const whole = item.rewrite ? rewritten(this.text, item.rewrite) : item.replace;
    if (whole !== void 0) told.push(__privateMethod(this, _Cursor_instances, replace_fn).call(this, whole));
  };
  replace_fn = function(text) {
    this.text = text;
    this.loose = 0;
    return { type: "replace", text };
  };
  function isProven(text, end) {
    return __async(this, null, function* () {
      if (end.error !== void 0 && end.sha256 === void 0) return true;
      const bytes = encodeUtf8(text);
      return bytes.length === end.length && (yield sha256(bytes)) === end.sha256;
    });
  }
  function rewritten(text, { keep, text: added }) {
    return createDecoder().decode(encodeUtf8(text).subarray(0, keep)) + added;
  }

  // exchange.js
  var NOTHING = Object.freeze({ isNothing: true });
  var CLIMB = Object.freeze({ isClimb: true });
  function chunks(response, control) {
    return __asyncGenerator(this, null, function* () {
      var _a;
      if (!((_a = response.body) == null ? void 0 : _a.getReader)) {
        yield encodeUtf8(yield new __await(response.text()));
        return;
      }
      const reader = response.body.getReader();
      try {
        for (; ; ) {
          yield new __await(control.gate());
          const { done, value } = yield new __await(reader.read());
          if (done) return;
          control.alive();
          yield value;
        }
      } finally {
        reader.cancel().catch(() => {
        });
      }
    });
  }
  function orLost(items, signal) {
    return __asyncGenerator(this, null, function* () {
      try {
        yield* __yieldStar(items);
      } catch (cause) {
        if (signal.aborted) throw signal.reason;
        if (cause instanceof Lost || cause instanceof BailianError) throw cause;
        throw new Lost(cause instanceof RangeError ? "garbage" : "network", { cause });
      }
    });
  }
  function checkType(response, wanted, isAsk = false) {
    var _a, _b;
    const type = response.headers.get("content-type") || "";
    if (wanted.test(type)) return;
    (_b = (_a = response.body) == null ? void 0 : _a.cancel) == null ? void 0 : _b.call(_a).catch(() => {
    });
    if (isAsk) throw new BailianError("bad_answer", "Something else than the server answered.", { status: response.status });
    throw new Lost("garbage");
  }
  function jsonOf(response, control) {
    return __async(this, null, function* () {
      try {
        const value = yield response.json();
        if (value && typeof value === "object") return value;
        throw new TypeError("no object");
      } catch (cause) {
        if (control.signal.aborted) throw control.signal.reason;
        throw new Lost("garbage", { cause });
      }
    });
  }
  function answered(http, path2, question, control) {
    return __async(this, null, function* () {
      const { data } = yield jsonOf(yield post(http, path2, question, control), control);
      if (typeof (data == null ? void 0 : data.streamId) !== "string") throw new Lost("garbage");
      return data;
    });
  }
  var post = (http, path2, question, control, isStream = false) => http.request("POST", path2, {
    body: question.body,
    headers: { "Idempotency-Key": question.key },
    signal: control.signal,
    isStream
  });

  // ladder.js
  function createMemory({ climbMs }) {
    return { at: 0, climbAt: Infinity, waitMs: climbMs };
  }
  var _rungs, _memory, _options, _at, _Ladder_instances, remember_fn;
  var Ladder = class {
    // climbMs: until a higher rung is tried again; doubles up to climbMostMs.
    constructor(rungs, memory, options) {
      __privateAdd(this, _Ladder_instances);
      __publicField(this, "isProbe", false);
      // we have climbed, and nothing proves yet that it works
      __publicField(this, "isTrial", false);
      // the same, or after a fall
      __privateAdd(this, _rungs);
      __privateAdd(this, _memory);
      __privateAdd(this, _options);
      __privateAdd(this, _at);
      __privateSet(this, _rungs, rungs);
      __privateSet(this, _memory, memory);
      __privateSet(this, _options, options);
      __privateSet(this, _at, Math.min(memory.at, rungs.length - 1));
    }
    get rung() {
      return __privateGet(this, _rungs)[__privateGet(this, _at)];
    }
    // The way does not work here -> whether there is another one. What holds one
    // HTTP answer back holds them all back; without room (`busy`) it is only this
    // answer that goes elsewhere.
    fall(nowMs, reason) {
      const isHeld = reason === "silent" && this.rung.isHttpStream;
      const below = __privateGet(this, _rungs).findIndex((rung, i) => i > __privateGet(this, _at) && !(isHeld && rung.isHttpStream));
      if (below < 0) return false;
      __privateSet(this, _at, below);
      if (reason !== "busy") __privateMethod(this, _Ladder_instances, remember_fn).call(this, nowMs, this.isProbe ? __privateGet(this, _memory).waitMs * 2 : __privateGet(this, _options).climbMs);
      this.isProbe = false;
      this.isTrial = true;
      return true;
    }
    mayClimb(nowMs) {
      return __privateGet(this, _at) > 0 && nowMs >= __privateGet(this, _memory).climbAt;
    }
    // Until then; Infinity when there is nothing above.
    climbInMs(nowMs) {
      return __privateGet(this, _at) > 0 ? Math.max(__privateGet(this, _memory).climbAt - nowMs, 0) : Infinity;
    }
    climb(nowMs) {
      __privateSet(this, _at, __privateGet(this, _at) - 1);
      __privateGet(this, _memory).climbAt = nowMs + __privateGet(this, _memory).waitMs;
      this.isProbe = true;
      this.isTrial = true;
    }
    // Bytes came.
    proven(nowMs) {
      if (this.isProbe) __privateMethod(this, _Ladder_instances, remember_fn).call(this, nowMs, __privateGet(this, _options).climbMs);
      this.isProbe = false;
      this.isTrial = false;
    }
  };
  _rungs = new WeakMap();
  _memory = new WeakMap();
  _options = new WeakMap();
  _at = new WeakMap();
  _Ladder_instances = new WeakSet();
  remember_fn = function(nowMs, waitMs) {
    __privateGet(this, _memory).at = __privateGet(this, _at);
    __privateGet(this, _memory).waitMs = Math.min(waitMs, __privateGet(this, _options).climbMostMs);
    __privateGet(this, _memory).climbAt = __privateGet(this, _at) ? nowMs + __privateGet(this, _memory).waitMs : Infinity;
  };

  // machine.js
  var NEXT = {
    /*          opening                reading               waiting               over */
    opened: { opening: "reading" },
    lost: { opening: "waiting", reading: "waiting" },
    due: { waiting: "opening" },
    moved: { opening: "opening", reading: "opening" },
    // to another transport
    end: { opening: "over", reading: "over", waiting: "over", over: "over" }
  };
  var _options2, _progressAt, _Machine_instances, backOff_fn;
  var Machine = class {
    // leastMs, mostMs, giveUpMs, random() in [0, 1)
    constructor(options, nowMs) {
      __privateAdd(this, _Machine_instances);
      __publicField(this, "state", "opening");
      __publicField(this, "attempts", 0);
      // losses since something new came
      __publicField(this, "silences", 0);
      // losses in a row without a single byte, or without a good one
      __publicField(this, "retryMs", null);
      // the server's `retry:`, with its chance in it (C15)
      __privateAdd(this, _options2);
      __privateAdd(this, _progressAt);
      __privateSet(this, _options2, options);
      __privateSet(this, _progressAt, nowMs);
    }
    get isOver() {
      return this.state === "over";
    }
    on(event) {
      const next = NEXT[event][this.state];
      if (!next) throw new Error(`${event} cannot happen when ${this.state}`);
      this.state = next;
    }
    // Something new was read.
    progressed(nowMs) {
      this.attempts = 0;
      this.silences = 0;
      __privateSet(this, _progressAt, nowMs);
    }
    // We were asleep, or without a network: that time does not count.
    awoke(nowMs) {
      __privateSet(this, _progressAt, nowMs);
    }
    // The connection is gone -> how long to wait, or null: it has been too long.
    // Without bounds a server that restarts would get all its readers at once.
    lost({ reason, retryAfterMs = 0 }, nowMs) {
      this.on("lost");
      this.silences = reason === "silent" || reason === "garbage" ? this.silences + 1 : 0;
      if (nowMs - __privateGet(this, _progressAt) > __privateGet(this, _options2).giveUpMs) return null;
      const wait = Math.max(__privateMethod(this, _Machine_instances, backOff_fn).call(this), retryAfterMs);
      this.attempts += 1;
      return wait;
    }
  };
  _options2 = new WeakMap();
  _progressAt = new WeakMap();
  _Machine_instances = new WeakSet();
  backOff_fn = function() {
    var _a;
    const { leastMs, mostMs, random } = __privateGet(this, _options2);
    if (this.attempts === 0 && this.retryMs !== null) return Math.min(this.retryMs, mostMs);
    const most = Math.min(mostMs, ((_a = this.retryMs) != null ? _a : leastMs) * __pow(2, Math.min(this.attempts, 20)));
    return most / 2 + random() * (most / 2);
  };

  // queue.js
  var MOST = 256;
  var _events, _isEnded, _arrival, _space;
  var Queue = class {
    constructor() {
      __privateAdd(this, _events, []);
      __privateAdd(this, _isEnded, false);
      __privateAdd(this, _arrival, null);
      __privateAdd(this, _space, null);
    }
    tell(event) {
      var _a;
      __privateGet(this, _events).push(event);
      (_a = __privateGet(this, _arrival)) == null ? void 0 : _a.call(this);
    }
    end() {
      var _a;
      __privateSet(this, _isEnded, true);
      (_a = __privateGet(this, _arrival)) == null ? void 0 : _a.call(this);
    }
    // Nobody takes any more.
    drop() {
      var _a;
      __privateSet(this, _events, []);
      (_a = __privateGet(this, _space)) == null ? void 0 : _a.call(this);
    }
    next() {
      return __async(this, null, function* () {
        var _a;
        while (!__privateGet(this, _events).length && !__privateGet(this, _isEnded)) {
          yield new Promise((arrived) => {
            __privateSet(this, _arrival, arrived);
          });
        }
        const event = __privateGet(this, _events).shift();
        if (__privateGet(this, _events).length < MOST) (_a = __privateGet(this, _space)) == null ? void 0 : _a.call(this);
        return event;
      });
    }
    room() {
      return __async(this, null, function* () {
        if (__privateGet(this, _events).length < MOST) return;
        yield new Promise((space) => {
          __privateSet(this, _space, space);
        });
        __privateSet(this, _space, null);
      });
    }
  };
  _events = new WeakMap();
  _isEnded = new WeakMap();
  _arrival = new WeakMap();
  _space = new WeakMap();

  // answer.js
  var SILENCES = 2;
  var USELESS = ["refused", "unsupported", "busy"];
  var _http, _options3, _platform, _ladder, _cursor, _machine, _question, _readers, _settle, _abort, _wake, _open, _release, _isRewound, _isStopped, _stopTimer, _isClosed, _sleepAgain, _Answer_instances, soFar_fn, run_fn, awake_fn, turn_fn, moved_fn, isToFall_fn, read_fn, items_fn, watched_fn, opened_fn, take_fn2, rewind_fn, wait_fn, finish_fn, cancelled_fn, end_fn, fail_fn, leave_fn, stopServer_fn, tell_fn, room_fn;
  var Answer = class {
    // does not listen for what wakes us up any longer
    // context: {http, options, platform, memory, transports} of the client.
    constructor({ http, options, platform, memory, transports }, place2, question, { on, signal } = {}) {
      __privateAdd(this, _Answer_instances);
      __privateAdd(this, _http);
      __privateAdd(this, _options3);
      __privateAdd(this, _platform);
      __privateAdd(this, _ladder);
      __privateAdd(this, _cursor);
      __privateAdd(this, _machine);
      __privateAdd(this, _question);
      // null: only read on
      __privateAdd(this, _readers, /* @__PURE__ */ new Set());
      __privateAdd(this, _settle);
      __privateAdd(this, _abort, null);
      // of the connection that is open
      __privateAdd(this, _wake, null);
      // ends the wait for the next try
      __privateAdd(this, _open, null);
      // a promise while reading is paused
      __privateAdd(this, _release, null);
      __privateAdd(this, _isRewound, false);
      __privateAdd(this, _isStopped, false);
      __privateAdd(this, _stopTimer);
      __privateAdd(this, _isClosed, false);
      __privateAdd(this, _sleepAgain, () => {
      });
      __privateSet(this, _http, http);
      __privateSet(this, _options3, options);
      __privateSet(this, _platform, platform);
      __privateSet(this, _ladder, new Ladder(transports, memory, options));
      __privateSet(this, _cursor, new Cursor(place2));
      __privateSet(this, _question, question);
      __privateSet(this, _machine, new Machine(options, options.now()));
      if (on) __privateGet(this, _readers).add({ tell: on });
      this.done = new Promise((resolve, reject) => {
        __privateSet(this, _settle, { resolve, reject });
      });
      this.done.catch(() => {
      });
      signal == null ? void 0 : signal.addEventListener("abort", () => this.stop(), { once: true });
      if (signal == null ? void 0 : signal.aborted) this.stop();
      Promise.resolve().then(() => __privateMethod(this, _Answer_instances, run_fn).call(this));
    }
    get streamId() {
      return __privateGet(this, _cursor).streamId;
    }
    get conversationId() {
      return __privateGet(this, _cursor).conversationId;
    }
    get itemId() {
      return __privateGet(this, _cursor).itemId;
    }
    get seq() {
      return __privateGet(this, _cursor).seq;
    }
    get text() {
      return __privateGet(this, _cursor).text;
    }
    get reasoning() {
      return __privateGet(this, _cursor).reasoning;
    }
    get references() {
      return __privateGet(this, _cursor).references;
    }
    get transport() {
      return __privateGet(this, _ladder).rung.name;
    }
    get state() {
      return __privateGet(this, _machine).state;
    }
    // --- what the reader may do
    // No more is read until resume(); the server waits for it for a while.
    pause() {
      var _a;
      (_a = __privateGet(this, _open)) != null ? _a : __privateSet(this, _open, new Promise((release) => {
        __privateSet(this, _release, release);
      }));
    }
    resume() {
      var _a;
      (_a = __privateGet(this, _release)) == null ? void 0 : _a.call(this);
      __privateSet(this, _open, null);
      __privateSet(this, _release, null);
    }
    // Ends the answer on the server; its end comes as an event, `cancelled`.
    stop() {
      if (__privateGet(this, _isStopped) || __privateGet(this, _machine).isOver) return;
      __privateSet(this, _isStopped, true);
      this.resume();
      if (this.streamId) __privateMethod(this, _Answer_instances, stopServer_fn).call(this);
      __privateSet(this, _stopTimer, __privateGet(this, _options3).setTimeout(() => __privateMethod(this, _Answer_instances, end_fn).call(this, __privateMethod(this, _Answer_instances, cancelled_fn).call(this)), __privateGet(this, _options3).stopMs));
    }
    // Ends only the reading: what becomes of the answer is the server's policy.
    close() {
      __privateSet(this, _isClosed, true);
      __privateMethod(this, _Answer_instances, end_fn).call(this, null);
    }
    // Does not wait any longer for the next try.
    retryNow() {
      var _a;
      (_a = __privateGet(this, _wake)) == null ? void 0 : _a.call(this);
    }
    [Symbol.asyncIterator]() {
      return __asyncGenerator(this, null, function* () {
        const queue = new Queue();
        if (__privateGet(this, _cursor).seq) queue.tell(__privateMethod(this, _Answer_instances, soFar_fn).call(this));
        __privateGet(this, _readers).add(queue);
        if (__privateGet(this, _machine).isOver) queue.end();
        try {
          for (let event; event = yield new __await(queue.next()); ) yield event;
          if (!__privateGet(this, _isClosed)) yield new __await(this.done);
        } finally {
          __privateGet(this, _readers).delete(queue);
          queue.drop();
          if (!__privateGet(this, _readers).size) this.close();
        }
      });
    }
  };
  _http = new WeakMap();
  _options3 = new WeakMap();
  _platform = new WeakMap();
  _ladder = new WeakMap();
  _cursor = new WeakMap();
  _machine = new WeakMap();
  _question = new WeakMap();
  _readers = new WeakMap();
  _settle = new WeakMap();
  _abort = new WeakMap();
  _wake = new WeakMap();
  _open = new WeakMap();
  _release = new WeakMap();
  _isRewound = new WeakMap();
  _isStopped = new WeakMap();
  _stopTimer = new WeakMap();
  _isClosed = new WeakMap();
  _sleepAgain = new WeakMap();
  _Answer_instances = new WeakSet();
  // For a reader that comes late.
  soFar_fn = function() {
    const { streamId, conversationId, itemId, seq, text, reasoning, references } = __privateGet(this, _cursor);
    return { type: "snapshot", streamId, conversationId, itemId, seq, text, reasoning, references };
  };
  run_fn = function() {
    return __async(this, null, function* () {
      if (__privateGet(this, _machine).isOver) return;
      __privateSet(this, _sleepAgain, __privateGet(this, _platform).onAwake(() => __privateMethod(this, _Answer_instances, awake_fn).call(this)));
      try {
        while (!__privateGet(this, _machine).isOver) yield __privateMethod(this, _Answer_instances, turn_fn).call(this);
      } catch (failure) {
        __privateMethod(this, _Answer_instances, fail_fn).call(this, failure);
      }
    });
  };
  awake_fn = function() {
    __privateGet(this, _machine).awoke(__privateGet(this, _options3).now());
    this.retryNow();
  };
  turn_fn = function() {
    return __async(this, null, function* () {
      try {
        yield __privateMethod(this, _Answer_instances, read_fn).call(this);
      } catch (failure) {
        if (__privateGet(this, _machine).isOver) return;
        if ((failure == null ? void 0 : failure.code) === "damaged" && !__privateGet(this, _isRewound)) __privateMethod(this, _Answer_instances, rewind_fn).call(this);
        else if (!(failure instanceof Lost)) throw failure;
        if (!__privateMethod(this, _Answer_instances, moved_fn).call(this, failure)) yield __privateMethod(this, _Answer_instances, wait_fn).call(this, failure);
      }
    });
  };
  // Whether the next try is by another transport, and at once.
  moved_fn = function({ reason }) {
    const now = __privateGet(this, _options3).now();
    const isUp = reason === "climb";
    if (isUp) __privateGet(this, _ladder).climb(now);
    else if (!__privateMethod(this, _Answer_instances, isToFall_fn).call(this, reason) || !__privateGet(this, _ladder).fall(now, reason)) return false;
    __privateGet(this, _machine).on("moved");
    return true;
  };
  isToFall_fn = function(reason) {
    return USELESS.includes(reason) || __privateGet(this, _ladder).isProbe || __privateGet(this, _ladder).isTrial && reason === "silent";
  };
  read_fn = function() {
    return __async(this, null, function* () {
      const abort = createAbort();
      if (__privateGet(this, _ladder).mayClimb(__privateGet(this, _options3).now())) __privateGet(this, _ladder).climb(__privateGet(this, _options3).now());
      const control = __privateMethod(this, _Answer_instances, watched_fn).call(this, abort);
      __privateSet(this, _abort, abort);
      try {
        try {
          for (var iter = __forAwait(__privateMethod(this, _Answer_instances, items_fn).call(this, control)), more, temp, error; more = !(temp = yield iter.next()).done; more = false) {
            const item = temp.value;
            yield __privateMethod(this, _Answer_instances, take_fn2).call(this, item);
            if (__privateGet(this, _machine).isOver) return;
          }
        } catch (temp) {
          error = [temp];
        } finally {
          try {
            more && (temp = iter.return) && (yield temp.call(iter));
          } finally {
            if (error)
              throw error[0];
          }
        }
      } catch (failure) {
        throw abort.signal.aborted ? abort.signal.reason : failure;
      } finally {
        control.stop();
        abort.abort(new Lost("closed"));
        __privateSet(this, _abort, null);
      }
      throw new Lost("closed");
    });
  };
  items_fn = function(control) {
    const transport = __privateGet(this, _ladder).rung;
    const { streamId, seq, loose } = __privateGet(this, _cursor);
    return streamId ? transport.resume({ streamId, seq, loose }, control) : transport.ask(__privateGet(this, _question), control);
  };
  // What the transport tells of the connection, and the dog that watches it:
  // silence is a loss, unless we are the ones who do not read.
  watched_fn = function(abort) {
    let timer;
    let hasBytes = false;
    const { setTimeout: start, clearTimeout: stop, openMs, silenceMs, trialMs } = __privateGet(this, _options3);
    const isTrial = __privateGet(this, _ladder).isTrial && !__privateGet(this, _ladder).rung.isQuiet;
    const first = (ms) => isTrial && !hasBytes ? Math.min(ms, trialMs) : ms;
    const feed = (ms) => {
      stop(timer);
      timer = start(() => abort.abort(new Lost(hasBytes ? "network" : "silent")), ms);
    };
    feed(first(openMs));
    return {
      signal: abort.signal,
      opened: () => {
        if (__privateGet(this, _machine).state === "opening") __privateMethod(this, _Answer_instances, opened_fn).call(this);
        feed(first(silenceMs));
      },
      alive: () => {
        hasBytes = true;
        __privateGet(this, _ladder).proven(__privateGet(this, _options3).now());
        feed(silenceMs);
      },
      mayClimb: () => __privateGet(this, _ladder).mayClimb(__privateGet(this, _options3).now()),
      climbInMs: () => __privateGet(this, _ladder).climbInMs(__privateGet(this, _options3).now()),
      gate: () => __async(this, null, function* () {
        if (__privateGet(this, _open)) {
          stop(timer);
          yield __privateGet(this, _open);
          feed(first(silenceMs));
        }
        yield __privateMethod(this, _Answer_instances, room_fn).call(this);
      }),
      stop: () => stop(timer)
    };
  };
  opened_fn = function() {
    __privateGet(this, _machine).on("opened");
    if (__privateGet(this, _machine).attempts) __privateMethod(this, _Answer_instances, tell_fn).call(this, { type: "reconnected", transport: this.transport, seq: this.seq });
  };
  take_fn2 = function(item) {
    return __async(this, null, function* () {
      var _a;
      if (item === NOTHING) {
        throw new BailianError("damaged", "The end of the answer is missing.");
      }
      if (item.retry !== void 0) {
        __privateGet(this, _machine).retryMs = item.retry;
        return;
      }
      if (item === CLIMB) throw new Lost("climb");
      if (item.isReconnect) throw new Lost("draining");
      if (item.end) {
        if (item.streamId !== this.streamId && this.streamId !== void 0) return;
        yield __privateMethod(this, _Answer_instances, finish_fn).call(this, item);
        return;
      }
      const told = __privateGet(this, _cursor).take(item);
      if (!told.length && item.seq === void 0) return;
      if (item.seq || told.length) __privateGet(this, _machine).progressed(__privateGet(this, _options3).now());
      for (const event of told) __privateMethod(this, _Answer_instances, tell_fn).call(this, event);
      if (__privateGet(this, _isStopped) && ((_a = told[0]) == null ? void 0 : _a.type) === "start") __privateMethod(this, _Answer_instances, stopServer_fn).call(this);
    });
  };
  rewind_fn = function() {
    __privateSet(this, _isRewound, true);
    for (const event of __privateGet(this, _cursor).rewind()) __privateMethod(this, _Answer_instances, tell_fn).call(this, event);
  };
  wait_fn = function(failure) {
    return __async(this, null, function* () {
      const lost = failure instanceof Lost ? failure : new Lost("damaged");
      const wait = __privateGet(this, _machine).lost(lost, __privateGet(this, _options3).now());
      if (wait === null) throw lastWord(lost);
      const isDeaf = __privateGet(this, _machine).silences >= SILENCES || lost.reason === "damaged" && __privateGet(this, _ladder).rung.isQuiet;
      if (isDeaf) __privateGet(this, _ladder).fall(__privateGet(this, _options3).now(), lost.reason);
      if (__privateGet(this, _isStopped) && !this.streamId) {
        __privateMethod(this, _Answer_instances, end_fn).call(this, __privateMethod(this, _Answer_instances, cancelled_fn).call(this));
        return;
      }
      __privateMethod(this, _Answer_instances, tell_fn).call(this, { type: "reconnecting", attempt: __privateGet(this, _machine).attempts, delayMs: Math.round(wait), reason: lost.reason });
      yield new Promise((due) => {
        const timer = __privateGet(this, _options3).setTimeout(due, wait);
        __privateSet(this, _wake, () => {
          __privateGet(this, _options3).clearTimeout(timer);
          due();
        });
      });
      __privateSet(this, _wake, null);
      if (!__privateGet(this, _machine).isOver) __privateGet(this, _machine).on("due");
    });
  };
  finish_fn = function(item) {
    return __async(this, null, function* () {
      let end;
      for (const event of yield __privateGet(this, _cursor).finish(item)) {
        if (event.type === "end") end = event;
        else __privateMethod(this, _Answer_instances, tell_fn).call(this, event);
      }
      __privateMethod(this, _Answer_instances, end_fn).call(this, end);
    });
  };
  cancelled_fn = function() {
    return {
      type: "end",
      seq: this.seq,
      text: this.text,
      finishReason: "cancelled",
      usage: __privateGet(this, _cursor).usage,
      isComplete: false,
      error: "The answer was stopped.",
      code: "cancelled"
    };
  };
  // Once; end is the last event, or null when only the reading ends.
  end_fn = function(end) {
    var _a;
    if (__privateGet(this, _machine).isOver) return;
    __privateGet(this, _machine).on("end");
    if (end) __privateMethod(this, _Answer_instances, tell_fn).call(this, end);
    const isWanted = end && (end.isComplete || __privateGet(this, _isStopped) && end.code === "cancelled");
    if (isWanted) __privateGet(this, _settle).resolve(end);
    else if (end) __privateGet(this, _settle).reject(new BailianError((_a = end.code) != null ? _a : "internal", end.error, { isPassing: true }));
    else __privateGet(this, _settle).reject(new BailianError("closed", "The reading was closed."));
    __privateMethod(this, _Answer_instances, leave_fn).call(this);
  };
  fail_fn = function(failure) {
    var _a;
    if (__privateGet(this, _machine).isOver) return;
    __privateGet(this, _machine).on("end");
    __privateGet(this, _settle).reject(failure instanceof BailianError ? failure : new BailianError("internal", String((_a = failure == null ? void 0 : failure.message) != null ? _a : failure)));
    __privateMethod(this, _Answer_instances, leave_fn).call(this);
  };
  leave_fn = function() {
    var _a, _b, _c;
    __privateGet(this, _options3).clearTimeout(__privateGet(this, _stopTimer));
    __privateGet(this, _sleepAgain).call(this);
    this.resume();
    (_a = __privateGet(this, _wake)) == null ? void 0 : _a.call(this);
    (_b = __privateGet(this, _abort)) == null ? void 0 : _b.abort(new Lost("closed"));
    for (const reader of __privateGet(this, _readers)) (_c = reader.end) == null ? void 0 : _c.call(reader);
  };
  stopServer_fn = function() {
    return __async(this, null, function* () {
      try {
        yield __privateGet(this, _http).json("DELETE", `streams/${this.streamId}`);
      } catch (e) {
      }
    });
  };
  // --- readers
  tell_fn = function(event) {
    for (const reader of __privateGet(this, _readers)) reader.tell(event);
  };
  room_fn = function() {
    return __async(this, null, function* () {
      var _a;
      for (const reader of __privateGet(this, _readers)) yield (_a = reader.room) == null ? void 0 : _a.call(reader);
    });
  };
  function lastWord(lost) {
    if (lost.cause instanceof BailianError) return lost.cause;
    return new BailianError("unreachable", "The server cannot be reached.", { isPassing: true });
  }
  function sleep({ setTimeout: start, clearTimeout: stop }, ms, signal) {
    return new Promise((done, fail) => {
      const isOver = () => {
        stop(timer);
        fail(signal.reason);
      };
      const timer = start(() => {
        signal.removeEventListener("abort", isOver);
        done();
      }, ms);
      if (signal.aborted) isOver();
      else signal.addEventListener("abort", isOver, { once: true });
    });
  }

  // conversations.js
  var path = (id, rest = "") => `conversations/${encodeURIComponent(id)}${rest}`;
  var _http2;
  var Conversations = class {
    constructor(http) {
      __privateAdd(this, _http2);
      __privateSet(this, _http2, http);
    }
    // {items: [{conversationId, title, createdAt, updatedAt}], next}
    list({ q, limit, cursor, signal } = {}) {
      return __privateGet(this, _http2).json("GET", "conversations", { query: { q, limit, cursor }, signal });
    }
    // The conversation with its messages.
    read(id, { signal } = {}) {
      return __privateGet(this, _http2).json("GET", path(id), { signal });
    }
    rename(id, title) {
      return __privateGet(this, _http2).json("PATCH", path(id), { body: { title } });
    }
    delete(id) {
      return __privateGet(this, _http2).json("DELETE", path(id));
    }
    // Where a browser downloads it from, as `json` or `markdown`.
    exportUrl(id, format = "json") {
      return __privateGet(this, _http2).url(path(id, "/export"), { format });
    }
    export(id, format = "json") {
      return __privateGet(this, _http2).text("GET", path(id, "/export"), { query: { format } });
    }
  };
  _http2 = new WeakMap();

  // http.js
  var _options4;
  var _Http = class _Http {
    // base, fetch, headers (object, or a function that may be async), userId,
    // language (text, or a function)
    constructor(options) {
      __privateAdd(this, _options4);
      __privateSet(this, _options4, options);
    }
    // The same server, asked in another way.
    by(fetch) {
      return new _Http(__spreadProps(__spreadValues({}, __privateGet(this, _options4)), { fetch }));
    }
    // Where a WebSocket goes, and what belongs to its handshake.
    socketAddress(path2) {
      return __async(this, null, function* () {
        var _a, _b;
        const { headers } = __privateGet(this, _options4);
        const url = /^https?:/.test(__privateGet(this, _options4).base) ? this.url(path2) : `${(_b = (_a = root.location) == null ? void 0 : _a.origin) != null ? _b : ""}${this.url(path2)}`;
        if (!/^https?:/.test(url)) throw new Lost("unsupported");
        return { url: url.replace(/^http/, "ws"), headers: __spreadValues({}, yield valueOf(headers)) };
      });
    }
    get userId() {
      return __privateGet(this, _options4).userId;
    }
    // Where a browser may go by itself, for a download.
    url(path2, query = {}) {
      const { base, userId } = __privateGet(this, _options4);
      const pairs = Object.entries(__spreadProps(__spreadValues({}, query), { userId })).filter(([, value]) => value !== void 0 && value !== null && value !== "").map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
      return `${base}/${path2}${pairs.length ? `?${pairs.join("&")}` : ""}`;
    }
    // A response with a status of success. Throws Lost, BailianError, or what the
    // signal was aborted with.
    // isStream: the answer is read while it comes. isHeld: it may take long to come.
    request(_0, _1) {
      return __async(this, arguments, function* (method, path2, { query, headers, body, signal, isStream, isHeld } = {}) {
        const { fetch } = __privateGet(this, _options4);
        const language = valueOf(__privateGet(this, _options4).language);
        const own = yield valueOf(__privateGet(this, _options4).headers);
        const sent = __spreadValues(__spreadValues(__spreadValues({}, language && { "Accept-Language": language }), own), headers);
        if (body !== void 0) sent["Content-Type"] = "application/json";
        let response;
        try {
          response = yield fetch(this.url(path2, query), {
            method,
            headers: sent,
            signal,
            isStream,
            isHeld,
            cache: "no-store",
            body: body === void 0 ? void 0 : JSON.stringify(body)
          });
        } catch (cause) {
          if (signal == null ? void 0 : signal.aborted) throw signal.reason;
          throw cause instanceof Lost ? cause : new Lost("network", { cause });
        }
        if (!response.ok) throw yield failureOf(response);
        return response;
      });
    }
    // The same for JSON answers; undefined for one without a body. For calls that
    // a person waits for, so a loss is an error here.
    json(method, path2, options) {
      return __async(this, null, function* () {
        try {
          const response = yield this.request(method, path2, options);
          return response.status === 204 ? void 0 : yield response.json();
        } catch (failure) {
          throw asError(failure);
        }
      });
    }
    text(method, path2, options) {
      return __async(this, null, function* () {
        try {
          return yield (yield this.request(method, path2, options)).text();
        } catch (failure) {
          throw asError(failure);
        }
      });
    }
  };
  _options4 = new WeakMap();
  var Http = _Http;
  var valueOf = (option) => typeof option === "function" ? option() : option;
  function asError(failure) {
    if (failure instanceof BailianError || (failure == null ? void 0 : failure.name) === "AbortError") return failure;
    if (failure instanceof Lost) {
      return failure.cause instanceof BailianError ? failure.cause : new BailianError("unreachable", "The server cannot be reached.", { isPassing: true });
    }
    return new BailianError("bad_answer", "The answer of the server cannot be read.");
  }

  // body.js
  var MOST_BYTES = 4 * 1024 * 1024;
  var _pieces, _bytes, _isEnded2, _failure, _arrival2, _onCancel, _most2, _PushedBody_instances, read_fn2;
  var PushedBody = class {
    // onCancel: nobody takes any more.
    constructor(onCancel, most = MOST_BYTES) {
      __privateAdd(this, _PushedBody_instances);
      __privateAdd(this, _pieces, []);
      __privateAdd(this, _bytes, 0);
      __privateAdd(this, _isEnded2, false);
      __privateAdd(this, _failure, null);
      __privateAdd(this, _arrival2, null);
      __privateAdd(this, _onCancel);
      __privateAdd(this, _most2);
      __privateSet(this, _onCancel, onCancel);
      __privateSet(this, _most2, most);
    }
    push(bytes) {
      var _a;
      if (__privateGet(this, _isEnded2)) return;
      if (__privateGet(this, _bytes) > __privateGet(this, _most2)) {
        this.end(new Lost("overrun"));
        __privateGet(this, _onCancel).call(this);
        return;
      }
      if (bytes.length) __privateGet(this, _pieces).push(bytes);
      __privateSet(this, _bytes, __privateGet(this, _bytes) + bytes.length);
      (_a = __privateGet(this, _arrival2)) == null ? void 0 : _a.call(this);
    }
    end(failure = null) {
      var _a;
      if (__privateGet(this, _isEnded2)) return;
      __privateSet(this, _isEnded2, true);
      __privateSet(this, _failure, failure);
      (_a = __privateGet(this, _arrival2)) == null ? void 0 : _a.call(this);
    }
    getReader() {
      return { read: () => __privateMethod(this, _PushedBody_instances, read_fn2).call(this), cancel: () => this.cancel() };
    }
    cancel() {
      return __async(this, null, function* () {
        const wasEnded = __privateGet(this, _isEnded2);
        this.end();
        __privateSet(this, _pieces, []);
        if (!wasEnded) __privateGet(this, _onCancel).call(this);
      });
    }
  };
  _pieces = new WeakMap();
  _bytes = new WeakMap();
  _isEnded2 = new WeakMap();
  _failure = new WeakMap();
  _arrival2 = new WeakMap();
  _onCancel = new WeakMap();
  _most2 = new WeakMap();
  _PushedBody_instances = new WeakSet();
  read_fn2 = function() {
    return __async(this, null, function* () {
      while (!__privateGet(this, _pieces).length && !__privateGet(this, _isEnded2)) {
        yield new Promise((arrived) => {
          __privateSet(this, _arrival2, arrived);
        });
      }
      if (__privateGet(this, _pieces).length) {
        const value = __privateGet(this, _pieces).shift();
        __privateSet(this, _bytes, __privateGet(this, _bytes) - value.length);
        return { done: false, value };
      }
      if (__privateGet(this, _failure)) throw __privateGet(this, _failure);
      return { done: true, value: void 0 };
    });
  };

  // weixin.js
  var PLACES = 8;
  var STREAM_PLACES = 5;
  var METHODS = { PATCH: "POST" };
  var _taken, _streams, _waiting, _Places_instances, leave_fn2;
  var Places = class {
    constructor() {
      __privateAdd(this, _Places_instances);
      __privateAdd(this, _taken, 0);
      __privateAdd(this, _streams, 0);
      __privateAdd(this, _waiting, []);
    }
    // A function that leaves the place; it may be called more than once.
    take(isStream = false) {
      return __async(this, null, function* () {
        if (isStream && (__privateGet(this, _streams) >= STREAM_PLACES || __privateGet(this, _taken) >= PLACES)) throw new Lost("busy");
        if (isStream) __privateSet(this, _streams, __privateGet(this, _streams) + 1);
        if (__privateGet(this, _taken) < PLACES) __privateSet(this, _taken, __privateGet(this, _taken) + 1);
        else yield new Promise((free) => {
          __privateGet(this, _waiting).push(free);
        });
        let isLeft = false;
        return () => {
          if (!isLeft) __privateMethod(this, _Places_instances, leave_fn2).call(this, isStream);
          isLeft = true;
        };
      });
    }
  };
  _taken = new WeakMap();
  _streams = new WeakMap();
  _waiting = new WeakMap();
  _Places_instances = new WeakSet();
  leave_fn2 = function(isStream) {
    if (isStream) __privateSet(this, _streams, __privateGet(this, _streams) - 1);
    const next = __privateGet(this, _waiting).shift();
    if (next) next();
    else __privateSet(this, _taken, __privateGet(this, _taken) - 1);
  };
  var Reply = class {
    constructor({ status, header, body, text }) {
      this.status = status;
      this.ok = status >= 200 && status < 300;
      this.body = body;
      this.text = text;
      this.headers = { get: (name) => valueOf2(header, name) };
    }
    json() {
      return __async(this, null, function* () {
        return JSON.parse(yield this.text());
      });
    }
  };
  function valueOf2(header, name) {
    const found = Object.keys(header != null ? header : {}).find((key) => key.toLowerCase() === name);
    return found === void 0 ? null : String(header[found]);
  }
  var bytesOf = (data) => typeof data === "string" ? encodeUtf8(data) : new Uint8Array(data != null ? data : 0);
  function textOf(reader) {
    return __async(this, null, function* () {
      const decoder = createDecoder();
      let text = "";
      for (; ; ) {
        const { done, value } = yield reader.read();
        if (done) return text + decoder.end();
        text += decoder.decode(value);
      }
    });
  }
  function exchange(wx2, url, { method, headers, body: sent, signal, isStream = false }, leave) {
    return new Promise((resolve, reject) => {
      var _a;
      let hasChunks = false;
      const end = () => {
        task.abort();
        leave();
      };
      const body = new PushedBody(end, isStream ? void 0 : Infinity);
      const reply = (status, header) => resolve(new Reply({ status, header, body, text: () => textOf(body.getReader()) }));
      const fail = (failure) => {
        leave();
        reject(failure);
        body.end(failure);
      };
      const task = wx2.request({
        url,
        method: (_a = METHODS[method]) != null ? _a : method,
        header: headers,
        data: sent,
        dataType: "other",
        responseType: "arraybuffer",
        enableChunked: isStream,
        success: ({ statusCode, header, data }) => {
          leave();
          if (!hasChunks) body.push(bytesOf(data));
          reply(statusCode, header);
          body.end();
        },
        fail: ({ errMsg }) => fail(new TypeError(errMsg))
      });
      signal == null ? void 0 : signal.addEventListener("abort", () => {
        end();
        fail(signal.reason);
      }, { once: true });
      if (!isStream) return;
      if (typeof task.onChunkReceived !== "function") {
        end();
        fail(new Lost("unsupported"));
        return;
      }
      task.onHeadersReceived(({ statusCode, header }) => {
        if (statusCode) reply(statusCode, header);
      });
      task.onChunkReceived(({ data }) => {
        hasChunks = true;
        body.push(new Uint8Array(data));
      });
    });
  }
  function download(wx2, url, { headers, signal }, leave) {
    return new Promise((resolve, reject) => {
      const files = wx2.getFileSystemManager();
      let header;
      const refuse = ({ errMsg }) => reject(new Lost("refused", { cause: new TypeError(errMsg) }));
      const task = wx2.downloadFile({
        url,
        header: headers,
        success: ({ statusCode, tempFilePath }) => files.readFile({
          filePath: tempFilePath,
          success: ({ data }) => resolve(new Reply({ status: statusCode, header, text: () => textOf(read(bytesOf(data))) })),
          fail: refuse,
          complete: () => files.unlink({ filePath: tempFilePath })
        }),
        fail: refuse,
        complete: leave
      });
      task.onHeadersReceived((said) => {
        header = said.header;
      });
      signal == null ? void 0 : signal.addEventListener("abort", () => {
        task.abort();
        leave();
        reject(signal.reason);
      }, { once: true });
    });
  }
  function read(bytes) {
    const body = new PushedBody(() => {
    }, Infinity);
    body.push(bytes);
    body.end();
    return body.getReader();
  }
  var SOCKETS = 5;
  function connector(wx2) {
    let count = 0;
    return (url, headers, { open, message, close }) => {
      if (count >= SOCKETS) throw new Lost("busy");
      count += 1;
      let isOver = false;
      const end = (code, reason) => {
        if (isOver) return;
        isOver = true;
        count -= 1;
        close(code, reason);
      };
      const task = wx2.connectSocket({ url, header: headers, fail: () => end(1006) });
      task.onOpen(open);
      task.onMessage(({ data }) => message(data));
      task.onClose(({ code, reason }) => end(code, reason));
      task.onError(() => end(1006));
      return { send: (text) => task.send({ data: text, fail: () => end(1006) }), close: (code) => {
        task.close({ code });
        end(code);
      } };
    };
  }
  function onAwake(wx2, tell) {
    var _a, _b;
    const isOnline = ({ isConnected }) => {
      if (isConnected) tell();
    };
    (_a = wx2.onAppShow) == null ? void 0 : _a.call(wx2, tell);
    (_b = wx2.onNetworkStatusChange) == null ? void 0 : _b.call(wx2, isOnline);
    return () => {
      var _a2, _b2;
      (_a2 = wx2.offAppShow) == null ? void 0 : _a2.call(wx2, tell);
      (_b2 = wx2.offNetworkStatusChange) == null ? void 0 : _b2.call(wx2, isOnline);
    };
  }
  function weixinPlatform(wx2) {
    const places = new Places();
    const placed = (call) => (url, init) => __async(null, null, function* () {
      var _a;
      const leave = yield places.take(init.isStream || init.isHeld);
      if (!((_a = init.signal) == null ? void 0 : _a.aborted)) return call(wx2, url, init, leave);
      leave();
      throw init.signal.reason;
    });
    return {
      name: "weixin",
      fetch: placed(exchange),
      connect: wx2.connectSocket && connector(wx2),
      download: wx2.downloadFile && placed(download),
      onAwake: (tell) => onAwake(wx2, tell)
    };
  }

  // platform.js
  function onAwake2(tell) {
    var _a, _b;
    const isSeen = () => {
      if (document.visibilityState === "visible") tell();
    };
    (_a = root.addEventListener) == null ? void 0 : _a.call(root, "online", tell);
    (_b = root.document) == null ? void 0 : _b.addEventListener("visibilitychange", isSeen);
    return () => {
      var _a2, _b2;
      (_a2 = root.removeEventListener) == null ? void 0 : _a2.call(root, "online", tell);
      (_b2 = root.document) == null ? void 0 : _b2.removeEventListener("visibilitychange", isSeen);
    };
  }
  function protocolsOf(headers) {
    const names = Object.keys(headers);
    if (!names.length) return [];
    const token = names.length === 1 && /^authorization$/i.test(names[0]) && /^Bearer ([\w.~+-]+)$/.exec(headers[names[0]]);
    if (!token) throw new Lost("unsupported");
    return ["Bearer", token[1]];
  }
  var connectBy = (Socket) => (url, headers, { open, message, close }) => {
    const socket = new Socket(url, protocolsOf(headers));
    socket.onopen = open;
    socket.onmessage = ({ data }) => message(data);
    socket.onclose = ({ code, reason }) => close(code, reason);
    return { send: (text) => socket.send(text), close: (code) => socket.close(code) };
  };
  function webPlatform({ fetch, WebSocket: Socket = fetch ? void 0 : root.WebSocket }) {
    return {
      name: "web",
      onAwake: onAwake2,
      fetch: fetch != null ? fetch : ((...args) => root.fetch(...args)),
      connect: Socket && connectBy(Socket)
    };
  }
  var isWeixin = (given) => typeof given === "object" && given !== null && typeof given.request === "function";
  function platformOf({ wx: given, fetch, WebSocket: Socket }) {
    if (given) return weixinPlatform(given);
    const isWeb = fetch || typeof wx === "undefined" || !isWeixin(wx);
    return isWeb ? webPlatform({ fetch, WebSocket: Socket }) : weixinPlatform(wx);
  }

  // random.js
  function randomId() {
    var _a, _b, _c;
    const bytes = (_c = (_b = (_a = root.crypto) == null ? void 0 : _a.getRandomValues) == null ? void 0 : _b.call(_a, new Uint8Array(16))) != null ? _c : Array.from({ length: 16 }, () => Math.floor(Math.random() * 256));
    return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  }

  // events.js
  function parse(text) {
    try {
      const value = JSON.parse(text);
      if (value && typeof value === "object") return value;
    } catch (e) {
    }
    throw new Lost("garbage");
  }
  function place(id) {
    const found = /^([^:]+):(\d{1,15})$/.exec(id != null ? id : "");
    return found ? { streamId: found[1], seq: Number(found[2]) } : {};
  }
  function endOfChat(data) {
    var _a, _b;
    return {
      text: String((_a = data.content) != null ? _a : ""),
      finishReason: (_b = data.finishReason) != null ? _b : null,
      error: data.error,
      code: data.code,
      usage: data.usage,
      length: data.length,
      sha256: data.sha256
    };
  }
  function fromChat({ data: text, id }) {
    const data = parse(text);
    const item = __spreadProps(__spreadValues({}, place(id)), { conversationId: data.conversionId, itemId: data.conversionItemId });
    if (data.isEnd) return __spreadProps(__spreadValues({}, item), { end: endOfChat(data) });
    if (data.reconnect) return __spreadProps(__spreadValues({}, item), { isReconnect: true });
    for (const name of ["content", "reasoning", "replace"]) {
      if (typeof data[name] === "string") item[name] = data[name];
    }
    if (Array.isArray(data.references)) item.references = data.references;
    if (data.status && typeof data.status === "object") item.status = data.status;
    return item;
  }
  var GOOD = ["completed", "length"];
  function endOfBatch(fields) {
    var _a;
    const isGood = GOOD.includes(fields.outcome);
    return {
      text: void 0,
      // the batch form does not repeat it
      finishReason: isGood ? (_a = fields.finishReason) != null ? _a : null : fields.outcome,
      error: isGood ? void 0 : fields.reason || fields.outcome,
      code: isGood ? void 0 : fields.reason || fields.outcome,
      length: fields.length,
      sha256: fields.sha256
    };
  }
  function fromBatch(streamId, { seq, kind, text = "", fields = {} }) {
    const item = { streamId, seq };
    switch (kind) {
      case "start":
        return item;
      case "delta":
        return __spreadProps(__spreadValues({}, item), { content: text });
      case "reasoning":
        return __spreadProps(__spreadValues({}, item), { reasoning: text });
      case "search":
        return __spreadProps(__spreadValues({}, item), { references: fields.references });
      case "usage":
        return __spreadProps(__spreadValues({}, item), { usage: fields });
      case "replace":
        return __spreadProps(__spreadValues({}, item), { rewrite: { keep: fields.keep, text } });
      case "end":
        return __spreadProps(__spreadValues({}, item), { end: endOfBatch(fields) });
      default:
        return __spreadProps(__spreadValues({}, item), { status: __spreadValues({ type: kind }, fields) });
    }
  }
  function fromState(streamId, { outcome, code, length, sha256: sha2562 }) {
    return { streamId, end: endOfBatch({ outcome, reason: code, length, sha256: sha2562 }) };
  }
  function fromMessage(type, data, failure) {
    const { messageId: streamId, seq } = data;
    if (type === "CHAT_STREAM_START") {
      if (data.after) return { streamId, isNamed: true };
      return { streamId, seq: 1, conversationId: data.conversationId, itemId: data.requestId === streamId ? void 0 : data.requestId };
    }
    if (type === "CHAT_STREAM_END") return { streamId, seq, end: endOfMessages(data, failure) };
    return __spreadProps(__spreadValues({}, data), { streamId, seq });
  }
  function endOfMessages({ finishReason, totalTokens, length, sha256: sha2562 }, failure) {
    var _a, _b;
    const isGood = GOOD.includes(finishReason);
    return {
      text: void 0,
      finishReason: finishReason === "completed" ? "stop" : finishReason,
      error: isGood ? void 0 : (_a = failure == null ? void 0 : failure.data) != null ? _a : finishReason,
      code: isGood ? void 0 : (_b = failure == null ? void 0 : failure.code) != null ? _b : finishReason,
      usage: totalTokens === null ? void 0 : { totalTokens },
      length,
      sha256: sha2562
    };
  }

  // polling.js
  var HOLD_MS = 25e3;
  var HOLD_LEAST_MS = 1e3;
  var GATHER_MS = 200;
  var LEAST_MS = 500;
  var MOST_MS = 3e3;
  var MISSES = 2;
  function batch(http, place2, control, holdMs = 0) {
    return __async(this, null, function* () {
      const response = yield http.request("GET", `streams/${place2.streamId}/events`, {
        query: __spreadValues({ as: "json", after: String(place2.seq) }, holdMs && { wait: String(holdMs) }),
        signal: control.signal,
        isHeld: holdMs > 0
      });
      if (response.status === 204) return { events: [], next: place2.seq, isNothing: true };
      return jsonOf(response, control);
    });
  }
  function holdMsOf(memory, control) {
    const ms = memory.misses < MISSES ? Math.min(HOLD_MS, Math.round(control.climbInMs())) : 0;
    return ms < HOLD_LEAST_MS ? 0 : ms;
  }
  function held(http, place2, control, holdMs, memory) {
    return __async(this, null, function* () {
      try {
        const found = yield batch(http, place2, control, holdMs);
        memory.misses = 0;
        return found;
      } catch (failure) {
        if ((failure == null ? void 0 : failure.reason) === "busy") return batch(http, place2, control);
        if (failure instanceof Lost && failure.reason !== "closed") memory.misses += 1;
        throw failure;
      }
    });
  }
  function poll(http, place2, control, sleep2, memory) {
    return __asyncGenerator(this, null, function* () {
      let at = __spreadValues({}, place2);
      let wait = LEAST_MS;
      let holdMs = 0;
      for (; ; ) {
        yield new __await(control.gate());
        const { events, next, complete, isNothing } = yield new __await(holdMs ? held(http, at, control, holdMs, memory) : batch(http, at, control));
        control.opened();
        control.alive();
        for (const event of events) yield fromBatch(at.streamId, event);
        if (isNothing) yield NOTHING;
        if (isNothing || complete) return;
        if (control.mayClimb()) yield CLIMB;
        wait = events.length ? LEAST_MS : Math.min(wait * 1.5, MOST_MS);
        at = { streamId: at.streamId, seq: next };
        holdMs = holdMsOf(memory, control);
        yield new __await(sleep2(holdMs && events.length ? GATHER_MS : wait, control.signal));
      }
    });
  }
  function begin(http, question, control) {
    return __async(this, null, function* () {
      return (yield answered(http, "api/chat/stream", question, control)).streamId;
    });
  }
  function pollTransport(http, sleep2, { name = "poll", reading = http } = {}) {
    const memory = { misses: 0 };
    return {
      name,
      ask(question, control) {
        return __asyncGenerator(this, null, function* () {
          const streamId = yield new __await(begin(http, question, control));
          yield { streamId, isNamed: true };
          yield* __yieldStar(poll(reading, { streamId, seq: 0 }, control, sleep2, memory));
        });
      },
      resume(place2, control) {
        return __asyncGenerator(this, null, function* () {
          yield* __yieldStar(poll(reading, place2, control, sleep2, memory));
        });
      }
    };
  }

  // plain.js
  var PLAIN = /^text\/plain\b/;
  function* pieces(decoder, bytes, left) {
    const text = decoder.decode(bytes);
    const known = Math.min(left.known, text.length);
    left.known -= known;
    if (text.length > known) yield text.slice(known);
  }
  function read2(_0, _1, _2) {
    return __asyncGenerator(this, arguments, function* (response, { streamId, loose }, control) {
      const decoder = createDecoder();
      const left = { known: loose };
      try {
        for (var iter = __forAwait(chunks(response, control)), more, temp, error; more = !(temp = yield new __await(iter.next())).done; more = false) {
          const bytes = temp.value;
          for (const text of pieces(decoder, bytes, left)) yield { streamId, loose: text };
        }
      } catch (temp) {
        error = [temp];
      } finally {
        try {
          more && (temp = iter.return) && (yield new __await(temp.call(iter)));
        } finally {
          if (error)
            throw error[0];
        }
      }
    });
  }
  function endOf(http, streamId, signal) {
    return __async(this, null, function* () {
      const state = yield (yield http.request("GET", `streams/${streamId}`, { signal })).json();
      if (state.live) throw new Lost("closed");
      return fromState(streamId, state);
    });
  }
  function plainTransport(http) {
    function resume(place2, control) {
      return __asyncGenerator(this, null, function* () {
        const response = yield new __await(http.request("GET", `streams/${place2.streamId}/events`, {
          query: { as: "text", after: String(place2.seq) },
          signal: control.signal,
          isStream: true
        }));
        control.opened();
        if (response.status !== 204) {
          checkType(response, PLAIN);
          yield* __yieldStar(orLost(read2(response, place2, control), control.signal));
        }
        yield yield new __await(endOf(http, place2.streamId, control.signal));
      });
    }
    return {
      name: "text",
      isHttpStream: true,
      isQuiet: true,
      ask(question, control) {
        return __asyncGenerator(this, null, function* () {
          const streamId = yield new __await(begin(http, question, control));
          yield { streamId, isNamed: true };
          yield* __yieldStar(resume({ streamId, seq: 0, loose: 0 }, control));
        });
      },
      resume
    };
  }

  // line.js
  var MOST2 = 16;
  var COMES_BACK = 4001;
  var Reading = class {
    // the server sends nothing more for it
    constructor(data, requestId) {
      __publicField(this, "isEnded", false);
      var _a;
      this.requestId = requestId;
      this.streamId = (_a = data.resume) == null ? void 0 : _a.streamId;
      this.request = { type: "CHAT_REQUEST", data: __spreadProps(__spreadValues({}, data), { requestId }) };
      this.inbox = new PushedBody(() => {
      });
    }
    is(id, requestId) {
      return id !== void 0 && this.streamId !== void 0 ? this.streamId === id : requestId !== void 0 && this.requestId === requestId;
    }
    take(text, { type, data }) {
      if (type === "CHAT_STREAM_START") this.streamId = data.messageId;
      if (type === "CHAT_STREAM_END" || type === "ERROR" && this.streamId === void 0) this.isEnded = true;
      this.inbox.push(text);
    }
  };
  var retryIn = (reason) => {
    var _a, _b;
    return Number((_b = (_a = / retry=(\d{1,5})$/.exec(reason)) == null ? void 0 : _a[1]) != null ? _b : 0);
  };
  var _socket, _isOpen, _isOver, _readings, _onOver, _Line_instances, close_fn, end_fn2, send_fn, take_fn3, addressees_fn;
  var Line = class {
    // name: what tells it from others; onOver: nothing more can be read on it.
    constructor(platform, { name, url, headers }, onOver) {
      __privateAdd(this, _Line_instances);
      __privateAdd(this, _socket);
      __privateAdd(this, _isOpen, false);
      __privateAdd(this, _isOver, false);
      __privateAdd(this, _readings, /* @__PURE__ */ new Set());
      __privateAdd(this, _onOver);
      this.name = name;
      __privateSet(this, _onOver, onOver);
      __privateSet(this, _socket, platform.connect(url, headers, {
        open: () => {
          __privateSet(this, _isOpen, true);
          for (const { request } of __privateGet(this, _readings)) __privateMethod(this, _Line_instances, send_fn).call(this, request);
        },
        message: (text) => __privateMethod(this, _Line_instances, take_fn3).call(this, text),
        close: (code, reason) => __privateMethod(this, _Line_instances, end_fn2).call(this, new Lost(
          !__privateGet(this, _isOpen) ? "refused" : code === 1012 ? "draining" : "closed",
          { retryAfterMs: retryIn(reason) }
        ))
      }));
    }
    // Is there room, and nothing that it could be taken for?
    takes({ requestId, streamId }) {
      return !__privateGet(this, _isOver) && __privateGet(this, _readings).size < MOST2 && ![...__privateGet(this, _readings)].some((one) => one.requestId === requestId || streamId !== void 0 && one.streamId === streamId);
    }
    join(reading) {
      __privateGet(this, _readings).add(reading);
      if (__privateGet(this, _isOpen)) __privateMethod(this, _Line_instances, send_fn).call(this, reading.request);
    }
    leave(reading) {
      var _a;
      if (!__privateGet(this, _readings).delete(reading)) return;
      if (!__privateGet(this, _readings).size) __privateMethod(this, _Line_instances, close_fn).call(this);
      else if (__privateGet(this, _isOpen) && !reading.isEnded) {
        __privateMethod(this, _Line_instances, send_fn).call(this, { type: "CHAT_STREAM_END", data: { messageId: (_a = reading.streamId) != null ? _a : reading.requestId, leave: true } });
      }
    }
    // Nothing comes on it any more, though it looks open.
    break() {
      if (__privateGet(this, _isOver)) return;
      __privateMethod(this, _Line_instances, end_fn2).call(this, new Lost("network"));
      __privateGet(this, _socket).close(COMES_BACK);
    }
  };
  _socket = new WeakMap();
  _isOpen = new WeakMap();
  _isOver = new WeakMap();
  _readings = new WeakMap();
  _onOver = new WeakMap();
  _Line_instances = new WeakSet();
  close_fn = function() {
    __privateSet(this, _isOver, true);
    __privateGet(this, _onOver).call(this);
    __privateGet(this, _socket).close(COMES_BACK);
  };
  end_fn2 = function(lost) {
    if (__privateGet(this, _isOver)) return;
    __privateSet(this, _isOver, true);
    __privateGet(this, _onOver).call(this);
    for (const { inbox } of __privateGet(this, _readings)) inbox.end(lost);
    __privateGet(this, _readings).clear();
  };
  send_fn = function(message) {
    __privateGet(this, _socket).send(JSON.stringify(message));
  };
  take_fn3 = function(text) {
    let message;
    try {
      message = parse(text);
    } catch (lost) {
      __privateMethod(this, _Line_instances, end_fn2).call(this, lost);
      __privateGet(this, _socket).close(COMES_BACK);
      return;
    }
    for (const one of __privateMethod(this, _Line_instances, addressees_fn).call(this, message)) one.take(text, message);
  };
  // What is not about an answer, like a heartbeat, is for all of them; what is
  // about one that was left, for nobody.
  addressees_fn = function({ type, data, messageId = data == null ? void 0 : data.messageId, requestId = data == null ? void 0 : data.requestId }) {
    const all = [...__privateGet(this, _readings)];
    if (messageId === void 0 && requestId === void 0) {
      return type === "ERROR" ? all.filter((one) => one.streamId === void 0).slice(-1) : all;
    }
    return all.filter((one) => one.is(messageId, requestId)).slice(0, 1);
  };

  // socket.js
  var PASSING = ["draining", "overloaded", "store_unavailable"];
  function messageOf({ body, key }) {
    if (body.message === void 0) throw new Lost("busy");
    return { message: body.message, conversationId: body.conversionId, model: body.appId, key };
  }
  function messages(line, reading, control) {
    return __asyncGenerator(this, null, function* () {
      const { inbox } = reading;
      control.signal.addEventListener("abort", () => {
        const { reason } = control.signal;
        inbox.end(reason);
        if ((reason == null ? void 0 : reason.reason) !== "closed") line.break();
      }, { once: true });
      line.join(reading);
      const reader = inbox.getReader();
      try {
        for (; ; ) {
          yield new __await(control.gate());
          const { value } = yield new __await(reader.read());
          control.alive();
          yield parse(value);
        }
      } finally {
        line.leave(reading);
      }
    });
  }
  function refusal({ code, data }) {
    return PASSING.includes(code) ? new Lost("status", { cause: new BailianError(code, data, { isPassing: true }) }) : new BailianError(code, data);
  }
  function read3(received, control) {
    return __asyncGenerator(this, null, function* () {
      let isStarted = false;
      let failure;
      try {
        for (var iter = __forAwait(received), more, temp, error; more = !(temp = yield new __await(iter.next())).done; more = false) {
          const message = temp.value;
          const { type, data } = message;
          if (type === "ERROR" && !isStarted) throw refusal(message);
          if (type === "ERROR" && message.messageId) failure = message;
          if (type === "WARNING" && (data == null ? void 0 : data.resume)) throw new Lost("draining");
          if (type === "CHAT_STREAM_START") {
            isStarted = true;
            control.opened();
          }
          if (!/^CHAT_STREAM_/.test(type)) continue;
          yield fromMessage(type, data, failure);
          if (type === "CHAT_STREAM_END") return;
        }
      } catch (temp) {
        error = [temp];
      } finally {
        try {
          more && (temp = iter.return) && (yield new __await(temp.call(iter)));
        } finally {
          if (error)
            throw error[0];
        }
      }
    });
  }
  function socketTransport(http, platform) {
    const lines = /* @__PURE__ */ new Set();
    function lineFor(reading, { url, headers }) {
      const name = JSON.stringify([url, headers]);
      const known = [...lines].find((one) => one.name === name && one.takes(reading));
      if (known) return known;
      const line = new Line(platform, { name, url, headers }, () => lines.delete(line));
      lines.add(line);
      return line;
    }
    function run(data, requestId, control) {
      return __asyncGenerator(this, null, function* () {
        const address = yield new __await(http.socketAddress("ws"));
        if (control.signal.aborted) throw control.signal.reason;
        const reading = new Reading(data, requestId);
        yield* __yieldStar(orLost(read3(messages(lineFor(reading, address), reading, control), control), control.signal));
      });
    }
    return {
      name: "websocket",
      ask: (question, control) => run(messageOf(question), question.body.conversionItemId, control),
      resume: ({ streamId, seq }, control) => run({ resume: { streamId, after: seq } }, randomId(), control)
    };
  }

  // parser.js
  var MOST_CHARACTERS = 64 * 1024 * 1024;
  var _decoder2, _most3, _line, _afterCr, _atStart, _size, _event, _SseParser_instances, lines_fn, take_fn4, field_fn, dispatch_fn;
  var SseParser = class {
    // decoder: for tests.
    constructor({ decoder = createDecoder(), most = MOST_CHARACTERS } = {}) {
      __privateAdd(this, _SseParser_instances);
      __privateAdd(this, _decoder2);
      __privateAdd(this, _most3);
      __privateAdd(this, _line, "");
      // of which the end has not come
      __privateAdd(this, _afterCr, false);
      // a LF that follows belongs to the line end before
      __privateAdd(this, _atStart, true);
      // a byte order mark may follow
      __privateAdd(this, _size, 0);
      // of the event that has begun
      __privateAdd(this, _event, empty());
      __privateSet(this, _decoder2, decoder);
      __privateSet(this, _most3, most);
    }
    // The events that these bytes complete: {type, data, id} or {retry} or
    // {comment}. Throws RangeError when an event is too large.
    push(bytes) {
      const found = [];
      let text = __privateGet(this, _decoder2).decode(bytes);
      if (__privateGet(this, _atStart) && text) {
        if (text[0] === "\uFEFF") text = text.slice(1);
        __privateSet(this, _atStart, false);
      }
      __privateMethod(this, _SseParser_instances, lines_fn).call(this, text, (line) => __privateMethod(this, _SseParser_instances, take_fn4).call(this, line, found));
      return found;
    }
  };
  _decoder2 = new WeakMap();
  _most3 = new WeakMap();
  _line = new WeakMap();
  _afterCr = new WeakMap();
  _atStart = new WeakMap();
  _size = new WeakMap();
  _event = new WeakMap();
  _SseParser_instances = new WeakSet();
  lines_fn = function(text, take) {
    let from = 0;
    for (let i = 0; i < text.length; i++) {
      const code = text.charCodeAt(i);
      if (code !== 10 && code !== 13) {
        __privateSet(this, _afterCr, false);
        continue;
      }
      if (code === 10 && __privateGet(this, _afterCr)) {
        __privateSet(this, _afterCr, false);
        from = i + 1;
        continue;
      }
      __privateSet(this, _afterCr, code === 13);
      const line = __privateGet(this, _line) + text.slice(from, i);
      __privateSet(this, _line, "");
      from = i + 1;
      take(line);
    }
    __privateSet(this, _line, __privateGet(this, _line) + text.slice(from));
    if (__privateGet(this, _line).length + __privateGet(this, _size) > __privateGet(this, _most3)) throw new RangeError("an event is too large");
  };
  take_fn4 = function(line, found) {
    if (line === "") {
      __privateMethod(this, _SseParser_instances, dispatch_fn).call(this, found);
      return;
    }
    __privateSet(this, _size, __privateGet(this, _size) + line.length);
    if (__privateGet(this, _size) > __privateGet(this, _most3)) throw new RangeError("an event is too large");
    const colon = line.indexOf(":");
    if (colon === 0) {
      found.push({ comment: line.slice(1).trim() });
      return;
    }
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? "" : line.slice(colon + 1);
    if (value[0] === " ") value = value.slice(1);
    __privateMethod(this, _SseParser_instances, field_fn).call(this, name, value, found);
  };
  field_fn = function(name, value, found) {
    switch (name) {
      case "data":
        __privateGet(this, _event).data.push(value);
        break;
      case "id":
        if (!value.includes("\0")) __privateGet(this, _event).id = value;
        break;
      case "event":
        __privateGet(this, _event).type = value;
        break;
      case "retry":
        if (/^\d+$/.test(value)) found.push({ retry: Number(value) });
        break;
      default:
    }
  };
  dispatch_fn = function(found) {
    const { type, data, id } = __privateGet(this, _event);
    __privateSet(this, _event, empty());
    __privateSet(this, _size, 0);
    if (data.length) found.push({ type: type || "message", data: data.join("\n"), id });
  };
  function empty() {
    return { type: "", data: [], id: void 0 };
  }

  // sse.js
  var EVENT_STREAM = /^text\/event-stream\b/;
  function readSse(response, control) {
    return __asyncGenerator(this, null, function* () {
      const parser = new SseParser();
      try {
        for (var iter = __forAwait(chunks(response, control)), more, temp, error; more = !(temp = yield new __await(iter.next())).done; more = false) {
          const bytes = temp.value;
          for (const event of parser.push(bytes)) {
            if (event.retry !== void 0) yield { retry: event.retry };
            else if (event.data !== void 0) yield fromChat(event);
          }
        }
      } catch (temp) {
        error = [temp];
      } finally {
        try {
          more && (temp = iter.return) && (yield new __await(temp.call(iter)));
        } finally {
          if (error)
            throw error[0];
        }
      }
    });
  }
  function sseTransport(http) {
    return {
      name: "sse",
      isHttpStream: true,
      ask(question, control) {
        return __asyncGenerator(this, null, function* () {
          const response = yield new __await(post(http, "stream", question, control, true));
          checkType(response, EVENT_STREAM, true);
          control.opened();
          yield* __yieldStar(orLost(readSse(response, control), control.signal));
        });
      },
      resume(_0, _1) {
        return __asyncGenerator(this, arguments, function* ({ streamId, seq }, control) {
          const response = yield new __await(http.request("GET", `streams/${streamId}/events`, {
            query: seq ? void 0 : { after: 0 },
            headers: seq ? { "Last-Event-ID": `${streamId}:${seq}` } : void 0,
            signal: control.signal,
            isStream: true
          }));
          control.opened();
          if (response.status === 204) {
            yield NOTHING;
            return;
          }
          checkType(response, EVENT_STREAM);
          yield* __yieldStar(orLost(readSse(response, control), control.signal));
        });
      }
    };
  }

  // sync.js
  function syncTransport(http, sleep2) {
    return {
      name: "sync",
      isQuiet: true,
      // A connection that ends before is no matter: the key is that of the same
      // question.
      ask(question, control) {
        return __asyncGenerator(this, null, function* () {
          const { streamId, content = "" } = yield new __await(answered(http, "api/chat/sync", question, control));
          control.opened();
          control.alive();
          yield { streamId, isNamed: true };
          yield { streamId, loose: content };
          yield yield new __await(endOf(http, streamId, control.signal));
        });
      },
      resume: pollTransport(http, sleep2).resume
    };
  }

  // transports.js
  var ORDER = {
    web: ["sse", "websocket", "text", "poll", "sync"],
    weixin: ["websocket", "sse", "download", "poll", "sync"]
  };
  function transportsOf(platform, http, sleep2, chosen) {
    const makers = {
      sse: () => sseTransport(http),
      websocket: () => platform.connect && socketTransport(http, platform),
      text: () => plainTransport(http),
      download: () => platform.download && pollTransport(http, sleep2, { name: "download", reading: http.by(platform.download) }),
      poll: () => pollTransport(http, sleep2),
      sync: () => syncTransport(http, sleep2)
    };
    const names = chosen === "auto" ? ORDER[platform.name] : [].concat(chosen);
    for (const name of names) if (!makers[name]) throw new TypeError(`transport: there is no ${name}`);
    const found = names.map((name) => makers[name]()).filter(Boolean);
    if (!found.length) throw new TypeError(`transport: ${names} is not possible here`);
    return found;
  }

  // bailian-stream.js
  var DEFAULTS = {
    transport: "auto",
    leastMs: 1e3,
    // first wait after a loss, unless the server says `retry:`
    mostMs: 3e4,
    giveUpMs: 15 * 6e4,
    // without anything new
    silenceMs: 45e3,
    // three heartbeats of the server
    openMs: 2e4,
    // until the head of the answer
    trialMs: 8e3,
    // until the first byte on a transport that is only tried
    climbMs: 6e4,
    // until a better transport is tried again ...
    climbMostMs: 6e5,
    // ... at first, and after many failures
    stopMs: 5e3,
    // until the end that follows stop()
    random: Math.random,
    now: () => Date.now(),
    setTimeout: (fn, ms) => setTimeout(fn, ms),
    clearTimeout: (timer) => clearTimeout(timer)
  };
  var _http3, _context;
  var BailianClient = class {
    // what all answers of this client share
    // See bailian-stream.d.ts.
    constructor(_a = {}) {
      __privateAdd(this, _http3);
      __privateAdd(this, _context);
      var _b = _a, { base = "/bailian", userId, headers, language, fetch: given, WebSocket: Socket, wx: weixin } = _b, own = __objRest(_b, ["base", "userId", "headers", "language", "fetch", "WebSocket", "wx"]);
      const options = __spreadValues(__spreadValues({}, DEFAULTS), own);
      const platform = platformOf({ wx: weixin, fetch: given, WebSocket: Socket });
      if (platform.name === "weixin" && !/^https?:\/\//.test(base)) {
        throw new TypeError("base: a mini-program needs the whole address, https://…");
      }
      __privateSet(this, _http3, new Http({ base: base.replace(/\/+$/, ""), fetch: platform.fetch, headers, userId, language }));
      __privateSet(this, _context, {
        http: __privateGet(this, _http3),
        options,
        platform,
        memory: createMemory(options),
        transports: transportsOf(platform, __privateGet(this, _http3), (ms, signal) => sleep(options, ms, signal), options.transport)
      });
      this.conversations = new Conversations(__privateGet(this, _http3));
    }
    ask(message, _c = {}) {
      var _d = _c, { conversationId, itemId, appId, key } = _d, listeners = __objRest(_d, ["conversationId", "itemId", "appId", "key"]);
      const body = __spreadValues(__spreadValues(__spreadProps(__spreadValues({}, typeof message === "string" ? { message } : { messages: message }), {
        conversionId: conversationId != null ? conversationId : randomId(),
        conversionItemId: itemId != null ? itemId : randomId()
      }), appId && { appId }), __privateGet(this, _http3).userId && { userId: __privateGet(this, _http3).userId });
      const place2 = { conversationId: body.conversionId, itemId: body.conversionItemId };
      return new Answer(__privateGet(this, _context), place2, { body, key: key != null ? key : randomId() }, listeners);
    }
    // Reads a stream that began earlier: {streamId, seq, text, reasoning}, of
    // which all but the id may be missing.
    follow(place2, listeners = {}) {
      return new Answer(__privateGet(this, _context), place2, null, listeners);
    }
    // What is known of a stream: {live, outcome, ...}.
    state(streamId) {
      return __privateGet(this, _http3).json("GET", `streams/${streamId}`);
    }
  };
  _http3 = new WeakMap();
  _context = new WeakMap();
  return __toCommonJS(bailian_stream_exports);
})();
return made;
});
