/* SPDX-License-Identifier: Apache-2.0 */
/*
 * router - method + path -> handler + the least role it asks for.
 *
 * A path is text, with at most one "{id}" that stands for one segment. A path
 * without it is preferred: "api/keys/test" is no key called "test".
 *
 * THREADS  any; tables are constants.
 */
#ifndef BL_ROUTER_H
#define BL_ROUTER_H

#include "base/bl.h"

/* Each may what the one before it may. */
typedef enum {
    BL_ROLE_NONE,
    BL_ROLE_VIEWER,
    BL_ROLE_OPERATOR,
    BL_ROLE_ADMIN
} bl_role_t;

const char *bl_role_name(bl_role_t role); /* "viewer" */

/* BL_ROLE_NONE: there is none of that name. */
bl_role_t bl_role_by_name(const char *name);

typedef struct bl_admin_call_t bl_admin_call_t; /* httpd/admin.h */
typedef int bl_admin_fn(bl_admin_call_t *a);

typedef struct bl_route_t {
    const char *method; /* "GET" is HEAD too */
    const char *path;   /* "api/keys/{id}/test" */
    bl_role_t least;
    bl_admin_fn *fn;
} bl_route_t;

typedef struct bl_route_match_t {
    const bl_route_t *route; /* NULL: none has this method and path */
    char id[BL_NAME_BYTES];  /* what stands at {id}, or "" */
    char allowed[64];        /* methods of this path; "": it is unknown */
} bl_route_match_t;

/* tables: arrays that end with a NULL method, themselves ending with NULL. */
void bl_route_find(const bl_route_t *const *tables, const char *method,
                   const char *path, bl_route_match_t *out);

#endif
