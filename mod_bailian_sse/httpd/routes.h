/* SPDX-License-Identifier: Apache-2.0 */
/*
 * routes - what follows {base}, and what an admin's own paths stand for.
 *
 * OWNERSHIP  the table is constant; own paths are in pconf.
 * THREADS    any.
 */
#ifndef BL_ROUTES_H
#define BL_ROUTES_H

#include "request.h"

/* One below {base}, with the scopes that a caller token needs to read and
 * to change there (S-01). */
typedef struct bl_url_t {
    const char *path;
    enum { BL_ALONE, BL_BELOW, BL_TREE } reach; /* it, what is below, or both */
    unsigned read, change;
    int (*fn)(request_rec *r, bl_call_t *call);
    int is_session; /* of the mini-program family */
} bl_url_t;

/* NULL: there is none. */
const bl_url_t *bl_url_find(const char *route);

/* BailianRoute path route: either both end with "*", or neither. */
const char *bl_add_route(cmd_parms *cmd, void *dir, const char *path,
                         const char *route);

/* The route that BailianRoute gives this path, or NULL. */
const char *bl_own_route(apr_pool_t *p, const bl_dir_conf_t *conf,
                         const char *path);

#endif
