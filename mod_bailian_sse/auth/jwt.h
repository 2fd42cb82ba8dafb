/* SPDX-License-Identifier: Apache-2.0 */
/*
 * jwt - a signed token -> who it names, by one configured issuer (S-14 - S-17).
 *
 * The issuer says the algorithm and the key. Of the token's header only "alg"
 * is read, and must be that very one; "kid", "jku", "x5u", "jwk" choose
 * nothing, "crit" is refused.
 *
 * OWNERSHIP  nothing is kept.
 * THREADS    any.
 * ERRORS     BL_E_UNAUTHENTICATED for every reason but APR_ENOMEM: nobody could
 *            tell.
 */
#ifndef BL_JWT_H
#define BL_JWT_H

#include "base/bl.h"
#include "crypto/signature.h"

#define BL_JWT_LEEWAY_S 60
#define BL_JWT_LEEWAY_MOST_S 600

typedef struct bl_jwt_issuer_t {
    const char *name; /* part of the principals it names */
    bl_sign_t alg;
    const char *key; /* PEM or secret */
    size_t key_len;
    const char *iss; /* NULL: not looked at */
    const char *aud; /* NULL: not looked at */
    int leeway_s;
} bl_jwt_issuer_t;

typedef struct bl_jwt_claims_t {
    char sub[BL_PRINCIPAL_BYTES];
    apr_time_t expires_at; /* wall time, leeway included */
} bl_jwt_claims_t;

/* Has it the outer form of one: three parts? */
int bl_jwt_looks_like(const char *token);

apr_status_t bl_jwt_verify(bl_jwt_claims_t *out, const bl_jwt_issuer_t *issuer,
                           const char *token, apr_time_t now);

#endif
