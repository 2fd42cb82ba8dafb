/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts as the catalog's snapshot has them. */
#include "store/alerts_load.h"

#include "base/errors.h"
#include "store/audit.h"
#include "store/sealed.h"
#include "store/store_private.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS                                                                \
    "id, version, name, shape, is_enabled, sealed, ca_file, proxy, window_s,"  \
    " error_percent, streams_least, first_content_ms, has_keys, has_store,"    \
    " repeat_minutes, silenced_until"

void bl_alert_release(bl_alert_t *a)
{
    free(a->sealed);
    free(a->ca_file);
    free(a->proxy);
}

void bl_alert_free(bl_alert_t *a)
{
    if (!a) return;
    bl_alert_release(a);
    free(a);
}

static int number_or_unset(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL
               ? -1
               : sqlite3_column_int(st, column);
}

static apr_status_t read_alert(sqlite3_stmt *st, bl_alert_t *a)
{
    apr_status_t rv;

    memset(a, 0, sizeof(*a));
    a->id = sqlite3_column_int64(st, 0);
    a->version = sqlite3_column_int64(st, 1);
    bl_db_copy(st, 2, a->name, sizeof(a->name));
    bl_db_copy(st, 3, a->shape, sizeof(a->shape));
    a->is_enabled = sqlite3_column_int(st, 4);
    rv = bl_sealed_dup(st, 5, &a->sealed, &a->sealed_len);
    a->ca_file = bl_db_dup(st, 6, &rv);
    a->proxy = bl_db_dup(st, 7, &rv);
    a->window_s = sqlite3_column_int(st, 8);
    a->error_percent = number_or_unset(st, 9);
    a->streams_least = sqlite3_column_int(st, 10);
    a->first_content_ms = number_or_unset(st, 11);
    a->has_keys = sqlite3_column_int(st, 12);
    a->has_store = sqlite3_column_int(st, 13);
    a->repeat_minutes = number_or_unset(st, 14);
    a->silenced_until = sqlite3_column_int64(st, 15);
    if (rv != APR_SUCCESS) bl_alert_release(a);
    return rv;
}

apr_status_t bl_alerts_load(bl_db_t *db, bl_alert_t **palerts, int *pcount)
{
    static const char sql[] = "SELECT " COLUMNS " FROM alert ORDER BY id";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        bl_alert_t *all =
            realloc(*palerts, ((size_t)*pcount + 1) * sizeof(*all));

        if (!all) {
            rv = APR_ENOMEM;
            break;
        }
        *palerts = all;
        rv = read_alert(st, &all[*pcount]);
        if (rv != APR_SUCCESS) break;
        (*pcount)++;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

apr_status_t bl_store_alert(bl_store_t *s, apr_int64_t id, bl_alert_t **pa)
{
    static const char sql[] = "SELECT " COLUMNS " FROM alert WHERE id = ?1";
    bl_alert_t *a = calloc(1, sizeof(*a));
    sqlite3_stmt *st = NULL;
    bl_db_t *db = NULL;
    apr_status_t rv = a ? bl_store_read_begin(s, &db) : APR_ENOMEM;

    *pa = NULL;
    if (rv == APR_SUCCESS) {
        st = bl_db_stmt(db, sql);
        if (st) bl_db_int(st, 1, id);
        rv = bl_db_step(db, st);
        if (rv == APR_SUCCESS) rv = read_alert(st, a);
        bl_db_done(st);
        bl_store_read_end(s, db);
    }
    if (rv == APR_SUCCESS)
        *pa = a;
    else
        free(a);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_alert_open(const bl_keyring_t *k, const bl_alert_t *a,
                           char **purl)
{
    return bl_sealed_open(k, &bl_sealed_alerts, a->id, a->version, a->sealed,
                          a->sealed_len, purl);
}

apr_status_t bl_alert_audit(bl_db_t *db, const bl_admin_who_t *who,
                            const char *action, apr_int64_t id,
                            const char *detail)
{
    static const char sql[] = "SELECT name FROM alert WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    char object[BL_NAME_BYTES] = "";
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) bl_db_copy(st, 0, object, sizeof(object));
    bl_db_done(st);
    if (rv == APR_EOF) return BL_E_NOT_FOUND;
    return rv == APR_SUCCESS ? bl_audit_add(db, who, action, object, detail)
                             : rv;
}
