/* SPDX-License-Identifier: Apache-2.0 */
/*
 * csv - rows for spreadsheets (RFC 4180, CRLF, UTF-8 with a mark at the
 * start, which one of them needs to know that it is UTF-8).
 *
 * A cell that begins as a formula does gets an apostrophe in front, so that
 * text somebody else chose is never run (S-29). Numbers are not touched.
 *
 * OWNERSHIP  the struct is the caller's; out is borrowed.
 * THREADS    any.
 * ERRORS     only those of the buffer.
 */
#ifndef BL_CSV_H
#define BL_CSV_H

#include "base/buf.h"

typedef struct bl_csv_t {
    bl_buf_t *out;
    int cells; /* of this row so far */
} bl_csv_t;

/* names: "day,streams,..." as it stands in the first line. */
void bl_csv_begin(bl_csv_t *csv, bl_buf_t *out, const char *names);
void bl_csv_text(bl_csv_t *csv, const char *text); /* NULL: an empty cell */
void bl_csv_text_n(bl_csv_t *csv, const char *text, size_t len);
void bl_csv_int(bl_csv_t *csv, apr_int64_t n);
void bl_csv_end_row(bl_csv_t *csv);

#endif
