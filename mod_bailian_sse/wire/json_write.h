/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_write - text into a JSON string, on the hot path.
 *
 * OWNERSHIP  nothing is kept.
 * THREADS    any.
 * ERRORS     only those of the buffer; it stays marked, so that a writer may
 *            ask bl_buf_status() once at the end.
 */
#ifndef BL_JSON_WRITE_H
#define BL_JSON_WRITE_H

#include "base/buf.h"

/* A piece of text that lies somewhere else. */
typedef struct bl_span_t {
    const char *at;
    size_t len;
} bl_span_t;

/* Appends the contents of a JSON string, without its quotes. text is valid
 * UTF-8 and passes as it is; ascii_only: everything that is not ASCII as
 * \uXXXX, in surrogate pairs above U+FFFF (a bad byte then as \ufffd). */
apr_status_t bl_json_escape(bl_buf_t *out, const char *text, size_t len,
                            int ascii_only);

/* bl_json_escape() with its quotes, for a NUL-terminated text. */
apr_status_t bl_json_puts(bl_buf_t *out, const char *text);

/* What stands in out from `from` on, of which only JSON strings may hold more
 * than ASCII, becomes ASCII alone. Whole characters only. */
apr_status_t bl_json_to_ascii(bl_buf_t *out, size_t from);

#endif
