/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <stdlib.h>
#include <string.h>

#define KEY_BYTES 256 /* of an Idempotency-Key */

/* --- what is asked ------------------------------------------------------ */

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
                                bl_asked_t *ask, const char **pdetail)
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
static apr_status_t check_messages(bl_asked_t *ask)
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

apr_status_t bl_ask_read(const json_t *body, size_t most, bl_asked_t *ask,
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

/* --- the stream --------------------------------------------------------- */

static char *dump_messages(request_rec *r, const json_t *messages)
{
    char *text = bl_json_dump(messages, 0);
    char *copy = text ? apr_pstrdup(r->pool, text) : NULL;

    free(text);
    return copy;
}

apr_status_t bl_ask_read_key(request_rec *r, bl_asked_t *ask,
                             const char **pdetail)
{
    ask->key = apr_table_get(r->headers_in, "Idempotency-Key");
    if (!ask->key || (*ask->key && strlen(ask->key) < KEY_BYTES &&
                      bl_client_id_is_valid(ask->key)))
    {
        return APR_SUCCESS;
    }
    *pdetail = "Idempotency-Key";
    return BL_E_BAD_HEADER;
}

static void fill_in(request_rec *r, bl_call_t *call, const bl_asked_t *ask,
                    bl_question_t *q)
{
    memset(q, 0, sizeof(*q));
    q->owner = call->principal.text;
    q->conversation_id = ask->conversation_id;
    q->item_id = ask->item_id;
    q->app = ask->app ? ask->app : call->conf.app;
    q->transport = ask->transport;
    q->client = r->useragent_ip;
    q->request_id = bl_call_request_id(r);
    q->idempotency_key = ask->key;
    q->is_polled = ask->is_polled;
    q->text = ask->message;
    if (ask->messages)
        q->ask.messages = dump_messages(r, ask->messages);
    else
        q->ask.prompt = ask->message;
}

apr_status_t bl_ask_start(request_rec *r, bl_call_t *call,
                          const bl_asked_t *ask, bl_stream_t **ps,
                          char id[BL_ID_TEXT + 1])
{
    bl_limits_t limits = bl_dir_conf_limits(&call->conf);
    bl_question_t q;

    fill_in(r, call, ask, &q);
    if (ask->messages && !q.ask.messages) return APR_ENOMEM;
    q.limits = &limits;
    return bl_engine_ask(call->engine, &q, ps, id);
}
