/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_scan.h"

#include <string.h>

#include "base/utf8.h"
#include "wire/swar.h"

enum { WANT_VALUE, WANT_ITEM, WANT_KEY, WANT_MORE, WANT_NOTHING, WANT_FAILED };
/*
 * WANT_VALUE    a value must come             after [ , : and at the beginning
 * WANT_ITEM     a value or ]                  after [
 * WANT_KEY      a key or }                    after {
 * WANT_MORE     a comma or the closing one    after a value
 * WANT_NOTHING  the end                       after the outermost value
 */

void bl_json_scan_init(bl_json_scan_t *s, const char *text, size_t len)
{
    memset(s, 0, sizeof(*s));
    s->at = len ? text : ""; /* nothing may be NULL */
    s->end = s->at + len;
    s->wants = WANT_VALUE;
}

static bl_json_token_t fail(bl_json_scan_t *s)
{
    s->wants = WANT_FAILED;
    s->token.kind = BL_JSON_BAD;
    return BL_JSON_BAD;
}

static int is_hex(char c)
{
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ||
           (c >= 'A' && c <= 'F');
}

/* From behind a backslash to behind the escape, NULL when it is none. */
static const char *skip_escape(const char *p, const char *end)
{
    int i;

    if (p == end || !*p || !strchr("\"\\/bfnrtu", *p)) return NULL;
    if (*p++ != 'u') return p;
    if (end - p < 4) return NULL;
    for (i = 0; i < 4; i++) {
        if (!is_hex(p[i])) return NULL;
    }
    return p + 4;
}

/* From behind the opening quote to the closing one, NULL when there is none. */
static inline const char *string_end(const char *p, const char *end,
                                     int *phas_escapes)
{
    *phas_escapes = 0;
    p = bl_swar_find(p, end);
    while (p < end && *p == '\\') {
        *phas_escapes = 1;
        p = skip_escape(p + 1, end);
        if (!p) return NULL;
        p = bl_swar_find(p, end);
    }
    return p < end && *p == '"' ? p : NULL;
}

/* s->at is behind the opening quote; afterwards behind the closing one. */
static int scan_string(bl_json_scan_t *s)
{
    const char *close = string_end(s->at, s->end, &s->token.has_escapes);

    if (!close) return 0;
    s->token.at = s->at;
    s->token.len = (size_t)(close - s->at);
    s->at = close + 1;
    return 1;
}

static const char *skip_digits(const char *p, const char *end)
{
    const char *begin = p;

    while (p < end && *p >= '0' && *p <= '9')
        p++;
    return p == begin ? NULL : p;
}

static bl_json_token_t scan_number(bl_json_scan_t *s)
{
    const char *p = s->at, *end = s->end;

    s->token.at = p;
    if (*p == '-') p++;
    if (p < end && *p == '0')
        p++;
    else if (!(p = skip_digits(p, end)))
        return fail(s);
    if (p < end && *p == '.') {
        if (!(p = skip_digits(p + 1, end))) return fail(s);
    }
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        if (p < end && (*p == '+' || *p == '-')) p++;
        if (!(p = skip_digits(p, end))) return fail(s);
    }
    s->token.len = (size_t)(p - s->token.at);
    s->at = p;
    return BL_JSON_NUMBER;
}

static bl_json_token_t scan_word(bl_json_scan_t *s, const char *word,
                                 bl_json_token_t kind)
{
    size_t n = strlen(word);

    if ((size_t)(s->end - s->at) < n || memcmp(s->at, word, n)) return fail(s);
    s->token.at = s->at;
    s->token.len = n;
    s->at += n;
    return kind;
}

static inline const char *behind_space(const char *p, const char *end)
{
    while (p < end && (unsigned char)*p <= ' ' &&
           (*p == ' ' || *p == '\n' || *p == '\r' || *p == '\t'))
    {
        p++;
    }
    return p;
}

static void skip_space(bl_json_scan_t *s)
{
    s->at = behind_space(s->at, s->end);
}

static int is_in_object(const bl_json_scan_t *s)
{
    return s->depth && (s->objects >> (s->depth - 1) & 1);
}

static void value_is_done(bl_json_scan_t *s)
{
    s->wants = s->depth ? WANT_MORE : WANT_NOTHING;
}

static bl_json_token_t open_level(bl_json_scan_t *s, int is_object)
{
    apr_uint64_t bit;

    if (s->depth == BL_JSON_SCAN_DEPTH) return fail(s);
    bit = APR_UINT64_C(1) << s->depth++;
    s->objects = is_object ? s->objects | bit : s->objects & ~bit;
    s->wants = is_object ? WANT_KEY : WANT_ITEM;
    s->at++;
    s->token.kind = is_object ? BL_JSON_OBJECT : BL_JSON_ARRAY;
    return s->token.kind;
}

