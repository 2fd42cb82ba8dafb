/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_ask.h"

#include <string.h>

apr_status_t bl_ws_ask(bl_socket_t *s, const bl_ws_question_t *ask,
                       bl_ws_reader_t **preader, char *id)
{
    bl_limits_t limits = bl_dir_conf_limits(&s->conf);
    bl_question_t q;
    bl_stream_t *stream;
    apr_status_t rv;

    *preader = NULL;
    if (bl_socket_reader_count(s) >= BL_WS_STREAMS) return BL_E_RATE_LIMITED;
    memset(&q, 0, sizeof(q));
    q.owner = s->principal.text;
    q.conversation_id = ask->conversation_id;
    q.item_id = ask->item_id;
    q.app = ask->app ? ask->app : s->conf.app;
    q.transport = "ws";
    q.idempotency_key = ask->key;
    q.client = s->client;
    q.request_id = s->request_id;
    q.text = ask->message;
    q.ask.prompt = ask->message;
    q.limits = &limits;
    bl_store_catch_up(bl_engine_store(s->engine));
    rv = bl_engine_ask(s->engine, &q, &stream, id);
    if (rv != APR_SUCCESS) return rv;
    *preader = bl_socket_read_stream(s, stream, 0);
    if (*preader) {
        (*preader)->is_asker = 1;
        return APR_SUCCESS;
    }
    bl_engine_stop(s->engine, stream);
    bl_stream_unref(stream);
    return BL_E_OVERLOADED;
}
