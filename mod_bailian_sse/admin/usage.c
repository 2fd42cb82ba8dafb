/* SPDX-License-Identifier: Apache-2.0 */
#include "usage.h"
#include "base/clock.h"
#include "base/time_text.h"
#include "wire/csv.h"
#include "wire/json_write.h"

#include <stdio.h>
#include <string.h>

#define DAYS_DEFAULT 30
#define DAYS_MOST 366
#define ROWS_MOST 1000
#define CSV_ROWS_MOST 100000

static const char *const by_names[] = {"day", "user", "app", "key"};

/* --- the question ------------------------------------------------------- */

static int take_by(bl_params_t *p, bl_usage_filter_t *f)
{
    const char *name = p->get(p->ctx, "by");
    int i;

    if (!name) return 1;
    for (i = BL_USAGE_BY_DAY; i <= BL_USAGE_BY_KEY; i++) {
        if (strcmp(by_names[i], name)) continue;
        f->by = (bl_usage_by_t)i;
        return 1;
    }
    return bl_params_refuse(p, "by", BL_SAY("must be day, user, app or key"));
}

static int take_days(bl_params_t *p, bl_usage_filter_t *f)
{
    f->to_day = bl_clock_wall() / BL_DAY_US;
    if (!bl_params_day(p, "to", &f->to_day)) return 0;
    f->from_day = f->to_day - DAYS_DEFAULT + 1;
    if (!bl_params_day(p, "from", &f->from_day)) return 0;
    if (f->from_day <= f->to_day && f->to_day - f->from_day < DAYS_MOST) {
        return 1;
    }
    return bl_params_refuse(p, "from",
                            BL_SAY("The first day must be no later than the "
                                   "last, and at most 365 days earlier."));
}

static int take_format(bl_params_t *p, int *pis_csv)
{
    const char *name = p->get(p->ctx, "format");

    *pis_csv = name && !strcmp(name, "csv");
    if (!name || *pis_csv || !strcmp(name, "json")) return 1;
    return bl_params_refuse(p, "format", BL_SAY("must be json or csv"));
}

apr_status_t bl_admin_usage_filter(bl_params_t *p, bl_usage_filter_t *f,
                                   int *pis_csv)
{
    memset(f, 0, sizeof(*f));
    take_by(p, f);
    take_days(p, f);
    take_format(p, pis_csv);
    f->user = p->get(p->ctx, "user");
    f->app = p->get(p->ctx, "app");
    f->has_key = p->get(p->ctx, "key") != NULL;
    bl_params_number(p, "key", 0, APR_INT64_MAX, &f->key_id);
    f->most = *pis_csv ? CSV_ROWS_MOST : ROWS_MOST;
    return p->rv;
}

/* --- the answer --------------------------------------------------------- */

/* NULL: no key was used. */
static const char *name_of(const bl_usage_filter_t *f,
                           const bl_usage_row_t *row, char text[64])
{
    if (f->by == BL_USAGE_BY_DAY) return bl_day_text(text, row->number);
    if (f->by != BL_USAGE_BY_KEY || row->name) return row->name;
    if (!row->number) return NULL;
    snprintf(text, 64, "deleted key %" APR_INT64_T_FMT, row->number);
    return text;
}

typedef struct answer_t {
    const bl_usage_filter_t *f;
    bl_buf_t *out;
    bl_csv_t csv;
    apr_int64_t rows, groups;
} answer_t;

static void put_text(bl_buf_t *out, const char *name, const char *text)
{
    bl_buf_printf(out, "\"%s\":", name);
    if (text)
        bl_json_puts(out, text);
    else
        bl_buf_puts(out, "null");
    bl_buf_puts(out, ",");
}

static void put_sums(bl_buf_t *out, const bl_usage_row_t *row)
{
    bl_buf_printf(
        out, "\"streams\":%" APR_INT64_T_FMT ",\"failures\":%" APR_INT64_T_FMT,
        row->streams, row->failures);
    bl_buf_printf(out,
                  ",\"inputTokens\":%" APR_INT64_T_FMT
                  ",\"outputTokens\":%" APR_INT64_T_FMT "}",
                  row->input_tokens, row->output_tokens);
}

static apr_status_t put_item(void *ctx, const bl_usage_row_t *row)
{
    answer_t *a = ctx;
    char text[64];

    bl_buf_puts(a->out, a->rows++ ? ",{" : "{");
    put_text(a->out, "name", name_of(a->f, row, text));
    if (a->f->by == BL_USAGE_BY_KEY) {
        bl_buf_printf(a->out, "\"keyId\":%" APR_INT64_T_FMT ",", row->number);
        put_text(a->out, "last4", row->last4);
        put_text(a->out, "upstream", row->upstream);
    }
    put_sums(a->out, row);
    a->groups = row->groups;
    return bl_buf_status(a->out);
}

static apr_status_t put_total(void *ctx, const bl_usage_row_t *row)
{
    answer_t *a = ctx;

    bl_buf_puts(a->out, "{");
    put_sums(a->out, row);
    return bl_buf_status(a->out);
}

apr_status_t bl_admin_usage(bl_store_t *s, const bl_usage_filter_t *f,
                            bl_buf_t *out)
{
    bl_usage_filter_t total = *f;
    answer_t a;
    char from[BL_DAY_TEXT], to[BL_DAY_TEXT];
    apr_status_t rv;

    memset(&a, 0, sizeof(a));
    a.f = f;
    a.out = out;
    total.by = BL_USAGE_TOTAL;
    bl_buf_printf(out,
                  "{\"by\":\"%s\",\"from\":\"%s\",\"to\":\"%s\",\"total\":",
                  by_names[f->by], bl_day_text(from, f->from_day),
                  bl_day_text(to, f->to_day));
    rv = bl_store_usage(s, &total, put_total, &a);
    bl_buf_puts(out, ",\"items\":[");
    if (rv == APR_SUCCESS) rv = bl_store_usage(s, f, put_item, &a);
    bl_buf_printf(out, "],\"more\":%" APR_INT64_T_FMT "}\n", a.groups - a.rows);
    return rv == APR_SUCCESS ? bl_buf_status(out) : rv;
}

static apr_status_t put_row(void *ctx, const bl_usage_row_t *row)
{
    answer_t *a = ctx;
    char text[64];

    bl_csv_text(&a->csv, name_of(a->f, row, text));
    if (a->f->by == BL_USAGE_BY_KEY) {
        bl_csv_int(&a->csv, row->number);
        bl_csv_text(&a->csv, row->last4);
        bl_csv_text(&a->csv, row->upstream);
    }
    bl_csv_int(&a->csv, row->streams);
    bl_csv_int(&a->csv, row->failures);
    bl_csv_int(&a->csv, row->input_tokens);
    bl_csv_int(&a->csv, row->output_tokens);
    bl_csv_end_row(&a->csv);
    return bl_buf_status(a->out);
}

apr_status_t bl_admin_usage_csv(bl_store_t *s, const bl_usage_filter_t *f,
                                bl_buf_t *out)
{
    answer_t a;

    memset(&a, 0, sizeof(a));
    a.f = f;
    a.out = out;
    bl_csv_begin(&a.csv, out,
                 f->by == BL_USAGE_BY_KEY
                     ? "name,keyId,last4,upstream,streams,failures,inputTokens,"
                       "outputTokens"
                     : "name,streams,failures,inputTokens,outputTokens");
    return bl_store_usage(s, f, put_row, &a);
}
