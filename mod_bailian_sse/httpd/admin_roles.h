/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_roles - BailianAdminRole: who may do what on the admin page. Whatever
 * "Require" knows (user, group, ldap-group, expr, claim ...) can give a role:
 * the providers of httpd's own authorization are asked.
 *
 * OWNERSHIP  lines in pconf.
 * THREADS    the request's.
 */
#ifndef BL_ADMIN_ROLES_H
#define BL_ADMIN_ROLES_H

#include "config.h"
#include "admin/router.h"

/* The setter: "<role> <provider> <arguments>". */
const char *bl_set_admin_role(cmd_parms *cmd, void *dir, const char *args);

/* The highest role that a line gives to this caller. No line at all: whoever
 * httpd has let in is admin. */
bl_role_t bl_admin_role_of(request_rec *r, const bl_dir_conf_t *conf);

#endif
