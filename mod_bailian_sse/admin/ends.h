/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ends - ended streams as JSON and as rows for spreadsheets, how many ended
 * how, and the timeline of one stream (docs/admin-api.md, "Ends").
 *
 * THREADS  any but the reactor.
 * ERRORS   those of the store and of the buffer.
 */
#ifndef BL_ADMIN_ENDS_H
#define BL_ADMIN_ENDS_H

#include "base/buf.h"
#include "engine/engine.h"
#include "store/ends.h"

#define BL_ENDS_PAGE_MOST 500
#define BL_ENDS_CSV_MOST 100000

/* {"items":[...],"next"} */
apr_status_t bl_admin_ends(bl_store_t *s, const bl_ends_ask_t *ask,
                           bl_buf_t *out);
apr_status_t bl_admin_ends_csv(bl_store_t *s, const bl_ends_ask_t *ask,
                               bl_buf_t *out);

/* The place that "next" named; 0: it is none of ours. */
int bl_admin_ends_cursor(const char *text, bl_ends_ask_t *ask);

/* {"from","to","bucketMs","groups":[...]}; from and to are set. */
apr_status_t bl_admin_ends_summary(bl_store_t *s, const bl_ends_ask_t *ask,
                                   bl_ends_by_t by, apr_time_t bucket_us,
                                   bl_buf_t *out);
/* 0: no such grouping. */
int bl_admin_ends_by(const char *name, bl_ends_by_t *pby);

/* GET api/streams/{id}: live or ended. */
apr_status_t bl_admin_stream(bl_engine_t *e, const char *id, bl_buf_t *out);

#endif
