/* SPDX-License-Identifier: Apache-2.0 */
/*
 * timers - what is due when: a binary heap whose nodes are part of their
 * owners (docs/decisions/0002-epoll-and-timer-heap.md).
 *
 * OWNERSHIP  a timer is its owner's memory; it must be disarmed before that
 *            memory goes. The heap holds pointers only.
 * THREADS    one: the reactor.
 * ERRORS     APR_ENOMEM: of init; of arm only when there are half a million.
 */
#ifndef BL_TIMERS_H
#define BL_TIMERS_H

#include "base/bl.h"

typedef struct bl_timer_t bl_timer_t;
typedef void bl_timer_fn(void *ctx);

struct bl_timer_t {
    bl_ms_t due_ms;
    apr_uint32_t place; /* in the heap, from 1; 0 = not armed */
    bl_timer_fn *fn;
    void *ctx;
};

typedef struct bl_timers_t {
    bl_timer_t **heap; /* heap[1] is due first */
    apr_uint32_t count;
} bl_timers_t;

apr_status_t bl_timers_init(bl_timers_t *t);
void bl_timers_release(bl_timers_t *t);

/* Arms, or moves when armed already. */
apr_status_t bl_timers_arm(bl_timers_t *t, bl_timer_t *timer, bl_ms_t due_ms);
void bl_timers_disarm(bl_timers_t *t, bl_timer_t *timer);

/* Runs (and disarms before) what is due by now. */
void bl_timers_run(bl_timers_t *t, bl_ms_t now);

/* Milliseconds until the next one, 0 when late, -1 when there is none. */
bl_ms_t bl_timers_wait(const bl_timers_t *t, bl_ms_t now);

#endif
