/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients - who may call without a login of httpd: caller tokens, known by
 * their SHA-256 alone, and issuers of JWTs with their public keys.
 *
 * OWNERSHIP  a bl_client_t belongs to its catalog.
 * THREADS    _do_: any but the reactor. A catalog's are read by any.
 * ERRORS     BL_E_BAD_VALUE, change->why says which member; BL_E_CONFLICT: the
 *            name is taken, or it is revoked; BL_E_VERSION_CONFLICT and
 *            BL_E_NOT_FOUND; those of the store.
 */
#ifndef BL_CLIENTS_H
#define BL_CLIENTS_H

#include "crypto/signature.h"
#include "crypto/token.h"
#include "store/admin.h"

#include <jansson.h>

#define BL_CLIENT_NAME_MOST 63
#define BL_CLIENT_TOKEN_PREFIX "bl_"
#define BL_CLIENT_TOKEN_BYTES 32 /* of chance in it */
#define BL_CLIENT_TOKEN_TEXT (3 + 2 * BL_CLIENT_TOKEN_BYTES)

enum {
    BL_SCOPE_ASK = 1,    /* start answers */
    BL_SCOPE_READ = 2,   /* read streams and conversations */
    BL_SCOPE_MANAGE = 4, /* stop, rename, delete */
    BL_SCOPE_ALL = 7
};

struct bl_client_t {
    apr_int64_t id;
    char name[BL_CLIENT_NAME_MOST + 1];
    unsigned char token_hash[BL_SHA256_BYTES]; /* of a token */
    apr_time_t expires_at;                     /* 0 = never */
    unsigned scopes;
    int app_count; /* 0 = all */
    char **apps;
    int starts_per_minute, streams; /* -1 = as the directives say */
    apr_int64_t tokens_per_day;
    bl_sign_t alg;           /* of an issuer; NONE: it is a token */
    char *key;               /* of an issuer: PEM */
    char *issuer, *audience; /* NULL: not looked at */
    int leeway_s;
};

/* The enabled one with that token, or NULL; APR_ENOMEM. Expiry is the caller's
 * to see. */
apr_status_t bl_catalog_client_by_token(const bl_client_t **pclient,
                                        const bl_catalog_t *c,
                                        const char *token);
const bl_client_t *bl_catalog_client_by_id(const bl_catalog_t *c,
                                           apr_int64_t id);

/* client NULL: every app. */
int bl_client_may_app(const bl_client_t *client, const char *app);

/* fields: an object with members of docs/admin-api.md; token: "" for an
 * issuer, else what is shown this once. */
apr_status_t bl_store_do_client_add(bl_store_t *s, const bl_admin_who_t *who,
                                    const json_t *fields, apr_int64_t *pid,
                                    char token[BL_CLIENT_TOKEN_TEXT + 1],
                                    bl_change_t *change);

apr_status_t bl_store_do_client_patch(bl_store_t *s, const bl_admin_who_t *who,
                                      apr_int64_t id, const json_t *fields,
                                      bl_change_t *change);

typedef enum {
    BL_CLIENT_ENABLE,
    BL_CLIENT_DISABLE,
    BL_CLIENT_REVOKE,
    BL_CLIENT_DELETE
} bl_client_verb_t;
apr_status_t bl_store_do_client_verb(bl_store_t *s, const bl_admin_who_t *who,
                                     apr_int64_t id, bl_client_verb_t verb,
                                     bl_change_t *change);

/* One caller as JSON, without its token; *pversion may be NULL. */
apr_status_t bl_store_client(bl_store_t *s, apr_int64_t id,
                             apr_int64_t *pversion, json_t **pcaller);
apr_status_t bl_store_client_id(bl_store_t *s, const char *name,
                                apr_int64_t *pid);

/* {"items":[...],"next"}: those after `after`, kind and q may be NULL. */
apr_status_t bl_store_clients(bl_store_t *s, const char *kind, const char *q,
                              apr_int64_t after, int limit, json_t **plist);

#endif
