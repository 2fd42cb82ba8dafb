/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_ask - POST {base}/stream: a question in the chat dialect
 * (dialects.md 1) becomes a stream.
 */
#include "ask.h"
#include "handlers.h"
#include "sink.h"

#include <string.h>

/* The stream that this key began before: running, or stored. */
static int known_key(request_rec *r, bl_call_t *call, const char *key, int *prc)
{
    char id[BL_ID_TEXT + 1];

    if (bl_store_by_idempotency(bl_engine_store(call->engine),
                                call->principal.text, key, id) != APR_SUCCESS)
    {
        return 0;
    }
    *prc = bl_resume_stream(r, call, id, 0, "sse");
    return 1;
}

static int ask_it(request_rec *r, bl_call_t *call, bl_asked_t *ask)
{
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s;
    apr_status_t rv;

    ask->transport = "sse";
    rv = bl_ask_start(r, call, ask, &s, id);
    if (rv == APR_EEXIST) return bl_resume_stream(r, call, id, 0, "sse");
    if (rv != APR_SUCCESS) {
        return bl_call_problem(r, call, rv,
                               rv == BL_E_BAD_VALUE ? "appId" : NULL);
    }
    return bl_serve_stream(r, call, s, 0, "sse");
}

int bl_ask_app(request_rec *r, bl_call_t *call, const char *app,
               const char *message, const char *conversation)
{
    bl_asked_t ask;

    memset(&ask, 0, sizeof(ask));
    if (conversation && !bl_client_id_is_valid(conversation)) {
        return bl_call_problem_at(r, call, BL_E_BAD_VALUE, "conversationId",
                                  NULL);
    }
    ask.message = message;
    ask.conversation_id = conversation;
    ask.app = app;
    return ask_it(r, call, &ask);
}

int bl_handle_ask(request_rec *r, bl_call_t *call)
{
    const char *detail;
    bl_asked_t ask;
    json_t *body;
    apr_status_t rv;
    int rc;

    if (!bl_call_method_is(r, call, "POST", &rc)) return rc;
    detail = NULL;
    rv = bl_call_let_in(r, call);
    if (rv == APR_SUCCESS) rv = bl_call_read_form(call, &detail);
    if (rv == APR_SUCCESS) rv = bl_call_json(r, call, &body, &detail);
    if (rv == APR_SUCCESS) {
        rv = bl_ask_read(body, (size_t)call->conf.body_bytes, &ask, &detail);
    }
    if (rv == APR_SUCCESS) rv = bl_call_who(r, call, ask.user_id);
    if (rv == APR_SUCCESS) rv = bl_ask_read_key(r, &ask, &detail);
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, detail);
    if (ask.key && known_key(r, call, ask.key, &rc)) return rc;
    return ask_it(r, call, &ask);
}
