/* SPDX-License-Identifier: Apache-2.0 */
#include "store/members.h"

#include "base/errors.h"
#include "crypto/token.h"
#include "store/history.h"
#include "store/lists.h"
#include "store/store_private.h"

#include <string.h>

#define PREFIX "shared-"
#define PREFIX_LEN (sizeof(PREFIX) - 1)

int bl_shared_id_is(const char *id)
{
    return !strncmp(id, PREFIX, PREFIX_LEN) &&
           strspn(id + PREFIX_LEN, "0123456789abcdef") == BL_ID_TEXT &&
           !id[PREFIX_LEN + BL_ID_TEXT];
}

/* --- who may ------------------------------------------------------------ */

/* Columns id, owner: of the one that ?1 owns or is a member of. */
static const char sql_find[] =
    "SELECT id, owner FROM conversation WHERE owner = ?1 AND client_id = ?2"
    " UNION ALL SELECT c.id, c.owner FROM conversation_member m"
    " JOIN conversation c ON c.id = m.conversation_id"
    " WHERE m.shared_id = ?2 AND m.member = ?1 LIMIT 1";

/* pid may be NULL. */
static apr_status_t find(bl_db_t *db, const char *who, const char *id,
                         apr_int64_t *pid, char owner[BL_PRINCIPAL_BYTES])
{
    sqlite3_stmt *st = bl_db_stmt(db, sql_find);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, who);
    bl_db_text(st, 2, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        if (pid) *pid = sqlite3_column_int64(st, 0);
        bl_db_copy(st, 1, owner, BL_PRINCIPAL_BYTES);
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_store_shared_owner(bl_store_t *s, const char *who,
                                   const char *id,
                                   char owner[BL_PRINCIPAL_BYTES])
{
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv != APR_SUCCESS) return rv;
    rv = find(db, who, id, NULL, owner);
    bl_store_read_end(s, db);
    return rv;
}

apr_status_t bl_store_stream_shared(bl_store_t *s, const char *who,
                                    const char *stream_id,
                                    char owner[BL_PRINCIPAL_BYTES])
{
    static const char sql[] =
        "SELECT c.owner FROM stream s JOIN message m ON m.id = s.id"
        " JOIN conversation c ON c.id = m.conversation_id"
        " JOIN conversation_member w ON w.shared_id = c.client_id"
        " AND w.member = ?2 AND w.conversation_id = c.id"
        " WHERE s.stream_id = ?1";
    unsigned char id[BL_ID_BYTES];
    sqlite3_stmt *st;
    bl_db_t *db;
    apr_status_t rv;

    if (!bl_unhex(id, sizeof(id), stream_id)) return BL_E_NOT_FOUND;
    rv = bl_store_read_begin(s, &db);
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (st) bl_db_blob(st, 1, id, sizeof(id));
    if (st) bl_db_text(st, 2, who);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) bl_db_copy(st, 0, owner, BL_PRINCIPAL_BYTES);
    bl_db_done(st);
    bl_store_read_end(s, db);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

/* --- who they are ------------------------------------------------------- */

/* Columns member, added_at; st is for the caller to end. */
static sqlite3_stmt *members_of(bl_db_t *db, apr_int64_t conversation)
{
    static const char sql[] =
        "SELECT member, added_at FROM conversation_member"
        " WHERE conversation_id = ?1 ORDER BY added_at, member";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_int(st, 1, conversation);
    return st;
}

