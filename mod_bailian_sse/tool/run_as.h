/* SPDX-License-Identifier: Apache-2.0 */
/*
 * run_as - who works on a database: its owner, never root beside it.
 *
 * A database opened by root gets side files of root, and httpd's user then
 * cannot open it any more. So root becomes the owner of the database's
 * directory, for good, before the database is opened.
 */
#ifndef BL_RUN_AS_H
#define BL_RUN_AS_H

#include <stddef.h>

/* 0 when it could not be done; err says why. */
int bl_become_owner(const char *database, char *err, size_t err_size);

/* Who started us, again. */
void bl_become_caller(void);

/* "cli:root": the login name of who started us, for the audit. */
void bl_actor_name(char *name, size_t size);

#endif
