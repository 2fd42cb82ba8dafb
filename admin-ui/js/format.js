// SPDX-License-Identifier: Apache-2.0
// Numbers and times as people read them. Pure.

export const NONE = '–';
const isNone = (n) => n === null || n === undefined || n < 0;

export const count = (n) => (isNone(n) ? NONE : Math.round(n).toLocaleString('en-US'));

export function rate(n) {
  if (isNone(n)) return NONE;
  return n < 10 ? String(Math.round(n * 10) / 10) : count(n);
}

// Distances of an axis' ticks, such that `show` does not round one: 1, 2 and 5
// times the powers of ten; a rate has a digit behind its point below ten.
export function steps(show) {
  const least = show === rate ? 0.1 : 1;
  return Array.from({ length: 36 }, (_, i) => least * [1, 2, 5][i % 3] * 10 ** Math.floor(i / 3));
}

export function bytes(n) {
  if (isNone(n)) return NONE;
  if (n < 1024) return `${n} B`;
  if (n < 1048576) return `${(n / 1024).toFixed(1)} KB`;
  return n < 1073741824 ? `${(n / 1048576).toFixed(1)} MB` : `${(n / 1073741824).toFixed(2)} GB`;
}

const two = (n) => String(n).padStart(2, '0');

// A duration: 250 ms, 4.2 s, 1:05, 2:03:09.
export function duration(ms) {
  if (isNone(ms)) return NONE;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60000) return `${(Math.floor(ms / 100) / 10).toFixed(1)} s`;
  const s = Math.floor(ms / 1000);
  const start = s < 3600 ? `${Math.floor(s / 60)}` : `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}`;
  return `${start}:${two(s % 60)}`;
}

// An age in whole seconds, which does not flicker.
export const age = (ms) => (isNone(ms) ? NONE : ms < 60000 ? `${Math.floor(ms / 1000)} s` : duration(ms));

const at = (value) => {
  const date = new Date(value);
  return value === null || value === undefined || Number.isNaN(date.getTime()) ? null : date;
};

// Local time, as 2026-11-21 14:03:22.
export function moment(value) {
  const d = at(value);
  return d ? `${d.getFullYear()}-${two(d.getMonth() + 1)}-${two(d.getDate())} ${clock(value)}` : NONE;
}

export function clock(value) {
  const d = at(value);
  return d ? `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}` : NONE;
}

// The same, short: the time of today, else the day.
export function when(value) {
  const text = moment(value);
  return text === NONE ? text : text.slice(0, 10) === moment(Date.now()).slice(0, 10) ? clock(value) : text.slice(0, 10);
}

export const tail = (last4) => (last4 ? `…${last4}` : NONE);
export const short = (id) => (id ? id.slice(0, 8) : NONE);
