/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which running process knows which master key. A process reads the master key
 * file once, before it drops its privileges, so a key that was added later is
 * unknown to it: stored keys move to a new master key only when every process
 * that lives can open them afterwards (D15).
 *
 * setting "keyring.<child id>" holds the id of the newest master key that child
 * knows; rows of dead children are removed when the next one starts.
 */
#include "store/store_private.h"

#include "base/errors.h"
#include "crypto/keyring.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREFIX "keyring."
#define NO_KEYRING 0 /* opens no stored key, now or later */

static const char sql_next[] = "SELECT name FROM setting"
                               " WHERE name > ?1 AND name GLOB 'keyring.*'"
                               " ORDER BY name LIMIT 1";

typedef struct entry_t {
    char name[48];
    apr_int64_t child_id;
} entry_t;

static apr_status_t next_entry(bl_db_t *db, entry_t *e)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql_next);
    char after[sizeof(e->name)];
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    memcpy(after, e->name, sizeof(after));
    bl_db_text(st, 1, after);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        bl_db_copy(st, 0, e->name, sizeof(e->name));
        e->child_id = strtoll(e->name + sizeof(PREFIX) - 1, NULL, 10);
    }
    bl_db_done(st);
    return rv;
}

static int is_dead(bl_store_t *s, apr_int64_t child_id)
{
    if (child_id == s->child_id) return 0;
    if (bl_lock_take_child(s->lock, child_id) != APR_SUCCESS) return 0;
    bl_lock_release_child(s->lock, child_id);
    return 1;
}

static apr_status_t forget_dead(bl_store_t *s, bl_db_t *db)
{
    static const char sql[] = "DELETE FROM setting WHERE name = ?1";
    entry_t e;
    apr_status_t rv;

    memset(&e, 0, sizeof(e));
    while ((rv = next_entry(db, &e)) == APR_SUCCESS) {
        sqlite3_stmt *st;

        if (!is_dead(s, e.child_id)) continue;
        st = bl_db_stmt(db, sql);
        if (st) bl_db_text(st, 1, e.name);
        rv = bl_db_run(db, st, NULL);
        if (rv != APR_SUCCESS) break;
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t remember_mine(bl_store_t *s, bl_db_t *db)
{
    static const char sql[] = "INSERT OR REPLACE INTO setting (name, value)"
                              " VALUES (?1, CAST(?2 AS TEXT))";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    char name[48];

    if (!st) return bl_db_failure(db);
    snprintf(name, sizeof(name), PREFIX "%" APR_INT64_T_FMT, s->child_id);
    bl_db_text(st, 1, name);
    bl_db_int(st, 2, s->keyring ? bl_keyring_newest(s->keyring) : NO_KEYRING);
    return bl_db_run(db, st, NULL);
}

int bl_keyrings_wt_enter(bl_store_t *s, bl_db_t *db)
{
    apr_status_t rv = bl_db_begin(db, 0);

    if (rv != APR_SUCCESS) return 0;
    rv = forget_dead(s, db);
    if (rv == APR_SUCCESS) rv = remember_mine(s, db);
    if (rv == APR_SUCCESS) return bl_db_commit(db) == APR_SUCCESS;
    bl_db_rollback(db);
    return 0;
}

typedef struct behind_t {
    bl_db_t *db;
    apr_int64_t newest;
    int n;
    apr_status_t rv;
} behind_t;

/* Who has not written down yet what he knows is taken for one who does not
 * know. */
static void look_at_child(void *ctx, apr_int64_t child_id)
{
    static const char sql[] = "SELECT value FROM setting WHERE name = ?1";
    behind_t *b = ctx;
    sqlite3_stmt *st = bl_db_stmt(b->db, sql);
    char name[48];
    apr_status_t rv;

    if (b->rv != APR_SUCCESS) return;
    snprintf(name, sizeof(name), PREFIX "%" APR_INT64_T_FMT, child_id);
    if (st) bl_db_text(st, 1, name);
    rv = bl_db_step(b->db, st);
    if (rv == APR_EOF)
        b->n++;
    else if (rv != APR_SUCCESS)
        b->rv = rv;
    else
        b->n += sqlite3_column_int64(st, 0) != b->newest &&
                sqlite3_column_int64(st, 0) != NO_KEYRING;
    bl_db_done(st);
}

static apr_status_t count_behind(bl_store_t *s, bl_db_t *db, int *pn)
{
    behind_t b = {db, bl_keyring_newest(s->keyring), 0, APR_SUCCESS};

    bl_lock_each_child(s->lock, 1, BL_LOCK_CHILD_MOST, look_at_child, &b);
    *pn = b.n;
    return b.rv;
}

static apr_status_t count_to_move(bl_store_t *s, bl_db_t *db, int *pn)
{
    static const char sql[] =
        "SELECT (SELECT count(*) FROM api_key WHERE master_key_id <> ?1)"
        " + (SELECT count(*) FROM alert WHERE master_key_id <> ?1)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, bl_keyring_newest(s->keyring));
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) *pn = sqlite3_column_int(st, 0);
    bl_db_done(st);
    return rv;
}

typedef struct rotation_call_t {
    bl_store_t *s;
    bl_rotation_t *out;
} rotation_call_t;

/* In a write transaction, so that no process enters meanwhile. */
static apr_status_t do_rotation(bl_db_t *db, void *ctx)
{
    rotation_call_t *c = ctx;
    apr_status_t rv = count_behind(c->s, db, &c->out->behind);

    if (rv == APR_SUCCESS) rv = count_to_move(c->s, db, &c->out->to_move);
    return rv;
}

apr_status_t bl_store_do_rotation(bl_store_t *s, bl_rotation_t *out)
{
    rotation_call_t c = {s, out};

    memset(out, 0, sizeof(*out));
    if (!s->keyring) return BL_E_KEYRING_MISSING;
    return bl_store_do(s, do_rotation, &c);
}
