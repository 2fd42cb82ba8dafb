// SPDX-License-Identifier: Apache-2.0
// exchange - what the transports share: to ask, to read bytes, to tell a loss.
import { BailianError, Lost } from './errors.js';
import { encodeUtf8 } from './text.js';

// Nothing comes after the place: the stream has ended there.
export const NOTHING = Object.freeze({ isNothing: true });
// A better transport may work again: the reading is handed over.
export const CLIMB = Object.freeze({ isClimb: true });

export async function* chunks(response, control) {
  if (!response.body?.getReader) { // a fetch that cannot stream
    yield encodeUtf8(await response.text());
    return;
  }
  const reader = response.body.getReader();
  try {
    for (;;) {
      await control.gate();
      const { done, value } = await reader.read();
      if (done) return;
      control.alive();
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

// A loss in mid-read is the platform's own error: one word for all of them.
export async function* orLost(items, signal) {
  try {
    yield* items;
  } catch (cause) {
    if (signal.aborted) throw signal.reason;
    if (cause instanceof Lost || cause instanceof BailianError) throw cause;
    throw new Lost(cause instanceof RangeError ? 'garbage' : 'network', { cause });
  }
}

export function checkType(response, wanted, isAsk = false) {
  const type = response.headers.get('content-type') || '';
  if (wanted.test(type)) return;
  response.body?.cancel?.().catch(() => {});
  // A page to log in to, or of a network that wants to be paid first.
  if (isAsk) throw new BailianError('bad_answer', 'Something else than the server answered.', { status: response.status });
  throw new Lost('garbage');
}

export async function jsonOf(response, control) {
  try {
    const value = await response.json();
    if (value && typeof value === 'object') return value;
    throw new TypeError('no object');
  } catch (cause) {
    if (control.signal.aborted) throw control.signal.reason;
    throw new Lost('garbage', { cause });
  }
}

// What a mini-program's route answers a question with.
export async function answered(http, path, question, control) {
  const { data } = await jsonOf(await post(http, path, question, control), control);
  if (typeof data?.streamId !== 'string') throw new Lost('garbage');
  return data;
}

export const post = (http, path, question, control, isStream = false) => http.request('POST', path, {
  body: question.body, headers: { 'Idempotency-Key': question.key }, signal: control.signal, isStream,
});
