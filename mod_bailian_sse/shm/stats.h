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

/* The sum over all children, those that ended included. */
apr_uint64_t bl_stats_total(const bl_shm_t *shm, bl_counter_t which);
const char *bl_counter_name(bl_counter_t which); /* "streams_started" */

#endif
