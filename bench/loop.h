/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - the turn of a load client: starts what is due, waits for sockets,
 * reports, and looks at all clients once a second. A process has one.
 *
 * OWNERSHIP  Clients and sockets are the caller's.
 * THREADS    One.
 * ERRORS     What the system refuses ends the program.
 */
#ifndef BENCH_LOOP_H
#define BENCH_LOOP_H

#include "load.h"

typedef struct bench_loop_t {
    const bench_order_t *order;
    const bench_expect_t *expect;
    bench_totals_t *totals;
    /* Starts what is due; returns whether more is to be started later. */
    int (*start_due)(uint64_t now_ns);
    void (*on_socket)(void *client);
    void (*sweep)(uint64_t now_ns); /* once a second */
    int (*is_over)(uint64_t now_ns);
} bench_loop_t;

/* Before the first socket is watched. */
void bench_loop_open(void);

/* op and events are epoll_ctl()'s; client goes to on_socket. */
void bench_loop_watch(int op, int fd, uint32_t events, void *client);

/* Returns when is_over says so; the totals say when it began and ended. */
void bench_loop_run(const bench_loop_t *loop);

/* How many streams of the ramp are due, the first of them at once. */
uint32_t bench_loop_due(const bench_order_t *order,
                        const bench_totals_t *totals, uint64_t now_ns);

#endif
