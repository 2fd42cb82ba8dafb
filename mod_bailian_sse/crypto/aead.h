/* SPDX-License-Identifier: Apache-2.0 */
/*
 * aead - seal and open one blob with AES-256-GCM; derive a key by HKDF-SHA256.
 *
 * The nonce is 96 bits, the tag 128 bits, never shorter (S-39). Nothing here
 * knows what a blob belongs to: that is in the associated data.
 *
 * THREADS  any: no state.
 * ERRORS   BL_E_KEYRING_MISSING for every failure, and then out is zeroed: why
 *          an opening failed is nobody's business (S-46).
 */
#ifndef BL_AEAD_H
#define BL_AEAD_H

#include "base/bl.h"

#define BL_AEAD_KEY_BYTES 32
#define BL_AEAD_NONCE_BYTES 12
#define BL_AEAD_TAG_BYTES 16

/* out: len bytes; tag: BL_AEAD_TAG_BYTES. */
apr_status_t bl_aead_seal(const unsigned char *key, const unsigned char *nonce,
                          const void *ad, size_t ad_len, const void *clear,
                          size_t len, unsigned char *out, unsigned char *tag);
apr_status_t bl_aead_open(const unsigned char *key, const unsigned char *nonce,
                          const void *ad, size_t ad_len,
                          const unsigned char *sealed, size_t len,
                          const unsigned char *tag, unsigned char *out);

/* A key of BL_AEAD_KEY_BYTES for one purpose from a master key of the same
 * size. */
apr_status_t bl_hkdf(const unsigned char *master, const char *purpose,
                     unsigned char *key);

#endif
