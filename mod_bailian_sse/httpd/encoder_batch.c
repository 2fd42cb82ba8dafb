/* SPDX-License-Identifier: Apache-2.0 */
#include "encoder_batch.h"
#include "encoder_session.h"

static void put_event(bl_buf_t *out, const bl_event_t *ev)
{
    bl_buf_printf(out, "{\"seq\":%" APR_UINT64_T_FMT ",\"kind\":\"%s\"",
                  ev->seq, bl_event_kind_name(ev->kind));
    bl_buf_printf(out, ",\"atMs\":%u", ev->at_ms);
    if (ev->text_len) {
        bl_buf_puts(out, ",\"text\":\"");
        bl_json_escape(out, ev->text, ev->text_len, 0);
        bl_buf_puts(out, "\"");
    }
    if (ev->fields_len) {
        bl_buf_puts(out, ",\"fields\":");
        bl_buf_append(out, ev->fields, ev->fields_len);
    }
    bl_buf_puts(out, "}");
}

void bl_batch_put_error(bl_buf_t *out, bl_lang_t lang, bl_outcome_t outcome,
                        const char *reason)
{
    const bl_error_t *e = bl_chat_error(outcome, reason);

    if (!e) return;
    bl_buf_puts(out, ",");
    bl_session_put_failure(out, e, lang);
}

/* end NULL: it goes on behind next. */
static apr_status_t put_tail(bl_encoder_t *e, bl_buf_t *out, apr_uint64_t next,
                             const bl_event_t *end)
{
    char reason[64];
    bl_outcome_t outcome;

    e->is_clean = 1;
    bl_buf_printf(out, "],\"next\":%" APR_UINT64_T_FMT ",\"complete\":%s", next,
                  end ? "true" : "false");
    if (end) {
        outcome = bl_chat_outcome(end, reason, sizeof(reason));
        bl_batch_put_error(out, e->chat.lang, outcome, reason);
    }
    return bl_buf_puts(out, "}\n");
}

/* --- the interface ------------------------------------------------------ */

static apr_status_t begin(bl_encoder_t *e, bl_buf_t *out)
{
    e->has_news = 0; /* no event is written yet */
    return bl_buf_printf(out, "{\"streamId\":\"%s\",\"events\":[",
                         e->stream->id);
}

static apr_status_t on_event(bl_encoder_t *e, bl_buf_t *out,
                             const bl_event_t *ev)
{
    if (e->has_news) bl_buf_puts(out, ",");
    e->has_news = 1;
    put_event(out, ev);
    return ev->kind == BL_EV_END ? put_tail(e, out, ev->seq, ev)
                                 : bl_buf_status(out);
}

static apr_status_t so_far(bl_encoder_t *e, bl_buf_t *out,
                           apr_uint64_t last_seq)
{
    return put_tail(e, out, last_seq, NULL);
}

static apr_status_t on_close(bl_encoder_t *e, bl_buf_t *out,
                             apr_uint64_t last_seq)
{
    bl_event_t end;
    int has_end = bl_encoder_has_end(e, last_seq, &end);

    return put_tail(e, out, last_seq, has_end ? &end : NULL);
}

const bl_encoder_kind_t bl_encoder_batch = {
    .name = "json",
    .content_type = "application/json; charset=utf-8",
    .is_json = 1,
    .begin = begin,
    .event = on_event,
    .more = bl_encoder_nothing,
    .heartbeat = bl_encoder_silence,
    .reconnect = on_close,
    .answer = so_far,
};
