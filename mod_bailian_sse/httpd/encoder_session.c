/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder_session - one JSON answer about a stream, for clients that poll or
 * wait for the whole (dialects.md 3): what has come is gathered, and said once.
 */
#include "encoder_session.h"
#include "base/errors.h"

#include <string.h>

static void put_text(bl_buf_t *out, const char *name, const char *text,
                     size_t len)
{
    bl_buf_printf(out, "\"%s\":\"", name);
    bl_json_escape(out, text, len, 0);
    bl_buf_puts(out, "\"");
}

/* --- the text ----------------------------------------------------------- */

/* What was said is not to be gone on with: the whole is said again. */
static int is_whole(const bl_encoder_t *e)
{
    return e->wants_whole || e->is_replaced;
}

static apr_status_t put_content(bl_encoder_t *e, bl_buf_t *out,
                                apr_uint64_t seq)
{
    const bl_buf_t *text = &e->text;
    bl_buf_t whole;
    apr_status_t rv = APR_SUCCESS;

    bl_buf_init(&whole, 2 * BL_MAX_ANSWER_BYTES);
    if (is_whole(e)) {
        rv = bl_stream_text_at(e->stream, seq, &whole);
        text = &whole;
    }
    put_text(out, is_whole(e) ? "content" : "delta",
             text->data ? text->data : "", text->len);
    bl_buf_release(&whole);
    return rv == APR_SUCCESS ? bl_buf_status(&e->text) : rv;
}

/* --- the answer --------------------------------------------------------- */

void bl_session_put_failure(bl_buf_t *out, const bl_error_t *failure,
                            bl_lang_t lang)
{
    const char *sentence = bl_error_sentence(failure, lang);

    put_text(out, "error", sentence, strlen(sentence));
    bl_buf_puts(out, ",");
    put_text(out, "code", failure->code, strlen(failure->code));
}

void bl_session_put_refusal(bl_buf_t *out, const bl_error_t *failure,
                            bl_lang_t lang)
{
    bl_buf_printf(out, "{\"success\":false,\"status\":%d,", failure->http);
    bl_session_put_failure(out, failure, lang);
}

static apr_status_t put_answer(bl_encoder_t *e, bl_buf_t *out, apr_uint64_t seq,
                               int is_complete, const bl_error_t *failure)
{
    const bl_stream_t *s = e->stream;
    size_t begin = out->len;
    apr_status_t rv;

    e->is_clean = 1;
    bl_buf_printf(out, "{\"success\":%s", failure ? "false" : "true");
    if (failure) {
        bl_buf_puts(out, ",");
        bl_session_put_failure(out, failure, e->chat.lang);
    }
    bl_buf_puts(out, ",\"data\":{");
    put_text(out, "sessionId", s->conversation_id, strlen(s->conversation_id));
    bl_buf_printf(out, ",\"streamId\":\"%s\",", s->id);
    rv = put_content(e, out, seq);
    bl_buf_printf(out, ",\"complete\":%s,\"seq\":%" APR_UINT64_T_FMT,
                  is_complete ? "true" : "false", seq);
    if (is_complete && e->chat.usage_len) {
        bl_buf_puts(out, ",\"usage\":");
        bl_buf_append(out, e->chat.usage, e->chat.usage_len);
    }
    bl_buf_puts(out, "}}\n");
    if (rv == APR_SUCCESS) rv = bl_buf_status(out);
    if (rv != APR_SUCCESS) out->len = begin; /* it would look whole (I4) */
    return rv;
}

static apr_status_t on_end(bl_encoder_t *e, bl_buf_t *out, const bl_event_t *ev)
{
    char reason[64];
    bl_outcome_t outcome = bl_chat_outcome(ev, reason, sizeof(reason));

    return put_answer(e, out, ev->seq, 1, bl_chat_error(outcome, reason));
}

static apr_status_t on_event(bl_encoder_t *e, bl_buf_t *out,
                             const bl_event_t *ev)
{
    switch (ev->kind) {
    case BL_EV_REPLACE:
        e->is_replaced = e->has_news = 1;
        return APR_SUCCESS;
    case BL_EV_DELTA:
        if (ev->text_len) e->has_news = 1;
        return is_whole(e) ? APR_SUCCESS
                           : bl_buf_append(&e->text, ev->text, ev->text_len);
    case BL_EV_USAGE:
        return bl_chat_write_event(&e->chat, out, ev);
    case BL_EV_END:
        return on_end(e, out, ev);
    default:
        return APR_SUCCESS;
    }
}

/* So far; whoever polls comes back by himself. */
static apr_status_t so_far(bl_encoder_t *e, bl_buf_t *out,
                           apr_uint64_t last_seq)
{
    return put_answer(e, out, last_seq, 0, NULL);
}

/* Nothing is behind last_seq: because it has ended, with an event that he has,
 * or because it goes on elsewhere. */
static apr_status_t on_close(bl_encoder_t *e, bl_buf_t *out,
                             apr_uint64_t last_seq)
{
    bl_event_t end;

    return bl_encoder_has_end(e, last_seq, &end) ? on_end(e, out, &end)
                                                 : so_far(e, out, last_seq);
}

/* Who waits for the whole must be told that it does not come here. */
static apr_status_t not_here(bl_encoder_t *e, bl_buf_t *out,
                             apr_uint64_t last_seq)
{
    return put_answer(e, out, last_seq, 0, bl_error(e->why));
}

const bl_encoder_kind_t bl_encoder_poll = {
    .name = "poll",
    .content_type = "application/json; charset=utf-8",
    .is_json = 1,
    .begin = bl_encoder_nothing,
    .event = on_event,
    .more = bl_encoder_nothing,
    .heartbeat = bl_encoder_silence,
    .reconnect = on_close,
    .answer = so_far,
};
const bl_encoder_kind_t bl_encoder_sync = {
    .name = "sync",
    .content_type = "application/json; charset=utf-8",
    .is_json = 1,
    .begin = bl_encoder_nothing,
    .event = on_event,
    .more = bl_encoder_nothing,
    .heartbeat = bl_encoder_silence,
    .reconnect = not_here,
};
