// SPDX-License-Identifier: Apache-2.0
// random - ids that nobody else has.

export function randomId() {
  const bytes = globalThis.crypto?.getRandomValues?.(new Uint8Array(16))
    ?? Array.from({ length: 16 }, () => Math.floor(Math.random() * 256));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
