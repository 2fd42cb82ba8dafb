/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jansson.h>

#define COLUMNS_MOST 16
#define WIDTH_MOST 48

/* malloc'd; never NULL but without memory. */
static char *cell_text(const json_t *v)
{
    if (!v || json_is_null(v)) return strdup("-");
    if (json_is_string(v)) return strdup(json_string_value(v));
    if (json_is_boolean(v)) return strdup(json_is_true(v) ? "yes" : "no");
    return json_dumps(v,
                      JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
}

/* Characters, not bytes: good enough for names and paths. */
static int width_of(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static void print_cell(const char *s, int width, int is_last)
{
    int pad = width - width_of(s);

    fputs(s, stdout);
    for (; !is_last && pad > -2; pad--)
        fputc(' ', stdout);
}

static void measure(const json_t *rows, const bl_column_t *columns, int *widths)
{
    size_t i;
    int c;

    for (c = 0; columns[c].title; c++) {
        widths[c] = width_of(columns[c].title);
        for (i = 0; i < json_array_size(rows); i++) {
            char *s = cell_text(
                json_object_get(json_array_get(rows, i), columns[c].field));
            int n = s ? width_of(s) : 0;

            if (n > widths[c]) widths[c] = n < WIDTH_MOST ? n : WIDTH_MOST;
            free(s);
        }
    }
}

int bl_print_table(const char *json, size_t len, const bl_column_t *columns)
{
    json_t *rows = json_loadb(json, len, 0, NULL);
    int widths[COLUMNS_MOST], c;
    size_t i;

    if (!json_is_array(rows)) {
        json_decref(rows);
        return 0;
    }
    measure(rows, columns, widths);
    for (c = 0; columns[c].title; c++)
        print_cell(columns[c].title, widths[c], !columns[c + 1].title);
    fputc('\n', stdout);
    for (i = 0; i < json_array_size(rows); i++) {
        for (c = 0; columns[c].title; c++) {
            char *s = cell_text(
                json_object_get(json_array_get(rows, i), columns[c].field));

            print_cell(s ? s : "", widths[c], !columns[c + 1].title);
            free(s);
        }
        fputc('\n', stdout);
    }
    json_decref(rows);
    return 1;
}
