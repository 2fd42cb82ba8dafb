/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sealed API keys: name, fingerprint and last four characters are shown, the
 * key itself is opened for one attempt only (S-39 - S-46).
 */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/secret.h"
#include "crypto/keyring.h"
#include "crypto/token.h"
#include "store/api_keys.h"
#include "store/audit.h"
#include "store/names.h"
#include "store/sealed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SECRET_LEAST 8
#define SECRET_MOST 4096
#define FINGERPRINT_BYTES 8

apr_status_t bl_key_open(const bl_keyring_t *k, const bl_key_t *key,
                         char **psecret)
{
    return bl_sealed_open(k, &bl_sealed_keys, key->id, key->version,
                          key->sealed, key->sealed_len, psecret);
}

/* --- a secret ----------------------------------------------------------- */

typedef struct secret_t {
    const char *text;
    char last4[5];
    char fingerprint[2 * FINGERPRINT_BYTES + 1];
} secret_t;

/* Printable ASCII without spaces: it goes into a header (S-36). */
static int is_secret_valid(const char *s)
{
    size_t n = 0;

    for (; s[n]; n++) {
        if (s[n] <= 0x20 || s[n] >= 0x7f) return 0;
    }
    return n >= SECRET_LEAST && n <= SECRET_MOST;
}

static apr_status_t describe_secret(const char *text, secret_t *out,
                                    bl_complaint_t *why)
{
    unsigned char digest[BL_SHA256_BYTES];
    bl_sha256_t *h;
    apr_status_t rv;

    if (!text || !is_secret_valid(text)) {
        return bl_complain(
            why, "secret",
            BL_SAY("must be 8 to 4096 printable ASCII characters "
                   "without spaces"));
    }
    rv = bl_sha256_create(&h);
    if (rv != APR_SUCCESS) return rv;
    bl_sha256_add(h, text, strlen(text));
    bl_sha256_end(h, digest);
    bl_sha256_destroy(h);
    bl_hex(out->fingerprint, digest, FINGERPRINT_BYTES);
    bl_secret_wipe(digest, sizeof(digest));
    memcpy(out->last4, text + strlen(text) - 4, 5);
    out->text = text;
    return APR_SUCCESS;
}

/* Seals the secret into the row, which is usable then, unless it is to be
 * disabled. */
static apr_status_t put_secret(bl_db_t *db, bl_keyring_t *k, apr_int64_t id,
                               apr_int64_t version, const secret_t *secret,
                               const char *state)
{
    static const char sql[] =
        "UPDATE api_key SET state = ?4, last4 = ?2, fingerprint = ?3,"
        " revision = revision + 1 WHERE id = ?1";
    apr_status_t rv = bl_sealed_put(db, k, &bl_sealed_keys, id, version,
                                    secret->text, strlen(secret->text));
    sqlite3_stmt *st;

    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_text(st, 2, secret->last4);
    bl_db_text(st, 3, secret->fingerprint);
    bl_db_text(st, 4, state);
    return bl_db_run(db, st, NULL);
}

/* --- new keys ----------------------------------------------------------- */

typedef struct new_call_t {
    bl_keyring_t *keyring;
    const bl_admin_who_t *who;
    bl_new_key_t *keys;
    int count;
    int is_dry_run;
} new_call_t;

/* What a dry run answers with inside, so that its transaction is undone. */
#define UNDONE APR_EINCOMPLETE

/* A row that waits for its key to be entered again (S-34) takes it; any other
 * row of that name is in the way. APR_EOF: there is none. */
static apr_status_t find_waiting(bl_db_t *db, bl_new_key_t *key,
                                 apr_int64_t upstream, apr_int64_t *pversion)
{
    static const char sql[] = "SELECT id, version, state FROM api_key"
                              " WHERE upstream_id = ?1 AND name = ?2";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, upstream);
    bl_db_text(st, 2, key->name);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        key->id = sqlite3_column_int64(st, 0);
        key->was_waiting = 1;
        *pversion = sqlite3_column_int64(st, 1) + 1;
        if (strcmp((const char *)sqlite3_column_text(st, 2), "reenter")) {
            rv = BL_E_CONFLICT;
        }
    }
    bl_db_done(st);
    return rv;
}

static apr_status_t insert_key(bl_db_t *db, bl_new_key_t *key,
                               apr_int64_t upstream, apr_int64_t *pversion)
{
    static const char sql[] =
        "INSERT INTO api_key (upstream_id, name, state, last4, fingerprint,"
        " sealed, version, master_key_id, weight, priority, created_at,"
        " updated_at, revision) VALUES (?1, ?2, 'enabled', '', '', x'', 1, 0,"
        " 1, 0, ?3, ?3, 0)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, upstream);
    bl_db_text(st, 2, key->name);
    bl_db_int(st, 3, bl_clock_wall());
    rv = bl_db_run(db, st, NULL);
    key->id = sqlite3_last_insert_rowid(bl_db_handle(db));
    *pversion = 1;
    return rv;
}

static apr_status_t find_upstream(bl_db_t *db, bl_new_key_t *key,
                                  apr_int64_t *pid)
{
    apr_status_t rv = bl_upstream_id(db, key->upstream, pid);

    if (rv != BL_E_NOT_FOUND) return rv;
    bl_complain(&key->why, "upstream",
                BL_SAY("There is no upstream \"{1}\": add it first."),
                key->upstream);
    return rv;
}

