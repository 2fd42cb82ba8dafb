/* SPDX-License-Identifier: Apache-2.0 */
/*
 * heap - memory goes back to the system after many streams.
 *
 * glibc keeps some free chunks of each small size for each thread. At the
 * height of a load they are taken from all over the heap, and afterwards each
 * of them holds a page for as long as its thread lives.
 *
 * THREADS  forget: any, for itself; it waits for some ten microseconds.
 *          trim: any.
 */
#ifndef BL_HEAP_H
#define BL_HEAP_H

/* This thread keeps no free chunk any more. */
void bl_heap_forget(void);

/* Gives free pages of all threads back. */
void bl_heap_trim(void);

#endif
