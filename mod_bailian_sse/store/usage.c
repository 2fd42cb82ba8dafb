/* SPDX-License-Identifier: Apache-2.0 */
#include "store/usage.h"

#include "base/time_text.h"
#include "store/store_private.h"

#define TOKENS_MOST 1000000000000ll /* S-60: sums stay far below 2^63 */

static apr_int64_t countable(apr_int64_t tokens)
{
    if (tokens < 0) return 0;
    return tokens < TOKENS_MOST ? tokens : TOKENS_MOST;
}

static apr_status_t add_to_day(bl_db_t *db, const bl_usage_t *u)
{
    static const char sql[] =
        "INSERT INTO usage_day (day, owner, app, key_id, streams, failures,"
        " input_tokens, output_tokens) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6, ?7)"
        " ON CONFLICT (day, owner, app, key_id) DO UPDATE SET"
        " streams = streams + 1, failures = failures + excluded.failures,"
        " input_tokens = input_tokens + excluded.input_tokens,"
        " output_tokens = output_tokens + excluded.output_tokens";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, u->at / BL_DAY_US);
    bl_db_text(st, 2, u->owner);
    bl_db_text(st, 3, u->app);
    bl_db_int(st, 4, u->key_id);
    bl_db_int(st, 5, u->is_failure);
    bl_db_int(st, 6, countable(u->input_tokens));
    bl_db_int(st, 7, countable(u->output_tokens));
    return bl_db_run(db, st, NULL);
}

/* Two statements: INSERT ... SELECT would keep a copy of each page that it
 * changes (stream_jobs.c). */
static apr_status_t look_up_and_add(bl_db_t *db, bl_usage_t u)
{
    static const char sql[] =
        "SELECT coalesce(s.asker, c.owner), s.app FROM stream s"
        " JOIN message m ON m.id = s.id"
        " JOIN conversation c ON c.id = m.conversation_id WHERE s.id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, u.stream);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        /* Its columns are ours until it is done. */
        u.owner = (const char *)sqlite3_column_text(st, 0);
        u.app = (const char *)sqlite3_column_text(st, 1);
        rv = add_to_day(db, &u);
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t bl_usage_add(bl_db_t *db, const bl_usage_t *u)
{
    return u->owner && u->app ? add_to_day(db, u) : look_up_and_add(db, *u);
}

apr_status_t bl_store_tokens_of_day(bl_store_t *s, const char *owner, int day,
                                    apr_int64_t *pn)
{
    static const char sql[] =
        "SELECT total(input_tokens) + total(output_tokens) FROM usage_day"
        " WHERE day = ?1 AND owner = ?2";
    sqlite3_stmt *st = NULL;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_own(s, owner, NULL, &db);

    *pn = 0;
    if (rv == APR_SUCCESS && !(st = bl_db_stmt(db, sql))) {
        rv = bl_db_failure(db);
    }
    if (rv == APR_SUCCESS) {
        bl_db_int(st, 1, day);
        bl_db_text(st, 2, owner);
        rv = bl_db_step(db, st);
    }
    if (rv == APR_SUCCESS) *pn = sqlite3_column_int64(st, 0);
    bl_db_done(st);
    bl_store_read_end(s, db);
    return rv;
}
