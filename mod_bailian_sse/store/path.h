/* SPDX-License-Identifier: Apache-2.0 */
/*
 * path - may a database lie here? Owner, mode, kind of file and file system
 * of the database, its side files and its directory (D08, S-45).
 *
 * THREADS  any.
 * ERRORS   BL_E_STORE_UNAVAILABLE; err gets one sentence for the admin.
 */
#ifndef BL_PATH_H
#define BL_PATH_H

#include "base/bl.h"

/* *powner: the user that owns the directory, who must own the rest too. The
 * file itself need not exist yet. */
apr_status_t bl_path_check(const char *path, apr_int64_t *powner, char *err,
                           size_t err_size);

/* The same, and all of it belongs to the user this process runs as. */
apr_status_t bl_path_check_mine(const char *path, char *err, size_t err_size);

/* Which file lies at the path: it must not change while we run (D09). */
typedef struct bl_path_identity_t {
    apr_uint64_t device, inode;
} bl_path_identity_t;
apr_status_t bl_path_identity(const char *path, bl_path_identity_t *id);

#endif
