/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trend - what was counted in each second of the last five minutes and in
 * each ten seconds of the last hour, of all children together.
 *
 * Every child calls tick; whoever comes first in a second writes its sample,
 * the others do nothing. A writer that dies is replaced.
 *
 * THREADS  any, of any child.
 */
#ifndef BL_TREND_H
#define BL_TREND_H

#include "layout.h"

/* 1: this call wrote a sample. */
int bl_trend_tick(bl_shm_t *shm, bl_ms_t now);

typedef enum { BL_RANGE_MINUTES, BL_RANGE_HOUR } bl_range_t;

bl_ms_t bl_trend_step_ms(bl_range_t range);
int bl_trend_length(bl_range_t range);

/* The step that ended last, and the sample of a step; NULL: not recorded, or
 * not any more. */
apr_int64_t bl_trend_newest(const bl_shm_t *shm, bl_range_t range);
const bl_sample_t *bl_trend_at(const bl_shm_t *shm, bl_range_t range,
                               apr_int64_t step);

/* Sums of all words over the newest n steps, into BL_WORDS sums. Answers how
 * many of the steps were recorded. */
int bl_trend_sum(const bl_shm_t *shm, bl_range_t range, int n,
                 apr_uint64_t *sums);

#endif