static apr_status_t new_one(bl_db_t *db, const new_call_t *c, bl_new_key_t *key)
{
    apr_int64_t upstream = 0, version = 1;
    bl_say_number_t most;
    secret_t secret;
    apr_status_t rv;

    if (!key->name || !bl_name_is_valid(key->name)) {
        return bl_complain(&key->why, "name",
                           BL_SAY("must be 1 to {1} letters, digits, dots, "
                                  "hyphens and underscores"),
                           bl_say_number(most, BL_NAME_BYTES - 1));
    }
    rv = describe_secret(key->secret, &secret, &key->why);
    if (rv != APR_SUCCESS) return rv;
    memcpy(key->last4, secret.last4, sizeof(key->last4));
    rv = find_upstream(db, key, &upstream);
    if (rv == APR_SUCCESS) rv = find_waiting(db, key, upstream, &version);
    if (rv == APR_EOF) rv = insert_key(db, key, upstream, &version);
    if (rv == BL_E_CONFLICT) bl_complain(&key->why, "name", BL_SAY("is taken"));
    if (rv == BL_E_CONFLICT) return rv;
    if (rv == APR_SUCCESS) {
        rv = put_secret(db, c->keyring, key->id, version, &secret,
                        key->is_disabled ? "disabled" : "enabled");
    }
    if (rv == APR_SUCCESS && key->fields) {
        rv = bl_key_put_fields(db, key->id, key->fields, &key->why);
    }
    if (rv != APR_SUCCESS) return rv;
    return bl_key_audit(db, c->who, "key.add", key->id, secret.fingerprint);
}

/* Is it the item's own fault? Then the others are looked at, too. */
static int is_of_item(apr_status_t rv)
{
    return rv == BL_E_BAD_VALUE || rv == BL_E_CONFLICT || rv == BL_E_NOT_FOUND;
}

static apr_status_t do_new(bl_db_t *db, void *ctx)
{
    new_call_t *c = ctx;
    apr_status_t first = c->is_dry_run ? UNDONE : APR_SUCCESS;
    int i;

    for (i = 0; i < c->count; i++) {
        bl_new_key_t *key = &c->keys[i];

        key->rv = new_one(db, c, key);
        if (key->rv == APR_SUCCESS) continue;
        if (!is_of_item(key->rv)) return key->rv;
        if (first == APR_SUCCESS || first == UNDONE) first = key->rv;
    }
    return first;
}

apr_status_t bl_store_do_keys_new(bl_store_t *s, const bl_admin_who_t *who,
                                  bl_new_key_t *keys, int count, int is_dry_run)
{
    new_call_t c = {s->keyring, who, keys, count, is_dry_run};
    apr_status_t rv;

    if (!s->keyring) return BL_E_KEYRING_MISSING;
    rv = bl_store_do(s, do_new, &c);
    return rv == UNDONE ? APR_SUCCESS : rv;
}

apr_status_t bl_store_do_key_add(bl_store_t *s, const bl_admin_who_t *who,
                                 const char *upstream, const char *name,
                                 const char *secret, apr_int64_t *pid)
{
    bl_new_key_t key;
    apr_status_t rv;

    *pid = 0;
    memset(&key, 0, sizeof(key));
    key.upstream = upstream;
    key.name = name;
    key.secret = secret;
    rv = bl_store_do_keys_new(s, who, &key, 1, 0);
    if (rv == APR_SUCCESS) *pid = key.id;
    return rv;
}

/* --- another secret ----------------------------------------------------- */

typedef struct replace_call_t {
    bl_keyring_t *keyring;
    const bl_admin_who_t *who;
    apr_int64_t id;
    secret_t secret;
    bl_change_t *change;
} replace_call_t;

/* A disabled key stays so; one that waits for its secret is usable then. */
static apr_status_t do_replace(bl_db_t *db, void *ctx)
{
    static const char sql[] =
        "SELECT revision, version, state = 'disabled' FROM api_key"
        " WHERE id = ?1";
    replace_call_t *c = ctx;
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_int64_t version = 0;
    int is_disabled = 0;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        rv = bl_check_revision(c->change, sqlite3_column_int64(st, 0));
        version = sqlite3_column_int64(st, 1);
        is_disabled = sqlite3_column_int(st, 2);
    }
    bl_db_done(st);
    if (rv == APR_EOF) return BL_E_NOT_FOUND;
    if (rv == APR_SUCCESS) {
        rv = put_secret(db, c->keyring, c->id, version + 1, &c->secret,
                        is_disabled ? "disabled" : "enabled");
    }
    if (rv != APR_SUCCESS) return rv;
    c->change->present++;
    return bl_key_audit(db, c->who, "key.replace", c->id,
                        c->secret.fingerprint);
}

apr_status_t bl_store_do_key_replace(bl_store_t *s, const bl_admin_who_t *who,
                                     apr_int64_t id, const char *secret,
                                     bl_change_t *change)
{
    replace_call_t c = {s->keyring, who, id, {NULL, "", ""}, change};
    apr_status_t rv;

    memset(&change->why, 0, sizeof(change->why));
    if (!s->keyring) return BL_E_KEYRING_MISSING;
    rv = describe_secret(secret, &c.secret, &change->why);
    return rv == APR_SUCCESS ? bl_store_do(s, do_replace, &c) : rv;
}
