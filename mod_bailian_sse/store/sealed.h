/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sealed - secrets that stand sealed in a row: API keys, webhooks. Bound to
 * table, row and version, so that no sealed value opens anywhere else.
 *
 * OWNERSHIP  an opened secret is the caller's: bl_secret_free().
 * THREADS    open: any. put: that of the connection, inside a transaction.
 * ERRORS     BL_E_KEYRING_MISSING when it cannot be sealed or opened.
 */
#ifndef BL_SEALED_H
#define BL_SEALED_H

#include "crypto/keyring.h"
#include "store/db.h"

typedef struct bl_sealed_t {
    const char *table;
    /* ?1 id, ?2 sealed, ?3 version, ?4 master key, ?5 now */
    const char *sql_put;
    /* id, version, sealed; ?1 after this id, ?2 not under this master key */
    const char *sql_next;
    const char *action; /* of the audit, when it is sealed again */
} bl_sealed_t;

extern const bl_sealed_t bl_sealed_keys, bl_sealed_alerts;

apr_status_t bl_sealed_put(bl_db_t *db, bl_keyring_t *k,
                           const bl_sealed_t *what, apr_int64_t id,
                           apr_int64_t version, const void *secret, size_t len);
apr_status_t bl_sealed_open(const bl_keyring_t *k, const bl_sealed_t *what,
                            apr_int64_t id, apr_int64_t version,
                            const unsigned char *sealed, size_t len,
                            char **psecret);

/* The blob of a column, malloc'd. */
apr_status_t bl_sealed_dup(sqlite3_stmt *st, int column, unsigned char **pdata,
                           size_t *plen);

#endif
