/* SPDX-License-Identifier: Apache-2.0 */
/* Every sealed key and webhook under the newest master key (D15). */
#include "store/store_private.h"

#include "base/errors.h"
#include "base/log.h"
#include "base/secret.h"
#include "store/alerts_load.h"
#include "store/api_keys.h"
#include "store/sealed.h"

#include <stdlib.h>
#include <string.h>

typedef struct rotate_call_t {
    bl_keyring_t *keyring;
    const bl_admin_who_t *who;
    const bl_sealed_t *what;
    apr_int64_t after;
    int moved;  /* in all */
    int failed; /* rows no master key opens */
    int is_end;
} rotate_call_t;

typedef struct row_t {
    apr_int64_t id, version;
    unsigned char *sealed;
    size_t sealed_len;
} row_t;

static apr_status_t next_to_move(bl_db_t *db, const rotate_call_t *c,
                                 row_t *row)
{
    sqlite3_stmt *st = bl_db_stmt(db, c->what->sql_next);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->after);
    bl_db_int(st, 2, bl_keyring_newest(c->keyring));
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        row->id = sqlite3_column_int64(st, 0);
        row->version = sqlite3_column_int64(st, 1);
        rv = bl_sealed_dup(st, 2, &row->sealed, &row->sealed_len);
    }
    bl_db_done(st);
    return rv;
}

static apr_status_t audit_move(bl_db_t *db, const rotate_call_t *c,
                               apr_int64_t id)
{
    return c->what == &bl_sealed_keys
               ? bl_key_audit(db, c->who, c->what->action, id, NULL)
               : bl_alert_audit(db, c->who, c->what->action, id, NULL);
}

/* One row a transaction: a rotation killed at any step leaves every row under
 * exactly one master key (D15). */
static apr_status_t do_rotate_one(bl_db_t *db, void *ctx)
{
    rotate_call_t *c = ctx;
    char *secret = NULL;
    row_t row;
    apr_status_t rv;

    memset(&row, 0, sizeof(row));
    rv = next_to_move(db, c, &row);
    if (rv == APR_EOF) {
        c->is_end = 1;
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) return rv;
    c->after = row.id;
    rv = bl_sealed_open(c->keyring, c->what, row.id, row.version, row.sealed,
                        row.sealed_len, &secret);
    free(row.sealed);
    if (rv == BL_E_KEYRING_MISSING) {
        c->failed++;
        return APR_SUCCESS;
    }
    if (rv == APR_SUCCESS) {
        rv = bl_sealed_put(db, c->keyring, c->what, row.id, row.version + 1,
                           secret, strlen(secret));
    }
    bl_secret_free(secret);
    if (rv == APR_SUCCESS) rv = audit_move(db, c, row.id);
    if (rv == APR_SUCCESS) c->moved++;
    return rv;
}

static apr_status_t rotate(bl_store_t *s, rotate_call_t *c,
                           const bl_sealed_t *what)
{
    apr_status_t rv = APR_SUCCESS;

    c->what = what;
    c->after = 0;
    c->is_end = 0;
    while (rv == APR_SUCCESS && !c->is_end)
        rv = bl_store_do(s, do_rotate_one, c);
    return rv;
}

apr_status_t bl_store_do_rotate(bl_store_t *s, const bl_admin_who_t *who,
                                int *pmoved)
{
    rotate_call_t c;
    apr_status_t rv;

    *pmoved = 0;
    if (!s->keyring) return BL_E_KEYRING_MISSING;
    memset(&c, 0, sizeof(c));
    c.keyring = s->keyring;
    c.who = who;
    rv = rotate(s, &c, &bl_sealed_keys);
    if (rv == APR_SUCCESS) rv = rotate(s, &c, &bl_sealed_alerts);
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
