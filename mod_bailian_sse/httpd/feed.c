/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#include <poll.h>

#define LOOK_MS 100 /* a worker that waits looks so often whether it may */

static int feeds, sync_feeds; /* atomic: of this child */

/* --- the ceilings ------------------------------------------------------- */

static int begin(int *count, int most)
{
    if (__atomic_add_fetch(count, 1, __ATOMIC_SEQ_CST) <= most) return 1;
    __atomic_sub_fetch(count, 1, __ATOMIC_SEQ_CST);
    return 0;
}

void bl_feed_ended(int is_sync)
{
    if (is_sync) __atomic_sub_fetch(&sync_feeds, 1, __ATOMIC_SEQ_CST);
    __atomic_sub_fetch(&feeds, 1, __ATOMIC_SEQ_CST);
}

/* --- made --------------------------------------------------------------- */

apr_status_t bl_feed_make(bl_engine_t *e, const bl_feed_source_t *source,
                          bl_buf_t *out, bl_ms_t *pwait_ms)
{
    apr_status_t rv;

    if (!bl_engine_is_draining(e)) {
        rv = source->make(source->ctx, out, pwait_ms);
        if (rv != APR_SUCCESS && rv != APR_EOF) bl_buf_clear(out);
        return rv;
    }
    bl_buf_puts(out, "event: bye\ndata: {\"reason\":\"draining\"}\n\n");
    return APR_EOF;
}

/* --- a worker that writes ----------------------------------------------- */

static apr_status_t write_all(request_rec *r, apr_bucket_brigade *bb,
                              const bl_buf_t *out)
{
    apr_bucket_alloc_t *alloc = r->connection->bucket_alloc;
    apr_status_t rv;

    APR_BRIGADE_INSERT_TAIL(
        bb, apr_bucket_transient_create(out->data, out->len, alloc));
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_flush_create(alloc));
    rv = ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    return r->connection->aborted ? APR_ECONNABORTED : rv;
}

/* Who closes his half of a feed's connection wants no more of it. */
static int has_left(request_rec *r)
{
    conn_rec *c = r->connection;
    apr_socket_t *csd = c->master ? NULL : ap_get_conn_socket(c);
    struct pollfd look = {-1, POLLRDHUP, 0};
    apr_os_sock_t fd;

    if (c->aborted) return 1;
    if (!csd || apr_os_sock_get(&fd, csd) != APR_SUCCESS) return 0;
    look.fd = fd;
    return poll(&look, 1, 0) > 0;
}

/* Short naps: a child that drains, or an HTTP/2 stream that was reset, ends
 * its feed soon. */
static void nap(request_rec *r, bl_engine_t *e, bl_ms_t ms)
{
    while (ms > 0 && !has_left(r) && !bl_engine_is_draining(e)) {
        bl_ms_t part = ms < LOOK_MS ? ms : LOOK_MS;

        apr_sleep(part * 1000);
        ms -= part;
    }
}

static int run_sync(request_rec *r, bl_call_t *call,
                    const bl_feed_source_t *source)
{
    bl_engine_t *e = call->engine;
    apr_bucket_brigade *bb =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t rv;
    bl_buf_t out;
    bl_ms_t wait;
    int has_head = 0;

    bl_buf_init(&out, BL_FEED_BYTES);
    do {
        wait = 0;
        bl_buf_clear(&out);
        rv = bl_feed_make(e, source, &out, &wait);
        if (out.len && write_all(r, bb, &out) != APR_SUCCESS) break;
        has_head |= out.len > 0;
        if (rv == APR_SUCCESS) nap(r, e, wait);
    } while (rv == APR_SUCCESS && !has_left(r));
    bl_buf_release(&out);
    source->destroy(source->ctx);
    bl_feed_ended(1);
    return has_head || rv == APR_SUCCESS || rv == APR_EOF
               ? OK
               : bl_call_problem(r, call, BL_E_OVERLOADED, NULL);
}

/* --- served ------------------------------------------------------------- */

static void set_headers(request_rec *r)
{
    ap_set_content_type(r, "text/event-stream; charset=utf-8");
    apr_table_setn(r->headers_out, "Cache-Control", "no-cache, no-transform");
    apr_table_setn(r->headers_out, "X-Accel-Buffering", "no");
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
}

static int refuse(request_rec *r, bl_call_t *call,
                  const bl_feed_source_t *source)
{
    bl_complaint_t why = BL_NO_COMPLAINT;

    source->destroy(source->ctx);
    bl_say(&why.said, BL_SAY("Too many live views are open on this server "
                             "process: close one, or try again."));
    return bl_call_problem_said(r, call, BL_E_OVERLOADED, &why);
}

int bl_feed_serve(request_rec *r, bl_call_t *call,
                  const bl_feed_source_t *source)
{
    if (r->header_only) {
        set_headers(r);
        source->destroy(source->ctx);
        return OK;
    }
    if (!begin(&feeds, BL_FEEDS)) return refuse(r, call, source);
    if (call->conf.async != BL_ASYNC_SYNC) {
        set_headers(r);
        if (bl_feed_park(r, call->engine, source) == SUSPENDED) {
            return SUSPENDED;
        }
    }
    if (!begin(&sync_feeds, BL_FEEDS_SYNC)) {
        bl_feed_ended(0);
        return refuse(r, call, source);
    }
    set_headers(r);
    return run_sync(r, call, source);
}
