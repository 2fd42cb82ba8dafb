/* SPDX-License-Identifier: Apache-2.0 */
/*
 * principal - who is asking, once known, and what is theirs.
 *
 * Text form: "user:<name>" whom httpd authenticated; "anon:<id>" whom only a
 * client's own word names, where the configuration lets such callers in;
 * "token:<name>" a caller token; "jwt:<issuer>:<sub>" a user of a JWT issuer.
 * No two kinds ever compare equal (S-13).
 *
 * THREADS  any; plain data.
 */
#ifndef BL_PRINCIPAL_H
#define BL_PRINCIPAL_H

#include "base/bl.h"

typedef struct bl_principal_t {
    char text[BL_PRINCIPAL_BYTES]; /* "" = nobody */
} bl_principal_t;

/* BL_E_BAD_VALUE: too long, or control characters in it. */
apr_status_t bl_principal_of_user(bl_principal_t *p, const char *name);

/* id may be NULL or "": the nameless caller, who owns nothing he cannot name
 * by its stream id. */
apr_status_t bl_principal_of_anonymous(bl_principal_t *p, const char *id);
int bl_principal_is_nameless(const bl_principal_t *p);

apr_status_t bl_principal_of_token(bl_principal_t *p, const char *name);
/* issuer: a name without a colon, so that no two issuers name the same. */
apr_status_t bl_principal_of_jwt(bl_principal_t *p, const char *issuer,
                                 const char *sub);

/* Whom a caller means: the text of a principal, or only a name, of the same
 * kind as `like`. */
apr_status_t bl_principal_named(bl_principal_t *p, const char *name,
                                const bl_principal_t *like);

/* The one place where ownership is decided (S-04). */
int bl_principal_owns(const bl_principal_t *p, const char *owner);

/* Ids that clients choose: 1 to BL_ITEM_ID_BYTES - 1 bytes of UTF-8 without
 * control characters (C13). */
int bl_client_id_is_valid(const char *id);

#endif