apr_status_t bl_store_each_member(bl_store_t *s, const char *who,
                                  const char *id, bl_member_fn *fn, void *ctx)
{
    char owner[BL_PRINCIPAL_BYTES], member[BL_PRINCIPAL_BYTES];
    sqlite3_stmt *st = NULL;
    apr_int64_t row;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv != APR_SUCCESS) return rv;
    rv = find(db, who, id, &row, owner);
    if (rv == APR_SUCCESS) {
        fn(ctx, owner);
        st = members_of(db, row);
        while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
            bl_db_copy(st, 0, member, sizeof(member));
            fn(ctx, member);
        }
        bl_db_done(st);
    }
    bl_store_read_end(s, db);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t put_members(bl_db_t *db, apr_int64_t row, bl_buf_t *out)
{
    sqlite3_stmt *st = members_of(db, row);
    apr_status_t rv;
    int n = 0;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        if (n++) bl_buf_puts(out, ",");
        rv = bl_json_put_new(
            out,
            json_pack("{s:o,s:o}", "member", bl_column_text_new(st, 0),
                      "addedAt", bl_time_new(sqlite3_column_int64(st, 1))));
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t bl_store_members(bl_store_t *s, const char *who, const char *id,
                              bl_buf_t *out)
{
    char owner[BL_PRINCIPAL_BYTES];
    size_t len = out->len;
    apr_int64_t row;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_own(s, who, id, &db);

    if (rv != APR_SUCCESS) return rv;
    rv = find(db, who, id, &row, owner);
    if (rv == APR_SUCCESS) {
        rv = bl_json_put_members_new(
            out, json_pack("{s:s,s:s}", "conversationId", id, "owner", owner));
    }
    if (rv == APR_SUCCESS) {
        bl_buf_puts(out, ",\"members\":[");
        rv = put_members(db, row, out);
        bl_buf_puts(out, "]");
    }
    bl_store_read_end(s, db);
    if (rv == APR_SUCCESS) rv = bl_buf_status(out);
    if (rv != APR_SUCCESS) out->len = len;
    return rv;
}

/* --- changes ------------------------------------------------------------ */

typedef struct change_t {
    const char *owner, *id, *member;
    apr_time_t at;
    char *shared_id;
    apr_int64_t row;
} change_t;

/* Its id becomes one that can be shared, unless it is. */
static apr_status_t share(bl_db_t *db, change_t *c)
{
    static const char sql[] =
        "UPDATE conversation SET client_id = ?2 WHERE id = ?1";
    unsigned char bytes[BL_ID_BYTES];
    sqlite3_stmt *st;

    memcpy(c->shared_id, PREFIX, PREFIX_LEN);
    if (bl_shared_id_is(c->id)) {
        memcpy(c->shared_id, c->id, BL_SHARED_ID_BYTES);
        return APR_SUCCESS;
    }
    if (bl_random_bytes(bytes, sizeof(bytes)) != APR_SUCCESS) {
        return BL_E_OVERLOADED;
    }
    bl_hex(c->shared_id + PREFIX_LEN, bytes, sizeof(bytes));
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->row);
    bl_db_text(st, 2, c->shared_id);
    return bl_db_run(db, st, NULL);
}

static apr_status_t insert(bl_db_t *db, const change_t *c)
{
    static const char sql[] =
        "INSERT INTO conversation_member (shared_id, member, conversation_id,"
        " added_at) VALUES (?1, ?2, ?3, ?4) ON CONFLICT DO NOTHING";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->shared_id);
    bl_db_text(st, 2, c->member);
    bl_db_int(st, 3, c->row);
    bl_db_int(st, 4, c->at);
    return bl_db_run(db, st, NULL);
}

static apr_status_t check_count(bl_db_t *db, apr_int64_t conversation)
{
    static const char sql[] = "SELECT count(*) FROM conversation_member"
                              " WHERE conversation_id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, conversation);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS && sqlite3_column_int64(st, 0) > BL_MEMBERS_MOST) {
        rv = BL_E_CONFLICT;
    }
    bl_db_done(st);
    return rv;
}

static apr_status_t do_add(bl_db_t *db, void *ctx)
{
    change_t *c = ctx;
    apr_status_t rv = bl_history_find(db, c->owner, c->id, &c->row);

    if (rv == APR_SUCCESS) rv = share(db, c);
    if (rv == APR_SUCCESS) rv = insert(db, c);
    return rv == APR_SUCCESS ? check_count(db, c->row) : rv;
}

apr_status_t bl_store_do_member_add(bl_store_t *s, const char *owner,
                                    const char *id, const char *member,
                                    apr_time_t at,
                                    char shared_id[BL_SHARED_ID_BYTES])
{
    change_t c = {owner, id, member, at, shared_id, 0};

    return strcmp(owner, member) ? bl_store_do(s, do_add, &c) : BL_E_BAD_VALUE;
}

static apr_status_t do_remove(bl_db_t *db, void *ctx)
{
    static const char sql[] = "DELETE FROM conversation_member"
                              " WHERE conversation_id = ?1 AND member = ?2";
    change_t *c = ctx;
    apr_status_t rv = bl_history_find(db, c->owner, c->id, &c->row);
    sqlite3_stmt *st;
    int changed;

    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->row);
    bl_db_text(st, 2, c->member);
    rv = bl_db_run(db, st, &changed);
    return rv == APR_SUCCESS && !changed ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_store_do_member_remove(bl_store_t *s, const char *owner,
                                       const char *id, const char *member)
{
    change_t c = {owner, id, member, 0, NULL, 0};

    return bl_store_do(s, do_remove, &c);
}
