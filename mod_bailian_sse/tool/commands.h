/* SPDX-License-Identifier: Apache-2.0 */
/*
 * commands - the objects bailianctl works on, one function each.
 *
 * A command gets its verb and what follows, says what is wrong by bl_fail(),
 * and returns the exit code.
 */
#ifndef BL_COMMANDS_H
#define BL_COMMANDS_H

#include "base/buf.h"
#include "store/store.h"

enum { BL_DONE = 0, BL_FAILED = 1, BL_USAGE = 2 };

typedef struct bl_tool_t {
    const char *database, *master_key;
    int is_json;
    char actor[80];
    bl_admin_who_t who;
    bl_keyring_t *keyring; /* NULL until loaded */
    bl_store_t *store;     /* NULL until opened */
} bl_tool_t;

typedef int bl_command_fn(bl_tool_t *t, int argc, char **argv);

bl_command_fn bl_command_master_key, bl_command_db, bl_command_upstream,
    bl_command_app, bl_command_key, bl_command_caller;

/* Prints one sentence and returns code. */
int bl_fail(const bl_tool_t *t, int code, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

typedef enum {
    BL_OPEN_WORK,   /* a database that is there and up to date */
    BL_OPEN_KEYS,   /* ... and the master key */
    BL_OPEN_MIGRATE /* made or migrated */
} bl_open_for_t;

/* 0, or the exit code after telling why. Until it is closed root is the owner
 * of the database. */
int bl_tool_open(bl_tool_t *t, bl_open_for_t what);
void bl_tool_close(bl_tool_t *t);

#endif
