/* SPDX-License-Identifier: Apache-2.0 */
/* Callers: what an admin adds, changes, revokes and lists. */
#include "store/client_fields.h"

#include "base/clock.h"
#include "base/errors.h"
#include "store/api_keys.h"
#include "store/audit.h"
#include "store/lists.h"
#include "store/names.h"
#include "store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct client_call_t {
    const bl_admin_who_t *who;
    const json_t *fields;
    apr_int64_t id;
    bl_change_t *change;
    bl_client_verb_t verb;
    const unsigned char *hash; /* of a new token */
    const char *last4;
} client_call_t;

typedef struct row_t {
    char name[BL_CLIENT_NAME_MOST + 1];
    json_t *settings;
} row_t;

static apr_status_t hash_of(const char *token,
                            unsigned char hash[BL_SHA256_BYTES])
{
    bl_sha256_t *h;
    apr_status_t rv = bl_sha256_create(&h);

    if (rv != APR_SUCCESS) return rv;
    bl_sha256_add(h, token, strlen(token));
    bl_sha256_end(h, hash);
    bl_sha256_destroy(h);
    return APR_SUCCESS;
}

/* --- the catalog's ------------------------------------------------------ */

apr_status_t bl_catalog_client_by_token(const bl_client_t **pclient,
                                        const bl_catalog_t *c,
                                        const char *token)
{
    unsigned char hash[BL_SHA256_BYTES];
    apr_status_t rv = hash_of(token, hash);
    int i;

    *pclient = NULL;
    if (rv != APR_SUCCESS) return rv;
    for (i = 0; i < c->client_count; i++) {
        if (c->clients[i].alg == BL_SIGN_NONE &&
            bl_equal_secret(c->clients[i].token_hash, hash, sizeof(hash)))
        {
            *pclient = &c->clients[i];
        }
    }
    return APR_SUCCESS;
}

const bl_client_t *bl_catalog_client_by_id(const bl_catalog_t *c,
                                           apr_int64_t id)
{
    int i;

    for (i = 0; i < c->client_count; i++) {
        if (c->clients[i].id == id) return &c->clients[i];
    }
    return NULL;
}

int bl_client_may_app(const bl_client_t *client, const char *app)
{
    int i;

    if (!client || !client->app_count) return 1;
    for (i = 0; i < client->app_count; i++) {
        if (!strcmp(client->apps[i], app)) return 1;
    }
    return 0;
}

/* --- one row ------------------------------------------------------------ */

/* BL_E_NOT_FOUND, BL_E_VERSION_CONFLICT; row->settings are the caller's to
 * release, also then. */
