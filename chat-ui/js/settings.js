// SPDX-License-Identifier: Apache-2.0
// settings - what the browser remembers: language, appearance, who an anonymous
// caller is, and where a running answer was read to. No text of a question or
// an answer (S-28).

// Storage may be switched off: then nothing is remembered.
function read(storage, name) {
  try {
    return globalThis[storage].getItem(`bailian.${name}`);
  } catch {
    return null;
  }
}

function write(storage, name, value) {
  try {
    if (value === null) globalThis[storage].removeItem(`bailian.${name}`);
    else globalThis[storage].setItem(`bailian.${name}`, value);
  } catch {
    // remembered until the page is left
  }
}

export const remember = (name, value) => write('localStorage', name, value);
export const remembered = (name) => read('localStorage', name);

// Of this browser; a server with a login does not look at it.
export function userId(make) {
  const known = remembered('user');
  if (known) return known;
  const made = make();
  remember('user', made);
  return made;
}

// {streamId, seq} of a conversation whose answer runs, or null.
export function placeOf(conversationId) {
  try {
    return JSON.parse(read('sessionStorage', `place.${conversationId}`));
  } catch {
    return null;
  }
}

export function keepPlace(conversationId, place) {
  write('sessionStorage', `place.${conversationId}`, place && JSON.stringify(place));
}
