/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_session - the mini-program family (dialects.md 3), for clients that
 * cannot read server-sent events: chunked text, start and poll, sync. A
 * session is a conversation by the name that the client gave it.
 */
#include "ask.h"
#include "batch.h"
#include "find_stream.h"
#include "handlers.h"
#include "origin.h"
#include "redact.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "engine/replay.h"
#include "store/members.h"

#include <string.h>

#define ROW_TRIES 200 /* x 5 ms, and what a look waits for the writer */
#define ROW_USEC 5000

/* --- the question ------------------------------------------------------- */

static apr_status_t release_json(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

static apr_status_t read_body(request_rec *r, bl_call_t *call, json_t **pbody,
                              const char **pdetail)
{
    if (bl_call_has_body(r)) return bl_call_json(r, call, pbody, pdetail);
    *pbody = json_object();
    if (!*pbody) return APR_ENOMEM;
    apr_pool_cleanup_register(r->pool, *pbody, release_json,
                              apr_pool_cleanup_null);
    return APR_SUCCESS;
}

/* What the body does not say may stand in the query. */
static apr_status_t add_query(request_rec *r, const bl_call_t *call,
                              json_t *body)
{
    static const char *const names[] = {
        "message",   "prompt",         "userId",
        "appId",     "model",          "conversionId",
        "sessionId", "conversationId", "conversionItemId",
        "messageId"};
    json_t *session;
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = bl_redacted(r, names[i]);

        if (!value) value = apr_table_get(call->query, names[i]);
        if (!value || json_object_get(body, names[i])) continue;
        if (!bl_utf8_is_valid(value, strlen(value))) return BL_E_BAD_UTF8;
        if (json_object_set_new(body, names[i], json_string(value)) != 0) {
            return APR_ENOMEM;
        }
    }
    session = json_object_get(body, "sessionId");
    return session && json_object_set(body, "conversionId", session) != 0
               ? APR_ENOMEM
               : APR_SUCCESS;
}

/* 0: *prc is the answer. */
static int read_question(request_rec *r, bl_call_t *call, bl_asked_t *ask,
                         int *prc)
{
    const char *detail = NULL;
    json_t *body;
    apr_status_t rv = bl_call_let_in(r, call);

    if (rv == APR_SUCCESS) rv = bl_call_read_form(call, &detail);
    if (rv == APR_SUCCESS) rv = read_body(r, call, &body, &detail);
    if (rv == APR_SUCCESS) rv = add_query(r, call, body);
    if (rv == APR_SUCCESS) {
        rv = bl_ask_read(body, (size_t)call->conf.body_bytes, ask, &detail);
    }
    if (rv == APR_SUCCESS) rv = bl_ask_read_key(r, ask, &detail);
    if (rv == APR_SUCCESS) rv = bl_call_who(r, call, ask->user_id);
    if (rv == APR_SUCCESS) return 1;
    *prc = bl_call_problem(r, call, rv, detail);
    return 0;
}

static int start(request_rec *r, bl_call_t *call, const bl_asked_t *ask,
                 bl_stream_t **ps, int *prc)
{
    char id[BL_ID_TEXT + 1];
    apr_uint64_t after = 0;
    apr_status_t rv = bl_ask_start(r, call, ask, ps, id);

    if (rv == APR_EEXIST) { /* asked before */
        rv = bl_find_stream_after(call->engine, &call->principal, id, &after,
                                  ps);
    }
    if (rv == APR_SUCCESS) return 1;
    *prc = bl_call_problem(r, call, rv, rv == BL_E_BAD_VALUE ? "appId" : NULL);
    return 0;
}

/* --- chunked text, and the whole at once -------------------------------- */

int bl_handle_miniapp(request_rec *r, bl_call_t *call)
{
    bl_asked_t ask;
    bl_stream_t *s;
    apr_status_t rv = APR_SUCCESS;
    int rc;

    if (!bl_call_method_is(r, call, "GET POST", &rc)) return rc;
    if (r->method_number == M_GET) rv = bl_origin_check_get(r, call);
    if (r->header_only) rv = BL_E_BAD_METHOD; /* it would ask */
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    if (!read_question(r, call, &ask, &rc)) return rc;
    ask.transport = "text";
    return start(r, call, &ask, &s, &rc)
               ? bl_serve_stream(r, call, s, 0, "text")
               : rc;
}

int bl_handle_session_sync(request_rec *r, bl_call_t *call)
{
    bl_asked_t ask;
    bl_stream_t *s;
    int rc;

    if (!bl_call_method_is(r, call, "POST", &rc) ||
        !read_question(r, call, &ask, &rc))
    {
        return rc;
    }
    ask.transport = "sync";
    call->form.wants_whole = 1;
    return start(r, call, &ask, &s, &rc)
               ? bl_serve_stream(r, call, s, 0, "sync")
               : rc;
}