static apr_status_t read_row(bl_db_t *db, const client_call_t *c, row_t *row)
{
    static const char sql[] =
        "SELECT name, revision, settings FROM client WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    memset(row, 0, sizeof(*row));
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        rv = bl_client_settings_read(st, 2, &row->settings);
        bl_db_copy(st, 0, row->name, sizeof(row->name));
    }
    if (rv == APR_SUCCESS) {
        rv = bl_check_revision(c->change, sqlite3_column_int64(st, 1));
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

/* Names of the members that were sent, for the audit. */
static char *member_names(const json_t *fields)
{
    json_t *names = json_array();
    const char *name;
    json_t *value;
    char *text;

    json_object_foreach((json_t *)fields, name, value)
        bl_json_append(&names, json_string(name));
    text = bl_json_dump(names, 0);
    json_decref(names);
    return text;
}

static apr_status_t audit(bl_db_t *db, const client_call_t *c,
                          const char *action, const char *name)
{
    char *detail = c->fields ? member_names(c->fields) : NULL;
    apr_status_t rv = APR_ENOMEM;

    if (detail || !c->fields) {
        rv = bl_audit_add(db, c->who, action, name, detail);
    }
    free(detail);
    return rv;
}

/* --- add ---------------------------------------------------------------- */

static int is_issuer(const json_t *fields)
{
    const char *kind = json_string_value(json_object_get(fields, "kind"));

    return kind && !strcmp(kind, "jwt");
}

static apr_status_t check_new(const client_call_t *c)
{
    const json_t *name = json_object_get(c->fields, "name");
    const json_t *kind = json_object_get(c->fields, "kind");
    const json_t *enabled = json_object_get(c->fields, "enabled");
    const char *word = json_string_value(kind);
    bl_say_number_t most;

    if (!json_is_string(name) || !bl_name_is_valid(json_string_value(name)) ||
        json_string_length(name) > BL_CLIENT_NAME_MOST)
    {
        return bl_complain(&c->change->why, "name",
                           BL_SAY("must be 1 to {1} letters, digits, dots, "
                                  "hyphens and underscores"),
                           bl_say_number(most, BL_CLIENT_NAME_MOST));
    }
    if (kind && (!word || (strcmp(word, "token") && strcmp(word, "jwt")))) {
        return bl_complain(&c->change->why, "kind",
                           BL_SAY("must be token or jwt"));
    }
    return enabled && !json_is_boolean(enabled)
               ? bl_complain(&c->change->why, "enabled",
                             BL_SAY("must be true or false"))
               : APR_SUCCESS;
}

static apr_status_t insert(bl_db_t *db, client_call_t *c, const char *settings,
                           apr_time_t expires_at)
{
    static const char sql[] =
        "INSERT INTO client (name, kind, token_hash, settings, is_enabled,"
        " expires_at, created_at, updated_at)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?7)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, json_string_value(json_object_get(c->fields, "name")));
    bl_db_text(st, 2, c->hash ? "token" : "jwt");
    if (c->hash) bl_db_blob(st, 3, c->hash, BL_SHA256_BYTES);
    bl_db_text(st, 4, settings);
    bl_db_int(st, 5, !json_is_false(json_object_get(c->fields, "enabled")));
    bl_db_int_or_null(st, 6, expires_at ? expires_at : -1);
    bl_db_int(st, 7, bl_clock_wall());
    rv = bl_db_run(db, st, NULL);
    if (rv == APR_SUCCESS) c->id = sqlite3_last_insert_rowid(bl_db_handle(db));
    return rv;
}

static apr_status_t do_add(bl_db_t *db, void *ctx)
{
    client_call_t *c = ctx;
    json_t *settings = bl_client_settings_new(!c->hash);
    char *text = NULL;
    apr_status_t rv = settings ? bl_client_settings_apply(settings, c->fields,
                                                          1, &c->change->why)
                               : APR_ENOMEM;

    if (rv == APR_SUCCESS) {
        if (c->hash) bl_json_set(&settings, "last4", json_string(c->last4));
        text = bl_json_dump(settings, 0);
        rv =
            text ? insert(db, c, text, bl_client_expiry(settings)) : APR_ENOMEM;
    }
    if (rv == APR_SUCCESS) {
        rv = audit(db, c, "caller.add",
                   json_string_value(json_object_get(c->fields, "name")));
    }
    free(text);
    json_decref(settings);
    return rv;
}

static apr_status_t make_token(char token[BL_CLIENT_TOKEN_TEXT + 1])
{
    unsigned char chance[BL_CLIENT_TOKEN_BYTES];
    apr_status_t rv = bl_random_bytes(chance, sizeof(chance));

    if (rv != APR_SUCCESS) return rv;
    memcpy(token, BL_CLIENT_TOKEN_PREFIX, 3);
    bl_hex(token + 3, chance, sizeof(chance));
    return APR_SUCCESS;
}

apr_status_t bl_store_do_client_add(bl_store_t *s, const bl_admin_who_t *who,
                                    const json_t *fields, apr_int64_t *pid,
                                    char token[BL_CLIENT_TOKEN_TEXT + 1],
                                    bl_change_t *change)
{
    client_call_t c = {.who = who, .fields = fields, .change = change};
    unsigned char hash[BL_SHA256_BYTES];
    apr_status_t rv = check_new(&c);

    *pid = 0;
    *token = '\0';
    if (rv == APR_SUCCESS && !is_issuer(fields)) {
        rv = make_token(token);
        if (rv == APR_SUCCESS) rv = hash_of(token, hash);
        c.hash = hash;
        c.last4 = token + BL_CLIENT_TOKEN_TEXT - 4;
    }
    if (rv == APR_SUCCESS) rv = bl_store_do(s, do_add, &c);
    *pid = c.id;
    return rv;
}

/* --- change ------------------------------------------------------------- */

static apr_status_t update(bl_db_t *db, const client_call_t *c,
                           const char *settings, apr_time_t expires_at)
{
    static const char sql[] =
        "UPDATE client SET settings = ?2, expires_at = ?3, updated_at = ?4,"
        " revision = revision + 1 WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    bl_db_text(st, 2, settings);
    bl_db_int_or_null(st, 3, expires_at ? expires_at : -1);
    bl_db_int(st, 4, bl_clock_wall());
    return bl_db_run(db, st, NULL);
}

static apr_status_t do_patch(bl_db_t *db, void *ctx)
{
    client_call_t *c = ctx;
    row_t row;
    char *text = NULL;
    apr_status_t rv = read_row(db, c, &row);

    if (rv == APR_SUCCESS) {
        rv = bl_client_settings_apply(row.settings, c->fields, 0,
                                      &c->change->why);
    }
    if (rv == APR_SUCCESS) {
        text = bl_json_dump(row.settings, 0);
        rv = text ? update(db, c, text, bl_client_expiry(row.settings))
                  : APR_ENOMEM;
    }
    if (rv == APR_SUCCESS) rv = audit(db, c, "caller.put", row.name);
    free(text);
    json_decref(row.settings);
    return rv;
}

apr_status_t bl_store_do_client_patch(bl_store_t *s, const bl_admin_who_t *who,
                                      apr_int64_t id, const json_t *fields,
                                      bl_change_t *change)
{
    client_call_t c = {
        .who = who, .fields = fields, .id = id, .change = change};

    return bl_store_do(s, do_patch, &c);
}

/* --- enable, disable, revoke, delete ------------------------------------ */

static const char sql_enable[] =
    "UPDATE client SET is_enabled = 1, updated_at = ?2,"
    " revision = revision + 1 WHERE id = ?1";
static const char sql_disable[] =
    "UPDATE client SET is_enabled = 0, updated_at = ?2,"
    " revision = revision + 1 WHERE id = ?1";
static const char sql_revoke[] =
    "UPDATE client SET is_enabled = 0, token_hash = NULL, updated_at = ?2,"
    " settings = json_set(json_remove(settings, '$.publicKey'), '$.revoked',"
    " json('true')), revision = revision + 1 WHERE id = ?1";
static const char sql_delete[] =
    "DELETE FROM client WHERE id = ?1 AND ?2 IS NOT NULL";

static const struct {
    const char *sql, *action;
} verbs[] = {{sql_enable, "caller.enable"},
             {sql_disable, "caller.disable"},
             {sql_revoke, "caller.revoke"},
             {sql_delete, "caller.delete"}};

static apr_status_t do_verb(bl_db_t *db, void *ctx)
{
    client_call_t *c = ctx;
    sqlite3_stmt *st;
    row_t row;
    apr_status_t rv = read_row(db, c, &row);

    if (rv == APR_SUCCESS && c->verb == BL_CLIENT_ENABLE &&
        json_object_get(row.settings, "revoked"))
    {
        bl_complain(
            &c->change->why, "",
            BL_SAY("It was revoked, which is for good: add a new one."));
        rv = BL_E_CONFLICT;
    }
    json_decref(row.settings);
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, verbs[c->verb].sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    bl_db_int(st, 2, bl_clock_wall());
    rv = bl_db_run(db, st, NULL);
    return rv == APR_SUCCESS ? audit(db, c, verbs[c->verb].action, row.name)
                             : rv;
}

apr_status_t bl_store_do_client_verb(bl_store_t *s, const bl_admin_who_t *who,
                                     apr_int64_t id, bl_client_verb_t verb,
                                     bl_change_t *change)
{
    client_call_t c = {.who = who, .id = id, .verb = verb, .change = change};

    return bl_store_do(s, do_verb, &c);
}

/* --- lists -------------------------------------------------------------- */

static const char *state_of(sqlite3_stmt *st, const json_t *settings)
{
    apr_int64_t expires_at = sqlite3_column_int64(st, 6);

    if (json_object_get(settings, "revoked")) return "revoked";
    if (!sqlite3_column_int(st, 5)) return "disabled";
    return expires_at && expires_at <= bl_clock_wall() ? "expired" : "ok";
}

static void put_fingerprint(sqlite3_stmt *st, json_t **prow)
{
    const void *hash = sqlite3_column_blob(st, 3);
    char text[17];

    if (!hash || sqlite3_column_bytes(st, 3) != BL_SHA256_BYTES) {
        bl_json_set(prow, "fingerprint", json_null());
        return;
    }
    bl_hex(text, hash, 8);
    bl_json_set(prow, "fingerprint", json_string(text));
}

#define COLUMNS                                                                \
    "id, name, kind, token_hash, settings, is_enabled, expires_at,"            \
    " created_at, updated_at, revision"

static json_t *row_new(sqlite3_stmt *st, void *ctx)
{
    json_t *row;

    (void)ctx;
    if (bl_client_settings_read(st, 4, &row) != APR_SUCCESS) return NULL;
    bl_json_set(&row, "state", json_string(state_of(st, row)));
    json_object_del(row, "revoked");
    bl_json_set(&row, "id", json_integer(sqlite3_column_int64(st, 0)));
    bl_json_set(&row, "name",
                json_string((const char *)sqlite3_column_text(st, 1)));
    bl_json_set(&row, "kind",
                json_string((const char *)sqlite3_column_text(st, 2)));
    if (!json_object_get(row, "last4")) {
        bl_json_set(&row, "last4", json_null());
    }
    put_fingerprint(st, &row);
    bl_json_set(&row, "enabled", json_boolean(sqlite3_column_int(st, 5)));
    bl_json_set(&row, "createdAt", bl_time_new(sqlite3_column_int64(st, 7)));
    bl_json_set(&row, "updatedAt", bl_time_new(sqlite3_column_int64(st, 8)));
    bl_json_set(&row, "version", json_integer(sqlite3_column_int64(st, 9)));
    return row;
}

apr_status_t bl_store_client(bl_store_t *s, apr_int64_t id,
                             apr_int64_t *pversion, json_t **pcaller)
{
    static const char sql[] = "SELECT " COLUMNS " FROM client WHERE id = ?1";
    sqlite3_stmt *st = NULL;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    *pcaller = NULL;
    if (rv == APR_SUCCESS && !(st = bl_db_stmt(db, sql))) {
        rv = bl_db_failure(db);
    }
    if (rv == APR_SUCCESS) {
        bl_db_int(st, 1, id);
        rv = bl_db_step(db, st);
    }
    if (rv == APR_SUCCESS) {
        *pcaller = row_new(st, NULL);
        if (pversion) *pversion = sqlite3_column_int64(st, 9);
        if (!*pcaller) rv = APR_ENOMEM;
    }
    bl_db_done(st);
    bl_store_read_end(s, db);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_store_client_id(bl_store_t *s, const char *name,
                                apr_int64_t *pid)
{
    static const char sql[] = "SELECT id FROM client WHERE name = ?1";
    sqlite3_stmt *st = NULL;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    *pid = 0;
    if (rv == APR_SUCCESS && !(st = bl_db_stmt(db, sql))) {
        rv = bl_db_failure(db);
    }
    if (rv == APR_SUCCESS) {
        bl_db_text(st, 1, name);
        rv = bl_db_step(db, st);
    }
    if (rv == APR_SUCCESS) *pid = sqlite3_column_int64(st, 0);
    bl_db_done(st);
    bl_store_read_end(s, db);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

/* One row more than asked for tells whether there is a next page. */
static apr_status_t read_page(bl_db_t *db, sqlite3_stmt *st, int limit,
                              json_t *items, json_t **pnext)
{
    apr_int64_t last = 0;
    apr_status_t rv;

    *pnext = json_null();
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        if ((int)json_array_size(items) == limit) {
            char text[32];

            snprintf(text, sizeof(text), "%" APR_INT64_T_FMT, last);
            *pnext = json_string(text);
            return APR_SUCCESS;
        }
        last = sqlite3_column_int64(st, 0);
        if (json_array_append_new(items, row_new(st, NULL)) != 0) {
            return APR_ENOMEM;
        }
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t bl_store_clients(bl_store_t *s, const char *kind, const char *q,
                              apr_int64_t after, int limit, json_t **plist)
{
    static const char sql[] =
        "SELECT " COLUMNS " FROM client WHERE id > ?1"
        " AND (?2 IS NULL OR kind = ?2) AND (?3 IS NULL"
        " OR instr(lower(name), lower(?3))"
        " OR instr(lower(json_extract(settings, '$.note')), lower(?3)))"
        " ORDER BY id LIMIT ?4";
    json_t *items = json_array(), *next = NULL;
    sqlite3_stmt *st = NULL;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    *plist = NULL;
    if (rv == APR_SUCCESS && !(st = bl_db_stmt(db, sql))) {
        rv = bl_db_failure(db);
    }
    if (rv == APR_SUCCESS) {
        bl_db_int(st, 1, after);
        bl_db_text(st, 2, kind);
        bl_db_text(st, 3, q);
        bl_db_int(st, 4, limit + 1);
        rv = read_page(db, st, limit, items, &next);
    }
    bl_db_done(st);
    bl_store_read_end(s, db);
    if (rv != APR_SUCCESS) {
        json_decref(items);
        return rv;
    }
    *plist = json_object();
    bl_json_set(plist, "items", items);
    bl_json_set(plist, "next", next);
    return *plist ? APR_SUCCESS : APR_ENOMEM;
}
