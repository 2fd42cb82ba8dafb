/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_talk_chat - questions of the message protocol: asked, read on from any
 * event, and stopped.
 */
#include "ws_talk.h"
#include "find_stream.h"
#include "ws_ask.h"
#include "base/clock.h"
#include "engine/remote.h"
#include "engine/replay.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static apr_status_t check_id(bl_talk_call_t *call, const char *id,
                             const char *field)
{
    if (!id || bl_client_id_is_valid(id)) return APR_SUCCESS;
    call->field = field;
    return BL_E_BAD_VALUE;
}

/* What answers the app's questions, as clients of the dialect call it. */
static void find_provider(bl_engine_t *e, bl_msg_answer_t *a)
{
    bl_catalog_t *catalog = bl_store_catalog(bl_engine_store(e));
    const bl_app_t *app = bl_catalog_app(catalog, a->model);

    snprintf(a->provider, sizeof(a->provider), "%s",
             app ? app->upstream->kind : "");
    bl_catalog_unref(catalog);
}

static void describe(bl_msg_answer_t *a, const bl_ws_reader_t *r,
                     bl_engine_t *e)
{
    const bl_stream_t *s = r->stream;

    a->message_id = s->id;
    a->session_id = s->conversation_id;
    a->request_id = *s->item_id ? s->item_id : s->id;
    a->model = s->app;
    a->total_tokens = -1;
    find_provider(e, a);
}

/* The stream's readers on this connection: NULL when there is none. */
static bl_ws_reader_t *find_reader(bl_socket_t *s, const char *id)
{
    bl_ws_reader_t *r = s->readers;

    while (r && (r->is_over ||
                 (strcmp(r->stream->id, id) && strcmp(r->stream->item_id, id))))
        r = r->next;
    return r;
}

/* --- reading on --------------------------------------------------------- */

static apr_status_t resume(bl_talk_call_t *call, const bl_msg_ask_t *ask,
                           bl_ws_reader_t **preader)
{
    bl_socket_t *s = call->s;
    apr_uint64_t after = ask->after;
    bl_stream_t *stream;
    apr_status_t rv;

    call->field = "resume";
    if (find_reader(s, ask->resume)) return BL_E_CONFLICT; /* it is read here */
    rv = bl_find_stream_after(s->engine, &s->principal, ask->resume, &after,
                              &stream);
    if (rv != APR_SUCCESS) return rv;
    *preader = bl_socket_read_stream(s, stream, after);
    if (*preader) return APR_SUCCESS;
    bl_stream_unref(stream);
    return BL_E_RATE_LIMITED;
}

/* The START event is not read again: it is said here. */
static void say_start(bl_talk_call_t *call, const bl_ws_reader_t *r)
{
    if (!r->after) return;
    bl_msg_put_start(r->data, &call->t->json, &call->t->peer, r->after,
                     bl_clock_wall());
    bl_talk_send(call->s);
}

/* --- asking ------------------------------------------------------------- */

static apr_status_t begin(bl_talk_call_t *call, const bl_msg_ask_t *ask,
                          bl_ws_reader_t **preader)
{
    bl_ws_question_t q = {0};
    bl_msg_ask_t known = {0};
    char id[BL_ID_TEXT + 1];
    apr_status_t rv;

    q.message = ask->message;
    q.conversation_id =
        ask->conversation_id ? ask->conversation_id : call->session_id;
    q.item_id = ask->request_id;
    q.app = ask->model;
    q.key = ask->key;
    rv = bl_ws_ask(call->s, &q, preader, id);
    if (rv == APR_EEXIST) { /* asked before: its answer is read */
        known.resume = id;
        return resume(call, &known, preader);
    }
    if (rv == BL_E_BAD_VALUE) call->field = "model";
    return rv;
}

static apr_status_t check(bl_talk_call_t *call, const bl_msg_ask_t *ask)
{
    apr_status_t rv = check_id(call, ask->request_id, "requestId");

    call->request_id = rv == APR_SUCCESS ? ask->request_id : NULL;
    if (rv == APR_SUCCESS) {
        rv = check_id(call, ask->conversation_id, "conversationId");
    }
    if (rv == APR_SUCCESS) rv = check_id(call, ask->key, "key");
    return rv == APR_SUCCESS ? check_id(call, ask->model, "model") : rv;
}

apr_status_t bl_talk_ask(bl_talk_call_t *call)
{
    bl_ws_reader_t *r = NULL;
    bl_msg_answer_t *answer;
    bl_msg_ask_t ask;
    apr_status_t rv = bl_msg_ask(&call->m, &ask, &call->field);

    /* Also a question that is refused is told by its id. */
    if (ask.request_id && bl_client_id_is_valid(ask.request_id)) {
        call->request_id = ask.request_id;
    }
    if (rv == APR_SUCCESS) rv = check(call, &ask);
    if (rv != APR_SUCCESS) return rv;
    answer = calloc(1, sizeof(*answer));
    if (!answer) return BL_E_OVERLOADED;
    rv = ask.resume ? resume(call, &ask, &r) : begin(call, &ask, &r);
    if (rv != APR_SUCCESS) {
        free(answer);
        return rv;
    }
    answer->is_streaming = ask.is_streaming;
    describe(answer, r, call->s->engine);
    r->data = answer;
    say_start(call, r);
    return APR_SUCCESS;
}

/* --- stopping ----------------------------------------------------------- */

/* In another connection, or another child, or over. */
static apr_status_t stop_elsewhere(bl_talk_call_t *call, const char *id)
{
    bl_socket_t *s = call->s;
    bl_principal_t as;
    bl_stream_t *stream;
    bl_stored_stream_t row;
    apr_status_t rv;

    if (BL_SCOPE_MANAGE & ~s->scopes) return BL_E_FORBIDDEN;
    if (strlen(id) != BL_ID_TEXT) return BL_E_NOT_FOUND;
    as = bl_stream_reader(s->engine, &s->principal, id);
    stream = bl_engine_find(s->engine, id);
    if (stream) {
        int is_mine = bl_principal_owns(&as, stream->owner);

        if (is_mine) bl_engine_stop(s->engine, stream);
        bl_stream_unref(stream);
        return is_mine ? APR_SUCCESS : BL_E_NOT_FOUND;
    }
    if (bl_remote_stop(s->engine, id, as.text) == APR_SUCCESS) {
        return APR_SUCCESS;
    }
    rv = bl_replay_find(s->engine, id, &row);
    if (rv == APR_SUCCESS && !bl_principal_owns(&as, row.owner)) {
        rv = BL_E_NOT_FOUND;
    }
    if (rv == APR_SUCCESS) {
        bl_talk_remark(s, BL_MSG_INFO,
                       s->lang == BL_LANG_ZH ? "该回答已经结束。"
                                             : "This answer has ended.",
                       bl_outcome_name(row.outcome), id);
    }
    return rv == APR_EBUSY ? BL_E_OVERLOADED : rv;
}

apr_status_t bl_talk_stop(bl_talk_call_t *call)
{
    const char *id = bl_msg_stops(&call->m);
    bl_ws_reader_t *r = id ? find_reader(call->s, id) : NULL;
    apr_status_t rv = BL_E_BAD_VALUE;

    if (id && bl_msg_leaves(&call->m)) {
        if (r) r->is_over = 1; /* as when the connection is lost */
        return APR_SUCCESS;
    }
    if (r) {
        bl_engine_stop(call->s->engine, r->stream);
        return APR_SUCCESS;
    }
    if (id) rv = stop_elsewhere(call, id);
    if (rv != APR_SUCCESS) call->field = "messageId";
    return rv;
}
