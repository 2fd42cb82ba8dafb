/* SPDX-License-Identifier: Apache-2.0 */
#include "store/migrate.h"

#include "base/errors.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "store/copy.h"

static apr_status_t version_of(bl_db_t *db, int *pversion)
{
    apr_int64_t n = 0;
    apr_status_t rv = bl_db_number(db, "PRAGMA user_version", 0, &n);

    *pversion = (int)n;
    return rv;
}

/* A database of somebody else has tables, but version 0: hands off. */
static apr_status_t check_is_ours(bl_db_t *db, int version, const char *path,
                                  char *err, size_t size)
{
    apr_int64_t tables = 0;
    apr_status_t rv;

    if (version) return APR_SUCCESS;
    /* One statement: another process may take the first step right now. */
    rv = bl_db_number(db,
                      "SELECT count(*) FROM sqlite_schema, pragma_user_version"
                      " WHERE user_version = 0",
                      0, &tables);
    if (rv == APR_SUCCESS && tables) {
        snprintf(err, size,
                 "%s is a database of another program: give this module a "
                 "file of its own",
                 path);
        rv = BL_E_STORE_UNAVAILABLE;
    }
    return rv;
}

static apr_status_t check_version(bl_db_t *db, const char *path, int count,
                                  int may_change, int *pversion, char *err,
                                  size_t size)
{
    apr_status_t rv = version_of(db, pversion);

    if (rv == APR_SUCCESS) {
        rv = check_is_ours(db, *pversion, path, err, size);
    }
    if (rv != APR_SUCCESS) return rv;
    if (*pversion > count) {
        snprintf(err, size,
                 "%s has schema %d, made by a newer version of this module; "
                 "this one knows schema %d: install the newer version",
                 path, *pversion, count);
        return BL_E_STORE_UNAVAILABLE;
    }
    if (*pversion < count && !may_change) {
        snprintf(err, size,
                 "%s has schema %d and %d is needed: run \"bailianctl "
                 "--database %s db migrate\"",
                 path, *pversion, count, path);
        return BL_E_STORE_UNAVAILABLE;
    }
    return APR_SUCCESS;
}

static apr_status_t keep_copy(bl_db_t *db, const char *path, int version,
                              int count, char *err, size_t size)
{
    char to[PATH_MAX];
    apr_status_t rv;

    if (!version) return APR_SUCCESS;
    snprintf(to, sizeof(to), "%s.before-%d", path, count);
    rv = bl_copy_database(db, to);
    if (rv == APR_EEXIST) return APR_SUCCESS;
    if (rv != APR_SUCCESS) {
        snprintf(err, size,
                 "no copy of %s could be made at %s: make room there, or "
                 "look at its permissions",
                 path, to);
    }
    return rv;
}

static apr_status_t take_steps(bl_db_t *db, const bl_asset_t *steps, int count)
{
    apr_status_t rv = bl_db_begin(db, 1);
    int version = 0;

    if (rv != APR_SUCCESS) return rv;
    rv = version_of(db, &version); /* another process may have been first */
    /* Each step ends with "PRAGMA user_version = <its number>". */
    while (rv == APR_SUCCESS && version < count) {
        int next = version + 1;

        rv = bl_db_exec(db, (const char *)steps[version].data);
        if (rv == APR_SUCCESS) rv = version_of(db, &version);
        if (rv == APR_SUCCESS && version != next) rv = BL_E_INTERNAL;
    }
    if (rv == APR_SUCCESS) return bl_db_commit(db);
    bl_db_rollback(db);
    return rv;
}

apr_status_t bl_migrate(bl_db_t *db, const char *path, const bl_asset_t *steps,
                        int count, int may_change, char *err, size_t err_size)
{
    char unheard[256];
    int version = 0;
    apr_status_t rv;

    if (!err || !err_size) {
        err = unheard;
        err_size = sizeof(unheard);
    }
    *err = '\0';
    rv = check_version(db, path, count, may_change, &version, err, err_size);
    if (rv == APR_SUCCESS && version < count) {
        rv = keep_copy(db, path, version, count, err, err_size);
        if (rv == APR_SUCCESS) rv = take_steps(db, steps, count);
        if (rv == APR_SUCCESS) {
            bl_log(BL_LOG_INFO, 0, BL_LOGNO(1405) "schema %d -> %d: %s",
                   version, count, path);
        }
    }
    if (rv == BL_E_STORE_CORRUPT) {
        snprintf(err, err_size,
                 "%s is damaged: stop httpd, keep a copy, and run "
                 "\"bailianctl --database %s db check\"",
                 path, path);
    }
    else if (rv != APR_SUCCESS && !*err) {
        snprintf(err, err_size,
                 "%s could not be brought to schema %d and is as it was: %s",
                 path, count, sqlite3_errmsg(bl_db_handle(db)));
    }
    return rv;
}
