/* SPDX-License-Identifier: Apache-2.0 */
#include "encoder_batch.h"
#include "encoder_session.h"
#include "base/errors.h"
#include "base/utf8.h"
#include "crypto/token.h"
#include "wire/sse_writer.h"

#include <string.h>

#define RETRY_LEAST_MS 1000
#define RETRY_SPREAD_MS 6000
#define PIECE_BYTES (16 * 1024) /* of the whole text at once */

unsigned bl_encoder_retry_ms(void)
{
    unsigned short dice = 0;

    if (bl_random_bytes(&dice, sizeof(dice)) != APR_SUCCESS) dice = 30000;
    return RETRY_LEAST_MS + dice % RETRY_SPREAD_MS;
}

/* --- what kinds have in common ------------------------------------------ */

apr_status_t bl_encoder_nothing(bl_encoder_t *e, bl_buf_t *out)
{
    (void)e;
    return bl_buf_status(out);
}

apr_status_t bl_encoder_silence(bl_encoder_t *e, bl_buf_t *out, int is_early,
                                apr_uint64_t last_seq)
{
    (void)is_early;
    (void)last_seq;
    return bl_encoder_nothing(e, out);
}

int bl_encoder_has_end(const bl_encoder_t *e, apr_uint64_t last_seq,
                       bl_event_t *end)
{
    bl_journal_t *j = e->stream->journal;
    apr_uint64_t tail = bl_journal_tail(j);
    int n;

    return tail && last_seq >= tail &&
           bl_journal_read(j, tail - 1, end, 1, &n) == APR_SUCCESS &&
           end->kind == BL_EV_END;
}

/* --- SSE, chat dialect -------------------------------------------------- */

static apr_status_t sse_begin(bl_encoder_t *e, bl_buf_t *out)
{
    (void)e;
    return bl_sse_put_retry(out, bl_encoder_retry_ms());
}

/* Rare: the whole answer is put together for it. */
static apr_status_t sse_replace(bl_encoder_t *e, bl_buf_t *out,
                                const bl_event_t *ev)
{
    bl_buf_t text;
    bl_span_t span;
    apr_status_t rv;

    bl_buf_init(&text, 2 * BL_MAX_ANSWER_BYTES);
    rv = bl_stream_text_at(e->stream, ev->seq, &text);
    span.at = text.data ? text.data : "";
    span.len = text.len;
    if (rv == APR_SUCCESS) {
        rv = bl_chat_write_replace(&e->chat, out, ev, &span, 1);
    }
    bl_buf_release(&text);
    return rv;
}

/* The end event repeats the whole answer: in pieces, so that a thousand slow
 * readers of long answers do not hold it a thousand times (C06). */
static apr_status_t sse_more(bl_encoder_t *e, bl_buf_t *out)
{
    const bl_buf_t *whole = &e->stream->whole;
    size_t n = whole->len - e->end_at;

    if (n > PIECE_BYTES) {
        n = bl_utf8_cut(whole->data + e->end_at, n, PIECE_BYTES);
    }
    if (n) bl_json_escape(out, whole->data + e->end_at, n, 0);
    e->end_at += n;
    if (bl_buf_status(out) != APR_SUCCESS) return bl_buf_status(out);
    if (e->end_at < whole->len) return APR_INCOMPLETE;
    return bl_chat_finish_end(&e->chat, out, &e->end);
}

static apr_status_t sse_event(bl_encoder_t *e, bl_buf_t *out,
                              const bl_event_t *ev)
{
    if (ev->kind == BL_EV_REPLACE) return sse_replace(e, out, ev);
    if (ev->kind != BL_EV_END) return bl_chat_write_event(&e->chat, out, ev);
    /* The event itself says how it ended: the body ends properly. */
    e->is_clean = 1;
    e->end = *ev;
    e->end_at = 0;
    bl_chat_begin_end(&e->chat, out, ev);
    return sse_more(e, out);
}

