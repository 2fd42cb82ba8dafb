/* SPDX-License-Identifier: Apache-2.0 */
/*
 * utf8 - is this text UTF-8, and if not, what may be passed on of it.
 *
 * Valid means RFC 3629: no overlong form, no surrogate, nothing above
 * U+10FFFF, nothing cut. U+0000 is valid here; who must refuse it does so.
 *
 * OWNERSHIP  nothing is kept.
 * THREADS    any.
 * ERRORS     only those of the buffer written to.
 */
#ifndef BL_UTF8_H
#define BL_UTF8_H

#include "buf.h"

#define BL_UTF8_REPLACEMENT "\xEF\xBF\xBD" /* U+FFFD */

/* Bytes of the valid character at text, 0 when there is none. */
size_t bl_utf8_char_len(const char *text, size_t len);

/* Length of the longest valid beginning of text. */
size_t bl_utf8_valid_len(const char *text, size_t len);
int bl_utf8_is_valid(const char *text, size_t len);

/* The largest n <= most at which valid text may be cut without cutting a
 * character. With most >= 4 and len > 0 it is never 0. */
size_t bl_utf8_cut(const char *text, size_t len, size_t most);

/* Appends text, every bad byte replaced by one U+FFFD (U19), until `most`
 * bytes were added or text ended. *ptaken is how much of text was used; bad
 * bytes are counted onto *pbad. Never appends a part of a character. */
apr_status_t bl_utf8_copy(bl_buf_t *out, const char *text, size_t len,
                          size_t most, size_t *ptaken, unsigned *pbad);

/* Writes the UTF-8 form of a code point (not a surrogate, <= 0x10FFFF) to
 * dst, which has room for 4 bytes. Returns its length. */
size_t bl_utf8_encode(char *dst, apr_uint32_t code);

/* The code point of the valid character at text; *plen its bytes. */
apr_uint32_t bl_utf8_decode(const char *text, size_t *plen);

#endif
