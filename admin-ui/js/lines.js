// SPDX-License-Identifier: Apache-2.0
// Keys as people paste them: «name, secret[, account[, note]]» a line. Pure.

export function readLines(text) {
  return text.split(/\r?\n/).map((line) => line.trim()).filter((line) => line && !line.startsWith('#')).map((line) => {
    const [name = '', secret = '', account = '', ...note] = line.split(/[,，\t]/).map((part) => part.trim());
    return { name, secret, ...(account && { account }), ...(note.length && note.join(', ') && { note: note.join(', ') }) };
  });
}
