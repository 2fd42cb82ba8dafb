/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sse_parser.h"

#include <string.h>

#include "base/errors.h"

/* More than this is given back between two events. */
#define KEEP_BYTES 512

#define BOM_PASSED 4

static const char bom_text[] = "\xEF\xBB\xBF";

/* One call of feed(): where it reads, and the first data line of the event as
 * long as it can be borrowed from the input. */
typedef struct feed_t {
    bl_sse_parser_t *p;
    const char *at;
    const char *end;
    const char *lf; /* the next of its kind, end = none; NULL = not looked */
    const char *cr;
    const char *data; /* borrowed first data line, or NULL */
    size_t data_len;
    bl_sse_event_fn *fn;
    void *ctx;
    int is_at_end; /* of the body */
} feed_t;

void bl_sse_parser_init(bl_sse_parser_t *p, size_t limit)
{
    memset(p, 0, sizeof(*p));
    p->limit = limit ? limit : BL_MAX_EVENT_BYTES;
    /* A borrowed BOM beginning is pushed back: two bytes more than was fed. */
    bl_buf_init(&p->held, p->limit + 2);
}

void bl_sse_parser_release(bl_sse_parser_t *p)
{
    bl_buf_release(&p->held);
    p->data_len = 0;
}

int bl_sse_parser_is_done(const bl_sse_parser_t *p)
{
    return p->ended == APR_EOF;
}

static apr_status_t final_status(const bl_sse_parser_t *p)
{
    return p->ended == APR_EOF ? APR_SUCCESS : p->ended;
}

static void forget_event(feed_t *f)
{
    bl_sse_parser_t *p = f->p;

    f->data = NULL;
    p->data_len = 0;
    p->event_bytes = 0;
    p->http_status = 0;
    p->has_data = 0;
    p->name[0] = '\0';
    p->id[0] = '\0';
    if (p->held.size > KEEP_BYTES) bl_buf_release(&p->held);
    bl_buf_clear(&p->held);
}

static apr_status_t dispatch(feed_t *f)
{
    bl_sse_parser_t *p = f->p;
    bl_sse_event_t ev;
    apr_status_t rv = APR_SUCCESS;

    if (p->has_data) {
        ev.name = p->name;
        ev.id = p->id;
        ev.data = f->data ? f->data : p->data_len ? p->held.data : "";
        ev.data_len = f->data ? f->data_len : p->data_len;
        ev.http_status = p->http_status;
        ev.is_unfinished = f->is_at_end;
        rv = f->fn(f->ctx, &ev);
    }
    forget_event(f);
    return rv;
}

static void copy_field(char *dst, size_t size, const char *value, size_t n)
{
    if (n >= size) n = size - 1;
    memcpy(dst, value, n);
    dst[n] = '\0';
}

static void take_comment(bl_sse_parser_t *p, const char *line, size_t n)
{
    static const char mark[] = ":HTTP_STATUS/";
    const size_t len = sizeof(mark) - 1;
    int status = 0;
    size_t i;

    if (n != len + 3 || memcmp(line, mark, len)) return;
    for (i = len; i < n; i++) {
        if (line[i] < '0' || line[i] > '9') return;
        status = status * 10 + (line[i] - '0');
    }
    p->http_status = status;
}

/* The first data line is borrowed where it is in the input; a second one, or
 * one that was held, goes behind the data lines that are held. */
static apr_status_t take_data(feed_t *f, const char *value, size_t n,
                              int is_held)
{
    bl_sse_parser_t *p = f->p;
    bl_buf_t *b = &p->held;
    apr_status_t rv;

    if (!is_held && !p->has_data) {
        p->has_data = 1;
        f->data = value;
        f->data_len = n;
        return APR_SUCCESS;
    }
    if (is_held) {
        /* In place: the field's name made room for the LF. */
        if (p->has_data) b->data[p->data_len++] = '\n';
        memmove(b->data + p->data_len, value, n);
        p->data_len += n;
        p->has_data = 1;
        return APR_SUCCESS;
    }
    if (f->data) {
        rv = bl_buf_append(b, f->data, f->data_len);
        if (rv != APR_SUCCESS) return rv;
        f->data = NULL;
    }
    rv = bl_buf_append(b, "\n", 1);
    if (rv == APR_SUCCESS) rv = bl_buf_append(b, value, n);
    p->data_len = b->len;
    return rv;
}

static int is_field(const char *line, size_t n, const char *name)
{
    return strlen(name) == n && !memcmp(line, name, n);
}

static apr_status_t take_line(feed_t *f, const char *line, size_t n,
                              int is_held)
{
    bl_sse_parser_t *p = f->p;
    const char *colon, *value;
    size_t name_len, value_len;

    if (!n) return dispatch(f);
    if (p->event_bytes > p->limit) return BL_E_UPSTREAM_TOO_LARGE;
    if (*line == ':') {
        take_comment(p, line, n);
        return APR_SUCCESS;
    }
    colon = memchr(line, ':', n);
    name_len = colon ? (size_t)(colon - line) : n;
    value = colon ? colon + 1 : line + n;
    if (value < line + n && *value == ' ') value++;
    value_len = (size_t)(line + n - value);
    if (is_field(line, name_len, "data")) {
        return take_data(f, value, value_len, is_held);
    }
    if (is_field(line, name_len, "event")) {
        copy_field(p->name, sizeof(p->name), value, value_len);
    }
    else if (is_field(line, name_len, "id") && !memchr(value, 0, value_len)) {
        copy_field(p->id, sizeof(p->id), value, value_len);
    }
    return APR_SUCCESS;
}

