/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed API keys: name, fingerprint and last four characters are shown, the
 * key itself is opened for one attempt only (S-39 - S-46).
 */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/keyring.h"
#include "crypto/token.h"
#include "store/audit.h"
#include "store/lists.h"
#include "store/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_LEAST 8
#define SECRET_MOST 4096
#define FINGERPRINT_BYTES 8

static bl_seal_for_t seal_for(apr_int64_t id, apr_int64_t version)
{
    bl_seal_for_t f = {"api_key", "api_key", 0, 0};

    f.row_id = id;
    f.version = version;
    return f;
}

apr_status_t bl_key_open(const bl_keyring_t *k, const bl_key_t *key,
                         char **psecret)
{
    bl_seal_for_t f = seal_for(key->id, key->version);
    unsigned char *clear;
    size_t len;
    apr_status_t rv;

    *psecret = NULL;
    if (!k) return BL_E_KEYRING_MISSING;
    rv = bl_keyring_open(k, &f, key->sealed, key->sealed_len, &clear, &len);
    if (rv == APR_SUCCESS) *psecret = (char *)clear;
    return rv;
}

/* S-40: how often the newest master key has sealed, over all processes. */
static apr_status_t count_sealing(bl_db_t *db, apr_uint32_t master_key_id)
{
    static const char sql[] =
        "INSERT INTO setting (name, value) VALUES (?1, '1')"
        " ON CONFLICT (name) DO UPDATE SET value = CAST(value + 1 AS TEXT)"
        " RETURNING CAST(value AS INTEGER)";
    char name[48];
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_int64_t n = 0;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    snprintf(name, sizeof(name), "sealings.%u", (unsigned)master_key_id);
    bl_db_text(st, 1, name);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        n = sqlite3_column_int64(st, 0);
        rv = bl_db_run(db, st, NULL);
    }
    else {
        bl_db_done(st);
    }
    if (rv == APR_SUCCESS && n > (apr_int64_t)BL_KEYRING_SEALINGS) {
        bl_log(BL_LOG_ERR, 0,
               BL_LOGNO(1414) "master key %u has sealed 2^32 times: run "
                              "\"bailianctl master-key rotate\"",
               (unsigned)master_key_id);
        rv = BL_E_KEYRING_MISSING;
    }
    return rv;
}

/* Puts a sealed secret into a row that exists. */
static apr_status_t store_sealed(bl_db_t *db, bl_keyring_t *k, apr_int64_t id,
                                 apr_int64_t version, const void *secret,
                                 size_t len)
{
    static const char sql[] = "UPDATE api_key SET sealed = ?2, version = ?3,"
                              " master_key_id = ?4, updated_at = ?5"
                              " WHERE id = ?1";
    bl_seal_for_t f = seal_for(id, version);
    unsigned char *sealed;
    sqlite3_stmt *st;
    size_t sealed_len;
    apr_status_t rv = count_sealing(db, bl_keyring_newest(k));

    if (rv == APR_SUCCESS) {
        rv = bl_keyring_seal(k, &f, secret, len, &sealed, &sealed_len);
    }
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (st) {
        bl_db_int(st, 1, id);
        bl_db_blob(st, 2, sealed, sealed_len);
        bl_db_int(st, 3, version);
        bl_db_int(st, 4, bl_keyring_newest(k));
        bl_db_int(st, 5, bl_clock_wall());
    }
    rv = bl_db_run(db, st, NULL);
    free(sealed);
    return rv;
}

/* --- add ---------------------------------------------------------------- */

typedef struct add_call_t {
    bl_keyring_t *keyring;
    const bl_admin_who_t *who;
    const char *upstream, *name, *secret;
    char last4[5];
    char fingerprint[2 * FINGERPRINT_BYTES + 1];
    apr_int64_t id, version; /* of the row */
} add_call_t;

/* A row that waits for its key to be entered again (S-34) takes it; any other
 * row of that name is in the way. APR_EOF: there is none. */
