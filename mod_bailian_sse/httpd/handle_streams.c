/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_streams - {base}/streams/{id}: what became of a stream, its events
 * from any place on, its stop.
 */
#include "handlers.h"
#include "batch.h"
#include "find_stream.h"
#include "sink.h"
#include "base/clock.h"
#include "engine/remote.h"
#include "engine/replay.h"
#include "shm/directory.h"

#include <string.h>

#define STOP_TRIES 200 /* x 5 ms */
#define STOP_USEC 5000

/* The app's own heartbeat stands over the directive. */
static void set_heartbeat(bl_call_t *call, const char *name,
                          bl_sink_plan_t *plan)
{
    bl_catalog_t *catalog = bl_store_catalog(bl_engine_store(call->engine));
    const bl_app_t *app = bl_catalog_app(catalog, name);

    plan->heartbeat_first_ms = app && app->heartbeat_first_ms >= 0
                                   ? app->heartbeat_first_ms
                                   : call->conf.heartbeat_first_ms;
    plan->heartbeat_ms = app && app->heartbeat_ms >= 0
                             ? app->heartbeat_ms
                             : call->conf.heartbeat_ms;
    bl_catalog_unref(catalog);
}

int bl_serve_stream(request_rec *r, bl_call_t *call, bl_stream_t *s,
                    apr_uint64_t after, const char *as)
{
    bl_sink_plan_t plan;
    int rc;

    memset(&plan, 0, sizeof(plan));
    plan.engine = call->engine;
    plan.stream = s;
    plan.after = after;
    plan.kind = bl_encoder_find(as);
    plan.lang = call->lang;
    plan.is_sync_wanted = call->conf.async == BL_ASYNC_SYNC;
    set_heartbeat(call, s->app, &plan);
    plan.slow_ms = call->conf.slow_ms;
    plan.right = bl_right_of(call);
    plan.share = bl_share_of(s->owner, call->principal.text, call->removals);
    plan.pace_ms = plan.kind->answer ? 0 : call->form.pace_ms;
    plan.answer_ms = bl_clock_ms() + call->form.wait_ms;
    plan.wants_whole = call->form.wants_whole;
    plan.is_ascii = call->form.is_ascii;
    plan.is_session = call->is_session;
    bl_call_forget_json(r, call);
    rc = bl_sink_serve(r, &plan);
    return rc == DECLINED ? bl_call_problem(r, call, BL_E_OVERLOADED, NULL)
                          : rc;
}

/* --- where a reader begins ---------------------------------------------- */

/* "<stream id>:<seq>"; the header wins over ?after= (C14). */
static apr_status_t where_from(request_rec *r, bl_call_t *call, const char *id,
                               apr_uint64_t *pafter)
{
    const char *last = apr_table_get(r->headers_in, "Last-Event-ID");
    const char *after = apr_table_get(call->query, "after");
    const char *colon;

    *pafter = 0;
    if (last && *last) {
        if (strlen(last) > 64) return BL_E_BAD_HEADER;
        colon = strchr(last, ':');
        if (!colon) return BL_E_BAD_HEADER;
        if (strncmp(last, id, strlen(id)) || colon - last != BL_ID_TEXT) {
            return BL_E_NOT_FOUND; /* of another stream */
        }
        return bl_call_seq(colon + 1, pafter) == APR_SUCCESS ? APR_SUCCESS
                                                             : BL_E_BAD_HEADER;
    }
    return after ? bl_call_seq(after, pafter) : APR_SUCCESS;
}

static int nothing_more(request_rec *r)
{
    r->status = HTTP_NO_CONTENT; /* an EventSource stops at it */
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    return OK;
}

/* --- reading on --------------------------------------------------------- */

static int serve(request_rec *r, bl_call_t *call, bl_stream_t *s,
                 apr_uint64_t after, const char *as)
{
    int is_batch = !strcmp(as, "json"), n;
    bl_event_t ev;

    if (is_batch || !strcmp(as, "poll")) {
        bl_batch_catch_up(call, s);
        bl_engine_polled(call->engine, s);
    }
    if (!is_batch && bl_journal_read(s->journal, after, &ev, 1, &n) == APR_EOF)
    {
        bl_stream_unref(s);
        return nothing_more(r);
    }
    return bl_serve_stream(r, call, s, after, as);
}

