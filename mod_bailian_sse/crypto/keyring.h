/* SPDX-License-Identifier: Apache-2.0 */
/*
 * keyring - the master keys that seal stored API keys (S-39 - S-46).
 *
 * The file holds one key a line, "<key id> <64 hex digits>", newest last; it
 * is owned by root with mode 0400 (0600 accepted) and read before httpd drops
 * its privileges. Sealed form: u8 format version, u32 key id (big endian), 12
 * bytes nonce, ciphertext, 16 bytes tag; HKDF-SHA256 gives each purpose its own
 * key; the associated data bind purpose, table, row id, row version and key id.
 *
 * OWNERSHIP  made once, wiped by close; memory locked and left out of dumps.
 * THREADS    seal and open: any. load, rotate: one, at start.
 * ERRORS     BL_E_KEYRING_MISSING for every reason an opening can fail (S-46);
 *            APR_ENOMEM, which says nothing of what was to be opened.
 */
#ifndef BL_KEYRING_H
#define BL_KEYRING_H

#include "base/bl.h"

/* err gets one sentence that says what would be right. */
apr_status_t bl_keyring_load(bl_keyring_t **pk, const char *path, char *err,
                             size_t err_size);
void bl_keyring_close(bl_keyring_t *k);

/* A new file with one random key, mode 0400. A file that is there is never
 * touched: APR_EEXIST. */
apr_status_t bl_keyring_file_create(const char *path, char *err,
                                    size_t err_size);

/* Adds a new random key at the end of an existing file (D15). The file is
 * replaced whole or not at all. */
apr_status_t bl_keyring_file_add(const char *path, char *err, size_t err_size);

#define BL_KEYRING_KEYS 64              /* in one file */
#define BL_KEYRING_SEALINGS 0xffffffffu /* by one master key (S-40) */

apr_uint32_t bl_keyring_newest(const bl_keyring_t *k); /* its key id */

/* Is there a key of this id? */
int bl_keyring_has(const bl_keyring_t *k, apr_uint32_t key_id);

/* Key id in the head of a sealed blob; 0 when it has none. */
apr_uint32_t bl_keyring_id_of(const unsigned char *sealed, size_t len);

/* What a sealed blob belongs to. */
typedef struct bl_seal_for_t {
    const char *purpose; /* "api_key" */
    const char *table;
    apr_int64_t row_id;
    apr_int64_t version;
} bl_seal_for_t;

/* malloc'd; *plen bytes. */
apr_status_t bl_keyring_seal(bl_keyring_t *k, const bl_seal_for_t *f,
                             const void *clear, size_t clear_len,
                             unsigned char **psealed, size_t *plen);
apr_status_t bl_keyring_open(const bl_keyring_t *k, const bl_seal_for_t *f,
                             const unsigned char *sealed, size_t sealed_len,
                             unsigned char **pclear, size_t *plen);

#endif
