/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed - server-sent events that are made by the clock and not by a stream:
 * the live view, the ticks of the path check.
 *
 * A feed is parked as a stream's reader is and costs no worker. What it sends
 * is made on one thread of the child, so that neither the reactor nor a worker
 * is held by it; the reactor writes. Where a connection cannot be parked, its
 * worker makes and writes, BL_FEEDS_SYNC of them at most.
 *
 *   reactor: due ─▶ queue ─▶ feeder: make() ─▶ letter ─▶ reactor: write, arm
 *
 * OWNERSHIP  serve takes over source.ctx and calls destroy(ctx) once.
 * THREADS    serve: the request's. make: the feeder's, or the request's; one
 *            call at a time. close_all: the child's main thread.
 */
#ifndef BL_FEED_H
#define BL_FEED_H

#include "request.h"

#define BL_FEEDS 64     /* of one child */
#define BL_FEEDS_SYNC 8 /* of these without parking */

typedef struct bl_feed_source_t {
    /* Appends what is due now; *pwait_ms until the next. APR_EOF: what was
     * appended is the last. */
    apr_status_t (*make)(void *ctx, bl_buf_t *out, bl_ms_t *pwait_ms);
    void (*destroy)(void *ctx);
    void *ctx;
} bl_feed_source_t;

/* Answers as an httpd handler does. */
int bl_feed_serve(request_rec *r, bl_call_t *call,
                  const bl_feed_source_t *source);

/* The child ends: before the reactor does. */
void bl_feed_close_all(void);

/* --- for its two ways --------------------------------------------------- */

#define BL_FEED_BYTES (16 * 1024 * 1024) /* of one making */

/* SUSPENDED; or DECLINED: cannot be parked, the source is still the caller's.
 */
int bl_feed_park(request_rec *r, bl_engine_t *e,
                 const bl_feed_source_t *source);

/* make(), or the goodbye of a child that drains (then APR_EOF). Nothing is
 * appended by one that fails. */
apr_status_t bl_feed_make(bl_engine_t *e, const bl_feed_source_t *source,
                          bl_buf_t *out, bl_ms_t *pwait_ms);

/* One feed ended; for the ceilings. */
void bl_feed_ended(int is_sync);

#endif
