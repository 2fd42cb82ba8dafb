// SPDX-License-Identifier: Apache-2.0
// The only place that asks the server. Paths are relative to the page, so that
// it works below any Location.
import { SseParser } from '../sdk/parser.js';
import { tag } from './text.js';

// The server answered, and said no: a problem document of docs/errors.md.
export class Refused extends Error {
  constructor(status, problem) {
    super(problem.title ?? `HTTP ${status}`);
    this.name = 'Refused';
    this.status = status;
    this.code = problem.code ?? '';
    this.detail = problem.detail ?? '';
    this.field = problem.field ?? '';
    this.problem = problem;
  }
}

// No answer came.
export class Lost extends Error {
  constructor() {
    super('');
    this.name = 'Lost';
  }
}

const PATIENCE_MS = 60000; // the longest answer is the test of 256 keys: 10 s for each 64

// fetch() refuses a URL with a user name in it, which is what a relative path
// becomes on a page that was opened as http://user:password@host/.
export function address(path, query = {}) {
  const url = new URL(path, document.baseURI);
  url.username = '';
  url.password = '';
  url.hash = '';
  for (const [name, value] of Object.entries(query)) {
    if (value !== undefined && value !== null && value !== '') url.searchParams.set(name, value);
  }
  return url;
}

async function refusal(response) {
  let problem = {};
  try {
    problem = await response.json();
  } catch {
    // not ours: a proxy's page, say
  }
  return new Refused(response.status, problem ?? {});
}

async function ask(method, path, { query, body, version, signal, accept } = {}) {
  const headers = { Accept: accept ?? 'application/json', 'Accept-Language': tag() };
  if (method !== 'GET') headers['Content-Type'] = 'application/json';
  if (version !== undefined) headers['If-Match'] = `"${version}"`;
  let response;
  try {
    response = await fetch(address(path, query), {
      method, headers, signal, cache: 'no-store', redirect: 'error',
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Lost();
  }
  if (!response.ok) throw await refusal(response);
  return response;
}

async function json(method, path, options = {}) {
  const signals = [AbortSignal.timeout(PATIENCE_MS), options.signal].filter(Boolean);
  const response = await ask(method, path, { ...options, signal: AbortSignal.any ? AbortSignal.any(signals) : signals[0] });
  if (response.status === 204) return null;
  try {
    return await response.json();
  } catch {
    throw new Lost(); // it broke off
  }
}

export const get = (path, query, signal) => json('GET', path, { query, signal });
export const post = (path, body = {}, version = undefined) => json('POST', path, { body, version });
export const patch = (path, body, version) => json('PATCH', path, { body, version });
export const remove = (path, version) => json('DELETE', path, { version });

// Server-sent events, as {type, data, id}; the loop ends with the answer.
export async function* events(path, { method = 'GET', query, body, signal } = {}) {
  const response = await ask(method, path, { query, body, signal, accept: 'text/event-stream' });
  const parser = new SseParser();
  const reader = response.body.getReader();
  try {
    for (;;) {
      let part;
      try {
        part = await reader.read();
      } catch {
        throw new Lost();
      }
      if (part.done) return;
      for (const event of parser.push(part.value)) {
        if (event.data !== undefined) yield event;
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
