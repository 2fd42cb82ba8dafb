/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_ask - POST {base}/stream: a question in the chat dialect
 * (dialects.md 1) becomes a stream.
 */
#include "handlers.h"
#include "sink.h"
#include "crypto/token.h"

#include <string.h>

#define KEY_BYTES 256 /* of an Idempotency-Key */
#define ROW_TRIES 200 /* x 5 ms */
#define ROW_USEC 5000

typedef struct chat_ask_t {
    const char *message;
    json_t *messages;
    const char *conversation_id;
    const char *item_id;
    const char *app;
    const char *user_id;
} chat_ask_t;

/* The first of two spellings that is there. */
static apr_status_t either(const json_t *body, const char *a, const char *b,
                           size_t max, const char **pvalue)
{
    apr_status_t rv = bl_json_get_string(body, a, max, pvalue);

    if (rv == APR_SUCCESS && !*pvalue) {
        rv = bl_json_get_string(body, b, max, pvalue);
    }
    return rv;
}

static apr_status_t check_id(const char *id)
{
    return !id || bl_client_id_is_valid(id) ? APR_SUCCESS : BL_E_BAD_VALUE;
}

static apr_status_t read_fields(const json_t *body, size_t most,
                                chat_ask_t *ask, const char **pdetail)
{
    static const char *const names[] = {"message", "conversionId",
                                        "conversionItemId", "appId", "userId"};
    const char *values[5];
    static const char *const aliases[] = {"prompt", "conversationId",
                                          "messageId", "model", "userId"};
    int i;

    for (i = 0; i < 5; i++) {
        size_t max = i ? BL_ITEM_ID_BYTES - 1 : most;

        if (either(body, names[i], aliases[i], max, &values[i]) !=
                APR_SUCCESS ||
            (i && check_id(values[i] && *values[i] ? values[i] : NULL) !=
                      APR_SUCCESS))
        {
            *pdetail = names[i];
            return BL_E_BAD_VALUE;
        }
    }
    ask->message = values[0];
    ask->conversation_id = values[1] && *values[1] ? values[1] : NULL;
    ask->item_id = values[2] && *values[2] ? values[2] : NULL;
    ask->app = values[3] && *values[3] ? values[3] : NULL;
    ask->user_id = values[4] && *values[4] ? values[4] : NULL;
    if (bl_json_get_array(body, "messages", BL_MAX_MESSAGES, &ask->messages) !=
        APR_SUCCESS)
    {
        *pdetail = "messages";
        return BL_E_BAD_VALUE;
    }
    return APR_SUCCESS;
}

/* Each of messages is {role, content}; the last one is the question. */
static apr_status_t check_messages(chat_ask_t *ask)
{
    static const char *const roles[] = {"system", "user", "assistant"};
    size_t i, k;
    json_t *m;

    if (!json_array_size(ask->messages)) return BL_E_BAD_VALUE;
    json_array_foreach(ask->messages, i, m)
    {
        const char *role = json_string_value(json_object_get(m, "role"));
        const char *content = json_string_value(json_object_get(m, "content"));

        if (!role || !content) return BL_E_BAD_VALUE;
        for (k = 0; k < 3 && strcmp(role, roles[k]); k++)
            ;
        if (k == 3) return BL_E_BAD_VALUE;
        if (!strcmp(role, "user")) ask->message = content;
    }
    return ask->message ? APR_SUCCESS : BL_E_BAD_VALUE;
}

static apr_status_t read_ask(const json_t *body, size_t most, chat_ask_t *ask,
                             const char **pdetail)
{
    apr_status_t rv;

    memset(ask, 0, sizeof(*ask));
    rv = read_fields(body, most, ask, pdetail);
    if (rv != APR_SUCCESS) return rv;
    if (ask->message && *ask->message) {
        ask->messages = NULL; /* one question, the upstream keeps the rest */
        return APR_SUCCESS;
    }
    ask->message = NULL;
    if (ask->messages && check_messages(ask) == APR_SUCCESS) return APR_SUCCESS;
    *pdetail = ask->messages ? "messages" : "message";
    return BL_E_BAD_VALUE;
}

