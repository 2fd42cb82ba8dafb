/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/chat_writer.h"

#include <stdlib.h>
#include <string.h>

#include "base/errors.h"
#include "wire/sse_writer.h"

#define SEQ_DIGITS 20

#define NOT_END "\",\"isEnd\":false"
#define TAIL "}\n\n"

static const char data_begin[] = "data: {\"id\":\"";

apr_status_t bl_chat_writer_init(bl_chat_writer_t *w, const char *stream_id,
                                 const char *conversation_id,
                                 const char *item_id, bl_lang_t lang)
{
    bl_buf_t b;
    apr_status_t rv;

    memset(w, 0, sizeof(*w));
    w->lang = lang;
    bl_buf_init(&b, 64 * 1024);
    rv = bl_sse_put_id(&b, stream_id, strlen(stream_id));
    if (rv == APR_SUCCESS) {
        b.data[b.len - 1] = ':'; /* in place of the LF: the seq follows */
        w->id_len = b.len;
        bl_buf_puts(&b, "\",\"conversionId\":");
        bl_json_puts(&b, conversation_id ? conversation_id : "");
        bl_buf_puts(&b, ",\"conversionItemId\":");
        bl_json_puts(&b, item_id ? item_id : "");
        bl_buf_puts(&b, ",\"content\":\"");
        rv = bl_buf_status(&b);
        w->mid_len = b.len - w->id_len;
    }
    if (rv != APR_SUCCESS) {
        bl_buf_release(&b);
        return rv;
    }
    w->fixed = b.data;
    return APR_SUCCESS;
}

void bl_chat_writer_release(bl_chat_writer_t *w)
{
    free(w->fixed);
    free(w->usage);
    memset(w, 0, sizeof(*w));
}

static size_t put_digits(char *dst, apr_uint64_t n)
{
    char digits[SEQ_DIGITS];
    int i = SEQ_DIGITS;

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    memcpy(dst, digits + i, (size_t)(SEQ_DIGITS - i));
    return (size_t)(SEQ_DIGITS - i);
}

/* Everything up to the opening quote of the content. */
static void begin(bl_chat_writer_t *w, bl_buf_t *out, apr_uint64_t seq,
                  int with_id)
{
    const size_t begin_len = sizeof(data_begin) - 1;
    char digits[SEQ_DIGITS], *room, *d;
    size_t n = put_digits(digits, seq);

    room = bl_buf_room(out, w->id_len + w->mid_len + begin_len + 2 * n + 1);
    if (!room) return;
    d = room;
    if (with_id) {
        memcpy(d, w->fixed, w->id_len);
        d += w->id_len;
        memcpy(d, digits, n);
        d += n;
        *d++ = '\n';
    }
    memcpy(d, data_begin, begin_len);
    d += begin_len;
    memcpy(d, digits, n);
    d += n;
    memcpy(d, w->fixed + w->id_len, w->mid_len);
    d += w->mid_len;
    bl_buf_added(out, (size_t)(d - room));
}

static void put_spans(bl_buf_t *out, const bl_span_t *spans, int n)
{
    int i;

    for (i = 0; i < n; i++)
        bl_json_escape(out, spans[i].at, spans[i].len, 0);
}

void bl_chat_put_status(bl_buf_t *out, const bl_event_t *ev)
{
    const char *p = ev->fields, *end = p ? p + ev->fields_len : NULL;

    bl_buf_puts(out, ",\"status\":{\"type\":");
    bl_json_puts(out, bl_event_kind_name(ev->kind));
    if (p && p < end && *p == '{') {
        p++;
        if (end - p > 1) bl_buf_append(out, ",", 1);
        bl_buf_append(out, p, (size_t)(end - p));
    }
    else
        bl_buf_append(out, "}", 1);
}