/* --- start and poll ----------------------------------------------------- */

static int answer_started(request_rec *r, bl_call_t *call, const bl_stream_t *s)
{
    bl_buf_t out;

    bl_buf_init(&out, 64 * 1024);
    bl_buf_puts(&out, "{\"success\":true,\"data\":{\"sessionId\":");
    bl_json_puts(&out, s->conversation_id);
    bl_buf_printf(&out, ",\"streamId\":\"%s\"}}\n", s->id);
    if (call->form.is_ascii) bl_json_to_ascii(&out, 0);
    return bl_call_answer_made(r, call, APR_SUCCESS, HTTP_OK,
                               "application/json; charset=utf-8", &out);
}

/* The first poll can come to any child: it finds what is in the store. */
static void await_row(const bl_call_t *call, const bl_stream_t *s)
{
    bl_store_t *store = bl_engine_store(call->engine);
    bl_session_stream_t row;
    int i;

    for (i = 0; i < ROW_TRIES; i++) {
        if (bl_store_session_stream(store, s->owner, 0, s->conversation_id,
                                    &row) != BL_E_NOT_FOUND &&
            !strcmp(row.stream_id, s->id))
        {
            return;
        }
        apr_sleep(ROW_USEC);
    }
}

int bl_handle_session_start(request_rec *r, bl_call_t *call)
{
    bl_asked_t ask;
    bl_stream_t *s;
    int rc;

    if (!bl_call_method_is(r, call, "POST", &rc) ||
        !read_question(r, call, &ask, &rc))
    {
        return rc;
    }
    ask.transport = "poll";
    ask.is_polled = 1;
    if (!start(r, call, &ask, &s, &rc)) return rc;
    bl_engine_polled(call->engine, s);
    await_row(call, s);
    rc = answer_started(r, call, s);
    bl_stream_unref(s);
    return rc;
}

/* Its stream, also a stored one. A session that ended too long ago is gone. */
static apr_status_t find_session(bl_call_t *call, const char *session_id,
                                 bl_stream_t **ps)
{
    bl_store_t *store = bl_engine_store(call->engine);
    bl_session_stream_t found;
    bl_principal_t as = call->principal;
    bl_stored_stream_t row;
    apr_uint64_t last;
    apr_status_t rv;
    int is_shared = bl_shared_id_is(session_id);

    *ps = NULL;
    if (is_shared) {
        rv = bl_store_shared_owner(store, call->principal.text, session_id,
                                   as.text);
        if (rv != APR_SUCCESS) return rv;
    }
    rv = bl_store_session_stream(store, as.text, bl_principal_is_nameless(&as),
                                 session_id, &found);
    if (rv != APR_SUCCESS) return rv;
    memcpy(as.text, found.owner, sizeof(found.owner));
    if (!is_shared) call->principal = as;
    rv = bl_find_stream(call->engine, &as, found.stream_id, ps, &row);
    if (rv != APR_SUCCESS || *ps) return rv;
    if (row.ended_at &&
        row.ended_at + call->conf.session_ms * 1000 < bl_clock_wall())
    {
        return BL_E_NOT_FOUND;
    }
    return bl_replay_load(call->engine, &row, 0, ps, &last);
}

static apr_status_t read_place(bl_call_t *call, const char **psession,
                               apr_uint64_t *pafter, const char **pdetail)
{
    const char *after = apr_table_get(call->query, "after");
    apr_status_t rv = bl_call_read_form(call, pdetail);

    *psession = apr_table_get(call->query, "sessionId");
    *pafter = 0;
    if (rv == APR_SUCCESS && (!*psession || !bl_client_id_is_valid(*psession)))
    {
        *pdetail = "sessionId";
        return BL_E_BAD_VALUE;
    }
    call->form.wants_whole = !after;
    if (rv == APR_SUCCESS && after) {
        rv = bl_call_seq(after, pafter);
        if (rv != APR_SUCCESS) *pdetail = "after";
    }
    return rv;
}

int bl_handle_session_poll(request_rec *r, bl_call_t *call)
{
    const char *session_id, *detail = NULL;
    apr_uint64_t after;
    bl_stream_t *s;
    apr_status_t rv;
    int rc;

    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    rv = read_place(call, &session_id, &after, &detail);
    if (rv == APR_SUCCESS) rv = bl_call_who(r, call, NULL);
    if (rv == APR_SUCCESS) rv = find_session(call, session_id, &s);
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, detail);
    bl_batch_catch_up(call, s);
    bl_engine_polled(call->engine, s);
    return bl_serve_stream(r, call, s, after, "poll");
}
