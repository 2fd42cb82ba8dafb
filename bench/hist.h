/* SPDX-License-Identifier: Apache-2.0 */
/*
 * hist - how often which delay was seen, over 1 ns to 18 minutes, with a
 * relative error of at most 1/64: buckets grow with the value.
 *
 * OWNERSHIP  The caller's; no memory of its own. All zero is an empty one.
 * THREADS    One writer.
 * ERRORS     None: a value beyond the range counts in the last bucket.
 */
#ifndef BENCH_HIST_H
#define BENCH_HIST_H

#include <stdint.h>

#define BENCH_HIST_SUB 64    /* buckets a power of two */
#define BENCH_HIST_POWERS 35 /* 2^40 ns = 18 min */

typedef struct bench_hist_t {
    uint64_t count, sum_ns, max_ns;
    uint64_t buckets[BENCH_HIST_POWERS * BENCH_HIST_SUB];
} bench_hist_t;

void bench_hist_add(bench_hist_t *hist, uint64_t ns);

/* The delay that this share of the values (in 1/10,000) does not exceed. */
uint64_t bench_hist_at(const bench_hist_t *hist, unsigned per_myriad);

#endif
