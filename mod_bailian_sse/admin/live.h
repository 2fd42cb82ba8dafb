/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live - live streams as JSON, as rows for spreadsheets, and as a feed of
 * what changed (docs/admin-api.md, "Live streams").
 *
 * OWNERSHIP  a feed is its caller's; it holds no memory outside itself.
 * THREADS    any; a feed one at a time.
 * ERRORS     those of the buffer; APR_ENOMEM.
 */
#ifndef BL_ADMIN_LIVE_H
#define BL_ADMIN_LIVE_H

#include "live_query.h"
#include "base/buf.h"

/* {"at","total","matched","phases","items","next"} */
apr_status_t bl_admin_live(const bl_shm_t *shm, const bl_live_query_t *q,
                           bl_buf_t *out);

apr_status_t bl_admin_live_csv(const bl_shm_t *shm, const bl_live_query_t *q,
                               bl_buf_t *out);

/* {"streaming":n,...} of all streams, or of those found. */
void bl_live_put_phases(const int *phases, bl_buf_t *out);

/* The members of one stream, without the braces around them. */
void bl_live_put_row(const bl_shm_t *shm, const bl_slot_t *s, bl_ms_t now,
                     bl_buf_t *out);

/* What a reader of the feed has seen. */
typedef struct bl_live_feed_t {
    bl_live_query_t query;
    int is_begun;
    int count;
    unsigned char ids[BL_LIVE_PAGE_MOST][BL_ID_BYTES];
    apr_uint64_t hashes[BL_LIVE_PAGE_MOST]; /* of what a row says but its age */
} bl_live_feed_t;

/* The next event: a snapshot first, then what changed since the one before. */
apr_status_t bl_live_feed_next(bl_live_feed_t *feed, const bl_shm_t *shm,
                               bl_buf_t *out);

#endif