static const char *new_conversation(request_rec *r)
{
    unsigned char bytes[BL_ID_BYTES];
    char *id = apr_palloc(r->pool, 2 * sizeof(bytes) + 1);

    if (bl_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS) return NULL;
    bl_hex(id, bytes, sizeof(bytes));
    return id;
}

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

static char *dump_messages(request_rec *r, const json_t *messages)
{
    char *text = json_dumps(messages, JSON_COMPACT);
    char *copy = text ? apr_pstrdup(r->pool, text) : NULL;

    free(text);
    return copy;
}

/* The directory knows the stream; when it has ended just now, in whichever
 * child, its row is on its way into the store. */
static void await_row(bl_engine_t *e, const char *id)
{
    bl_stored_stream_t row;
    apr_int64_t child_id;
    int i, child;

    for (i = 0; i < ROW_TRIES; i++) {
        if (bl_slot_find(bl_engine_shm(e), id, &child, &child_id) ||
            bl_store_stream(bl_engine_store(e), id, &row) != BL_E_NOT_FOUND)
        {
            return;
        }
        apr_sleep(ROW_USEC);
    }
}

static int ask_it(request_rec *r, bl_call_t *call, const chat_ask_t *ask,
                  const char *key)
{
    char id[BL_ID_TEXT + 1];
    bl_limits_t limits;
    bl_question_t q;
    bl_stream_t *s;
    apr_status_t rv;

    memset(&q, 0, sizeof(q));
    limits = bl_dir_conf_limits(&call->conf);
    q.owner = call->principal.text;
    q.conversation_id =
        ask->conversation_id ? ask->conversation_id : new_conversation(r);
    if (!q.conversation_id)
        return bl_call_problem(r, call, BL_E_OVERLOADED, NULL);
    q.is_new_conversation = !ask->conversation_id;
    q.item_id = ask->item_id;
    q.app = ask->app ? ask->app : call->conf.app;
    q.transport = "sse";
    q.client = r->useragent_ip;
    q.request_id = bl_call_request_id(r);
    q.idempotency_key = key;
    q.text = ask->message;
    if (ask->messages)
        q.ask.messages = dump_messages(r, ask->messages);
    else
        q.ask.prompt = ask->message;
    q.limits = &limits;
    rv = bl_engine_ask(call->engine, &q, &s, id);
    if (rv == APR_EEXIST) {
        await_row(call->engine, id);
        return bl_resume_stream(r, call, id, 0, "sse");
    }
    if (rv != APR_SUCCESS) {
        return bl_call_problem(r, call, rv,
                               rv == BL_E_BAD_VALUE ? "appId" : NULL);
    }
    return bl_serve_stream(r, call, s, 0, "sse");
}

int bl_ask_app(request_rec *r, bl_call_t *call, const char *app,
               const char *message, const char *conversation)
{
    chat_ask_t ask;

    memset(&ask, 0, sizeof(ask));
    if (check_id(conversation) != APR_SUCCESS) {
        return bl_call_problem_at(r, call, BL_E_BAD_VALUE, "conversationId",
                                  NULL);
    }
    ask.message = message;
    ask.conversation_id = conversation;
    ask.app = app;
    return ask_it(r, call, &ask, NULL);
}

int bl_handle_ask(request_rec *r, bl_call_t *call)
{
    const char *key = apr_table_get(r->headers_in, "Idempotency-Key");
    const char *detail;
    chat_ask_t ask;
    json_t *body;
    apr_status_t rv;
    int rc;

    if (!bl_call_method_is(r, call, "POST", &rc)) return rc;
    rv = bl_call_json(r, call, &body, &detail);
    if (rv == APR_SUCCESS) {
        rv = read_ask(body, (size_t)call->conf.body_bytes, &ask, &detail);
    }
    if (rv == APR_SUCCESS) rv = bl_call_who(r, call, ask.user_id);
    if (rv == APR_SUCCESS && key &&
        (!*key || strlen(key) >= KEY_BYTES || !bl_client_id_is_valid(key)))
    {
        detail = "Idempotency-Key";
        rv = BL_E_BAD_HEADER;
    }
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, detail);
    if (key && known_key(r, call, key, &rc)) return rc;
    return ask_it(r, call, &ask, key);
}
