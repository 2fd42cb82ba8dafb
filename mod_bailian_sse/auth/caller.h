/* SPDX-License-Identifier: Apache-2.0 */
/*
 * caller - a credential -> who it names, what he may, until when (S-03: every
 * spelling of a credential comes here).
 *
 * A caller token begins with "bl_"; anything else is a JWT, and is tried with
 * the issuers of httpd.conf, then with those of the database.
 *
 * OWNERSHIP  client belongs to the catalog: keep a reference to it.
 * THREADS    any.
 * ERRORS     BL_E_UNAUTHENTICATED for every reason but APR_ENOMEM: nobody could
 *            tell.
 */
#ifndef BL_CALLER_H
#define BL_CALLER_H

#include "auth/jwt.h"
#include "auth/principal.h"
#include "store/clients.h"

typedef struct bl_caller_t {
    bl_principal_t principal;
    unsigned scopes;
    apr_time_t expires_at;     /* wall time; 0 = never */
    const bl_client_t *client; /* of the database; NULL: by httpd.conf */
} bl_caller_t;

/* Somebody whom no credential of ours names: all scopes, no end. */
void bl_caller_plain(bl_caller_t *c);

apr_status_t bl_caller_resolve(bl_caller_t *out, const bl_catalog_t *catalog,
                               const bl_jwt_issuer_t *issuers, int count,
                               const char *credential, apr_time_t now);

#endif
