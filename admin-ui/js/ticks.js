// SPDX-License-Identifier: Apache-2.0
// What the arrival of timed ticks says about the path. Pure.

const BUNCH = 0.2; // of the interval: two ticks that arrive so close came together
const LATE_MS = 500; // a delay that a reader notices

// arrived: [{sentMs, atMs}]; delays are against the quickest tick, because the
// two clocks do not agree. kind: good, late, held (several came together), cut.
export function judge(arrived, { everyMs, of, isDone }) {
  const offsets = arrived.map(({ sentMs, atMs }) => atMs - sentMs);
  const least = Math.min(...offsets);
  const delays = offsets.map((offset) => offset - least);
  const worstMs = Math.max(0, ...delays);
  let bunched = 0;
  for (let i = 1; i < arrived.length; i++) {
    const between = arrived[i].sentMs - arrived[i - 1].sentMs;
    if (between > 0 && arrived[i].atMs - arrived[i - 1].atMs < Math.min(everyMs, between) * BUNCH) bunched += 1;
  }
  const found = { n: arrived.length, delays, worstMs, bunched };
  if (!isDone || arrived.length < of) return { kind: 'cut', ...found };
  // One or two may bunch up behind a lost packet; a buffer does it again and again.
  if (bunched > Math.max(2, of / 5)) return { kind: 'held', ...found };
  return { kind: worstMs > Math.max(LATE_MS, everyMs) ? 'late' : 'good', ...found };
}