bl_json_value_t bl_chat_field(const char *object, size_t len, const char *name)
{
    bl_json_value_t value = {BL_JSON_BAD, 0, "", 0}, v;
    bl_json_scan_t s;
    bl_json_token_t t;

    bl_json_scan_init(&s, object, object ? len : 0);
    if (bl_json_scan_next(&s) != BL_JSON_OBJECT) return value;
    while ((t = bl_json_scan_next(&s)) == BL_JSON_KEY) {
        int is_it = bl_json_is(&s.token, name);

        if (bl_json_scan_value(&s, &v) == BL_JSON_BAD) break;
        if (is_it) value = v;
    }
    if (t != BL_JSON_CLOSE) value.kind = BL_JSON_BAD;
    return value;
}

void bl_chat_put_references(bl_buf_t *out, const bl_event_t *ev)
{
    bl_json_value_t v = bl_chat_field(ev->fields, ev->fields_len, "references");

    if (v.kind != BL_JSON_ARRAY) return;
    bl_buf_puts(out, ",\"references\":");
    bl_buf_append(out, v.at, v.len);
}

static apr_status_t keep_usage(bl_chat_writer_t *w, const bl_event_t *ev)
{
    char *copy = ev->fields_len ? malloc(ev->fields_len) : NULL;

    if (ev->fields_len && !copy) return APR_ENOMEM;
    if (copy) memcpy(copy, ev->fields, ev->fields_len);
    free(w->usage);
    w->usage = copy;
    w->usage_len = ev->fields_len;
    return APR_SUCCESS;
}

apr_status_t bl_chat_write_event(bl_chat_writer_t *w, bl_buf_t *out,
                                 const bl_event_t *ev)
{
    if (ev->kind == BL_EV_END || ev->kind == BL_EV_REPLACE) return APR_EINVAL;
    if (ev->kind == BL_EV_USAGE) return keep_usage(w, ev);
    begin(w, out, ev->seq, 1);
    if (ev->kind == BL_EV_DELTA) {
        bl_json_escape(out, ev->text, ev->text_len, 0);
        return bl_buf_append(out, NOT_END TAIL, sizeof(NOT_END TAIL) - 1);
    }
    bl_buf_puts(out, NOT_END);
    switch (ev->kind) {
    case BL_EV_REASONING:
        bl_buf_puts(out, ",\"reasoning\":\"");
        bl_json_escape(out, ev->text, ev->text_len, 0);
        bl_buf_puts(out, "\"");
        break;
    case BL_EV_SEARCH:
        bl_chat_put_references(out, ev);
        break;
    case BL_EV_STATUS:
    case BL_EV_TOOL:
    case BL_EV_PLAN:
    case BL_EV_AGENT_START:
    case BL_EV_AGENT_COMPLETE:
    case BL_EV_PROGRESS:
    case BL_EV_NOTICE:
        bl_chat_put_status(out, ev);
        break;
    default: /* START, and what a later version may add */
        break;
    }
    return bl_buf_puts(out, TAIL);
}

apr_status_t bl_chat_write_replace(bl_chat_writer_t *w, bl_buf_t *out,
                                   const bl_event_t *ev, const bl_span_t *whole,
                                   int spans)
{
    begin(w, out, ev->seq, 1);
    bl_buf_puts(out, NOT_END ",\"replace\":\"");
    put_spans(out, whole, spans);
    return bl_buf_puts(out, "\"" TAIL);
}

static void put_raw(bl_buf_t *out, const char *key, const bl_json_value_t *v)
{
    if (v->kind == BL_JSON_BAD || v->kind == BL_JSON_NULL) return;
    bl_buf_puts(out, key);
    if (v->kind == BL_JSON_STRING) bl_buf_append(out, "\"", 1);
    bl_buf_append(out, v->at, v->len);
    if (v->kind == BL_JSON_STRING) bl_buf_append(out, "\"", 1);
}

