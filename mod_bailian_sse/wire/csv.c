/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/csv.h"

#include <string.h>

#define MARK "\xef\xbb\xbf"

void bl_csv_begin(bl_csv_t *csv, bl_buf_t *out, const char *names)
{
    csv->out = out;
    csv->cells = 0;
    bl_buf_puts(out, MARK);
    bl_buf_puts(out, names);
    bl_buf_puts(out, "\r\n");
}

static void begin_cell(bl_csv_t *csv)
{
    if (csv->cells++) bl_buf_puts(csv->out, ",");
}

/* Blanks in front do not hide a formula from every spreadsheet, and some take
 * a full-width sign for the sign. */
static int is_formula(const char *text, size_t len)
{
    static const char *const wide[] = {"\xef\xbc\x9d", "\xef\xbc\x8b",
                                       "\xef\xbc\x8d", "\xef\xbc\xa0"};
    size_t i;

    if (!len) return 0;
    if (memchr("\t\r\n", text[0], 3)) return 1;
    while (len && *text == ' ') {
        text++;
        len--;
    }
    for (i = 0; i < sizeof(wide) / sizeof(wide[0]); i++) {
        if (len >= 3 && !memcmp(text, wide[i], 3)) return 1;
    }
    return len && memchr("=+-@\t\r\n", *text, 7) != NULL;
}

static int needs_quotes(const char *text, size_t len)
{
    size_t i;

    for (i = 0; i < len; i++) {
        if (memchr("\",;\t\r\n", text[i], 6)) return 1;
    }
    return 0;
}

void bl_csv_text_n(bl_csv_t *csv, const char *text, size_t len)
{
    const char *quote;

    begin_cell(csv);
    if (!len) return;
    if (!needs_quotes(text, len)) {
        if (is_formula(text, len)) bl_buf_puts(csv->out, "'");
        bl_buf_append(csv->out, text, len);
        return;
    }
    bl_buf_puts(csv->out, is_formula(text, len) ? "\"'" : "\"");
    while ((quote = memchr(text, '"', len)) != NULL) {
        bl_buf_append(csv->out, text, (size_t)(quote - text) + 1);
        bl_buf_puts(csv->out, "\"");
        len -= (size_t)(quote - text) + 1;
        text = quote + 1;
    }
    bl_buf_append(csv->out, text, len);
    bl_buf_puts(csv->out, "\"");
}

void bl_csv_text(bl_csv_t *csv, const char *text)
{
    bl_csv_text_n(csv, text ? text : "", text ? strlen(text) : 0);
}

void bl_csv_int(bl_csv_t *csv, apr_int64_t n)
{
    begin_cell(csv);
    bl_buf_printf(csv->out, "%" APR_INT64_T_FMT, n);
}

void bl_csv_end_row(bl_csv_t *csv)
{
    bl_buf_puts(csv->out, "\r\n");
    csv->cells = 0;
}
