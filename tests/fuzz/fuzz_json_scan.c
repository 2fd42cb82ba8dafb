/* SPDX-License-Identifier: Apache-2.0 */
/* The scanner against jansson: whatever that takes, the scanner takes; what
 * only the scanner takes has a cause that is meant. A string comes out the
 * same, and what is written of it comes back. */
#include <jansson.h>
#include <string.h>

#include "base/utf8.h"
#include "fuzz.h"
#include "wire/json_scan.h"
#include "wire/json_write.h"

static int scan_all(const char *text, size_t len, int *pdeepest, int *ptokens)
{
    bl_json_token_t t;
    bl_json_scan_t s;

    bl_json_scan_init(&s, text, len);
    *pdeepest = *ptokens = 0;
    do {
        t = bl_json_scan_next(&s);
        CHECK(s.at <= s.end);
        CHECK(s.depth >= 0 && s.depth <= BL_JSON_SCAN_DEPTH);
        if (s.depth > *pdeepest) *pdeepest = s.depth;
        ++*ptokens;
    } while (t != BL_JSON_BAD && t != BL_JSON_END);
    return t == BL_JSON_END;
}

/* Depth by counting, as an upper bound: is the ceiling the cause? */
static int may_be_deep(const char *text, size_t len)
{
    size_t i;
    int depth = 0;

    for (i = 0; i < len; i++)
        depth += text[i] == '[' || text[i] == '{';
    return depth > BL_JSON_SCAN_DEPTH;
}

/* The scanner leaves numbers and surrogates as they are; jansson does not. */
static int is_meant_to_differ(const char *text, size_t len)
{
    int digits = 0;
    size_t i;

    if (!bl_utf8_is_valid(text, len)) return 1;
    for (i = 0; i < len; i++) {
        digits = text[i] >= '0' && text[i] <= '9' ? digits + 1 : 0;
        if (digits > 15 || text[i] == 'e' || text[i] == 'E') return 1;
        if (text[i] == '\\' && i + 1 < len && text[i + 1] == 'u') return 1;
    }
    return 0;
}

static void compare_string(const char *text, size_t len, const json_t *v)
{
    const char *value = json_string_value(v), *raw;
    size_t n = json_string_length(v), left;
    bl_json_value_t view;
    bl_json_scan_t s;
    unsigned bad = 0;
    bl_buf_t b, w;

    bl_json_scan_init(&s, text, len);
    CHECK(bl_json_scan_value(&s, &view) == BL_JSON_STRING);
    bl_buf_init(&b, 4 * len + 16);
    bl_buf_init(&w, 8 * len + 4096);
    raw = view.at;
    left = view.len;
    CHECK(bl_json_unescape(&b, &raw, &left, 4 * len + 8, &bad) == 0);
    CHECK(left == 0);
    if (!memchr(value, 0, n)) { /* NUL becomes U+FFFD here */
        CHECK(bad == 0 && b.len == n && (!n || !memcmp(b.data, value, n)));
    }
    CHECK(bl_utf8_is_valid(b.data, b.len));
    for (left = 0; left < 2; left++) {
        json_t *again;

        bl_buf_clear(&w);
        bl_buf_puts(&w, "\"");
        bl_json_escape(&w, value, n, (int)left);
        bl_buf_puts(&w, "\"");
        again =
            json_loadb(w.data, w.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        CHECK(again && json_equal(again, v));
        json_decref(again);
    }
    bl_buf_release(&b);
    bl_buf_release(&w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    json_t *v = json_loadb(text, size, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
    int deepest, tokens;
    int is_json = scan_all(text, size, &deepest, &tokens);
    bl_json_value_t view;
    bl_json_scan_t s;
    char word[24];

    /* jansson steps over a NUL behind a number. */
    if (v && !is_json) CHECK(may_be_deep(text, size) || memchr(text, 0, size));
    if (!v && is_json) CHECK(is_meant_to_differ(text, size));
    if (v && json_is_string(v)) compare_string(text, size, v);
    bl_json_scan_init(&s, text, size);
    if (bl_json_scan_value(&s, &view) != BL_JSON_BAD && view.kind) {
        CHECK(view.at >= text && view.at + view.len <= text + size);
        CHECK(bl_json_copy_text(word, sizeof(word), &view) < sizeof(word));
        CHECK(bl_utf8_is_valid(word, strlen(word)));
        CHECK(bl_json_count(&view, 1000) <= 1000);
        bl_json_is(&view, "output");
    }
    else
        CHECK(!is_json);
    json_decref(v);
    return 0;
}