static apr_status_t find_waiting(bl_db_t *db, add_call_t *c,
                                 apr_int64_t upstream)
{
    static const char sql[] = "SELECT id, version, state FROM api_key"
                              " WHERE upstream_id = ?1 AND name = ?2";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, upstream);
    bl_db_text(st, 2, c->name);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        c->id = sqlite3_column_int64(st, 0);
        c->version = sqlite3_column_int64(st, 1) + 1;
        if (strcmp((const char *)sqlite3_column_text(st, 2), "reenter")) {
            rv = BL_E_CONFLICT;
        }
    }
    bl_db_done(st);
    return rv;
}

static apr_status_t insert_key(bl_db_t *db, add_call_t *c, apr_int64_t upstream)
{
    static const char sql[] =
        "INSERT INTO api_key (upstream_id, name, state, last4, fingerprint,"
        " sealed, version, master_key_id, weight, priority, created_at,"
        " updated_at) VALUES (?1, ?2, 'enabled', '', '', x'', 1, 0, 1, 0, ?3,"
        " ?3)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, upstream);
    bl_db_text(st, 2, c->name);
    bl_db_int(st, 3, bl_clock_wall());
    rv = bl_db_run(db, st, NULL);
    c->id = sqlite3_last_insert_rowid(bl_db_handle(db));
    c->version = 1;
    return rv;
}

static apr_status_t describe_key(bl_db_t *db, const add_call_t *c)
{
    static const char sql[] = "UPDATE api_key SET state = 'enabled',"
                              " last4 = ?2, fingerprint = ?3 WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    bl_db_text(st, 2, c->last4);
    bl_db_text(st, 3, c->fingerprint);
    return bl_db_run(db, st, NULL);
}

static apr_status_t do_add(bl_db_t *db, void *ctx)
{
    add_call_t *c = ctx;
    apr_int64_t upstream = 0;
    char object[2 * BL_NAME_BYTES];
    apr_status_t rv = bl_upstream_id(db, c->upstream, &upstream);

    if (rv == APR_SUCCESS) rv = find_waiting(db, c, upstream);
    if (rv == APR_EOF) rv = insert_key(db, c, upstream);
    if (rv == APR_SUCCESS) {
        rv = store_sealed(db, c->keyring, c->id, c->version, c->secret,
                          strlen(c->secret));
    }
    if (rv == APR_SUCCESS) rv = describe_key(db, c);
    snprintf(object, sizeof(object), "%s/%s", c->upstream, c->name);
    if (rv == APR_SUCCESS) {
        rv = bl_audit_add(db, c->who, "key.add", object, c->fingerprint);
    }
    return rv;
}

/* Printable ASCII without spaces: it goes into a header (S-36). */
static int is_secret_valid(const char *s)
{
    size_t n = 0;

    for (; s[n]; n++) {
        if (s[n] <= 0x20 || s[n] >= 0x7f) return 0;
    }
    return n >= SECRET_LEAST && n <= SECRET_MOST;
}

static apr_status_t describe_secret(add_call_t *c)
{
    unsigned char digest[BL_SHA256_BYTES];
    size_t len = strlen(c->secret);
    bl_sha256_t *h;
    apr_status_t rv = bl_sha256_create(&h);

    if (rv != APR_SUCCESS) return rv;
    bl_sha256_add(h, c->secret, len);
    bl_sha256_end(h, digest);
    bl_sha256_destroy(h);
    bl_hex(c->fingerprint, digest, FINGERPRINT_BYTES);
    bl_secret_wipe(digest, sizeof(digest));
    memcpy(c->last4, c->secret + len - 4, 5);
    return APR_SUCCESS;
}

