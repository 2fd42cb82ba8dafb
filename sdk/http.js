// SPDX-License-Identifier: Apache-2.0
// http - the only place that calls fetch.
import { BailianError, failureOf, Lost } from './errors.js';

export class Http {
  #options;

  // base, fetch, headers (object, or a function that may be async), userId,
  // language (text, or a function)
  constructor(options) {
    this.#options = options;
  }

  // The same server, asked in another way.
  by(fetch) {
    return new Http({ ...this.#options, fetch });
  }

  // Where a WebSocket goes, and what belongs to its handshake.
  async socketAddress(path) {
    const { headers } = this.#options;
    const url = /^https?:/.test(this.#options.base) ? this.url(path) : `${globalThis.location?.origin ?? ''}${this.url(path)}`;
    if (!/^https?:/.test(url)) throw new Lost('unsupported');
    return { url: url.replace(/^http/, 'ws'), headers: { ...await valueOf(headers) } };
  }

  get userId() {
    return this.#options.userId;
  }

  // Where a browser may go by itself, for a download.
  url(path, query = {}) {
    const { base, userId } = this.#options;
    const pairs = Object.entries({ ...query, userId })
      .filter(([, value]) => value !== undefined && value !== null && value !== '')
      .map(([name, value]) => `${name}=${encodeURIComponent(value)}`);
    return `${base}/${path}${pairs.length ? `?${pairs.join('&')}` : ''}`;
  }

  // A response with a status of success. Throws Lost, BailianError, or what the
  // signal was aborted with.
  // isStream: the answer is read while it comes. isHeld: it may take long to come.
  async request(method, path, { query, headers, body, signal, isStream, isHeld } = {}) {
    const { fetch } = this.#options;
    const language = valueOf(this.#options.language);
    const own = await valueOf(this.#options.headers);
    const sent = { ...(language && { 'Accept-Language': language }), ...own, ...headers };
    if (body !== undefined) sent['Content-Type'] = 'application/json';
    let response;
    try {
      response = await fetch(this.url(path, query), {
        method, headers: sent, signal, isStream, isHeld, cache: 'no-store', body: body === undefined ? undefined : JSON.stringify(body),
      });
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw cause instanceof Lost ? cause : new Lost('network', { cause });
    }
    if (!response.ok) throw await failureOf(response);
    return response;
  }

  // The same for JSON answers; undefined for one without a body. For calls that
  // a person waits for, so a loss is an error here.
  async json(method, path, options) {
    try {
      const response = await this.request(method, path, options);
      return response.status === 204 ? undefined : await response.json();
    } catch (failure) {
      throw asError(failure);
    }
  }

  async text(method, path, options) {
    try {
      return await (await this.request(method, path, options)).text();
    } catch (failure) {
      throw asError(failure);
    }
  }
}

const valueOf = (option) => (typeof option === 'function' ? option() : option);

function asError(failure) {
  if (failure instanceof BailianError || failure?.name === 'AbortError') return failure;
  if (failure instanceof Lost) {
    return failure.cause instanceof BailianError ? failure.cause
      : new BailianError('unreachable', 'The server cannot be reached.', { isPassing: true });
  }
  return new BailianError('bad_answer', 'The answer of the server cannot be read.');
}
