/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_talk.h"
#include "base/clock.h"
#include "base/utf8.h"
#include "crypto/token.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define JSON_BYTES (6 * BL_MAX_ANSWER_BYTES + BL_PASS_BYTES)
#define KEEP_BYTES 4096 /* between two messages */

/* --- saying something --------------------------------------------------- */

void bl_talk_send(bl_socket_t *s)
{
    bl_talk_t *t = s->state;

    if (bl_buf_status(&t->json) != APR_SUCCESS)
        s->is_lost = 1;
    else if (t->json.len)
        bl_ws_put_text(&s->out, t->json.data, t->json.len);
    if (t->json.size > KEEP_BYTES)
        bl_buf_release(&t->json);
    else
        bl_buf_clear(&t->json);
}

void bl_talk_remark(bl_socket_t *s, bl_msg_type_t type, const char *message,
                    const char *code, const char *message_id)
{
    bl_talk_t *t = s->state;

    bl_msg_put_remark(&t->json, type, t->session_id, &t->peer, message, code,
                      message_id, bl_clock_wall());
    bl_talk_send(s);
}

static void say_error(bl_socket_t *s, const char *session_id,
                      const bl_msg_error_t *e)
{
    bl_talk_t *t = s->state;

    bl_msg_put_error(&t->json, session_id, &t->peer, e, bl_clock_wall());
    bl_talk_send(s);
}

/* What a client may want to know of the connection. */
static void say_connect(bl_socket_t *s)
{
    bl_talk_t *t = s->state;

    bl_msg_begin(&t->json, BL_MSG_CONNECT, t->session_id, &t->peer);
    bl_buf_puts(&t->json, "{\"sessionId\":");
    bl_json_puts(&t->json, t->session_id);
    bl_buf_printf(&t->json,
                  ",\"heartbeatMs\":%d,\"idleMs\":%d,\"maxMessageBytes\":%d,"
                  "\"messagesPerMinute\":%d}",
                  (int)s->conf.ws_beat_ms, (int)s->conf.ws_idle_ms,
                  (int)s->conf.ws_message_bytes, s->conf.ws_rate);
    bl_msg_end(&t->json, bl_clock_wall());
    bl_talk_send(s);
}

/* --- opened and closed -------------------------------------------------- */

static apr_status_t choose_session(bl_socket_t *s, bl_talk_t *t)
{
    const char *id = s->query ? apr_table_get(s->query, "sessionId") : NULL;
    unsigned char bytes[BL_ID_BYTES];
    apr_status_t rv;

    if (id && *id) {
        if (!bl_client_id_is_valid(id)) return BL_E_BAD_VALUE;
        snprintf(t->session_id, sizeof(t->session_id), "%s", id);
        return APR_SUCCESS;
    }
    rv = bl_id_bytes(bytes, sizeof(bytes), bl_clock_wall());
    if (rv == APR_SUCCESS) bl_hex(t->session_id, bytes, sizeof(bytes));
    return rv == APR_SUCCESS ? rv : BL_E_OVERLOADED;
}

static apr_status_t talk_open(bl_socket_t *s)
{
    bl_talk_t *t = calloc(1, sizeof(*t));
    const char *colon;
    apr_status_t rv;

    s->state = t;
    if (!t) return APR_ENOMEM;
    bl_buf_init(&t->json, JSON_BYTES);
    colon = strchr(s->principal.text, ':'); /* "anon:u1" is u1 to a client */
    t->peer.user_id = colon ? colon + 1 : s->principal.text;
    t->peer.lang = s->lang;
    rv = choose_session(s, t);
    if (rv != APR_SUCCESS) return rv;
    say_connect(s);
    bl_talk_remark(s, BL_MSG_SYSTEM_MESSAGE,
                   s->lang == BL_LANG_ZH ? "连接已建立。"
                                         : "The connection is ready.",
                   NULL, NULL);
    return APR_SUCCESS;
}

static void talk_release(bl_socket_t *s)
{
    bl_talk_t *t = s->state;

    if (t) bl_buf_release(&t->json);
    free(t);
}

/* --- what a client sends ------------------------------------------------ */

static apr_status_t on_connect(bl_talk_call_t *call)
{
    snprintf(call->t->session_id, sizeof(call->t->session_id), "%s",
             call->session_id);
    say_connect(call->s);
    return APR_SUCCESS;
}

static apr_status_t on_disconnect(bl_talk_call_t *call)
{
    bl_socket_stop_asked(call->s);
    bl_socket_close(call->s, BL_WS_NORMAL, "");
    return APR_SUCCESS;
}

/* Not answered: a client that answers each of ours would never end. */
static apr_status_t on_heartbeat(bl_talk_call_t *call)
{
    (void)call;
    return APR_SUCCESS;
}

