/* SPDX-License-Identifier: Apache-2.0 */
#include "store/path.h"

#include "base/errors.h"
#include "base/log.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

/* What is refused here is refused as this. */
#define say(err, size, ...)                                                    \
    bl_error_say(BL_E_STORE_UNAVAILABLE, err, size, __VA_ARGS__)

/* File systems whose locks or memory maps other machines do not see; numbers
 * from statfs(2). */
static const struct {
    unsigned long magic;
    const char *name;
} remote[] = {
    {0x6969, "NFS"},      {0x517b, "SMB"},        {0xff534d42, "CIFS"},
    {0xfe534d42, "SMB2"}, {0x5346414f, "AFS"},    {0x00c36400, "Ceph"},
    {0x01021997, "9P"},   {0x0bd00bd0, "Lustre"},
};
#define OVERLAY_MAGIC 0x794c7630ul

static apr_status_t check_filesystem(const char *dir, char *err, size_t size)
{
    struct statfs fs;
    unsigned long type;
    size_t i;

    if (statfs(dir, &fs) != 0) {
        return say(err, size, "%s: %s", dir, strerror(errno));
    }
    type = (unsigned long)fs.f_type & 0xffffffffu;
    for (i = 0; i < sizeof(remote) / sizeof(remote[0]); i++) {
        if (type != remote[i].magic) continue;
        return say(err, size,
                   "%s is on %s: the database needs a local file system, "
                   "where locks and shared memory work",
                   dir, remote[i].name);
    }
    if (type == OVERLAY_MAGIC) {
        bl_log(BL_LOG_WARNING, 0,
               BL_LOGNO(1401) "%s is on an overlay file system: it is lost "
                              "with the container; put the database on a "
                              "volume",
               dir);
    }
    return APR_SUCCESS;
}

static apr_status_t check_directory(const char *dir, struct stat *st, char *err,
                                    size_t size)
{
    if (stat(dir, st) != 0) {
        return say(err, size,
                   "directory %s: %s; make it with mode 0700 for the user "
                   "that httpd runs as",
                   dir, strerror(errno));
    }
    if (!S_ISDIR(st->st_mode)) {
        return say(err, size, "%s is not a directory", dir);
    }
    if (st->st_mode & 077) {
        return say(err, size,
                   "directory %s is open to other users: it must have mode "
                   "0700 (chmod 0700 %s)",
                   dir, dir);
    }
    return check_filesystem(dir, err, size);
}

/* The database file, one of its side files, or nothing yet. */
static apr_status_t check_file(const char *path, uid_t owner, char *err,
                               size_t size)
{
    struct stat st;

    if (lstat(path, &st) != 0) {
        if (errno == ENOENT) return APR_SUCCESS;
        return say(err, size, "%s: %s", path, strerror(errno));
    }
    if (S_ISLNK(st.st_mode)) {
        return say(err, size, "%s is a symbolic link: name the file itself",
                   path);
    }
    if (!S_ISREG(st.st_mode)) {
        return say(err, size, "%s is not a regular file", path);
    }
    if (st.st_nlink > 1) {
        return say(err, size,
                   "%s has a second name (hard link): two names would be two "
                   "locks; remove the other one",
                   path);
    }
    if (st.st_mode & 077) {
        return say(err, size,
                   "%s is open to other users: it must have mode 0600 "
                   "(chmod 0600 %s)",
                   path, path);
    }
    if (st.st_uid != owner) {
        return say(err, size,
                   "%s belongs to user %lu and its directory to user %lu: "
                   "both must belong to the user that httpd runs as",
                   path, (unsigned long)st.st_uid, (unsigned long)owner);
    }
    return APR_SUCCESS;
}

static apr_status_t check_files(const char *path, uid_t owner, char *err,
                                size_t size)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    char name[PATH_MAX];
    apr_status_t rv = APR_SUCCESS;
    size_t i;

    for (i = 0; rv == APR_SUCCESS && i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        rv = check_file(name, owner, err, size);
    }
    return rv;
}

apr_status_t bl_path_check(const char *path, apr_int64_t *powner, char *err,
                           size_t err_size)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    struct stat st;
    apr_status_t rv;

    *powner = -1;
    if (path[0] != '/' || !slash[1] || strlen(path) > PATH_MAX - 16) {
        return say(err, err_size,
                   "the database \"%s\" must be an absolute path of a file",
                   path);
    }
    if (strpbrk(path, "?#%")) {
        return say(err, err_size,
                   "the database path %s must not hold ?, # or %%", path);
    }
    snprintf(dir, sizeof(dir), "%.*s", slash == path ? 1 : (int)(slash - path),
             path);
    rv = check_directory(dir, &st, err, err_size);
    if (rv != APR_SUCCESS) return rv;
    *powner = (apr_int64_t)st.st_uid;
    return check_files(path, st.st_uid, err, err_size);
}

apr_status_t bl_path_check_mine(const char *path, char *err, size_t err_size)
{
    apr_int64_t owner;
    apr_status_t rv = bl_path_check(path, &owner, err, err_size);

    if (rv == APR_SUCCESS && owner != (apr_int64_t)geteuid()) {
        return say(err, err_size,
                   "the directory of %s belongs to user %ld, but this process "
                   "runs as user %ld: give it to that user (chown)",
                   path, (long)owner, (long)geteuid());
    }
    return rv;
}

apr_status_t bl_path_identity(const char *path, bl_path_identity_t *id)
{
    struct stat st;

    memset(id, 0, sizeof(*id));
    if (lstat(path, &st) != 0) return BL_E_STORE_UNAVAILABLE;
    id->device = (apr_uint64_t)st.st_dev;
    id->inode = (apr_uint64_t)st.st_ino;
    return APR_SUCCESS;
}
