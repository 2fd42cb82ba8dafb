/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directives_caller - setters of the directives about callers.
 *
 * OWNERSHIP  everything in pconf.
 * THREADS    while the configuration is read.
 */
#ifndef BL_DIRECTIVES_CALLER_H
#define BL_DIRECTIVES_CALLER_H

#include "config.h"

/* BailianJwtIssuer name algorithm file [iss=...] [aud=...] [leeway=...] */
const char *bl_set_jwt_issuer(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[]);

/* BailianAllowOrigin origin ... */
const char *bl_add_origin(cmd_parms *cmd, void *dir, const char *arg);

/* BailianAllowCredentials on|off */
const char *bl_set_credentials(cmd_parms *cmd, void *dir, int flag);

#endif
