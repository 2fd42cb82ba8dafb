/* SPDX-License-Identifier: Apache-2.0 */
/*
 * signature - is this text signed by that key? The three algorithms that
 * tokens may have, each with its own kind of key: one is never taken for
 * another (S-14).
 *
 * THREADS  any.
 * ERRORS   BL_E_UNAUTHENTICATED: not signed by it. APR_ENOMEM: that could not
 *          be told, and it counts as little.
 */
#ifndef BL_SIGNATURE_H
#define BL_SIGNATURE_H

#include "base/bl.h"

#define BL_MAC_SECRET_LEAST 32 /* S-21 */
#define BL_MAC_SECRET_MOST 512
#define BL_PUBLIC_KEY_MOST 8192 /* bytes of PEM */

typedef enum {
    BL_SIGN_NONE,
    BL_SIGN_HS256, /* the key is a secret */
    BL_SIGN_RS256, /* a public key, PEM */
    BL_SIGN_ES256  /* a public key, PEM */
} bl_sign_t;

/* Exactly as written: BL_SIGN_NONE for anything else. */
bl_sign_t bl_sign_by_name(const char *name);
const char *bl_sign_name(bl_sign_t kind);

/* NULL when the key fits the algorithm, else what would be right. */
const char *bl_sign_key_complaint(bl_sign_t kind, const char *key, size_t len);

/* A MAC is compared in constant time (S-17). */
apr_status_t bl_sign_verify(bl_sign_t kind, const char *key, size_t key_len,
                            const char *text, size_t len,
                            const unsigned char *sig, size_t sig_len);

#endif
