/* SPDX-License-Identifier: Apache-2.0 */
/* bailianctl master-key and db. */
#include "tool/commands.h"

#include "base/errors.h"
#include "crypto/keyring.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REPORT_BYTES (1024 * 1024)

static int done(const bl_tool_t *t, const char *text)
{
    if (t->is_json)
        puts("{\"ok\":true}");
    else
        puts(text);
    return BL_DONE;
}

/* --- master-key --------------------------------------------------------- */

static int create_master_key(bl_tool_t *t)
{
    char err[1024] = "";
    apr_status_t rv = bl_keyring_file_create(t->master_key, err, sizeof(err));

    if (rv == APR_EEXIST) {
        return bl_fail(t, BL_FAILED,
                       "%s is there already and stays as it is: \"master-key "
                       "rotate\" adds a new key to it",
                       t->master_key);
    }
    if (rv != APR_SUCCESS) return bl_fail(t, BL_FAILED, "%s", err);
    return done(t, "Made. Keep a copy in a safe place: without this file the "
                   "stored API keys are lost.");
}

static int rotation_failed(bl_tool_t *t, apr_status_t rv)
{
    return bl_fail(t, BL_FAILED,
                   "%s Every stored key is under one of the master keys of "
                   "the file; run it again to go on",
                   bl_error(rv)->en);
}

/* A new newest master key in the file, and the store opened with it. */
static int add_master_key(bl_tool_t *t)
{
    char err[1024] = "";
    apr_status_t rv;

    bl_tool_close(t);
    rv = bl_keyring_file_add(t->master_key, err, sizeof(err));
    if (rv != APR_SUCCESS) return bl_fail(t, BL_FAILED, "%s", err);
    return bl_tool_open(t, BL_OPEN_KEYS);
}

static int move_keys(bl_tool_t *t)
{
    int moved = 0;
    apr_status_t rv = bl_store_do_rotate(t->store, &t->who, &moved);

    if (rv != APR_SUCCESS) return rotation_failed(t, rv);
    if (t->is_json)
        printf("{\"ok\":true,\"moved\":%d}\n", moved);
    else {
        printf("Stored keys that were sealed anew: %d. All are under the last "
               "line of %s now; the lines above it can go.\n",
               moved, t->master_key);
    }
    return BL_DONE;
}

/* First run: a new key is added to the file; processes of httpd that run do
 * not know it, so nothing is sealed with it yet. Second run, after a graceful
 * restart: the stored keys move. Without running processes both at once. When
 * this is killed anywhere, every row is under a key of the file (D15). */
static int rotate_master_key(bl_tool_t *t)
{
    bl_rotation_t where;
    int code = bl_tool_open(t, BL_OPEN_KEYS);
    apr_status_t rv;

    if (code) return code;
    rv = bl_store_do_rotation(t->store, &where);
    if (rv == APR_SUCCESS && !where.to_move) {
        code = add_master_key(t);
        if (code) return code;
        rv = bl_store_do_rotation(t->store, &where);
    }
    if (rv != APR_SUCCESS) return rotation_failed(t, rv);
    if (!where.behind) return move_keys(t);
    return bl_fail(t, BL_FAILED,
                   "the new master key is in %s, and %d processes of httpd do "
                   "not know it yet: restart httpd gracefully, wait until the "
                   "old processes have ended, and run this again. Until then "
                   "all goes on with the old key",
                   t->master_key, where.behind);
}

int bl_command_master_key(bl_tool_t *t, int argc, char **argv)
{
    if (argc == 1 && !strcmp(argv[0], "create")) return create_master_key(t);
    if (argc == 1 && !strcmp(argv[0], "rotate")) return rotate_master_key(t);
    return bl_fail(t, BL_USAGE,
                   "it is \"master-key create\" or \"master-key rotate\"");
}

/* --- db ----------------------------------------------------------------- */

static int check_database(bl_tool_t *t)
{
    bl_buf_t report;
    const char *text;
    apr_status_t rv;
    int code = bl_tool_open(t, BL_OPEN_WORK);

    if (code) return code;
    bl_buf_init(&report, REPORT_BYTES);
    rv = bl_store_check(t->store, &report);
    text = bl_buf_str(&report);
    if (t->is_json)
        printf("{\"ok\":%s}\n", rv == APR_SUCCESS ? "true" : "false");
    else if (text)
        fputs(text, stdout);
    bl_buf_release(&report);
    if (rv == APR_SUCCESS) return BL_DONE;
    return bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
}

static int back_up(bl_tool_t *t, const char *path)
{
    int code = bl_tool_open(t, BL_OPEN_WORK);
    apr_status_t rv;

    if (code) return code;
    rv = bl_store_backup(t->store, path);
    if (rv == APR_EEXIST) {
        return bl_fail(t, BL_FAILED, "%s is there already: name a new file",
                       path);
    }
    if (rv != APR_SUCCESS) {
        return bl_fail(t, BL_FAILED,
                       "%s could not be written: its directory must be "
                       "writable for the owner of the database (user %lu) and "
                       "have room",
                       path, (unsigned long)geteuid());
    }
    return done(t, "Copied. API keys in it are sealed: it is of use only "
                   "together with the master key file.");
}

int bl_command_db(bl_tool_t *t, int argc, char **argv)
{
    int code;

    if (argc == 1 && !strcmp(argv[0], "migrate")) {
        code = bl_tool_open(t, BL_OPEN_MIGRATE);
        return code ? code : done(t, "The database is up to date.");
    }
    if (argc == 1 && !strcmp(argv[0], "check")) return check_database(t);
    if (argc == 2 && !strcmp(argv[0], "backup")) return back_up(t, argv[1]);
    return bl_fail(t, BL_USAGE,
                   "it is \"db migrate\", \"db check\" or \"db backup FILE\"");
}
