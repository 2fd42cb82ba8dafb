/* SPDX-License-Identifier: Apache-2.0 */
/*
 * load - what a run of the load client was asked for and what it saw.
 *
 * OWNERSHIP  Plain values; the list of aborts belongs to the totals.
 * THREADS    One.
 * ERRORS     None.
 */
#ifndef BENCH_LOAD_H
#define BENCH_LOAD_H

#include <stddef.h>
#include <stdint.h>

#include "answer.h"
#include "hist.h"

enum { BENCH_READ, BENCH_STALL, BENCH_TRICKLE, BENCH_ABORT, BENCH_RESUME };

typedef struct bench_order_t {
    uint16_t port;
    const char *path;
    const char *body;        /* %n is the number of the request */
    const char *resume_path; /* %n as above, %s the stream id */
    int dialect, behaviour;
    int keeps_alive, replays, says_close;
    uint32_t streams;  /* at a time */
    uint32_t requests; /* in all */
    uint32_t after;    /* abort, resume: after 1 to this many events */
    uint32_t times;    /* resume: how often, each this many events later */
    uint32_t read_bytes, receive_bytes;
    uint64_t ramp_ns, idle_ns, limit_ns, tick_ns;
} bench_order_t;

typedef struct bench_abort_t {
    uint64_t stream, at_ns;
} bench_abort_t;

typedef struct bench_totals_t {
    uint64_t begun_ns, ended_ns;
    uint32_t started, live, finished;
    uint32_t whole, aborted, stalled, resumed, replayed, reconnected;
    uint32_t sent_back;        /* told by the server to come back */
    uint32_t closed_by_server; /* of the stalled ones */
    uint32_t failures[BENCH_FAIL_MAX];
    uint32_t statuses[600];
    bench_hist_t first;    /* request sent to first event */
    bench_hist_t duration; /* request sent to end of answer */
    bench_abort_t *aborts;
    char example[256]; /* of the first failure */
} bench_totals_t;

/* One line of JSON on stdout while the run is under way. */
void bench_report_tick(const bench_totals_t *totals,
                       const bench_expect_t *expect);

/* The last line: everything. */
void bench_report_end(const bench_order_t *order, const bench_totals_t *totals,
                      const bench_expect_t *expect);

#endif
