/* SPDX-License-Identifier: Apache-2.0 */
#include "hist.h"

#define LAST (BENCH_HIST_POWERS * BENCH_HIST_SUB - 1)

/* Values below 64 have a bucket each; above, the six bits behind the leading
 * one choose among the 64 buckets of their power of two. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned power, bucket;

    if (ns < BENCH_HIST_SUB) return (unsigned)ns;
    power = 63 - (unsigned)__builtin_clzll(ns) - 6;
    bucket = (power + 1) * BENCH_HIST_SUB +
             (unsigned)((ns >> power) - BENCH_HIST_SUB);
    return bucket > LAST ? LAST : bucket;
}

/* The largest value of a bucket. */
static uint64_t top_of(unsigned bucket)
{
    unsigned power = bucket / BENCH_HIST_SUB;

    if (!power) return bucket;
    return ((uint64_t)(BENCH_HIST_SUB + bucket % BENCH_HIST_SUB + 1)
            << (power - 1)) -
           1;
}

void bench_hist_add(bench_hist_t *hist, uint64_t ns)
{
    hist->count++;
    hist->sum_ns += ns;
    if (ns > hist->max_ns) hist->max_ns = ns;
    hist->buckets[bucket_of(ns)]++;
}

uint64_t bench_hist_at(const bench_hist_t *hist, unsigned per_myriad)
{
    uint64_t wanted = (hist->count * per_myriad + 9999) / 10000;
    uint64_t seen = 0;
    unsigned i;

    for (i = 0; i <= LAST; i++) {
        seen += hist->buckets[i];
        if (seen >= wanted && seen)
            return top_of(i) < hist->max_ns ? top_of(i) : hist->max_ns;
    }
    return hist->max_ns;
}
