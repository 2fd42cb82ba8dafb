/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect_app.h"

#include <string.h>

#include "base/errors.h"
#include "base/utf8.h"

/* Scratch memory above this is given back after each event. */
#define KEEP_BYTES 512

apr_status_t bl_app_emit(bl_app_t *a, bl_event_kind_t kind, const char *text,
                         size_t len, const bl_buf_t *fields)
{
    bl_event_t ev = {0, kind, 0, text, len, NULL, 0};

    if (fields) {
        if (bl_buf_status(fields) != APR_SUCCESS) return bl_buf_status(fields);
        ev.fields = fields->data;
        ev.fields_len = fields->len;
    }
    a->emitted++;
    if (kind == BL_EV_DELTA || kind == BL_EV_REPLACE) a->has_text = 1;
    if (a->has_text || kind == BL_EV_REASONING) a->answer->has_content = 1;
    return a->out.emit(a->out.ctx, &ev);
}

void bl_app_text_init(bl_app_text_t *t, bl_event_kind_t kind, int is_cumulative,
                      size_t limit)
{
    memset(t, 0, sizeof(*t));
    t->kind = kind;
    t->is_cumulative = is_cumulative;
    /* Replaced bytes are three times as long as they came (U19). */
    bl_buf_init(&t->known, 3 * limit);
}

/* --- a string value in parts of at most BL_EVENT_PART_BYTES (U22) ------- */

typedef struct parts_t {
    const char *raw;
    size_t left;
    int is_plain; /* no escapes, valid UTF-8: handed on as it came */
} parts_t;

static void begin_parts(parts_t *parts, const bl_json_value_t *v)
{
    parts->raw = v->at;
    parts->left = v->kind == BL_JSON_STRING ? v->len : 0;
    parts->is_plain =
        !v->has_escapes && bl_utf8_is_valid(parts->raw, parts->left);
}

static apr_status_t next_part(bl_app_t *a, parts_t *parts, bl_span_t *part)
{
    apr_status_t rv;

    if (parts->is_plain) {
        part->at = parts->raw;
        part->len = bl_utf8_cut(parts->raw, parts->left, BL_EVENT_PART_BYTES);
        parts->raw += part->len;
        parts->left -= part->len;
        return APR_SUCCESS;
    }
    bl_buf_clear(&a->scratch);
    rv = bl_json_unescape(&a->scratch, &parts->raw, &parts->left,
                          BL_EVENT_PART_BYTES, &a->answer->bad_utf8);
    part->at = a->scratch.data;
    part->len = a->scratch.len;
    return rv;
}

static void end_parts(bl_app_t *a)
{
    if (a->scratch.size > KEEP_BYTES) bl_buf_release(&a->scratch);
}

apr_status_t bl_app_text_new(bl_app_t *a, bl_event_kind_t kind,
                             const bl_json_value_t *v)
{
    apr_status_t rv = APR_SUCCESS;
    parts_t parts;
    bl_span_t part;

    begin_parts(&parts, v);
    while (parts.left && rv == APR_SUCCESS) {
        rv = next_part(a, &parts, &part);
        if (rv == APR_SUCCESS) {
            rv = bl_app_emit(a, kind, part.at, part.len, NULL);
        }
    }
    end_parts(a);
    return rv;
}

/* --- cumulative text (U20) ------------------------------------------------
 *
 *   known  [ met again in this event | not yet ]
 *                                   at
 *   part              [ same | differs or goes on ]
 *
 * Behind `at` nothing of known is trusted. New text that comes while `at`
 * stands before known's end is a rewrite: known is cut there, the rest is a
 * REPLACE and what follows are DELTAs again.
 */

static size_t same_bytes(const char *a, const char *b, size_t n)
{
    size_t i = 0;

    if (!memcmp(a, b, n)) return n;
    while (a[i] == b[i])
        i++;
    return i;
}

static int is_tail(char c)
{
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* Takes from the part what is known already. */
static void skip_known(bl_app_text_t *t, bl_span_t *part)
{
    size_t rest = t->known.len - t->at;
    size_t n = part->len < rest ? part->len : rest;

    if (!n) return;
    n = same_bytes(t->known.data + t->at, part->at, n);
    while (n && n < part->len && is_tail(part->at[n]))
        n--;
    t->at += n;
    part->at += n;
    part->len -= n;
}

/* A character that the upstream cut shows as U+FFFD at the end, and whole in
 * the next event: not told before that (U20). */
static void hold_last(bl_app_text_t *t, bl_span_t *part)
{
    const size_t n = sizeof(BL_UTF8_REPLACEMENT) - 1;

    while (part->len >= n &&
           !memcmp(part->at + part->len - n, BL_UTF8_REPLACEMENT, n))
    {
        part->len -= n;
        t->is_held = 1;
    }
}

static apr_status_t emit_replace(bl_app_t *a, const bl_app_text_t *t,
                                 const bl_span_t *part)
{
    bl_buf_t fields;
    apr_status_t rv;

    bl_buf_init(&fields, 64);
    bl_buf_puts(&fields, "{\"keep\":");
    bl_buf_putu(&fields, t->known.len);
    bl_buf_puts(&fields, "}");
    rv = bl_app_emit(a, BL_EV_REPLACE, part->at, part->len, &fields);
    bl_buf_release(&fields);
    return rv;
}

/* Known text behind `at` is gone; the part stands there now. Thinking cannot
 * be taken back: there, only what is new is told. */
static apr_status_t go_on_at(bl_app_t *a, bl_app_text_t *t,
                             const bl_span_t *part)
{
    int is_rewrite = t->at < t->known.len;
    apr_status_t rv;

    t->known.len = t->at;
    if (is_rewrite && t->kind == BL_EV_DELTA)
        rv = emit_replace(a, t, part);
    else if (!part->len)
        return APR_SUCCESS;
    else
        rv = bl_app_emit(a, t->kind, part->at, part->len, NULL);
    if (rv == APR_SUCCESS) rv = bl_buf_append(&t->known, part->at, part->len);
    if (rv == APR_ENOSPC) rv = BL_E_UPSTREAM_TOO_LARGE;
    t->at = t->known.len;
    return rv;
}

void bl_app_text_begin(bl_app_text_t *t)
{
    t->at = 0;
    t->is_held = 0;
}

static apr_status_t take_cumulative(bl_app_t *a, bl_app_text_t *t,
                                    const bl_json_value_t *v, int may_hold)
{
    apr_status_t rv = APR_SUCCESS;
    parts_t parts;
    bl_span_t part;

    begin_parts(&parts, v);
    while (parts.left && rv == APR_SUCCESS) {
        rv = next_part(a, &parts, &part);
        if (rv != APR_SUCCESS) break;
        if (may_hold && !parts.left) hold_last(t, &part);
        skip_known(t, &part);
        if (part.len) rv = go_on_at(a, t, &part);
    }
    end_parts(a);
    return rv;
}

apr_status_t bl_app_text_take(bl_app_t *a, bl_app_text_t *t,
                              const bl_json_value_t *v, int is_last,
                              int is_final)
{
    if (!t->is_cumulative) return bl_app_text_new(a, t->kind, v);
    return take_cumulative(a, t, v, is_last && !is_final);
}

apr_status_t bl_app_text_end(bl_app_t *a, bl_app_text_t *t)
{
    bl_span_t nothing = {"", 0};

    /* Nothing at all says nothing; with a held end, the next event tells. */
    if (!t->at || t->is_held || t->at == t->known.len) return APR_SUCCESS;
    return go_on_at(a, t, &nothing);
}