static bl_json_token_t close_level(bl_json_scan_t *s)
{
    if (*s->at != (is_in_object(s) ? '}' : ']')) return fail(s);
    s->at++;
    s->depth--;
    value_is_done(s);
    return BL_JSON_CLOSE;
}

static bl_json_token_t scan_key(bl_json_scan_t *s)
{
    if (*s->at != '"') return fail(s);
    s->at++;
    if (!scan_string(s)) return fail(s);
    skip_space(s);
    if (s->at == s->end || *s->at != ':') return fail(s);
    s->at++;
    s->wants = WANT_VALUE;
    s->token.kind = BL_JSON_KEY;
    return BL_JSON_KEY;
}

static bl_json_token_t scan_scalar(bl_json_scan_t *s)
{
    bl_json_token_t kind;

    switch (*s->at) {
    case '"':
        s->at++;
        kind = scan_string(s) ? BL_JSON_STRING : fail(s);
        break;
    case 't':
        kind = scan_word(s, "true", BL_JSON_TRUE);
        break;
    case 'f':
        kind = scan_word(s, "false", BL_JSON_FALSE);
        break;
    case 'n':
        kind = scan_word(s, "null", BL_JSON_NULL);
        break;
    case '-':
    case '0':
    case '1':
    case '2':
    case '3':
    case '4':
    case '5':
    case '6':
    case '7':
    case '8':
    case '9':
        kind = scan_number(s);
        break;
    default:
        return fail(s);
    }
    if (kind == BL_JSON_BAD) return kind;
    value_is_done(s);
    s->token.kind = kind;
    return kind;
}

bl_json_token_t bl_json_scan_next(bl_json_scan_t *s)
{
    int is_after_comma = 0;

    if (s->wants == WANT_FAILED) return BL_JSON_BAD;
    skip_space(s);
    if (s->at == s->end) {
        return s->wants == WANT_NOTHING ? BL_JSON_END : fail(s);
    }
    if (s->wants == WANT_NOTHING) return fail(s);
    if (s->wants == WANT_MORE) {
        if (*s->at != ',') return close_level(s);
        s->at++;
        skip_space(s);
        if (s->at == s->end) return fail(s);
        is_after_comma = 1;
        s->wants = is_in_object(s) ? WANT_KEY : WANT_VALUE;
    }
    if (s->wants == WANT_KEY) {
        if (*s->at == '}' && !is_after_comma) return close_level(s);
        return scan_key(s);
    }
    if (*s->at == ']' && s->wants == WANT_ITEM) return close_level(s);
    if (*s->at == '{') return open_level(s, 1);
    if (*s->at == '[') return open_level(s, 0);
    return scan_scalar(s);
}

/* From the end of a value, or the opening brace, to behind the quote of the
 * next key; NULL: another thing comes first, and next() knows what to say to
 * it. */
static inline const char *next_key(const bl_json_scan_t *s)
{
    const char *p = behind_space(s->at, s->end);

    if (s->wants == WANT_MORE) {
        if (p == s->end || *p != ',') return NULL;
        p = behind_space(p + 1, s->end);
    }
    else if (s->wants != WANT_KEY)
        return NULL;
    return p < s->end && *p == '"' ? p + 1 : NULL;
}

bl_json_token_t bl_json_scan_member(bl_json_scan_t *s, bl_json_value_t *key,
                                    bl_json_value_t *v)
{
    const char *p = is_in_object(s) ? next_key(s) : NULL, *end = s->end, *q;

    if (!p) {
        bl_json_token_t t = bl_json_scan_next(s);

        return t == BL_JSON_CLOSE ? t : fail(s);
    }
    q = string_end(p, end, &key->has_escapes);
    if (!q) return fail(s);
    key->kind = BL_JSON_KEY;
    key->at = p;
    key->len = (size_t)(q - p);
    p = behind_space(q + 1, end);
    if (p == end || *p != ':') return fail(s);
    s->at = p = behind_space(p + 1, end);
    s->wants = WANT_VALUE;
    if (p < end && *p == '"') {
        q = string_end(++p, end, &v->has_escapes);
        if (!q) return fail(s);
        v->kind = BL_JSON_STRING;
        v->at = p;
        v->len = (size_t)(q - p);
        s->at = q + 1;
        s->wants = WANT_MORE;
        return BL_JSON_KEY;
    }
    v->kind = bl_json_scan_next(s);
    if (v->kind == BL_JSON_BAD) return BL_JSON_BAD;
    v->has_escapes = 0;
    v->at = p;
    v->len = (size_t)(s->at - p);
    return BL_JSON_KEY;
}

int bl_json_scan_whole(bl_json_scan_t *s, bl_json_value_t *v)
{
    if (v->kind != BL_JSON_OBJECT && v->kind != BL_JSON_ARRAY) return 1;
    if (!bl_json_scan_skip(s)) return 0;
    v->len = (size_t)(s->at - v->at);
    return 1;
}