/* NULL: a client sends no such message. */
static bl_talk_fn *const handlers[BL_MSG_TYPES] = {
    [BL_MSG_CONNECT] = on_connect,
    [BL_MSG_DISCONNECT] = on_disconnect,
    [BL_MSG_HEARTBEAT] = on_heartbeat,
    [BL_MSG_CHAT_REQUEST] = bl_talk_ask,
    [BL_MSG_CHAT_STREAM_END] = bl_talk_stop,
    [BL_MSG_SESSION_CREATE] = bl_talk_session_create,
    [BL_MSG_SESSION_UPDATE] = bl_talk_session_update,
    [BL_MSG_SESSION_DELETE] = bl_talk_session_delete,
    [BL_MSG_SESSION_LIST] = bl_talk_session_list,
    [BL_MSG_TYPING_START] = bl_talk_tell_others,
    [BL_MSG_TYPING_STOP] = bl_talk_tell_others,
    [BL_MSG_ONLINE_STATUS] = bl_talk_tell_others};

static apr_status_t handle(bl_talk_call_t *call, const char *text, size_t len)
{
    apr_status_t rv = bl_utf8_is_valid(text, len) /* it may come as bytes */
                          ? bl_msg_parse(&call->m, text, len, &call->field)
                          : BL_E_BAD_UTF8;

    if (rv != APR_SUCCESS) return rv;
    if (!handlers[call->m.type]) {
        call->field = "type";
        return BL_E_BAD_VALUE;
    }
    if (call->m.session_id) {
        call->field = "sessionId";
        if (!bl_client_id_is_valid(call->m.session_id)) return BL_E_BAD_VALUE;
        call->field = NULL;
        call->session_id = call->m.session_id;
    }
    return handlers[call->m.type](call);
}

static void talk_message(bl_socket_t *s, const char *text, size_t len)
{
    bl_talk_t *t = s->state;
    bl_talk_call_t call = {0};
    apr_status_t rv;

    call.s = s;
    call.t = t;
    call.session_id = t->session_id;
    rv = handle(&call, text, len);
    if (rv != APR_SUCCESS) {
        bl_msg_error_t e = {bl_error(rv), NULL, call.request_id, call.field};

        say_error(s, call.session_id, &e);
    }
    bl_msg_release(&call.m);
}

static int talk_too_many(bl_socket_t *s, int is_first)
{
    bl_msg_error_t e = {bl_error(BL_E_RATE_LIMITED), NULL, NULL, NULL};
    bl_talk_t *t = s->state;

    if (is_first) {
        bl_talk_remark(s, BL_MSG_WARNING, bl_error_sentence(e.why, s->lang),
                       e.why->code, NULL);
    }
    else {
        say_error(s, t->session_id, &e);
    }
    return is_first;
}

/* --- what it gets ------------------------------------------------------- */

static void talk_event(bl_socket_t *s, bl_ws_reader_t *r, const bl_event_t *ev)
{
    bl_talk_t *t = s->state;
    bl_msg_answer_t *a = r->data;
    apr_time_t now = bl_clock_wall();
    bl_span_t span = {"", 0};
    bl_buf_t text;

    bl_buf_init(&text, 2 * BL_MAX_ANSWER_BYTES);
    if (bl_msg_wants_text(a, ev)) {
        if (bl_stream_text_at(r->stream, ev->seq, &text) != APR_SUCCESS) {
            s->is_lost = 1;
        }
        if (text.len) span.at = text.data;
        span.len = text.len;
    }
    bl_msg_put_event(a, &t->json, &t->peer, ev, &span, now);
    bl_talk_send(s);
    if (ev->kind == BL_EV_END && a->is_streaming) {
        bl_msg_put_finish(a, &t->json, &t->peer, ev, now);
        bl_talk_send(s);
    }
    bl_buf_release(&text);
}

/* The stream goes on: a CHAT_REQUEST with this as its resume finds it. */
static void talk_reconnect(bl_socket_t *s, bl_ws_reader_t *r)
{
    const bl_error_t *e = bl_error(r->why);
    bl_talk_t *t = s->state;

    bl_msg_begin(&t->json, BL_MSG_WARNING, r->stream->conversation_id,
                 &t->peer);
    bl_buf_puts(&t->json, "{\"message\":");
    bl_json_puts(&t->json, bl_error_sentence(e, s->lang));
    bl_buf_printf(&t->json,
                  ",\"code\":\"%s\",\"messageId\":\"%s\",\"resume\":"
                  "{\"streamId\":\"%s\",\"after\":%" APR_UINT64_T_FMT "}}",
                  e->code, r->stream->id, r->stream->id, r->cursor.after);
    bl_msg_end(&t->json, bl_clock_wall());
    bl_talk_send(s);
}

static void talk_beat(bl_socket_t *s)
{
    bl_talk_t *t = s->state;

    bl_msg_begin(&t->json, BL_MSG_HEARTBEAT, t->session_id, &t->peer);
    bl_buf_puts(&t->json, "{}");
    bl_msg_end(&t->json, bl_clock_wall());
    bl_talk_send(s);
}

const bl_ws_kind_t bl_ws_talk = {
    "message",     0,          talk_open,      talk_message,
    talk_too_many, talk_event, talk_reconnect, talk_beat,
    talk_release};
