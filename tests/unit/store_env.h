/* SPDX-License-Identifier: Apache-2.0 */
/*
 * store_env - a directory with a fresh database, for tests of the store.
 *
 * OWNERSHIP  env_open() makes all, env_close() removes it from the disk.
 */
#ifndef STORE_ENV_H
#define STORE_ENV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buf.h"
#include "base/errors.h"
#include "store/store.h"

typedef struct env_t {
    char dir[64];
    char path[96];     /* of the database */
    char key_path[96]; /* of the master key, mode 0400, one key */
    bl_store_t *store;
} env_t;

void env_make(env_t *env); /* the directory and the master key only */
void env_open(env_t *env); /* ... and a store as a child of httpd has it */
bl_store_t *env_second(env_t *env); /* another one on the same database */
void env_close(env_t *env);

/* Waits until the writer has written what was put so far. */
void env_settle(bl_store_t *s);

/* The result of an SQL query by a fresh connection, rows apart by '|'. */
const char *env_sql(env_t *env, const char *sql);

/* A stream id that differs for each n. */
const char *env_id(int n);

/* A stream that begins, says its words one event each, and ends. */
void env_begin(bl_store_t *s, int n, const char *owner, const char *conv,
               const char *question);
void env_say(bl_store_t *s, int n, apr_uint64_t first_seq,
             const char *const *words);
void env_end(bl_store_t *s, int n, bl_outcome_t outcome, const char *text,
             apr_uint64_t events);

extern const bl_admin_who_t env_who;

#endif
