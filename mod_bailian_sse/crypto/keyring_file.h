/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring_file - the master key file: one "<key id> <64 hex digits>" a line,
 * newest last; lines that begin with # are comments.
 *
 * Read with care (D13): a regular file, no symlink, owned by root or by who
 * reads it, readable by nobody else. Written whole or not at all.
 *
 * OWNERSHIP  the struct is the caller's, who wipes it.
 * THREADS    one, at start.
 * ERRORS     BL_E_KEYRING_MISSING, APR_EEXIST; err says what would be right.
 */
#ifndef BL_KEYRING_FILE_H
#define BL_KEYRING_FILE_H

#include "base/bl.h"
#include "crypto/aead.h"
#include "crypto/keyring.h"

typedef struct bl_master_key_t {
    apr_uint32_t id; /* never 0 */
    unsigned char key[BL_AEAD_KEY_BYTES];
} bl_master_key_t;

typedef struct bl_keyring_file_t {
    int count; /* at least 1 */
    bl_master_key_t keys[BL_KEYRING_KEYS];
} bl_keyring_file_t;

apr_status_t bl_keyring_file_read(bl_keyring_file_t *f, const char *path,
                                  char *err, size_t err_size);

#endif