apr_status_t bl_store_do_key_add(bl_store_t *s, const bl_admin_who_t *who,
                                 const char *upstream, const char *name,
                                 const char *secret, apr_int64_t *pid)
{
    add_call_t c;
    apr_status_t rv;

    *pid = 0;
    if (!s->keyring) return BL_E_KEYRING_MISSING;
    if (!bl_name_is_valid(name) || !is_secret_valid(secret)) {
        return BL_E_BAD_VALUE;
    }
    memset(&c, 0, sizeof(c));
    c.keyring = s->keyring;
    c.who = who;
    c.upstream = upstream;
    c.name = name;
    c.secret = secret;
    rv = describe_secret(&c);
    if (rv == APR_SUCCESS) rv = bl_store_do(s, do_add, &c);
    if (rv == APR_SUCCESS) *pid = c.id;
    return rv;
}

/* --- enable, disable, delete -------------------------------------------- */

typedef struct set_call_t {
    const bl_admin_who_t *who;
    apr_int64_t id;
    int is_enabled;
} set_call_t;

/* The key of a target that was moved is not sent before it was entered again:
 * enabling it is a conflict (S-34). */
static apr_status_t check_state(bl_db_t *db, const set_call_t *c)
{
    static const char sql[] = "SELECT state FROM api_key WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS &&
        !strcmp((const char *)sqlite3_column_text(st, 0), "reenter"))
    {
        rv = BL_E_CONFLICT;
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

static apr_status_t do_set(bl_db_t *db, void *ctx)
{
    static const char sql[] =
        "UPDATE api_key SET state = ?2, updated_at = ?3 WHERE id = ?1";
    const set_call_t *c = ctx;
    char object[24];
    sqlite3_stmt *st;
    apr_status_t rv = check_state(db, c);

    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    bl_db_text(st, 2, c->is_enabled ? "enabled" : "disabled");
    bl_db_int(st, 3, bl_clock_wall());
    rv = bl_db_run(db, st, NULL);
    snprintf(object, sizeof(object), "%" APR_INT64_T_FMT, c->id);
    if (rv != APR_SUCCESS) return rv;
    return bl_audit_add(
        db, c->who, c->is_enabled ? "key.enable" : "key.disable", object, NULL);
}

apr_status_t bl_store_do_key_set(bl_store_t *s, const bl_admin_who_t *who,
                                 apr_int64_t id, int is_enabled)
{
    set_call_t c = {who, id, is_enabled};

    return bl_store_do(s, do_set, &c);
}

static apr_status_t do_delete(bl_db_t *db, void *ctx)
{
    static const char sql[] = "DELETE FROM api_key WHERE id = ?1";
    const set_call_t *c = ctx;
    char object[24];
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;
    int changed;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    rv = bl_db_run(db, st, &changed);
    if (rv == APR_SUCCESS && !changed) rv = BL_E_NOT_FOUND;
    snprintf(object, sizeof(object), "%" APR_INT64_T_FMT, c->id);
    if (rv != APR_SUCCESS) return rv;
    return bl_audit_add(db, c->who, "key.delete", object, NULL);
}

apr_status_t bl_store_do_key_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id)
{
    set_call_t c = {who, id, 0};

    return bl_store_do(s, do_delete, &c);
}

/* --- list --------------------------------------------------------------- */

static json_t *key_row_new(sqlite3_stmt *st, void *ctx)
{
    const bl_keyring_t *k = ctx;
    apr_uint32_t master = (apr_uint32_t)sqlite3_column_int64(st, 8);

    return json_pack(
        "{s:I,s:s,s:s,s:s,s:s,s:s,s:i,s:i,s:o,s:b,s:o,s:o}", "id",
        (json_int_t)sqlite3_column_int64(st, 0), "upstream",
        sqlite3_column_text(st, 1), "name", sqlite3_column_text(st, 2), "state",
        sqlite3_column_text(st, 3), "last4", sqlite3_column_text(st, 4),
        "fingerprint", sqlite3_column_text(st, 5), "weight",
        sqlite3_column_int(st, 6), "priority", sqlite3_column_int(st, 7),
        "masterKey", json_integer(master), "canBeOpened",
        k && bl_keyring_has(k, master), "createdAt",
        bl_time_new(sqlite3_column_int64(st, 9)), "updatedAt",
        bl_time_new(sqlite3_column_int64(st, 10)));
}

