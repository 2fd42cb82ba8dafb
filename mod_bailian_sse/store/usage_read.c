/* SPDX-License-Identifier: Apache-2.0 */
#include "store/usage_read.h"

#include "store/store_private.h"

/* ?1 to ?2 days, ?3 user, ?4 app, ?5 key, ?6 how many groups. Columns of the
 * sums are the same everywhere; the last one counts all groups. */
#define SUMS                                                                   \
    " sum(streams), sum(failures), sum(input_tokens), sum(output_tokens),"     \
    " count(*) OVER () FROM usage_day d"
#define FITS                                                                   \
    " WHERE d.day BETWEEN ?1 AND ?2 AND (?3 IS NULL OR d.owner = ?3)"          \
    " AND (?4 IS NULL OR d.app = ?4) AND (?5 IS NULL OR d.key_id = ?5)"
#define LARGEST " ORDER BY sum(streams) DESC, 1 LIMIT ?6"

static const char sql_day[] = "SELECT d.day, NULL, NULL, NULL," SUMS FITS
                              " GROUP BY d.day ORDER BY d.day DESC LIMIT ?6";
static const char sql_user[] =
    "SELECT d.owner, NULL, NULL, NULL," SUMS FITS " GROUP BY d.owner" LARGEST;
static const char sql_app[] =
    "SELECT d.app, NULL, NULL, NULL," SUMS FITS " GROUP BY d.app" LARGEST;
static const char sql_key[] =
    "SELECT d.key_id, k.name, k.last4, p.name," SUMS
    " LEFT JOIN api_key k ON k.id = d.key_id"
    " LEFT JOIN upstream p ON p.id = k.upstream_id" FITS
    " GROUP BY d.key_id" LARGEST;
static const char sql_total[] =
    "SELECT NULL, NULL, NULL, NULL," SUMS FITS " LIMIT ?6";

static const char *sql_of(bl_usage_by_t by)
{
    switch (by) {
    case BL_USAGE_BY_DAY:
        return sql_day;
    case BL_USAGE_BY_USER:
        return sql_user;
    case BL_USAGE_BY_APP:
        return sql_app;
    case BL_USAGE_BY_KEY:
        return sql_key;
    default:
        return sql_total;
    }
}

static const char *text_of(sqlite3_stmt *st, int column)
{
    return (const char *)sqlite3_column_text(st, column);
}

static void read_row(sqlite3_stmt *st, bl_usage_by_t by, bl_usage_row_t *row)
{
    row->number = by == BL_USAGE_BY_DAY || by == BL_USAGE_BY_KEY
                      ? sqlite3_column_int64(st, 0)
                      : 0;
    row->name = by == BL_USAGE_BY_KEY ? text_of(st, 1) : text_of(st, 0);
    row->last4 = text_of(st, 2);
    row->upstream = text_of(st, 3);
    row->streams = sqlite3_column_int64(st, 4);
    row->failures = sqlite3_column_int64(st, 5);
    row->input_tokens = sqlite3_column_int64(st, 6);
    row->output_tokens = sqlite3_column_int64(st, 7);
    row->groups = sqlite3_column_int64(st, 8);
}

static apr_status_t read_rows(bl_db_t *db, const bl_usage_filter_t *f,
                              bl_usage_row_fn *fn, void *ctx)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql_of(f->by));
    bl_usage_row_t row;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, f->from_day);
    bl_db_int(st, 2, f->to_day);
    bl_db_text(st, 3, f->user);
    bl_db_text(st, 4, f->app);
    if (f->has_key) bl_db_int(st, 5, f->key_id);
    bl_db_int(st, 6, f->most);
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        read_row(st, f->by, &row);
        rv = fn(ctx, &row);
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t bl_store_usage(bl_store_t *s, const bl_usage_filter_t *f,
                            bl_usage_row_fn *fn, void *ctx)
{
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv == APR_SUCCESS) rv = read_rows(db, f, fn, ctx);
    bl_store_read_end(s, db);
    return rv;
}
