/* SPDX-License-Identifier: Apache-2.0 */
/* admin_ends - api/ends and api/streams: why streams ended, and how one went.
 */
#include "admin.h"
#include "admin/ends.h"
#include "admin/stop.h"
#include "base/clock.h"
#include "base/time_text.h"

#include <string.h>

#define OUT_BYTES (64 * 1024 * 1024)
#define DAY_US ((apr_time_t)86400 * 1000000)
#define SECOND_US ((apr_time_t)1000000)
#define BUCKETS 60 /* about so many, when nobody says how long one is */

/* --- asked -------------------------------------------------------------- */

/* 0: *prc is the answer. */
static int read_time(bl_admin_call_t *a, const char *name, apr_time_t *pat,
                     int *prc)
{
    const char *text = bl_admin_param(a, name);

    if (!text || bl_time_parse(text, pat)) return 1;
    *prc = bl_admin_problem(a, BL_E_BAD_VALUE, name,
                            BL_SAY("must be a time as 2026-11-20T11:22:33Z, or "
                                   "milliseconds since 1970"));
    return 0;
}

static int read_ask(bl_admin_call_t *a, bl_ends_ask_t *ask, int *prc)
{
    const char *outcome = bl_admin_param(a, "outcome");
    const char *cursor = bl_admin_param(a, "cursor");
    apr_int64_t limit = 100;

    memset(ask, 0, sizeof(*ask));
    ask->code = bl_admin_param(a, "code");
    ask->app = bl_admin_param(a, "app");
    ask->upstream = bl_admin_param(a, "upstream");
    ask->key_last4 = bl_admin_param(a, "key");
    ask->owner = bl_admin_param(a, "user");
    ask->q = bl_admin_param(a, "q");
    if (!read_time(a, "from", &ask->from, prc) ||
        !read_time(a, "to", &ask->to, prc) ||
        !bl_admin_number(a, "limit", 1, BL_ENDS_PAGE_MOST, &limit, prc))
    {
        return 0;
    }
    ask->limit = (int)limit;
    if (outcome) ask->outcome = bl_outcome_from_name(outcome);
    if (outcome && ask->outcome == BL_OUTCOME_NONE) {
        *prc = bl_admin_problem(a, BL_E_BAD_VALUE, "outcome",
                                BL_SAY("must be completed, length, cancelled, "
                                       "timeout, error or interrupted"));
        return 0;
    }
    if (cursor && !bl_admin_ends_cursor(cursor, ask)) {
        *prc = bl_admin_problem(
            a, BL_E_BAD_VALUE, "cursor",
            BL_SAY("must be what \"next\" of the page before says"));
        return 0;
    }
    return 1;
}

/* --- lists -------------------------------------------------------------- */

static int ends_csv(bl_admin_call_t *a, const bl_ends_ask_t *ask)
{
    bl_buf_t out;

    bl_buf_init(&out, OUT_BYTES);
    return bl_call_answer_file(a->r, a->call,
                               bl_admin_ends_csv(a->store, ask, &out),
                               "text/csv; charset=utf-8", "ends.csv", &out);
}

static int ends(bl_admin_call_t *a)
{
    const char *format = bl_admin_param(a, "format");
    bl_ends_ask_t ask;
    bl_buf_t out;
    int rc;

    if (!read_ask(a, &ask, &rc)) return rc;
    if (format && !strcmp(format, "csv")) return ends_csv(a, &ask);
    if (format && strcmp(format, "json")) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "format",
                                BL_SAY("must be json or csv"));
    }
    bl_buf_init(&out, OUT_BYTES);
    return bl_admin_answer(a, bl_admin_ends(a->store, &ask, &out), HTTP_OK,
                           &out);
}

/* 60 s at least, and whole minutes. */
static apr_time_t usual_bucket(const bl_ends_ask_t *ask)
{
    apr_time_t minutes = (ask->to - ask->from) / BUCKETS / (60 * SECOND_US);

    return (minutes > 0 ? minutes : 1) * 60 * SECOND_US;
}

static int summary(bl_admin_call_t *a)
{
    const char *by_name = bl_admin_param(a, "by");
    apr_int64_t bucket = 0;
    bl_ends_ask_t ask;
    bl_ends_by_t by = BL_ENDS_BY_OUTCOME;
    bl_buf_t out;
    int rc;

    if (!read_ask(a, &ask, &rc) ||
        !bl_admin_number(a, "bucket", 60, 86400, &bucket, &rc))
    {
        return rc;
    }
    if (by_name && !bl_admin_ends_by(by_name, &by)) {
        return bl_admin_problem(
            a, BL_E_BAD_VALUE, "by",
            BL_SAY("must be outcome, code, app, upstream, key or attempts"));
    }
    if (!ask.to) ask.to = bl_clock_wall() + SECOND_US;
    if (!ask.from) ask.from = ask.to - DAY_US;
    bucket *= SECOND_US;
    if (!bucket) bucket = usual_bucket(&ask);
    if (ask.to <= ask.from || (ask.to - ask.from) / bucket > 1440) {
        return bl_admin_problem(
            a, BL_E_BAD_VALUE, ask.to <= ask.from ? "to" : "bucket",
            BL_SAY("At most 1440 buckets from \"from\" to \"to\"."));
    }
    bl_buf_init(&out, OUT_BYTES);
    return bl_admin_answer(
        a, bl_admin_ends_summary(a->store, &ask, by, bucket, &out), HTTP_OK,
        &out);
}

/* --- one stream --------------------------------------------------------- */

static int stream(bl_admin_call_t *a)
{
    bl_buf_t out;

    if (!bl_admin_is_stream_id(a->id)) {
        return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    }
    bl_buf_init(&out, OUT_BYTES);
    return bl_admin_answer(a, bl_admin_stream(a->call->engine, a->id, &out),
                           HTTP_OK, &out);
}

/* Whose it is: the text is served as to him. */
static apr_status_t owner_of(bl_admin_call_t *a, bl_principal_t *owner)
{
    apr_int64_t child_id;
    int child;
    const bl_slot_t *slot =
        bl_slot_find(bl_engine_shm(a->call->engine), a->id, &child, &child_id);
    bl_stored_stream_t row;
    apr_status_t rv;

    memset(owner, 0, sizeof(*owner));
    if (slot) {
        apr_cpystrn(owner->text, slot->owner, sizeof(owner->text));
        return APR_SUCCESS;
    }
    rv = bl_store_stream(a->store, a->id, &row);
    if (rv == APR_SUCCESS) {
        apr_cpystrn(owner->text, row.owner, sizeof(owner->text));
    }
    return rv;
}

static int text(bl_admin_call_t *a)
{
    apr_int64_t after = 0;
    apr_status_t rv;
    int rc;

    if (!bl_admin_is_stream_id(a->id)) {
        return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    }
    if (!bl_admin_number(a, "after", 0, APR_INT32_MAX, &after, &rc)) return rc;
    rv = owner_of(a, &a->call->principal);
    if (rv == APR_SUCCESS) {
        rv = bl_store_do_audit_all(a->store, &a->who, "stream.read", &a->id, 1);
    }
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    return bl_resume_stream(a->r, a->call, a->id, (apr_uint64_t)after, "sse");
}

const bl_route_t bl_admin_ends_routes[] = {
    {"GET", "api/ends", BL_ROLE_VIEWER, ends},
    {"GET", "api/ends/summary", BL_ROLE_VIEWER, summary},
    {"GET", "api/streams/{id}", BL_ROLE_VIEWER, stream},
    {"GET", "api/streams/{id}/events", BL_ROLE_OPERATOR, text},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
