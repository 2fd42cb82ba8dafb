/* SPDX-License-Identifier: Apache-2.0 */
/* The parser against a slow one that sees all bytes at once, fed cut in three
 * ways; and the writer through the parser: data comes back (S-48). */
#include <string.h>

#include "base/errors.h"
#include "fuzz.h"
#include "wire/sse_parser.h"
#include "wire/sse_writer.h"

#define LIMIT 512

static apr_status_t on_event(void *ctx, const bl_sse_event_t *ev)
{
    bl_buf_t *b = ctx;

    CHECK(!memchr(ev->data, '\r', ev->data_len));
    bl_buf_printf(b, "%s/%s/%d/%d/", ev->name, ev->id, ev->http_status,
                  (int)ev->data_len);
    return bl_buf_append(b, ev->data, ev->data_len);
}

/* --- the slow one ----------------------------------------------------------
 */

typedef struct slow_t {
    bl_buf_t data;
    char name[32], id[64];
    int http, has_data;
} slow_t;

static void slow_dispatch(slow_t *s, bl_buf_t *out)
{
    bl_sse_event_t ev = {s->name,     s->id,   s->data.data ? s->data.data : "",
                         s->data.len, s->http, 0};

    if (s->has_data) on_event(out, &ev);
    bl_buf_clear(&s->data);
    s->name[0] = s->id[0] = '\0';
    s->http = s->has_data = 0;
}

static void slow_copy(char *dst, size_t size, const char *value, size_t n)
{
    snprintf(dst, size, "%.*s", (int)n, value);
}

static void slow_line(slow_t *s, const char *line, size_t n, bl_buf_t *out)
{
    size_t name = 0, from;

    if (!n) {
        slow_dispatch(s, out);
        return;
    }
    while (name < n && line[name] != ':')
        name++;
    from = name < n ? name + 1 : n;
    if (from < n && line[from] == ' ') from++;
    if (!name && n == 16 && !memcmp(line, ":HTTP_STATUS/", 13) &&
        strspn(line + 13, "0123456789") >= 3)
    {
        s->http =
            (line[13] - '0') * 100 + (line[14] - '0') * 10 + line[15] - '0';
    }
    else if (name == 4 && !memcmp(line, "data", 4)) {
        if (s->has_data) bl_buf_puts(&s->data, "\n");
        bl_buf_append(&s->data, line + from, n - from);
        s->has_data = 1;
    }
    else if (name == 5 && !memcmp(line, "event", 5)) {
        slow_copy(s->name, sizeof(s->name), line + from, n - from);
    }
    else if (name == 2 && !memcmp(line, "id", 2) &&
             !memchr(line + from, 0, n - from))
    {
        slow_copy(s->id, sizeof(s->id), line + from, n - from);
    }
}

static void slow_read(bl_buf_t *out, const char *text, size_t len)
{
    size_t i = 0, from;
    slow_t s;

    memset(&s, 0, sizeof(s));
    bl_buf_init(&s.data, len + 16);
    if (len >= 3 && !memcmp(text, "\xEF\xBB\xBF", 3)) i = 3;
    for (from = i; i <= len; i++) {
        char *line;

        if (i < len && text[i] != '\n' && text[i] != '\r') continue;
        if (i == len && from == len) break;
        line = calloc(1, i - from + 1);
        CHECK(line);
        memcpy(line, text + from, i - from);
        slow_line(&s, line, i - from, out);
        free(line);
        if (i + 1 < len && text[i] == '\r' && text[i + 1] == '\n') i++;
        from = i + 1;
    }
    slow_dispatch(&s, out);
    bl_buf_release(&s.data);
}

/* --- the fast one, cut every `step` bytes -----------------------------------
 */

static apr_status_t fast_read(bl_buf_t *out, const char *text, size_t len,
                              size_t step, size_t limit)
{
    bl_sse_parser_t p;
    apr_status_t rv = APR_SUCCESS;
    size_t at;

    bl_sse_parser_init(&p, limit);
    for (at = 0; at < len && rv == APR_SUCCESS; at += step) {
        size_t n = len - at < step ? len - at : step;
        char *copy = malloc(n);

        CHECK(copy);
        memcpy(copy, text + at, n);
        rv = bl_sse_parser_feed(&p, copy, n, on_event, out);
        free(copy);
        CHECK(p.held.size <= p.limit + 64 * 1024);
    }
    if (rv == APR_SUCCESS) rv = bl_sse_parser_end(&p, on_event, out);
    CHECK(rv == APR_SUCCESS || p.held.data == NULL);
    bl_sse_parser_release(&p);
    return rv;
}

static void write_and_read(const char *text, size_t len)
{
    bl_buf_t wire, seen, expected, lf;
    size_t i;

    bl_buf_init(&wire, 10 * len + 64);
    bl_buf_init(&seen, len + 256);
    bl_buf_init(&expected, len + 256);
    bl_buf_init(&lf, len + 1);
    for (i = 0; i < len; i++) {
        if (text[i] == '\r' && i + 1 < len && text[i + 1] == '\n') continue;
        bl_buf_append(&lf, text[i] == '\r' ? "\n" : text + i, 1);
    }
    bl_sse_put_id(&wire, text, len < 60 ? len : 60);
    i = wire.len; /* the id was taken, not refused */
    bl_sse_put_data(&wire, text, len);
    bl_sse_put_end(&wire);
    CHECK(fast_read(&seen, wire.data, wire.len, 7, 1 << 24) == APR_SUCCESS);
    bl_buf_append(&expected, "/", 1);
    if (i) bl_buf_append(&expected, text, len < 60 ? len : 60);
    bl_buf_printf(&expected, "/0/%d/", (int)lf.len);
    bl_buf_append(&expected, lf.data, lf.len);
    CHECK(seen.len == expected.len &&
          !memcmp(seen.data, expected.data, seen.len));
    bl_buf_release(&wire);
    bl_buf_release(&seen);
    bl_buf_release(&expected);
    bl_buf_release(&lf);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data + 1;
    size_t len = size - 1, steps[3] = {1, 0, (size_t)1 << 30};
    bl_buf_t slow, fast;
    apr_status_t rv[3];
    int i;

    if (!size) return 0;
    steps[1] = 2 + data[0];
    bl_buf_init(&slow, 1 << 24);
    slow_read(&slow, text, len);
    for (i = 0; i < 3; i++) {
        bl_buf_init(&fast, 1 << 24);
        CHECK(fast_read(&fast, text, len, steps[i], 1 << 24) == APR_SUCCESS);
        CHECK(fast.len == slow.len);
        CHECK(!fast.len || !memcmp(fast.data, slow.data, fast.len));
        bl_buf_release(&fast);
        bl_buf_init(&fast, 1 << 24);
        rv[i] = fast_read(&fast, text, len, steps[i], LIMIT);
        CHECK(rv[i] == APR_SUCCESS || rv[i] == BL_E_UPSTREAM_TOO_LARGE);
        bl_buf_release(&fast);
    }
    CHECK(rv[0] == rv[1] && rv[1] == rv[2]);
    bl_buf_release(&slow);
    write_and_read(text, len);
    return 0;
}