static int serve_stored(request_rec *r, bl_call_t *call,
                        const bl_stored_stream_t *row, apr_uint64_t after,
                        const char *as)
{
    apr_uint64_t last = 0;
    bl_stream_t *s;
    apr_status_t rv = bl_replay_load(call->engine, row, after, &s, &last);

    if (rv == APR_EOF) {
        return strcmp(as, "json") ? nothing_more(r)
                                  : bl_serve_empty_batch(r, call, row, after);
    }
    if (rv != APR_SUCCESS) {
        return bl_call_problem(
            r, call, rv,
            rv == BL_E_TRIMMED
                ? apr_psprintf(r->pool,
                               "the last stored event is %" APR_UINT64_T_FMT,
                               last)
                : NULL);
    }
    return serve(r, call, s, after, as);
}

int bl_resume_stream(request_rec *r, bl_call_t *call, const char *id,
                     apr_uint64_t after, const char *as)
{
    bl_stream_t *s;
    bl_stored_stream_t row;
    apr_status_t rv =
        bl_find_stream(call->engine, &call->principal, id, &s, &row);

    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    return s ? serve(r, call, s, after, as)
             : serve_stored(r, call, &row, after, as);
}

static int handle_events(request_rec *r, bl_call_t *call, const char *id)
{
    const char *as = apr_table_get(call->query, "as"), *detail = NULL;
    apr_uint64_t after;
    apr_status_t rv;
    int rc;

    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    if (!as) as = "sse";
    rv = where_from(r, call, id, &after);
    if (rv == APR_SUCCESS) rv = bl_call_read_form(call, &detail);
    if (rv == APR_SUCCESS && strcmp(as, "json") && strcmp(as, "sse") &&
        strcmp(as, "text") && strcmp(as, "poll"))
    {
        detail = "as";
        rv = BL_E_BAD_VALUE;
    }
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, detail);
    return bl_resume_stream(r, call, id, after, as);
}

/* --- state and stop ----------------------------------------------------- */

static int answer_state(request_rec *r, bl_call_t *call, const char *id)
{
    bl_buf_t out;

    bl_buf_init(&out, 64 * 1024);
    return bl_call_answer_made(
        r, call, bl_replay_state(call->engine, id, call->principal.text, &out),
        HTTP_OK, "application/json; charset=utf-8", &out);
}

/* So that the answer tells the outcome, not that it is about to come. */
static void wait_for_end(bl_call_t *call, const char *id)
{
    bl_shm_t *shm = bl_engine_shm(call->engine);
    apr_int64_t child_id;
    int i, child;

    for (i = 0; i < STOP_TRIES && bl_slot_find(shm, id, &child, &child_id); i++)
        apr_sleep(STOP_USEC);
}

static int handle_stop(request_rec *r, bl_call_t *call, const char *id)
{
    bl_stream_t *s = bl_engine_find(call->engine, id);

    if (s) {
        int is_mine = bl_principal_owns(&call->principal, s->owner);

        if (is_mine) bl_engine_stop(call->engine, s);
        bl_stream_unref(s);
        if (!is_mine) return bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
    }
    else {
        bl_remote_stop(call->engine, id, call->principal.text);
    }
    wait_for_end(call, id);
    return answer_state(r, call, id);
}

int bl_handle_streams(request_rec *r, bl_call_t *call)
{
    const char *rest = call->route + strlen("streams/");
    size_t len = strcspn(rest, "/");
    char id[BL_ID_TEXT + 1];
    apr_status_t rv = bl_call_who(r, call, NULL);
    int rc;

    if (rv == APR_SUCCESS && len != BL_ID_TEXT) rv = BL_E_NOT_FOUND;
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    memcpy(id, rest, BL_ID_TEXT);
    id[BL_ID_TEXT] = '\0';
    if (!strcmp(rest + len, "/events")) return handle_events(r, call, id);
    if (rest[len]) return bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
    if (!bl_call_method_is(r, call, "GET DELETE", &rc)) return rc;
    call->principal = bl_stream_reader(call->engine, &call->principal, id);
    return r->method_number == M_DELETE ? handle_stop(r, call, id)
                                        : answer_state(r, call, id);
}
