/* SPDX-License-Identifier: Apache-2.0 */
/* Lists and searches the conversations of one owner, and those that others
 * share with him, newest first, by pages
 * (scan.h). */
#include "store/history.h"
#include "store/lists.h"
#include "store/scan.h"
#include "store/store_private.h"

#include "base/errors.h"

#define LIMIT_DEFAULT 20
#define LIMIT_MOST 100

static apr_status_t put_page(bl_db_t *db, bl_scan_t *q, const char *owner,
                             int limit, bl_buf_t *out)
{
    static const char sql[] =
        "SELECT id, client_id, title, created_at, updated_at FROM conversation"
        " WHERE owner = ?1 AND (updated_at, id) < (?2, ?3)"
        " UNION ALL SELECT c.id, c.client_id, c.title, c.created_at,"
        " c.updated_at FROM conversation_member m"
        " JOIN conversation c ON c.id = m.conversation_id"
        " WHERE m.member = ?1 AND (c.updated_at, c.id) < (?2, ?3)"
        " ORDER BY 5 DESC, 1 DESC";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    int n = 0, is_hit, has_more = 0;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, owner);
    bl_db_int(st, 2, q->at.updated_at);
    bl_db_int(st, 3, q->at.id);
    bl_buf_puts(out, "{\"items\":[");
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        apr_int64_t id = sqlite3_column_int64(st, 0);

        has_more = n == limit || (q->count && bl_scan_is_spent(q));
        if (has_more) break;
        rv = bl_scan_fits(db, q, st, 2, id, &is_hit);
        if (rv == APR_SUCCESS && is_hit) {
            if (n++) bl_buf_puts(out, ",");
            rv = bl_json_put_new(out, bl_history_item_new(st, 1));
        }
        if (rv != APR_SUCCESS) break;
        q->at.updated_at = sqlite3_column_int64(st, 4);
        q->at.id = id;
    }
    bl_db_done(st);
    if (rv != APR_SUCCESS && rv != APR_EOF) return rv;
    return bl_scan_put_next(out, q, has_more);
}

static apr_status_t read_page(bl_db_t *db, bl_scan_t *q, const char *owner,
                              int limit, bl_buf_t *out)
{
    apr_status_t rv = bl_db_run(db, bl_db_stmt(db, "BEGIN"), NULL);

    if (rv == APR_SUCCESS) {
        rv = put_page(db, q, owner, limit, out);
        bl_db_abandon(db);
    }
    return rv;
}

apr_status_t bl_store_conversations(bl_store_t *s, const char *owner,
                                    const char *query, int limit,
                                    const char *cursor, bl_buf_t *out)
{
    size_t len = out->len;
    bl_scan_t q;
    bl_db_t *db;
    apr_status_t rv = bl_scan_begin(&q, query, cursor);

    if (limit <= 0) limit = LIMIT_DEFAULT;
    if (limit > LIMIT_MOST) limit = LIMIT_MOST;
    if (rv == APR_SUCCESS) rv = bl_store_read_own(s, owner, NULL, &db);
    if (rv == APR_SUCCESS) {
        rv = read_page(db, &q, owner, limit, out);
        bl_store_read_end(s, db);
    }
    bl_scan_release(&q);
    if (rv != APR_SUCCESS) out->len = len;
    return rv;
}
