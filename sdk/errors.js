// SPDX-License-Identifier: Apache-2.0
// errors - the one class of error that this library throws.

// code: one of docs/errors.md, or of the client itself: `unreachable` (no
// connection for too long), `damaged` (the answer is not what the server
// stored), `bad_answer` (something else answered than this server).
export class BailianError extends Error {
  constructor(code, message, details = {}) {
    super(message || code);
    this.name = 'BailianError';
    this.code = code;
    this.status = details.status ?? 0; // HTTP; 0 = none
    this.detail = details.detail ?? '';
    this.requestId = details.requestId ?? '';
    this.retryAfterMs = details.retryAfterMs ?? 0; // 0 = not said
    this.isPassing = details.isPassing ?? false; // the same may work later
  }
}

// A connection that could not be made, or ended too early: tried again.
// reason: `network`, `closed`, `silent`, `garbage`, `damaged`, `status`, `draining`;
// `overrun` (read too slowly), `refused`, `unsupported`, `busy` (this transport
// cannot be had), `climb` (a better one may work again).
export class Lost extends Error {
  constructor(reason, { retryAfterMs = 0, cause } = {}) {
    super(reason, { cause });
    this.name = 'Lost';
    this.reason = reason;
    this.retryAfterMs = retryAfterMs;
  }
}

const RETRY_AFTER_MOST_MS = 300000;

function retryAfter(response) {
  const seconds = Number(response.headers.get('retry-after') || NaN);
  if (!(seconds >= 0)) return undefined;
  return Math.min(seconds * 1000, RETRY_AFTER_MOST_MS);
}

async function problemOf(response) {
  if (!/\bjson\b/.test(response.headers.get('content-type') || '')) return {};
  try {
    return await response.json();
  } catch {
    return {};
  }
}

// What a response that is no success means. A refusal is shown to a person; a
// passing loss (Lost) is tried again: 5xx, unless the server itself says that a
// second try is of no use, which it does by leaving Retry-After away.
export async function failureOf(response) {
  const problem = await problemOf(response);
  const retryAfterMs = retryAfter(response);
  const isOurs = typeof problem.code === 'string';
  const isPassing = response.status >= 500 && (!isOurs || retryAfterMs !== undefined);
  const error = new BailianError(isOurs ? problem.code : 'bad_answer', problem.title || problem.error || `HTTP ${response.status}`, {
    ...problem, status: response.status, retryAfterMs, isPassing: isPassing || retryAfterMs !== undefined,
  });
  return isPassing ? new Lost('status', { retryAfterMs, cause: error }) : error;
}
