/* SPDX-License-Identifier: Apache-2.0 */
/* admin_audit - api/audit: who did what to which object; JSON or CSV. */
#include "admin_objects.h"
#include "base/time_text.h"
#include "wire/csv.h"

#include <string.h>

#define CSV_ROWS 100000
#define CSV_PAGE 1000
#define CSV_BYTES (256 * 1024 * 1024)

static int time_param(bl_admin_call_t *a, const char *name, apr_time_t *pat,
                      int *prc)
{
    const char *text = bl_admin_param(a, name);

    if (!text || bl_time_parse(text, pat)) return 1;
    *prc = bl_admin_problem(a, BL_E_BAD_VALUE, name,
                            BL_SAY("must be a time as 2026-11-20T11:22:33Z, or "
                                   "milliseconds since 1970"));
    return 0;
}

static int read_ask(bl_admin_call_t *a, bl_audit_ask_t *ask, int *prc)
{
    const char *cursor = bl_admin_param(a, "cursor");
    apr_int64_t limit = 100;

    memset(ask, 0, sizeof(*ask));
    if (!bl_admin_number(a, "limit", 1, 500, &limit, prc) ||
        !time_param(a, "from", &ask->from, prc) ||
        !time_param(a, "to", &ask->to, prc) ||
        (cursor &&
         !bl_admin_number(a, "cursor", 1, INT64_MAX, &ask->before, prc)))
    {
        return 0;
    }
    ask->actor = bl_admin_param(a, "actor");
    ask->action = bl_admin_param(a, "action");
    ask->object = bl_admin_param(a, "object");
    ask->outcome = bl_admin_param(a, "outcome");
    ask->q = bl_admin_param(a, "q");
    ask->limit = (int)limit;
    return 1;
}

static apr_int64_t last_id(const json_t *rows)
{
    size_t n = json_array_size(rows);

    return n ? json_integer_value(
                   json_object_get(json_array_get(rows, n - 1), "id"))
             : 0;
}

/* --- CSV ---------------------------------------------------------------- */

static void put_row(bl_csv_t *csv, const json_t *row)
{
    static const char *const names[] = {"at",     "actor",  "from",   "action",
                                        "object", "detail", "outcome"};
    size_t i;

    bl_csv_int(csv, json_integer_value(json_object_get(row, "id")));
    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        bl_csv_text(csv, json_string_value(json_object_get(row, names[i])));
    bl_csv_end_row(csv);
}

/* In pages: no transaction of a reader is long (D05). */
static apr_status_t put_all(bl_admin_call_t *a, bl_audit_ask_t *ask,
                            bl_csv_t *csv)
{
    apr_status_t rv = APR_SUCCESS;
    json_t *rows, *row;
    size_t i, n = CSV_PAGE;
    int sum = 0;

    ask->limit = CSV_PAGE;
    while (rv == APR_SUCCESS && n == CSV_PAGE && sum < CSV_ROWS) {
        rv = bl_store_audit_rows(a->store, ask, &rows);
        if (rv != APR_SUCCESS) return rv;
        json_array_foreach(rows, i, row) put_row(csv, row);
        n = json_array_size(rows);
        sum += (int)n;
        ask->before = last_id(rows);
        json_decref(rows);
        rv = bl_buf_status(csv->out);
    }
    return rv;
}

static int send_csv(bl_admin_call_t *a, bl_audit_ask_t *ask)
{
    bl_buf_t out;
    bl_csv_t csv;

    bl_buf_init(&out, CSV_BYTES);
    bl_csv_begin(&csv, &out, "id,at,actor,from,action,object,detail,outcome");
    return bl_call_answer_file(a->r, a->call, put_all(a, ask, &csv),
                               "text/csv; charset=utf-8", "audit.csv", &out);
}

/* --- JSON --------------------------------------------------------------- */

static int audit(bl_admin_call_t *a)
{
    const char *format = bl_admin_param(a, "format"), *next = NULL;
    bl_audit_ask_t ask;
    json_t *rows;
    apr_status_t rv;
    int rc;

    if (!read_ask(a, &ask, &rc)) return rc;
    if (format && !strcmp(format, "csv")) return send_csv(a, &ask);
    if (format && strcmp(format, "json") != 0) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "format",
                                BL_SAY("must be json or csv"));
    }
    ask.limit++;
    rv = bl_store_audit_rows(a->store, &ask, &rows);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    if (json_array_size(rows) == (size_t)ask.limit) {
        json_array_remove(rows, (size_t)ask.limit - 1);
        next = apr_psprintf(a->r->pool, "%" APR_INT64_T_FMT, last_id(rows));
    }
    return bl_admin_send_list(a, rows, next);
}

const bl_route_t bl_admin_audit_routes[] = {
    {"GET", "api/audit", BL_ROLE_VIEWER, audit},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
