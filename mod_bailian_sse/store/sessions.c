/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sessions - the mini-program family knows a conversation by the id that the
 * client gave it, and asks for its newest answer.
 */
#include "store/store_private.h"
#include "base/errors.h"
#include "crypto/token.h"

#include <string.h>

/* The conversation's owner, and its newest stream. Messages of the user are
 * no streams. */
#define NEWEST                                                                 \
    "SELECT s.stream_id, c.owner FROM conversation c"                          \
    " JOIN message m ON m.conversation_id = c.id"                              \
    " JOIN stream s ON s.id = m.id WHERE c.client_id = ?2"

static apr_status_t read_row(bl_db_t *db, sqlite3_stmt *st,
                             bl_session_stream_t *out)
{
    apr_status_t rv = bl_db_step(db, st);

    if (rv == APR_EOF) return BL_E_NOT_FOUND;
    if (rv != APR_SUCCESS) return rv;
    bl_hex(out->stream_id, sqlite3_column_blob(st, 0), BL_ID_BYTES);
    bl_db_copy(st, 1, out->owner, sizeof(out->owner));
    return APR_SUCCESS;
}

static apr_status_t find(bl_db_t *db, const char *sql, const char *owner,
                         const char *session_id, bl_session_stream_t *out)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, owner);
    bl_db_text(st, 2, session_id);
    rv = read_row(db, st, out);
    bl_db_done(st);
    return rv;
}

apr_status_t bl_store_session_stream(bl_store_t *s, const char *owner,
                                     int is_anybodys, const char *session_id,
                                     bl_session_stream_t *out)
{
    /* Two anonymous callers with one session id: neither's can be told. */
    static const char anonymous[] =
        NEWEST " AND c.owner >= 'anon:' AND c.owner < 'anon;' AND ?1 <> ''"
               " AND NOT EXISTS (SELECT 1 FROM conversation o"
               " WHERE o.client_id = ?2 AND o.owner <> c.owner"
               " AND o.owner >= 'anon:' AND o.owner < 'anon;')"
               " ORDER BY m.id DESC LIMIT 1";
    static const char own[] =
        NEWEST " AND c.owner = ?1 ORDER BY m.id DESC LIMIT 1";
    bl_db_t *db;
    apr_status_t rv = bl_store_read_own(s, owner, session_id, &db);

    memset(out, 0, sizeof(*out));
    if (rv == APR_SUCCESS) {
        rv = find(db, is_anybodys ? anonymous : own, owner, session_id, out);
    }
    bl_store_read_end(s, db);
    return rv;
}
