/* SPDX-License-Identifier: Apache-2.0 */
#include "utf8.h"

#include <string.h>

#define HIGH_BITS APR_UINT64_C(0x8080808080808080)

typedef unsigned char byte_t;

static int is_tail(byte_t c)
{
    return (c & 0xC0) == 0x80;
}

/* RFC 3629 section 4: only the second byte has bounds of its own. */
static size_t long_char_len(const byte_t *s, size_t len)
{
    byte_t low = 0x80, high = 0xBF;
    size_t i, n;

    if (s[0] < 0xC2 || s[0] > 0xF4) return 0;
    n = s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : 4;
    if (len < n) return 0;
    if (s[0] == 0xE0)
        low = 0xA0; /* overlong */
    else if (s[0] == 0xED)
        high = 0x9F; /* surrogates */
    else if (s[0] == 0xF0)
        low = 0x90; /* overlong */
    else if (s[0] == 0xF4)
        high = 0x8F; /* > U+10FFFF */
    if (s[1] < low || s[1] > high) return 0;
    for (i = 2; i < n; i++) {
        if (!is_tail(s[i])) return 0;
    }
    return n;
}

size_t bl_utf8_char_len(const char *text, size_t len)
{
    const byte_t *s = (const byte_t *)text;

    if (!len) return 0;
    return s[0] < 0x80 ? 1 : long_char_len(s, len);
}

size_t bl_utf8_valid_len(const char *text, size_t len)
{
    const byte_t *s = (const byte_t *)text, *end;
    apr_uint64_t word;
    size_t n;

    if (!len) return 0; /* nothing may be NULL */
    end = s + len;
    while (s < end) {
        if (*s < 0x80) {
            while (end - s >= 8) {
                memcpy(&word, s, 8);
                if (word & HIGH_BITS) break;
                s += 8;
            }
            while (s < end && *s < 0x80)
                s++;
            continue;
        }
        /* Most of what is not ASCII here is CJK: three bytes, E4 to E9. */
        if (end - s >= 3 && *s > 0xE0 && *s < 0xED && is_tail(s[1]) &&
            is_tail(s[2])) {
            s += 3;
            continue;
        }
        n = long_char_len(s, (size_t)(end - s));
        if (!n) break;
        s += n;
    }
    return (size_t)(s - (const byte_t *)text);
}

int bl_utf8_is_valid(const char *text, size_t len)
{
    return bl_utf8_valid_len(text, len) == len;
}

size_t bl_utf8_cut(const char *text, size_t len, size_t most)
{
    size_t n = most;

    if (len <= most) return len;
    while (n && most - n < 3 && is_tail((byte_t)text[n]))
        n--;
    /* Four tails in a row are no text: cut where it was asked for. */
    return is_tail((byte_t)text[n]) ? most : n;
}

apr_status_t bl_utf8_copy(bl_buf_t *out, const char *text, size_t len,
                          size_t most, size_t *ptaken, unsigned *pbad)
{
    static const char mark[] = BL_UTF8_REPLACEMENT;
    const size_t mark_len = sizeof(mark) - 1;
    const char *s = len ? text : mark, *end = s + len;
    apr_status_t rv = APR_SUCCESS;

    while (s < end && rv == APR_SUCCESS) {
        size_t take = bl_utf8_cut(s, (size_t)(end - s), most);
        size_t n = bl_utf8_valid_len(s, take);

        if (n) rv = bl_buf_append(out, s, n);
        s += n;
        most -= n;
        if (n == take) {
            if (!take || s == end) break;
            continue;
        }
        if (most < mark_len) break;
        if (rv == APR_SUCCESS) rv = bl_buf_append(out, mark, mark_len);
        most -= mark_len;
        s++;
        (*pbad)++;
    }
    *ptaken = len - (size_t)(end - s);
    return rv;
}

size_t bl_utf8_encode(char *dst, apr_uint32_t code)
{
    if (code < 0x80) {
        dst[0] = (char)code;
        return 1;
    }
    if (code < 0x800) {
        dst[0] = (char)(0xC0 | code >> 6);
        dst[1] = (char)(0x80 | (code & 0x3F));
        return 2;
    }
    if (code < 0x10000) {
        dst[0] = (char)(0xE0 | code >> 12);
        dst[1] = (char)(0x80 | (code >> 6 & 0x3F));
        dst[2] = (char)(0x80 | (code & 0x3F));
        return 3;
    }
    dst[0] = (char)(0xF0 | code >> 18);
    dst[1] = (char)(0x80 | (code >> 12 & 0x3F));
    dst[2] = (char)(0x80 | (code >> 6 & 0x3F));
    dst[3] = (char)(0x80 | (code & 0x3F));
    return 4;
}

apr_uint32_t bl_utf8_decode(const char *text, size_t *plen)
{
    const byte_t *s = (const byte_t *)text;

    if (s[0] < 0x80) {
        *plen = 1;
        return s[0];
    }
    if (s[0] < 0xE0) {
        *plen = 2;
        return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    }
    if (s[0] < 0xF0) {
        *plen = 3;
        return (s[0] & 0x0Fu) << 12 | (s[1] & 0x3Fu) << 6 | (s[2] & 0x3Fu);
    }
    *plen = 4;
    return (s[0] & 0x07u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 |
           (s[3] & 0x3Fu);
}
