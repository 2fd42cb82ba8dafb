/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_text - the raw text socket of dialects.md 3: a question in, the deltas
 * out, one text frame each, and an empty frame; with ?end=json a JSON frame
 * says how it ended.
 *
 * A failure is never an empty frame (I4): with end=json the end frame carries
 * it, else the connection is closed with a code that is not 1000 and the
 * class as its reason.
 */
#include "ws_ask.h"
#include "base/json.h"
#include "base/utf8.h"
#include "wire/json_write.h"

#include <stdlib.h>
#include <string.h>

typedef struct text_t {
    int is_json_end;
} text_t;

static apr_status_t text_open(bl_socket_t *s)
{
    const char *end = s->query ? apr_table_get(s->query, "end") : NULL;
    text_t *t = calloc(1, sizeof(*t));

    s->state = t;
    if (!t) return APR_ENOMEM;
    t->is_json_end = end && !strcmp(end, "json");
    return APR_SUCCESS;
}

static void text_release(bl_socket_t *s)
{
    free(s->state);
}

static int close_code(const bl_error_t *e)
{
    if (e->status == BL_E_DRAINING) return BL_WS_RESTART;
    if (e->http == 429 || e->http == 503) return BL_WS_OVERLOADED;
    return e->http >= 400 && e->http < 500 ? BL_WS_POLICY : BL_WS_INTERNAL;
}

/* {"type":"end",...}: how an answer ended, or why there is none. */
static void put_end(bl_socket_t *s, const char *stream_id,
                    const bl_event_t *end, const bl_error_t *e)
{
    const char *sentence = e ? bl_error_sentence(e, s->lang) : NULL;
    bl_buf_t json;

    bl_buf_init(&json, BL_PASS_BYTES);
    bl_buf_puts(&json, "{\"type\":\"end\"");
    if (stream_id) bl_buf_printf(&json, ",\"streamId\":\"%s\"", stream_id);
    if (e) {
        bl_buf_printf(&json, ",\"code\":\"%s\",\"error\":", e->code);
        bl_json_puts(&json, sentence);
    }
    if (end && end->fields_len > 2) {
        bl_buf_puts(&json, ",");
        bl_buf_append(&json, end->fields + 1, end->fields_len - 1);
    }
    else {
        bl_buf_puts(&json, "}");
    }
    if (bl_buf_status(&json) == APR_SUCCESS)
        bl_ws_put_text(&s->out, json.data, json.len);
    else
        s->is_lost = 1;
    bl_buf_release(&json);
}

static void say_failure(bl_socket_t *s, const char *stream_id,
                        const bl_event_t *end, const bl_error_t *e)
{
    const text_t *t = s->state;

    if (t->is_json_end)
        put_end(s, stream_id, end, e);
    else
        bl_socket_close(s, close_code(e), e->code);
}

/* The class that an END event names; NULL when it is none of ours. */
static const bl_error_t *failure_of(const bl_event_t *end)
{
    static const char name[] = "\"reason\":\"";
    char code[64];
    const char *at, *quote;
    size_t len;

    if (!end->fields_len) return NULL;
    at = memmem(end->fields, end->fields_len, name, sizeof(name) - 1);
    if (!at) return NULL;
    at += sizeof(name) - 1;
    quote = memchr(at, '"', (size_t)(end->fields + end->fields_len - at));
    len = quote ? (size_t)(quote - at) : sizeof(code);
    if (len >= sizeof(code)) return NULL;
    memcpy(code, at, len);
    code[len] = '\0';
    return bl_error_by_code(code);
}

static void text_event(bl_socket_t *s, bl_ws_reader_t *r, const bl_event_t *ev)
{
    const text_t *t = s->state;
    const bl_error_t *e;

    if ((ev->kind == BL_EV_DELTA || ev->kind == BL_EV_REPLACE) && ev->text_len)
    {
        bl_ws_put_text(&s->out, ev->text, ev->text_len);
    }
    if (ev->kind != BL_EV_END) return;
    if (!bl_event_is_good_end(ev)) {
        e = failure_of(ev);
        say_failure(s, r->stream->id, ev, e ? e : bl_error(BL_E_INTERNAL));
    }
    else if (t->is_json_end) {
        put_end(s, r->stream->id, ev, NULL);
    }
    else {
        bl_ws_put_text(&s->out, "", 0);
    }
}

static void text_reconnect(bl_socket_t *s, bl_ws_reader_t *r)
{
    const bl_error_t *e = bl_error(r->why);

    bl_socket_close(s, close_code(e), e->code);
}

/* {"message","userId"} or plain text; userId was settled by the handshake. */
static apr_status_t read_message(const char *text, size_t len, json_t **pjson,
                                 char **pplain, const char **pmessage)
{
    apr_status_t rv = APR_SUCCESS;

    if (len && *text == '{' &&
        bl_json_parse(pjson, text, len, NULL) == APR_SUCCESS) {
        rv = bl_json_get_string(*pjson, "message", len, pmessage);
    }
    else if (!memchr(text, '\0', len)) {
        *pplain = strndup(text, len);
        *pmessage = *pplain;
    }
    return rv == APR_SUCCESS && *pmessage && **pmessage ? rv : BL_E_BAD_VALUE;
}

static void text_message(bl_socket_t *s, const char *text, size_t len)
{
    bl_ws_question_t q = {0};
    bl_ws_reader_t *r;
    json_t *json = NULL;
    char *plain = NULL;
    char id[BL_ID_TEXT + 1];
    apr_status_t rv;

    if (!bl_utf8_is_valid(text, len))
        rv = BL_E_BAD_UTF8; /* came as bytes */
    else
        rv = read_message(text, len, &json, &plain, &q.message);
    if (rv == APR_SUCCESS) rv = bl_ws_ask(s, &q, &r, id);
    if (rv != APR_SUCCESS) say_failure(s, NULL, NULL, bl_error(rv));
    json_decref(json);
    free(plain);
}

static int text_too_many(bl_socket_t *s, int is_first)
{
    (void)is_first;
    say_failure(s, NULL, NULL, bl_error(BL_E_RATE_LIMITED));
    return 0;
}

const bl_ws_kind_t bl_ws_text = {
    "text",         1,    text_open,   text_message, text_too_many, text_event,
    text_reconnect, NULL, text_release};
