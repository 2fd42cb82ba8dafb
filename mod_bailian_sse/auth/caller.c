/* SPDX-License-Identifier: Apache-2.0 */
#include "caller.h"
#include "base/errors.h"

#include <string.h>

void bl_caller_plain(bl_caller_t *c)
{
    memset(c, 0, sizeof(*c));
    c->scopes = BL_SCOPE_ALL;
}

static apr_status_t by_token(bl_caller_t *out, const bl_catalog_t *catalog,
                             const char *token, apr_time_t now)
{
    const bl_client_t *client;
    apr_status_t rv;

    if (strlen(token) != BL_CLIENT_TOKEN_TEXT) return BL_E_UNAUTHENTICATED;
    rv = bl_catalog_client_by_token(&client, catalog, token);
    if (rv != APR_SUCCESS) return rv;
    if (!client || (client->expires_at && client->expires_at <= now)) {
        return BL_E_UNAUTHENTICATED;
    }
    out->client = client;
    out->scopes = client->scopes;
    out->expires_at = client->expires_at;
    return bl_principal_of_token(&out->principal, client->name);
}

static apr_status_t by_issuer(bl_caller_t *out, const bl_jwt_issuer_t *issuer,
                              const char *token, apr_time_t now)
{
    bl_jwt_claims_t claims;
    apr_status_t rv = bl_jwt_verify(&claims, issuer, token, now);

    if (rv != APR_SUCCESS) return rv;
    out->scopes = BL_SCOPE_ALL;
    out->expires_at = claims.expires_at;
    return bl_principal_of_jwt(&out->principal, issuer->name, claims.sub);
}

static apr_status_t by_client(bl_caller_t *out, const bl_client_t *client,
                              const char *token, apr_time_t now)
{
    bl_jwt_issuer_t issuer;
    apr_status_t rv;

    if (client->alg == BL_SIGN_NONE ||
        (client->expires_at && client->expires_at <= now))
    {
        return BL_E_UNAUTHENTICATED;
    }
    issuer.name = client->name;
    issuer.alg = client->alg;
    issuer.key = client->key;
    issuer.key_len = strlen(client->key);
    issuer.iss = client->issuer;
    issuer.aud = client->audience;
    issuer.leeway_s = client->leeway_s;
    rv = by_issuer(out, &issuer, token, now);
    if (rv != APR_SUCCESS) return rv;
    out->client = client;
    out->scopes = client->scopes;
    if (client->expires_at && client->expires_at < out->expires_at) {
        out->expires_at = client->expires_at;
    }
    return APR_SUCCESS;
}

apr_status_t bl_caller_resolve(bl_caller_t *out, const bl_catalog_t *catalog,
                               const bl_jwt_issuer_t *issuers, int count,
                               const char *credential, apr_time_t now)
{
    apr_status_t rv = BL_E_UNAUTHENTICATED;
    int i, is_told = 1; /* by each that was asked */

    memset(out, 0, sizeof(*out));
    if (!strncmp(credential, BL_CLIENT_TOKEN_PREFIX,
                 sizeof(BL_CLIENT_TOKEN_PREFIX) - 1))
    {
        rv = by_token(out, catalog, credential, now);
    }
    else if (bl_jwt_looks_like(credential)) {
        for (i = 0; rv != APR_SUCCESS && i < count; i++) {
            rv = by_issuer(out, &issuers[i], credential, now);
            is_told &= rv != APR_ENOMEM;
        }
        for (i = 0; rv != APR_SUCCESS && i < catalog->client_count; i++) {
            rv = by_client(out, &catalog->clients[i], credential, now);
            is_told &= rv != APR_ENOMEM;
        }
    }
    if (rv == APR_SUCCESS) return rv;
    memset(out, 0, sizeof(*out));
    return is_told && rv != APR_ENOMEM ? BL_E_UNAUTHENTICATED : APR_ENOMEM;
}
