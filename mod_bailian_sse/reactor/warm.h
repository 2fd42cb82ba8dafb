/* SPDX-License-Identifier: Apache-2.0 */
/*
 * warm - the memory that the next event on a socket will need.
 *
 * Between two events of a stream its memory goes cold: some seventy lines of
 * the cache in as many places, and the processor waits for one after the other.
 * So an event now and then notes what it uses, and those that follow on its
 * socket ask for all of it at once, before the kernel and curl have their turn
 * (docs/architecture.md, a turn of the reactor: what it is worth).
 *
 * Addresses are kept and nothing behind them is read: to prefetch what is
 * nobody's any more does nothing. So there is no lifetime to care for.
 *
 * OWNERSHIP  part of what stands for the socket.
 * THREADS    one: the reactor.
 */
#ifndef BL_WARM_H
#define BL_WARM_H

#include "base/bl.h"

#define BL_WARM_LINES 104

typedef struct bl_warm_t {
    unsigned events; /* that were begun */
    unsigned due;    /* the event that is to note */
    int count;
    const void *lines[BL_WARM_LINES];
} bl_warm_t;

void bl_warm_init(bl_warm_t *w);

/* An event begins: fetches what is noted. 1 = it is time to note anew. */
int bl_warm_begin(bl_warm_t *w);

/* What is used from here on is noted, and nothing that was before. */
void bl_warm_renew(bl_warm_t *w);

/* So many bytes from there were used; what there is no room for is not kept. */
void bl_warm_note(bl_warm_t *w, const void *from, size_t bytes);

#endif
