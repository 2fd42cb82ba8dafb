/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stats - counters of all children.
 *
 * THREADS  any.
 */
#ifndef BL_STATS_H
#define BL_STATS_H

#include "layout.h"

#define bl_count(shm, child, what, n)                                          \
    __atomic_add_fetch(&(shm)->children[child].counters[BL_COUNT_##what],      \
                       (apr_uint64_t)(n), __ATOMIC_RELAXED)

/* A stream ended so (BL_WORD_ENDS), or an attempt failed so
 * (BL_WORD_ATTEMPTS); APR_SUCCESS is not counted. */
void bl_count_error(bl_shm_t *shm, int child, int words, apr_status_t why);
void bl_count_first_content(bl_shm_t *shm, int child, bl_ms_t took);

/* The sum over all children, those that ended included, of a counter or any
 * other word. */
apr_uint64_t bl_stats_total(const bl_shm_t *shm, int word);

/* Bytes that streams of all children hold (base/budget.h), and how many they
 * may; 0 = any number. */
apr_uint64_t bl_stats_held(const bl_shm_t *shm);
apr_uint64_t bl_stats_budget(const bl_shm_t *shm);

/* Upper end of a bucket; -1: it has none. */
bl_ms_t bl_bucket_ms(int bucket);

/* What so many percent of those in the buckets took at most, in milliseconds,
 * between the ends of the bucket in proportion; -1: there are none. */
bl_ms_t bl_bucket_percentile(const apr_uint64_t *buckets, int percent);

/* Number of the error table's line for why; -1 for APR_SUCCESS. */
int bl_error_line(apr_status_t why);

const char *bl_counter_name(bl_counter_t which); /* "streams_started" */

#endif