apr_status_t bl_store_keys(bl_store_t *s, bl_buf_t *out)
{
    static const char sql[] =
        "SELECT k.id, u.name, k.name, k.state, k.last4, k.fingerprint,"
        " k.weight, k.priority, k.master_key_id, k.created_at, k.updated_at"
        " FROM api_key k JOIN upstream u ON u.id = k.upstream_id"
        " ORDER BY u.name, k.priority, k.id";

    return bl_list_rows(s, sql, key_row_new, s->keyring, out);
}

/* --- rotation ----------------------------------------------------------- */

typedef struct rotate_call_t {
    bl_keyring_t *keyring;
    const bl_admin_who_t *who;
    apr_int64_t after;
    int moved;  /* in all */
    int failed; /* rows no master key opens */
    int is_end;
} rotate_call_t;

static apr_status_t next_to_move(bl_db_t *db, const rotate_call_t *c,
                                 bl_key_t *key)
{
    static const char sql[] =
        "SELECT id, version, sealed FROM api_key"
        " WHERE id > ?1 AND master_key_id <> ?2 ORDER BY id LIMIT 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->after);
    bl_db_int(st, 2, bl_keyring_newest(c->keyring));
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        key->id = sqlite3_column_int64(st, 0);
        key->version = sqlite3_column_int64(st, 1);
        key->sealed_len = (size_t)sqlite3_column_bytes(st, 2);
        key->sealed = malloc(key->sealed_len + 1);
        if (!key->sealed)
            rv = APR_ENOMEM;
        else if (key->sealed_len) {
            memcpy(key->sealed, sqlite3_column_blob(st, 2), key->sealed_len);
        }
    }
    bl_db_done(st);
    return rv;
}

/* One row a transaction: a rotation killed at any step leaves every row under
 * exactly one master key (D15). */
static apr_status_t do_rotate_one(bl_db_t *db, void *ctx)
{
    rotate_call_t *c = ctx;
    char *secret = NULL, object[24];
    bl_key_t key;
    apr_status_t rv;

    memset(&key, 0, sizeof(key));
    rv = next_to_move(db, c, &key);
    if (rv == APR_EOF) {
        c->is_end = 1;
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) return rv;
    c->after = key.id;
    rv = bl_key_open(c->keyring, &key, &secret);
    free(key.sealed);
    if (rv == BL_E_KEYRING_MISSING) {
        c->failed++;
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        rv = store_sealed(db, c->keyring, key.id, key.version + 1, secret,
                          strlen(secret));
    }
    bl_secret_free(secret);
    snprintf(object, sizeof(object), "%" APR_INT64_T_FMT, key.id);
    if (rv == APR_SUCCESS) {
        rv = bl_audit_add(db, c->who, "key.rotate", object, NULL);
    }
    if (rv == APR_SUCCESS) c->moved++;
    return rv;
}

apr_status_t bl_store_do_rotate(bl_store_t *s, const bl_admin_who_t *who,
                                int *pmoved)
{
    rotate_call_t c;
    apr_status_t rv = APR_SUCCESS;

    *pmoved = 0;
    if (!s->keyring) return BL_E_KEYRING_MISSING;
    memset(&c, 0, sizeof(c));
    c.keyring = s->keyring;
    c.who = who;
    while (rv == APR_SUCCESS && !c.is_end)
        rv = bl_store_do(s, do_rotate_one, &c);
    *pmoved = c.moved;
    if (c.failed) {
        bl_log(BL_LOG_ERR, 0,
               BL_LOGNO(1415) "%d stored keys cannot be opened by any master "
                              "key: enter them again",
               c.failed);
        if (rv == APR_SUCCESS) rv = BL_E_KEYRING_MISSING;
    }
    return rv;
}
