/* SPDX-License-Identifier: Apache-2.0 */
/* API keys: enable, disable, change, delete, and how their tests went. */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "store/api_keys.h"
#include "store/audit.h"
#include "store/catalog_fields.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- shared ------------------------------------------------------------- */

apr_status_t bl_key_audit(bl_db_t *db, const bl_admin_who_t *who,
                          const char *action, apr_int64_t id,
                          const char *detail)
{
    static const char sql[] = "SELECT u.name || '/' || k.name FROM api_key k"
                              " JOIN upstream u ON u.id = k.upstream_id"
                              " WHERE k.id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    char object[2 * BL_NAME_BYTES] = "";
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) bl_db_copy(st, 0, object, sizeof(object));
    bl_db_done(st);
    return rv == APR_SUCCESS ? bl_audit_add(db, who, action, object, detail)
                             : rv;
}

apr_status_t bl_key_put_fields(bl_db_t *db, apr_int64_t id, const char *fields,
                               bl_complaint_t *why)
{
    static const char sql_get[] =
        "SELECT " BL_KEY_COLUMNS " FROM api_key k WHERE k.id = ?1";
    static const char sql_put[] =
        "UPDATE api_key SET name = ?1, weight = ?2, priority = ?3, apps = ?4,"
        " models = ?5, account = ?6, note = ?7, updated_at = ?8 WHERE id = ?9";
    sqlite3_stmt *st = bl_db_stmt(db, sql_get);
    json_t *row = NULL;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) row = bl_fields_read_new(st, 0, bl_key_fields);
    bl_db_done(st);
    if (rv != APR_SUCCESS) return rv;
    rv = row ? bl_fields_apply(row, fields, bl_key_fields, why) : APR_ENOMEM;
    if (rv == APR_SUCCESS) {
        st = bl_db_stmt(db, sql_put);
        if (st) {
            rv = bl_fields_bind(st, row, bl_key_fields);
            bl_db_int(st, BL_KEY_FIELDS + 1, bl_clock_wall());
            bl_db_int(st, BL_KEY_FIELDS + 2, id);
        }
        if (rv == APR_SUCCESS)
            rv = bl_db_run(db, st, NULL);
        else
            bl_db_done(st);
    }
    json_decref(row);
    return rv;
}

typedef struct key_call_t {
    const bl_admin_who_t *who;
    apr_int64_t id;
    const char *fields;
    int is_enabled;
    bl_change_t *change;
} key_call_t;

/* BL_E_NOT_FOUND, BL_E_VERSION_CONFLICT; is_reenter: its secret is missing. */
static apr_status_t check_key(bl_db_t *db, const key_call_t *c,
                              int *pis_reenter)
{
    static const char sql[] =
        "SELECT revision, state = 'reenter' FROM api_key WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        rv = bl_check_revision(c->change, sqlite3_column_int64(st, 0));
        *pis_reenter = sqlite3_column_int(st, 1);
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

static apr_status_t run_on(bl_db_t *db, const char *sql, apr_int64_t id,
                           const char *text)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    if (text) {
        bl_db_text(st, 2, text);
        bl_db_int(st, 3, bl_clock_wall());
    }
    return bl_db_run(db, st, NULL);
}

/* --- change ------------------------------------------------------------- */

static apr_status_t do_change(bl_db_t *db, void *ctx)
{
    static const char sql[] =
        "UPDATE api_key SET revision = revision + 1 WHERE id = ?1";
    const key_call_t *c = ctx;
    int is_reenter;
    apr_status_t rv = check_key(db, c, &is_reenter);

    if (rv == APR_SUCCESS) {
        rv = bl_key_put_fields(db, c->id, c->fields, &c->change->why);
        if (rv == BL_E_CONFLICT) {
            snprintf(c->change->why.field, sizeof(c->change->why.field),
                     "name");
        }
    }
    if (rv == APR_SUCCESS) rv = run_on(db, sql, c->id, NULL);
    if (rv != APR_SUCCESS) return rv;
    c->change->present++;
    return bl_key_audit(db, c->who, "key.put", c->id, c->fields);
}

apr_status_t bl_store_do_key_change(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id, const char *fields,
                                    bl_change_t *change)
{
    key_call_t c = {who, id, fields, 0, change};

    memset(&change->why, 0, sizeof(change->why));
    return bl_store_do(s, do_change, &c);
}

/* --- enable, disable ---------------------------------------------------- */

/* The key of a target that was moved is not sent before it was entered again:
 * enabling it is a conflict (S-34). */
static apr_status_t do_enable(bl_db_t *db, void *ctx)
{
    static const char sql[] = "UPDATE api_key SET state = ?2, updated_at = ?3,"
                              " revision = revision + 1 WHERE id = ?1";
    const key_call_t *c = ctx;
    int is_reenter = 0;
    apr_status_t rv = check_key(db, c, &is_reenter);

    if (rv != APR_SUCCESS) return rv;
    if (is_reenter) return BL_E_CONFLICT;
    rv = run_on(db, sql, c->id, c->is_enabled ? "enabled" : "disabled");
    if (rv != APR_SUCCESS) return rv;
    c->change->present++;
    return bl_key_audit(
        db, c->who, c->is_enabled ? "key.enable" : "key.disable", c->id, NULL);
}

apr_status_t bl_store_do_key_enable(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id, int is_enabled,
                                    bl_change_t *change)
{
    key_call_t c = {who, id, NULL, is_enabled, change};

    memset(&change->why, 0, sizeof(change->why));
    return bl_store_do(s, do_enable, &c);
}

