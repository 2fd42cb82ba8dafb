/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap - memory goes back to the system after many streams.
 *
 * glibc keeps some free chunks of each small size for each thread. At the
 * height of a load they are taken from all over the heap, and afterwards each
 * of them holds a page for as long as its thread lives. It also keeps the free
 * end of each thread's heap up to twice the largest block that was ever freed:
 * one answer of 8 MiB, and each heap keeps 16 MiB from then on, which trim does
 * not reach (only the first heap's end).
 *
 * THREADS  bound: before the process has threads.
 *          forget: any, for itself; it waits for some ten microseconds.
 *          trim: any.
 */
#ifndef BL_HEAP_H
#define BL_HEAP_H

/* From now on a heap keeps 128 KiB of free end, which is what glibc begins
 * with (mallopt(3), M_TRIM_THRESHOLD), whatever is freed. Of the whole process.
 */
void bl_heap_bound(void);

/* This thread keeps no free chunk any more. */
void bl_heap_forget(void);

/* Gives free pages of all threads back. */
void bl_heap_trim(void);

#endif
