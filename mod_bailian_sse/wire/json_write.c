/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_write.h"

#include <stdlib.h>
#include <string.h>

#include "base/utf8.h"
#include "wire/swar.h"

/* Room is taken for a chunk at its worst (six bytes a byte), so that the loop
 * needs no check and the buffer no more than this in advance. */
#define CHUNK_BYTES 256
#define WORST 6

static const char hex_digits[] = "0123456789abcdef";

static char *put_unit(char *d, unsigned unit)
{
    d[0] = '\\';
    d[1] = 'u';
    d[2] = hex_digits[unit >> 12 & 15];
    d[3] = hex_digits[unit >> 8 & 15];
    d[4] = hex_digits[unit >> 4 & 15];
    d[5] = hex_digits[unit & 15];
    return d + 6;
}

static char *put_special(char *d, unsigned char c)
{
    static const char shorts[] = "btn\0fr"; /* 0x08 to 0x0D; 0x0B has none */

    if (c == '"' || c == '\\') {
        *d++ = '\\';
        *d++ = (char)c;
        return d;
    }
    if (c < 0x08 || c > 0x0D || c == 0x0B) return put_unit(d, c);
    *d++ = '\\';
    *d++ = shorts[c - 0x08];
    return d;
}

static char *escape_chunk(char *d, const char *s, const char *end)
{
    while (end - s >= BL_SWAR_BYTES) {
        unsigned plain = bl_swar_plain(s);

        /* What is not plain of it is written over. */
        memcpy(d, s, BL_SWAR_BYTES);
        s += plain;
        d += plain;
        if (plain < BL_SWAR_BYTES) d = put_special(d, (unsigned char)*s++);
    }
    for (; s < end; s++) {
        if (bl_is_special(*s))
            d = put_special(d, (unsigned char)*s);
        else
            *d++ = *s;
    }
    return d;
}

/* The character at s, above ASCII; a bad byte is U+FFFD. */
static char *put_above(char *d, const char **ps, const char *end)
{
    size_t n = bl_utf8_char_len(*ps, (size_t)(end - *ps));
    apr_uint32_t code = n ? bl_utf8_decode(*ps, &n) : 0xFFFD;

    *ps += n ? n : 1;
    if (code < 0x10000) return put_unit(d, code);
    d = put_unit(d, 0xD800 + ((code - 0x10000) >> 10));
    return put_unit(d, 0xDC00 + (code & 0x3FF));
}

static char *escape_ascii_chunk(char *d, const char *s, const char *end)
{
    while (s < end) {
        unsigned char c = (unsigned char)*s;

        if (c >= 0x80)
            d = put_above(d, &s, end);
        else if (bl_is_special(*s++))
            d = put_special(d, c);
        else
            *d++ = (char)c;
    }
    return d;
}

apr_status_t bl_json_escape(bl_buf_t *out, const char *text, size_t len,
                            int ascii_only)
{
    while (len) {
        size_t n = len <= CHUNK_BYTES ? len
                   : ascii_only       ? bl_utf8_cut(text, len, CHUNK_BYTES)
                                      : CHUNK_BYTES;
        char *d = bl_buf_room(out, n * WORST), *after;

        if (!d) return bl_buf_status(out);
        after = ascii_only ? escape_ascii_chunk(d, text, text + n)
                           : escape_chunk(d, text, text + n);
        bl_buf_added(out, (size_t)(after - d));
        text += n;
        len -= n;
    }
    return bl_buf_status(out);
}

apr_status_t bl_json_puts(bl_buf_t *out, const char *text)
{
    bl_buf_append(out, "\"", 1);
    bl_json_escape(out, text, strlen(text), 0);
    return bl_buf_append(out, "\"", 1);
}

apr_status_t bl_json_to_ascii(bl_buf_t *out, size_t from)
{
    size_t len = out->len - from;
    const char *at, *end;
    char *copy, *d;

    if (bl_buf_status(out) != APR_SUCCESS || !len) return bl_buf_status(out);
    copy = malloc(len);
    if (!copy) {
        out->failed = APR_ENOMEM;
        return out->failed;
    }
    memcpy(copy, out->data + from, len);
    end = copy + len;
    out->len = from;
    for (at = copy; at < end;) {
        const char *until = at;

        while (until < end && (unsigned char)*until < 0x80)
            until++;
        bl_buf_append(out, at, (size_t)(until - at));
        at = until;
        if (at == end || !(d = bl_buf_room(out, 2 * WORST))) break;
        bl_buf_added(out, (size_t)(put_above(d, &at, end) - d));
    }
    free(copy);
    return bl_buf_status(out);
}
