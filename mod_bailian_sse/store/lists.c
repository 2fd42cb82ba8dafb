/* SPDX-License-Identifier: Apache-2.0 */
#include "store/lists.h"

#include "base/time_text.h"
#include "store/store_private.h"

#define FLAGS JSON_REAL_PRECISION(15)

static apr_status_t put_new(bl_buf_t *out, json_t *value, size_t flags)
{
    apr_status_t rv = value ? bl_json_write(out, value, flags) : APR_ENOMEM;

    json_decref(value);
    return rv;
}

apr_status_t bl_json_put_new(bl_buf_t *out, json_t *value)
{
    return put_new(out, value, FLAGS);
}

apr_status_t bl_json_put_members_new(bl_buf_t *out, json_t *object)
{
    return put_new(out, object, FLAGS | JSON_EMBED);
}

json_t *bl_column_text_new(sqlite3_stmt *st, int column)
{
    const char *s = (const char *)sqlite3_column_text(st, column);

    if (!s) return json_null();
    return json_stringn(s, (size_t)sqlite3_column_bytes(st, column));
}

json_t *bl_time_new(apr_time_t at)
{
    char text[BL_TIME_TEXT];

    return at && *bl_time_text(text, at) ? json_string(text) : json_null();
}

apr_status_t bl_list_rows_bound(bl_store_t *s, const char *sql,
                                bl_row_bind_fn *bind, void *bind_ctx,
                                bl_row_new_fn *fn, void *ctx, json_t **prows)
{
    json_t *rows = json_array();
    sqlite3_stmt *st = NULL;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    *prows = NULL;
    if (rv == APR_SUCCESS) {
        st = bl_db_stmt(db, sql);
        if (st && bind) bind(st, bind_ctx);
        while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
            if (json_array_append_new(rows, fn(st, ctx)) == 0) continue;
            rv = APR_ENOMEM;
            break;
        }
    }
    bl_db_done(st);
    bl_store_read_end(s, db);
    if (rv == APR_EOF) {
        *prows = rows;
        return APR_SUCCESS;
    }
    json_decref(rows);
    return rv;
}
