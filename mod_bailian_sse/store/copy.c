/* SPDX-License-Identifier: Apache-2.0 */
#include "store/copy.h"

#include "base/errors.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

static apr_status_t vacuum_into(bl_db_t *db, const char *path)
{
    sqlite3_stmt *st = bl_db_stmt(db, "VACUUM INTO ?1");

    if (st) bl_db_text(st, 1, path);
    return bl_db_run(db, st, NULL);
}

static apr_status_t sync_file(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int ok = fd >= 0 && fsync(fd) == 0;

    if (fd >= 0) close(fd);
    return ok ? APR_SUCCESS : BL_E_STORE_UNAVAILABLE;
}

apr_status_t bl_copy_database(bl_db_t *db, const char *to_path)
{
    char part[PATH_MAX];
    apr_status_t rv;
    int fd;

    if (access(to_path, F_OK) == 0) return APR_EEXIST;
    if (snprintf(part, sizeof(part), "%s.part-%ld", to_path, (long)getpid()) >=
        (int)sizeof(part))
    {
        return BL_E_BAD_VALUE;
    }
    /* VACUUM INTO takes an empty file, and so keeps the mode of this one. */
    unlink(part);
    fd = open(part, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0) return BL_E_STORE_UNAVAILABLE;
    close(fd);
    rv = vacuum_into(db, part);
    if (rv == APR_SUCCESS) rv = sync_file(part);
    /* link() and not rename(): it does not replace what came meanwhile. */
    if (rv == APR_SUCCESS && link(part, to_path) != 0) {
        rv = errno == EEXIST ? APR_EEXIST : BL_E_STORE_UNAVAILABLE;
    }
    unlink(part);
    return rv;
}
