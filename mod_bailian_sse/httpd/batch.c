/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"
#include "shm/directory.h"
#include "wire/chat_writer.h"

#include <string.h>

#define COME_TRIES 200
#define COME_MS 5

static void put_text(bl_buf_t *out, const char *name, const char *text,
                     size_t len)
{
    bl_buf_printf(out, ",\"%s\":\"", name);
    bl_json_escape(out, text, len, 0);
    bl_buf_puts(out, "\"");
}

static void put_event(bl_buf_t *out, const bl_event_t *ev)
{
    bl_buf_printf(out, "{\"seq\":%" APR_UINT64_T_FMT ",\"kind\":\"%s\"",
                  ev->seq, bl_event_kind_name(ev->kind));
    bl_buf_printf(out, ",\"atMs\":%u", ev->at_ms);
    if (ev->text_len) put_text(out, "text", ev->text, ev->text_len);
    if (ev->fields_len) {
        bl_buf_puts(out, ",\"fields\":");
        bl_buf_append(out, ev->fields, ev->fields_len);
    }
    bl_buf_puts(out, "}");
}

static void put_error(bl_buf_t *out, const bl_call_t *call,
                      bl_outcome_t outcome, const char *reason)
{
    const bl_error_t *e = bl_chat_error(outcome, reason);
    const char *sentence;

    if (!e) return;
    sentence = call->lang == BL_LANG_ZH ? e->zh : e->en;
    put_text(out, "error", sentence, strlen(sentence));
    put_text(out, "code", e->code, strlen(e->code));
}

/* A journal can be closed without an END: the stream then goes on elsewhere,
 * or will be found in the store. */
static int peek_end(bl_stream_t *s, bl_event_t *end)
{
    apr_uint64_t tail = bl_journal_tail(s->journal);
    int n;

    return tail &&
           bl_journal_read(s->journal, tail - 1, end, 1, &n) == APR_SUCCESS &&
           end->kind == BL_EV_END;
}

static void put_tail(bl_buf_t *out, bl_call_t *call, bl_stream_t *s,
                     apr_uint64_t after)
{
    char reason[64];
    bl_outcome_t outcome;
    bl_event_t end;
    int has_end = peek_end(s, &end) && after >= end.seq;

    bl_buf_printf(out, "],\"next\":%" APR_UINT64_T_FMT ",\"complete\":%s",
                  after, has_end ? "true" : "false");
    if (has_end) {
        outcome = bl_chat_outcome(&end, reason, sizeof(reason));
        put_error(out, call, outcome, reason);
    }
    bl_buf_puts(out, "}\n");
}

static int answer(request_rec *r, const bl_call_t *call, bl_buf_t *out)
{
    int rc;

    if (call->form.is_ascii) bl_json_to_ascii(out, 0);
    rc = bl_call_answer(r, HTTP_OK, "application/json; charset=utf-8",
                        out->data, out->len);

    bl_buf_release(out);
    return rc;
}

/* A stream that has left the directory has ended: what is here but not at its
 * end is a mirror, and its END event is under way. */
void bl_batch_catch_up(bl_call_t *call, bl_stream_t *s)
{
    apr_int64_t child_id;
    apr_uint64_t newest;
    int child, i;
    bl_slot_t *slot =
        bl_slot_find(bl_engine_shm(call->engine), s->id, &child, &child_id);

    if (slot && child == bl_engine_child(call->engine)) return;
    newest = slot ? bl_slot_get(slot, seq) : APR_UINT64_MAX;
    for (i = 0; i < COME_TRIES && bl_journal_tail(s->journal) < newest; i++) {
        if (bl_stream_wait_end(s, COME_MS)) return;
    }
}

int bl_serve_batch(request_rec *r, bl_call_t *call, bl_stream_t *s,
                   apr_uint64_t after)
{
    bl_event_t events[32];
    bl_buf_t out;
    int n, i, count = 0;

    bl_batch_catch_up(call, s);
    bl_buf_init(&out, 8 * BL_MAX_ANSWER_BYTES);
    bl_buf_printf(&out, "{\"streamId\":\"%s\",\"events\":[", s->id);
    while (bl_journal_read(s->journal, after, events, 32, &n) == APR_SUCCESS) {
        for (i = 0; i < n; i++) {
            if (count++) bl_buf_puts(&out, ",");
            put_event(&out, &events[i]);
        }
        after = events[n - 1].seq;
    }
    put_tail(&out, call, s, after);
    bl_engine_polled(call->engine, s);
    return answer(r, call, &out);
}

int bl_serve_empty_batch(request_rec *r, bl_call_t *call,
                         const bl_stored_stream_t *row, apr_uint64_t after)
{
    bl_buf_t out;

    bl_buf_init(&out, 4096);
    bl_buf_printf(&out,
                  "{\"streamId\":\"%s\",\"events\":[],"
                  "\"next\":%" APR_UINT64_T_FMT ",\"complete\":true",
                  row->stream_id, after);
    put_error(&out, call, row->outcome, row->reason);
    bl_buf_puts(&out, "}\n");
    return answer(r, call, &out);
}
