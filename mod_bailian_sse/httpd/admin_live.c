/* SPDX-License-Identifier: Apache-2.0 */
/* admin_live - api/live...: what runs now, its feed, and stopping it. */
#include "admin.h"
#include "feed.h"
#include "admin/live.h"
#include "admin/stop.h"
#include "base/clock.h"

#include <stdlib.h>
#include <string.h>

#define OUT_BYTES (64 * 1024 * 1024) /* every slot, as JSON */
#define FEED_EVERY_MS 1000

/* --- asked -------------------------------------------------------------- */

/* 0: *prc is the answer. cursor names the parameter of the first row. */
static int read_query(bl_admin_call_t *a, bl_live_query_t *q,
                      const char *cursor, int *prc)
{
    apr_int64_t limit = 100, skip = 0;
    int i;

    bl_live_query_init(q);
    for (i = 0; bl_live_query_names[i]; i++) {
        const char *name = bl_live_query_names[i];

        if (bl_live_query_set(q, name, bl_admin_param(a, name)) == APR_SUCCESS)
        {
            continue;
        }
        *prc = bl_admin_problem(a, BL_E_BAD_VALUE, name, NULL);
        return 0;
    }
    if (!bl_admin_number(a, "limit", 1, BL_LIVE_PAGE_MOST, &limit, prc) ||
        !bl_admin_number(a, cursor, 0, BL_DIRECTORY_SLOTS, &skip, prc))
    {
        return 0;
    }
    q->limit = (int)limit;
    q->skip = (int)skip;
    return 1;
}

static int live(bl_admin_call_t *a)
{
    const char *format = bl_admin_param(a, "format");
    int is_csv = format && !strcmp(format, "csv");
    int is_export = is_csv || bl_admin_param(a, "export");
    bl_shm_t *shm = bl_engine_shm(a->call->engine);
    bl_live_query_t q;
    bl_buf_t out;
    int rc;

    if (!read_query(a, &q, "cursor", &rc)) return rc;
    if (format && !is_csv && strcmp(format, "json")) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "format",
                                BL_SAY("must be json or csv"));
    }
    if (is_export) {
        q.skip = 0;
        q.limit = BL_DIRECTORY_SLOTS;
    }
    bl_buf_init(&out, OUT_BYTES);
    if (is_csv) {
        return bl_call_answer_file(a->r, a->call,
                                   bl_admin_live_csv(shm, &q, &out),
                                   "text/csv; charset=utf-8", "live.csv", &out);
    }
    if (is_export) {
        return bl_call_answer_file(a->r, a->call, bl_admin_live(shm, &q, &out),
                                   "application/json; charset=utf-8",
                                   "live.json", &out);
    }
    return bl_admin_answer(a, bl_admin_live(shm, &q, &out), HTTP_OK, &out);
}

/* --- the feed ----------------------------------------------------------- */

typedef struct live_source_t {
    bl_live_feed_t feed;
    const bl_shm_t *shm;
    bl_ms_t due_ms; /* the next event */
} live_source_t;

static apr_status_t make_live(void *ctx, bl_buf_t *out, bl_ms_t *pwait_ms)
{
    live_source_t *s = ctx;
    bl_ms_t now = bl_clock_ms();
    apr_status_t rv = bl_live_feed_next(&s->feed, s->shm, out);

    /* One that was late puts off none behind it; and however long it took:
     * never more than half of the feeder's time. */
    s->due_ms = (s->due_ms ? s->due_ms : now) + FEED_EVERY_MS;
    now = bl_clock_ms();
    if (s->due_ms < now + FEED_EVERY_MS / 2) {
        s->due_ms = now + FEED_EVERY_MS / 2;
    }
    *pwait_ms = s->due_ms - now;
    return rv;
}

static int events(bl_admin_call_t *a)
{
    live_source_t *s;
    bl_feed_source_t source;
    bl_live_query_t q;
    int rc;

    if (!read_query(a, &q, "skip", &rc)) return rc;
    s = calloc(1, sizeof(*s));
    if (!s) return bl_admin_problem(a, APR_ENOMEM, NULL, NULL);
    s->feed.query = q;
    s->shm = bl_engine_shm(a->call->engine);
    source.make = make_live;
    source.destroy = free;
    source.ctx = s;
    return bl_feed_serve(a->r, a->call, &source);
}

/* --- stopping ----------------------------------------------------------- */

static int stop_all(bl_admin_call_t *a, const char *const *ids, int count)
{
    bl_buf_t out;
    apr_status_t rv =
        bl_store_do_audit_all(a->store, &a->who, "stream.stop", ids, count);

    bl_buf_init(&out, OUT_BYTES);
    if (rv == APR_SUCCESS) {
        rv = bl_admin_stop(a->call->engine, ids, count, &out);
    }
    return bl_admin_answer(a, rv, HTTP_OK, &out);
}

static int stop_one(bl_admin_call_t *a)
{
    if (!bl_admin_is_stream_id(a->id)) {
        return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    }
    return stop_all(a, &a->id, 1);
}

static int stop_many(bl_admin_call_t *a)
{
    const json_t *list = json_object_get(a->body, "ids");
    size_t count = json_array_size(list), i;
    const char **ids = apr_palloc(a->r->pool, (count + 1) * sizeof(*ids));

    if (!count || count > BL_LIVE_PAGE_MOST) {
        return bl_admin_problem(
            a, BL_E_BAD_VALUE, "ids",
            BL_SAY("must be a list of 1 to 500 stream ids"));
    }
    for (i = 0; i < count; i++) {
        ids[i] = json_string_value(json_array_get(list, i));
        if (!ids[i] || !bl_admin_is_stream_id(ids[i])) {
            return bl_admin_problem(
                a, BL_E_BAD_VALUE, "ids",
                BL_SAY("must be a list of 1 to 500 stream ids"));
        }
    }
    return stop_all(a, ids, (int)count);
}

const bl_route_t bl_admin_live_routes[] = {
    {"GET", "api/live", BL_ROLE_VIEWER, live},
    {"GET", "api/live/events", BL_ROLE_VIEWER, events},
    {"POST", "api/live/stop", BL_ROLE_OPERATOR, stop_many},
    {"POST", "api/live/{id}/stop", BL_ROLE_OPERATOR, stop_one},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