/* Each kind of line end is looked for once in all bytes, also where the other
 * one comes often. */
static const char *find_line_end(feed_t *f)
{
    size_t left = (size_t)(f->end - f->at);

    if (!f->lf || f->lf < f->at) {
        f->lf = memchr(f->at, '\n', left);
        if (!f->lf) f->lf = f->end;
    }
    if (!f->cr || f->cr < f->at) {
        f->cr = memchr(f->at, '\r', left);
        if (!f->cr) f->cr = f->end;
    }
    return f->lf < f->cr ? f->lf : f->cr;
}

/* The rest of the input is the beginning of a line, or nothing; what was
 * borrowed has to be kept now. */
static apr_status_t hold_rest(feed_t *f)
{
    bl_sse_parser_t *p = f->p;
    size_t rest = (size_t)(f->end - f->at);
    apr_status_t rv = APR_SUCCESS;

    p->event_bytes += rest;
    if (p->event_bytes > p->limit) return BL_E_UPSTREAM_TOO_LARGE;
    if (f->data) {
        rv = bl_buf_append(&p->held, f->data, f->data_len);
        p->data_len = p->held.len;
    }
    if (rv == APR_SUCCESS && rest) rv = bl_buf_append(&p->held, f->at, rest);
    return rv;
}

static apr_status_t next_line(feed_t *f, const char *line_end)
{
    bl_sse_parser_t *p = f->p;
    const char *line = f->at;
    size_t n = (size_t)(line_end - line), offset = p->data_len;
    int is_held = p->held.len > offset;
    apr_status_t rv;

    f->at = line_end + 1;
    p->event_bytes += n + 1; /* CRLF may come in two pieces: it counts as one */
    if (*line_end == '\r') {
        if (f->at == f->end)
            p->skip_lf = 1;
        else if (*f->at == '\n')
            f->at++;
    }
    if (!is_held) return take_line(f, line, n, 0);
    if (p->event_bytes > p->limit) return BL_E_UPSTREAM_TOO_LARGE;
    rv = bl_buf_append(&p->held, line, n);
    if (rv != APR_SUCCESS) return rv;
    rv = take_line(f, p->held.data + offset, p->held.len - offset, 1);
    p->held.len = p->data_len;
    return rv;
}

static apr_status_t skip_bom(feed_t *f)
{
    bl_sse_parser_t *p = f->p;
    int seen;

    while (f->at < f->end && p->bom < 3) {
        if (*f->at != bom_text[p->bom]) {
            seen = p->bom;
            p->bom = BOM_PASSED;
            return seen ? bl_buf_append(&p->held, bom_text, (size_t)seen)
                        : APR_SUCCESS;
        }
        p->bom++;
        f->at++;
    }
    if (p->bom == 3) p->bom = BOM_PASSED;
    return APR_SUCCESS;
}

static apr_status_t feed_lines(feed_t *f)
{
    bl_sse_parser_t *p = f->p;
    apr_status_t rv = APR_SUCCESS;

    if (p->bom != BOM_PASSED) rv = skip_bom(f);
    while (rv == APR_SUCCESS && f->at < f->end) {
        const char *line_end;

        if (p->skip_lf) {
            p->skip_lf = 0;
            if (*f->at == '\n') {
                f->at++;
                continue;
            }
        }
        line_end = find_line_end(f);
        if (line_end == f->end) break;
        rv = next_line(f, line_end);
    }
    return rv == APR_SUCCESS ? hold_rest(f) : rv;
}

static apr_status_t finish_feed(bl_sse_parser_t *p, apr_status_t rv)
{
    if (rv == APR_SUCCESS) return rv;
    p->ended = rv;
    bl_sse_parser_release(p);
    return final_status(p);
}

apr_status_t bl_sse_parser_feed(bl_sse_parser_t *p, const char *data,
                                size_t len, bl_sse_event_fn *fn, void *ctx)
{
    feed_t f = {p, data, data, NULL, NULL, NULL, 0, fn, ctx, 0};

    if (p->ended != APR_SUCCESS) return final_status(p);
    if (len) f.end += len; /* nothing may be NULL */
    return finish_feed(p, feed_lines(&f));
}

apr_status_t bl_sse_parser_end(bl_sse_parser_t *p, bl_sse_event_fn *fn,
                               void *ctx)
{
    feed_t f = {p, NULL, NULL, NULL, NULL, NULL, 0, fn, ctx, 1};
    apr_status_t rv = APR_SUCCESS;
    size_t offset = p->data_len, rest;

    if (p->ended != APR_SUCCESS) return final_status(p);
    rest = p->held.len - offset;
    if (rest) {
        rv = take_line(&f, p->held.data + offset, rest, 1);
        p->held.len = p->data_len;
    }
    if (rv == APR_SUCCESS) rv = dispatch(&f);
    return finish_feed(p, rv);
}
