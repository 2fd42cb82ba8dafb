/* SPDX-License-Identifier: Apache-2.0 */
/*
 * swar - many bytes at once: where a JSON string stops being plain text, that
 * is, at a quote, a backslash or a control character.
 *
 * 16 bytes at a time with SSE2, which every x86-64 has; else 8 in a register:
 * (x - n) & ~x has the high bit of a byte that is < n. A borrow may mark a
 * byte above one that is marked rightly, so the lowest mark is always true,
 * and no byte is ever missed.
 *
 * OWNERSHIP, THREADS, ERRORS  none: arithmetic.
 */
#ifndef BL_SWAR_H
#define BL_SWAR_H

#include <string.h>

#include "base/bl.h"

static inline int bl_is_special(char c)
{
    return (unsigned char)c < 0x20 || c == '"' || c == '\\';
}

#if defined(__SSE2__)

#define BL_SWAR_BYTES 16

typedef unsigned char bl_swar_bytes_t __attribute__((vector_size(16)));
typedef char bl_swar_marks_t __attribute__((vector_size(16)));

/* How many of the BL_SWAR_BYTES bytes at p stand before the first special one;
 * all of them when there is none. */
static inline unsigned bl_swar_plain(const char *p)
{
    bl_swar_bytes_t x;
    bl_swar_marks_t marks;

    memcpy(&x, p, sizeof(x));
    marks = (bl_swar_marks_t)((x <= 0x1F) | (x == '"') | (x == '\\'));
    return (unsigned)__builtin_ctz((unsigned)__builtin_ia32_pmovmskb128(marks) |
                                   1u << BL_SWAR_BYTES);
}

#else

#define BL_SWAR_BYTES 8
#define BL_SWAR_LOW APR_UINT64_C(0x0101010101010101)
#define BL_SWAR_HIGH APR_UINT64_C(0x8080808080808080)

static inline unsigned bl_swar_plain(const char *p)
{
    apr_uint64_t x, quote, slash, marks;
    unsigned n = 0;

    memcpy(&x, p, 8);
    quote = x ^ BL_SWAR_LOW * '"';
    slash = x ^ BL_SWAR_LOW * '\\';
    marks =
        (((x - BL_SWAR_LOW * 0x20) & ~x) | ((quote - BL_SWAR_LOW) & ~quote) |
         ((slash - BL_SWAR_LOW) & ~slash)) &
        BL_SWAR_HIGH;
    if (!marks) return BL_SWAR_BYTES;
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    n = (unsigned)__builtin_ctzll(marks) / 8;
#else
    while (!bl_is_special(p[n]))
        n++;
#endif
    return n;
}

#endif

/* The first special byte from p on, end when there is none. */
static inline const char *bl_swar_find(const char *p, const char *end)
{
    while (end - p >= BL_SWAR_BYTES) {
        unsigned n = bl_swar_plain(p);

        p += n;
        if (n < BL_SWAR_BYTES) return p;
    }
    while (p < end && !bl_is_special(*p))
        p++;
    return p;
}

#endif