const bl_error_t *bl_chat_error(bl_outcome_t outcome, const char *reason)
{
    const bl_error_t *e;

    if (outcome == BL_OUTCOME_COMPLETED || outcome == BL_OUTCOME_LENGTH) {
        return NULL;
    }
    e = *reason ? bl_error_by_code(reason) : NULL;
    if (e) return e;
    switch (outcome) { /* an end that names no reason */
    case BL_OUTCOME_CANCELLED:
        return bl_error(BL_E_CANCELLED);
    case BL_OUTCOME_TIMEOUT:
        return bl_error(BL_E_TIMEOUT);
    case BL_OUTCOME_INTERRUPTED:
        return bl_error(BL_E_INTERRUPTED);
    default:
        return bl_error(BL_E_INTERNAL);
    }
}

bl_outcome_t bl_chat_outcome(const bl_event_t *end, char *reason, size_t size)
{
    bl_json_value_t v = bl_chat_field(end->fields, end->fields_len, "outcome");
    char name[32];

    bl_json_copy_text(name, sizeof(name), &v);
    v = bl_chat_field(end->fields, end->fields_len, "reason");
    bl_json_copy_text(reason, size, &v);
    return bl_outcome_from_name(name);
}

static void put_failure(bl_chat_writer_t *w, bl_buf_t *out,
                        bl_outcome_t outcome, const bl_error_t *e)
{
    bl_outcome_t said = outcome ? outcome : BL_OUTCOME_ERROR;

    bl_buf_puts(out, ",\"error\":");
    bl_json_puts(out, bl_error_sentence(e, w->lang));
    bl_buf_puts(out, ",\"code\":");
    bl_json_puts(out, e->code);
    bl_buf_puts(out, ",\"finishReason\":");
    bl_json_puts(out, bl_outcome_name(said));
}

apr_status_t bl_chat_begin_end(bl_chat_writer_t *w, bl_buf_t *out,
                               const bl_event_t *ev)
{
    begin(w, out, ev->seq, 1);
    return bl_buf_status(out);
}

apr_status_t bl_chat_finish_end(bl_chat_writer_t *w, bl_buf_t *out,
                                const bl_event_t *ev)
{
    const char *fields = ev->fields;
    size_t len = ev->fields_len;
    char reason[64];
    bl_outcome_t outcome = bl_chat_outcome(ev, reason, sizeof(reason));
    const bl_error_t *e = bl_chat_error(outcome, reason);
    bl_json_value_t v;

    bl_buf_puts(out, "\",\"isEnd\":true");
    if (!e) {
        v = bl_chat_field(fields, len, "finishReason");
        put_raw(out, ",\"finishReason\":", &v);
        if (*reason) { /* U23: our limit, not the model's */
            bl_buf_puts(out, ",\"code\":");
            bl_json_puts(out, reason);
        }
    }
    else
        put_failure(w, out, outcome, e);
    if (w->usage_len) {
        bl_buf_puts(out, ",\"usage\":");
        bl_buf_append(out, w->usage, w->usage_len);
    }
    v = bl_chat_field(fields, len, "length");
    put_raw(out, ",\"length\":", &v);
    v = bl_chat_field(fields, len, "sha256");
    put_raw(out, ",\"sha256\":", &v);
    return bl_buf_puts(out, TAIL);
}

apr_status_t bl_chat_write_end(bl_chat_writer_t *w, bl_buf_t *out,
                               const bl_event_t *ev, const bl_span_t *whole,
                               int spans)
{
    bl_chat_begin_end(w, out, ev);
    put_spans(out, whole, spans);
    return bl_chat_finish_end(w, out, ev);
}

apr_status_t bl_chat_write_heartbeat(bl_chat_writer_t *w, bl_buf_t *out,
                                     apr_uint64_t last_seq)
{
    begin(w, out, last_seq, 0);
    return bl_buf_puts(out, NOT_END TAIL);
}

apr_status_t bl_chat_write_reconnect(bl_chat_writer_t *w, bl_buf_t *out,
                                     apr_uint64_t last_seq, const char *code,
                                     unsigned retry_ms)
{
    bl_sse_put_retry(out, retry_ms);
    begin(w, out, last_seq, 0);
    bl_buf_puts(out, NOT_END ",\"reconnect\":true,\"code\":");
    bl_json_puts(out, code);
    return bl_buf_puts(out, TAIL);
}
