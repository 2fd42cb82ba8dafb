/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quota - how often a principal (or an address) starts answers, and how many
 * tokens he used today: over all children (S-56). Live streams are counted by
 * the directory.
 *
 * Starts are paced by one word each, the moment at which he would be back at
 * rest; a full minute's starts may come at once. An entry is found by its
 * hash; one that means nothing any more gives way to a new one.
 *
 * THREADS  any, of any child; words are atomic.
 * ERRORS   BL_E_RATE_LIMITED; *pwait_ms is then when to come again.
 */
#ifndef BL_QUOTA_H
#define BL_QUOTA_H

#include "layout.h"

apr_status_t bl_quota_start(bl_shm_t *shm, apr_uint64_t hash, int per_minute,
                            bl_ms_t *pwait_ms);

/* Tokens of the day (days since 1970, UTC) so far; -1: nothing is known of
 * this principal, bl_quota_seed() may say. */
apr_int64_t bl_quota_tokens(bl_shm_t *shm, apr_uint64_t hash, int day);
void bl_quota_seed(bl_shm_t *shm, apr_uint64_t hash, int day, apr_int64_t n);
void bl_quota_add_tokens(bl_shm_t *shm, apr_uint64_t hash, int day,
                         apr_int64_t n);

#endif