int bl_json_scan_skip(bl_json_scan_t *s)
{
    int depth = s->depth - 1;

    while (s->depth > depth) {
        if (bl_json_scan_next(s) == BL_JSON_BAD) return 0;
    }
    return 1;
}

bl_json_token_t bl_json_scan_value(bl_json_scan_t *s, bl_json_value_t *v)
{
    bl_json_token_t kind = bl_json_scan_next(s);

    v->kind = BL_JSON_BAD;
    if (kind == BL_JSON_OBJECT || kind == BL_JSON_ARRAY) {
        const char *begin = s->at - 1;

        if (!bl_json_scan_skip(s)) return BL_JSON_BAD;
        v->at = begin;
        v->len = (size_t)(s->at - begin);
        v->has_escapes = 0;
        v->kind = kind;
    }
    else if (kind >= BL_JSON_STRING)
        *v = s->token;
    return kind;
}

static unsigned hex4(const char *p)
{
    unsigned n = 0;
    int i;

    for (i = 0; i < 4; i++) {
        unsigned char c = (unsigned char)p[i];

        n = n << 4 | (c <= '9' ? c - 0x30u : (c | 0x20u) - 0x61u + 10u);
    }
    return n;
}

/* The escape at p (its backslash). Returns how long it is in the text. */
static size_t decode_escape(const char *p, size_t len, char *dst, size_t *pn,
                            unsigned *pbad)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    unsigned code, low;

    if (p[1] != 'u') {
        dst[0] = to[strchr(from, p[1]) - from];
        *pn = 1;
        return 2;
    }
    code = hex4(p + 2);
    if ((code & 0xFC00) == 0xD800 && len >= 12 && p[6] == '\\' && p[7] == 'u') {
        low = hex4(p + 8);
        if ((low & 0xFC00) == 0xDC00) {
            code = 0x10000 + ((code & 0x3FF) << 10) + (low & 0x3FF);
            *pn = bl_utf8_encode(dst, code);
            return 12;
        }
    }
    if (!code || (code & 0xF800) == 0xD800) {
        code = 0xFFFD;
        (*pbad)++;
    }
    *pn = bl_utf8_encode(dst, code);
    return 6;
}

apr_status_t bl_json_unescape(bl_buf_t *out, const char **praw, size_t *plen,
                              size_t most, unsigned *pbad)
{
    const char *p = *praw, *end = p + *plen;
    apr_status_t rv = APR_SUCCESS;

    while (p < end && rv == APR_SUCCESS) {
        const char *slash = memchr(p, '\\', (size_t)(end - p));
        size_t run = (size_t)((slash ? slash : end) - p), taken, used, n;
        size_t before = out->len;
        char text[4];

        rv = bl_utf8_copy(out, p, run, most, &taken, pbad);
        most -= out->len - before;
        p += taken;
        if (rv != APR_SUCCESS || taken < run || !slash || most < 4) break;
        used = decode_escape(p, (size_t)(end - p), text, &n, pbad);
        rv = bl_buf_append(out, text, n);
        p += used;
        most -= n;
    }
    *praw = p;
    *plen = (size_t)(end - p);
    return rv;
}

int bl_json_is_escaped(const bl_json_value_t *v, const char *word)
{
    size_t n = strlen(word);
    char text[64];

    return n < sizeof(text) && v->len <= 6 * n &&
           bl_json_copy_text(text, sizeof(text), v) == n &&
           !memcmp(text, word, n);
}

size_t bl_json_copy_text(char *dst, size_t size, const bl_json_value_t *v)
{
    const char *p = v->at, *end;
    size_t n = 0;

    dst[0] = '\0';
    if (v->kind != BL_JSON_STRING && v->kind != BL_JSON_KEY) return 0;
    for (end = p + v->len; p < end;) {
        char text[4];
        size_t used, len;
        unsigned bad = 0;

        if (*p == '\\') {
            used = decode_escape(p, (size_t)(end - p), text, &len, &bad);
        }
        else if ((used = len = bl_utf8_char_len(p, (size_t)(end - p)))) {
            memcpy(text, p, len);
        }
        else {
            used = 1;
            len = bl_utf8_encode(text, 0xFFFD);
        }
        if (n + len >= size) break;
        memcpy(dst + n, text, len);
        n += len;
        p += used;
    }
    dst[n] = '\0';
    return n;
}

apr_int64_t bl_json_count(const bl_json_value_t *v, apr_int64_t most)
{
    apr_int64_t n = 0;
    size_t i;

    /* 18 digits fit; a number does not begin with more than one 0. */
    if (v->kind != BL_JSON_NUMBER || v->len > 18) return -1;
    for (i = 0; i < v->len; i++) {
        int digit = v->at[i] - '0';

        if (digit < 0 || digit > 9) return -1;
        n = n * 10 + digit;
    }
    return n > most ? -1 : n;
}