static apr_status_t sse_heartbeat(bl_encoder_t *e, bl_buf_t *out, int is_early,
                                  apr_uint64_t last_seq)
{
    return is_early ? bl_chat_write_heartbeat(&e->chat, out, last_seq)
                    : bl_sse_put_comment(out, "hb");
}

static apr_status_t sse_reconnect(bl_encoder_t *e, bl_buf_t *out,
                                  apr_uint64_t last_seq)
{
    e->is_clean = 1;
    return bl_chat_write_reconnect(
        &e->chat, out, last_seq, bl_error(e->why)->code, bl_encoder_retry_ms());
}

/* --- plain text --------------------------------------------------------- */

/* Nothing was said yet: the response can still be an error. */
static apr_status_t text_refuse(bl_encoder_t *e, bl_buf_t *out,
                                const bl_error_t *failure)
{
    e->failure = failure;
    e->is_clean = 1;
    bl_session_put_refusal(out, failure, e->chat.lang);
    return bl_buf_puts(out, "}\n");
}

/* A cut answer must not look whole: only a good end ends the body (I4). */
static apr_status_t text_end(bl_encoder_t *e, bl_buf_t *out,
                             const bl_event_t *end)
{
    const bl_error_t *failure;
    char reason[64];
    bl_outcome_t outcome;

    e->is_clean = bl_event_is_good_end(end);
    if (e->is_clean || e->has_said) return bl_buf_status(out);
    outcome = bl_chat_outcome(end, reason, sizeof(reason));
    failure = bl_chat_error(outcome, reason);
    return failure ? text_refuse(e, out, failure) : bl_buf_status(out);
}

static apr_status_t text_event(bl_encoder_t *e, bl_buf_t *out,
                               const bl_event_t *ev)
{
    if (ev->kind == BL_EV_END) return text_end(e, out, ev);
    if (ev->kind != BL_EV_DELTA && ev->kind != BL_EV_REPLACE) {
        return APR_SUCCESS;
    }
    if (ev->text_len) e->has_said = 1;
    return bl_buf_append(out, ev->text, ev->text_len);
}

static apr_status_t text_reconnect(bl_encoder_t *e, bl_buf_t *out,
                                   apr_uint64_t last_seq)
{
    (void)last_seq;
    e->is_clean = 0;
    return e->has_said ? bl_encoder_nothing(e, out)
                       : text_refuse(e, out, bl_error(e->why));
}

/* --- the list ----------------------------------------------------------- */

static const bl_encoder_kind_t sse = {
    .name = "sse",
    .content_type = "text/event-stream; charset=utf-8",
    .has_heartbeat = 1,
    .is_json = 1,
    .begin = sse_begin,
    .event = sse_event,
    .more = sse_more,
    .heartbeat = sse_heartbeat,
    .reconnect = sse_reconnect,
};
static const bl_encoder_kind_t text = {
    .name = "text",
    .content_type = "text/plain; charset=utf-8",
    .begin = bl_encoder_nothing,
    .event = text_event,
    .more = bl_encoder_nothing,
    .heartbeat = bl_encoder_silence,
    .reconnect = text_reconnect,
};
static const bl_encoder_kind_t *const kinds[] = {
    &sse, &text, &bl_encoder_batch, &bl_encoder_poll, &bl_encoder_sync};

const bl_encoder_kind_t *bl_encoder_find(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (!strcmp(kinds[i]->name, name)) return kinds[i];
    }
    return NULL;
}

apr_status_t bl_encoder_init(bl_encoder_t *e, const bl_encoder_kind_t *kind,
                             bl_stream_t *s, bl_lang_t lang)
{
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    e->stream = s;
    e->why = BL_E_DRAINING;
    bl_buf_init(&e->text, 2 * BL_MAX_ANSWER_BYTES);
    bl_buf_count(&e->text, s->budget);
    return bl_chat_writer_init(&e->chat, s->id, s->conversation_id, s->item_id,
                               lang);
}

void bl_encoder_release(bl_encoder_t *e)
{
    bl_chat_writer_release(&e->chat);
    bl_buf_release(&e->text);
}
