/* SPDX-License-Identifier: Apache-2.0 */
/* Every sealed key under the newest master key (D15). */
#include "store/store_private.h"

#include "base/errors.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/keyring.h"
#include "store/api_keys.h"

#include <stdlib.h>
#include <string.h>

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
    char *secret = NULL;
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
        rv = bl_key_seal(db, c->keyring, key.id, key.version + 1, secret,
                         strlen(secret));
    }
    bl_secret_free(secret);
    if (rv == APR_SUCCESS) {
        rv = bl_key_audit(db, c->who, "key.rotate", key.id, NULL);
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