apr_status_t bl_store_do_key_set(bl_store_t *s, const bl_admin_who_t *who,
                                 apr_int64_t id, int is_enabled)
{
    bl_change_t any = {0};

    return bl_store_do_key_enable(s, who, id, is_enabled, &any);
}

/* --- delete ------------------------------------------------------------- */

static apr_status_t do_drop(bl_db_t *db, void *ctx)
{
    const key_call_t *c = ctx;
    int is_reenter;
    apr_status_t rv = check_key(db, c, &is_reenter);

    /* Audited first: then it still has its name. */
    if (rv == APR_SUCCESS) {
        rv = bl_key_audit(db, c->who, "key.delete", c->id, NULL);
    }
    if (rv != APR_SUCCESS) return rv;
    return run_on(db, "DELETE FROM api_key WHERE id = ?1", c->id, NULL);
}

apr_status_t bl_store_do_key_drop(bl_store_t *s, const bl_admin_who_t *who,
                                  apr_int64_t id, bl_change_t *change)
{
    key_call_t c = {who, id, NULL, 0, change};

    memset(&change->why, 0, sizeof(change->why));
    return bl_store_do(s, do_drop, &c);
}

apr_status_t bl_store_do_key_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id)
{
    bl_change_t any = {0};

    return bl_store_do_key_drop(s, who, id, &any);
}

/* --- tests -------------------------------------------------------------- */

typedef struct checked_call_t {
    const bl_admin_who_t *who;
    const bl_key_check_t *checks;
    int count;
} checked_call_t;

static apr_status_t put_check(bl_db_t *db, const bl_key_check_t *k,
                              const char *code)
{
    static const char sql[] =
        "INSERT OR REPLACE INTO key_check (key_id, at, code, status,"
        " latency_ms) VALUES (?1, ?2, ?3, ?4, ?5)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, k->key_id);
    bl_db_int(st, 2, bl_clock_wall());
    bl_db_text(st, 3, code);
    bl_db_int(st, 4, k->status);
    bl_db_int(st, 5, k->latency_ms);
    return bl_db_run(db, st, NULL);
}

static apr_status_t do_checked(bl_db_t *db, void *ctx)
{
    const checked_call_t *c = ctx;
    int i;

    for (i = 0; i < c->count; i++) {
        const bl_key_check_t *k = &c->checks[i];
        const char *code = k->rv == APR_SUCCESS ? NULL : bl_error(k->rv)->code;
        apr_status_t rv =
            bl_key_audit(db, c->who, "key.test", k->key_id, code ? code : "ok");

        if (rv == APR_EOF) continue; /* deleted meanwhile */
        if (rv == APR_SUCCESS) rv = put_check(db, k, code);
        if (rv != APR_SUCCESS) return rv;
    }
    return APR_SUCCESS;
}

apr_status_t bl_store_do_key_checked(bl_store_t *s, const bl_admin_who_t *who,
                                     const bl_key_check_t *checks, int count)
{
    checked_call_t c = {who, checks, count};

    return bl_store_do(s, do_checked, &c);
}

/* --- where a key is sent ------------------------------------------------ */

void bl_key_target_free(bl_key_target_t *t)
{
    if (!t) return;
    free(t->key.sealed);
    free(t->base_url);
    free(t->workspace);
    free(t->ca_file);
    free(t->proxy);
    free(t);
}

static apr_status_t read_target(sqlite3_stmt *st, bl_key_target_t *t)
{
    apr_status_t rv = APR_SUCCESS;

    t->key.id = sqlite3_column_int64(st, 0);
    t->key.version = sqlite3_column_int64(st, 1);
    t->key.sealed_len = (size_t)sqlite3_column_bytes(st, 2);
    t->key.sealed = malloc(t->key.sealed_len + 1);
    if (!t->key.sealed) return APR_ENOMEM;
    if (t->key.sealed_len) {
        memcpy(t->key.sealed, sqlite3_column_blob(st, 2), t->key.sealed_len);
    }
    t->base_url = bl_db_dup(st, 4, &rv);
    t->workspace = bl_db_dup(st, 5, &rv);
    t->ca_file = bl_db_dup(st, 6, &rv);
    t->proxy = bl_db_dup(st, 7, &rv);
    t->use_http2 = sqlite3_column_int(st, 8);
    return rv;
}

apr_status_t bl_store_key_target(bl_store_t *s, apr_int64_t id,
                                 bl_key_target_t **pt)
{
    static const char sql[] =
        "SELECT k.id, k.version, k.sealed, k.state = 'reenter', u.base_url,"
        " u.workspace, u.ca_file, u.proxy, u.use_http2 FROM api_key k"
        " JOIN upstream u ON u.id = k.upstream_id WHERE k.id = ?1";
    bl_key_target_t *t = calloc(1, sizeof(*t));
    sqlite3_stmt *st = NULL;
    bl_db_t *db = NULL;
    apr_status_t rv = t ? bl_store_read_begin(s, &db) : APR_ENOMEM;

    *pt = NULL;
    if (rv == APR_SUCCESS) {
        st = bl_db_stmt(db, sql);
        if (st) bl_db_int(st, 1, id);
        rv = bl_db_step(db, st);
        if (rv == APR_SUCCESS) {
            rv = sqlite3_column_int(st, 3) ? BL_E_CONFLICT : read_target(st, t);
        }
        bl_db_done(st);
        bl_store_read_end(s, db);
    }
    if (rv == APR_SUCCESS)
        *pt = t;
    else
        bl_key_target_free(t);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}
