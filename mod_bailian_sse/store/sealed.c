/* SPDX-License-Identifier: Apache-2.0 */
#include "store/sealed.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const bl_sealed_t bl_sealed_keys = {
    "api_key",
    "UPDATE api_key SET sealed = ?2, version = ?3, master_key_id = ?4,"
    " updated_at = ?5 WHERE id = ?1",
    "SELECT id, version, sealed FROM api_key"
    " WHERE id > ?1 AND master_key_id <> ?2 ORDER BY id LIMIT 1",
    "key.rotate"};

const bl_sealed_t bl_sealed_alerts = {
    "alert",
    "UPDATE alert SET sealed = ?2, version = ?3, master_key_id = ?4,"
    " updated_at = ?5 WHERE id = ?1",
    "SELECT id, version, sealed FROM alert"
    " WHERE id > ?1 AND master_key_id <> ?2 ORDER BY id LIMIT 1",
    "alert.rotate"};

static bl_seal_for_t seal_for(const bl_sealed_t *what, apr_int64_t id,
                              apr_int64_t version)
{
    bl_seal_for_t f = {what->table, what->table, id, version};

    return f;
}

apr_status_t bl_sealed_open(const bl_keyring_t *k, const bl_sealed_t *what,
                            apr_int64_t id, apr_int64_t version,
                            const unsigned char *sealed, size_t len,
                            char **psecret)
{
    bl_seal_for_t f = seal_for(what, id, version);
    unsigned char *clear;
    size_t clear_len;
    apr_status_t rv;

    *psecret = NULL;
    if (!k) return BL_E_KEYRING_MISSING;
    rv = bl_keyring_open(k, &f, sealed, len, &clear, &clear_len);
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

apr_status_t bl_sealed_put(bl_db_t *db, bl_keyring_t *k,
                           const bl_sealed_t *what, apr_int64_t id,
                           apr_int64_t version, const void *secret, size_t len)
{
    bl_seal_for_t f = seal_for(what, id, version);
    unsigned char *sealed;
    sqlite3_stmt *st;
    size_t sealed_len;
    apr_status_t rv;

    if (!k) return BL_E_KEYRING_MISSING;
    rv = count_sealing(db, bl_keyring_newest(k));
    if (rv == APR_SUCCESS) {
        rv = bl_keyring_seal(k, &f, secret, len, &sealed, &sealed_len);
    }
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, what->sql_put);
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

apr_status_t bl_sealed_dup(sqlite3_stmt *st, int column, unsigned char **pdata,
                           size_t *plen)
{
    size_t len = (size_t)sqlite3_column_bytes(st, column);

    *plen = 0;
    *pdata = malloc(len + 1);
    if (!*pdata) return APR_ENOMEM;
    if (len) memcpy(*pdata, sqlite3_column_blob(st, column), len);
    *plen = len;
    return APR_SUCCESS;
}
