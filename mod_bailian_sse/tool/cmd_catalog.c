/* SPDX-License-Identifier: Apache-2.0 */
/* bailianctl upstream, app and key. */
#include "tool/commands.h"

#include "base/errors.h"
#include "base/json.h"
#include "base/secret.h"
#include "tool/input.h"
#include "tool/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIST_BYTES (64u << 20)

static const bl_opt_t upstream_options[] = {
    {"--kind", "kind", BL_OPT_TEXT},
    {"--base-url", "baseUrl", BL_OPT_TEXT},
    {"--workspace", "workspace", BL_OPT_TEXT},
    {"--ca-file", "caFile", BL_OPT_TEXT},
    {"--proxy", "proxy", BL_OPT_TEXT},
    {"--http2", "http2", BL_OPT_SWITCH},
    {NULL, NULL, BL_OPT_TEXT},
};

static const bl_opt_t app_options[] = {
    {"--upstream", "upstream", BL_OPT_TEXT},
    {"--app-id", "appId", BL_OPT_TEXT},
    {"--default", "default", BL_OPT_FLAG},
    {"--incremental", "incremental", BL_OPT_SWITCH},
    {"--thoughts", "thoughts", BL_OPT_SWITCH},
    {"--thinking", "thinking", BL_OPT_TRISTATE},
    {"--flow", "flow", BL_OPT_TEXT},
    {"--answer-nodes", "answerNodes", BL_OPT_TEXT},
    {"--parameters", "parameters", BL_OPT_JSON},
    {"--workspace", "workspace", BL_OPT_TEXT},
    {"--connect-timeout", "connectTimeoutMs", BL_OPT_DURATION},
    {"--first-content-timeout", "firstContentTimeoutMs", BL_OPT_DURATION},
    {"--gap-timeout", "gapTimeoutMs", BL_OPT_DURATION},
    {"--total-timeout", "totalTimeoutMs", BL_OPT_DURATION},
    {"--retries", "retries", BL_OPT_NUMBER},
    {"--policy", "policy", BL_OPT_POLICY},
    {NULL, NULL, BL_OPT_TEXT},
};

static const bl_opt_t key_options[] = {
    {"--upstream", "upstream", BL_OPT_TEXT},
    {"--name", "name", BL_OPT_TEXT},
    {NULL, NULL, BL_OPT_TEXT},
};

static const bl_column_t upstream_columns[] = {
    {"NAME", "name"},
    {"KIND", "kind"},
    {"BASE URL", "baseUrl"},
    {"WORKSPACE", "workspace"},
    {"PROXY", "proxy"},
    {"HTTP/2", "http2"},
    {NULL, NULL},
};

static const bl_column_t app_columns[] = {
    {"NAME", "name"},       {"UPSTREAM", "upstream"}, {"APP ID", "appId"},
    {"DEFAULT", "default"}, {"FLOW", "flow"},         {"POLICY", "policy"},
    {NULL, NULL},
};

static const bl_column_t key_columns[] = {
    {"ID", "id"},
    {"UPSTREAM", "upstream"},
    {"NAME", "name"},
    {"STATE", "state"},
    {"LAST 4", "last4"},
    {"FINGERPRINT", "fingerprint"},
    {"CAN BE OPENED", "canBeOpened"},
    {NULL, NULL},
};

/* What is special about one object. */
typedef struct object_t {
    const char *word; /* "upstream" */
    const bl_opt_t *options;
    const bl_column_t *columns;
    apr_status_t (*list)(bl_store_t *s, bl_buf_t *out);
    apr_status_t (*put)(bl_store_t *s, const bl_admin_who_t *who,
                        const char *name, const char *fields,
                        bl_put_mode_t mode, char *err, size_t err_size);
    apr_status_t (*remove)(bl_store_t *s, const bl_admin_who_t *who,
                           const char *name);
} object_t;

static const object_t upstream_object = {
    "upstream",         upstream_options,         upstream_columns,
    bl_store_upstreams, bl_store_do_upstream_put, bl_store_do_upstream_delete};
static const object_t app_object = {
    "app",         app_options,         app_columns,
    bl_store_apps, bl_store_do_app_put, bl_store_do_app_delete};
static const object_t key_object = {"key",         key_options, key_columns,
                                    bl_store_keys, NULL,        NULL};

static int done(const bl_tool_t *t, const char *note)
{
    if (t->is_json) puts("{\"ok\":true}");
    if (*note) fprintf(stderr, "bailianctl: %s\n", note);
    return BL_DONE;
}

static int list_objects(bl_tool_t *t, const object_t *o)
{
    int code = bl_tool_open(t, BL_OPEN_WORK);
    bl_buf_t out;
    apr_status_t rv;

    if (code) return code;
    bl_buf_init(&out, LIST_BYTES);
    rv = o->list(t->store, &out);
    if (rv != APR_SUCCESS) {
        code = bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
    }
    else if (t->is_json) {
        fwrite(out.data, 1, out.len, stdout);
        fputc('\n', stdout);
    }
    else {
        bl_print_table(out.data, out.len, o->columns);
    }
    bl_buf_release(&out);
    return code;
}

static int put_failed(bl_tool_t *t, const object_t *o, const char *name,
                      apr_status_t rv, const char *err)
{
    if (rv == BL_E_CONFLICT) {
        return bl_fail(t, BL_FAILED,
                       "%s \"%s\" is there already: change it by \"%s set\"",
                       o->word, name, o->word);
    }
    if (rv == BL_E_NOT_FOUND) {
        return bl_fail(t, BL_FAILED,
                       "there is no %s \"%s\": make it by \"%s add\"", o->word,
                       name, o->word);
    }
    if (rv == BL_E_BAD_VALUE && *err) return bl_fail(t, BL_USAGE, "%s", err);
    return bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
}

static int put_object(bl_tool_t *t, const object_t *o, bl_put_mode_t mode,
                      int argc, char **argv)
{
    char err[1024], *fields;
    json_t *given =
        bl_options_new(argc - 1, argv + 1, o->options, err, sizeof(err));
    apr_status_t rv;
    int code;

    if (!given) return bl_fail(t, BL_USAGE, "%s", err);
    fields = bl_json_dump(given, JSON_REAL_PRECISION(15));
    json_decref(given);
    if (!fields) return bl_fail(t, BL_FAILED, "out of memory");
    code = bl_tool_open(t, BL_OPEN_WORK);
    if (!code) {
        rv = o->put(t->store, &t->who, argv[0], fields, mode, err, sizeof(err));
        code = rv == APR_SUCCESS ? done(t, err)
                                 : put_failed(t, o, argv[0], rv, err);
    }
    free(fields);
    return code;
}

static int delete_object(bl_tool_t *t, const object_t *o, const char *name)
{
    int code = bl_tool_open(t, BL_OPEN_WORK);
    apr_status_t rv;

    if (code) return code;
    rv = o->remove(t->store, &t->who, name);
    if (rv == BL_E_NOT_FOUND) {
        return bl_fail(t, BL_FAILED, "there is no %s \"%s\"", o->word, name);
    }
    if (rv == BL_E_CONFLICT) {
        return bl_fail(t, BL_FAILED,
                       "%s \"%s\" is in use: delete its apps first, or set "
                       "them to another upstream",
                       o->word, name);
    }
    if (rv != APR_SUCCESS) return bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
    return done(t, "");
}

static int run_object(bl_tool_t *t, const object_t *o, int argc, char **argv)
{
    const char *verb = argv[0];

    if (argc == 1 && !strcmp(verb, "list")) return list_objects(t, o);
    if (argc >= 2 && !strcmp(verb, "add")) {
        return put_object(t, o, BL_PUT_NEW, argc - 1, argv + 1);
    }
    if (argc >= 2 && !strcmp(verb, "set")) {
        return put_object(t, o, BL_PUT_EXISTING, argc - 1, argv + 1);
    }
    if (argc == 2 && !strcmp(verb, "delete")) {
        return delete_object(t, o, argv[1]);
    }
    return bl_fail(t, BL_USAGE,
                   "it is \"%s list\", \"%s add NAME ...\", \"%s set NAME "
                   "...\" or \"%s delete NAME\"",
                   o->word, o->word, o->word, o->word);
}

int bl_command_upstream(bl_tool_t *t, int argc, char **argv)
{
    return run_object(t, &upstream_object, argc, argv);
}

int bl_command_app(bl_tool_t *t, int argc, char **argv)
{
    return run_object(t, &app_object, argc, argv);
}

/* --- keys --------------------------------------------------------------- */

static int key_added(bl_tool_t *t, const char *upstream, const char *name,
                     apr_status_t rv, apr_int64_t id)
{
    switch (rv) {
    case APR_SUCCESS:
        if (t->is_json) {
            printf("{\"ok\":true,\"id\":%" APR_INT64_T_FMT "}\n", id);
        }
        else {
            printf("Key %" APR_INT64_T_FMT " is in use from now on.\n", id);
        }
        return BL_DONE;
    case BL_E_NOT_FOUND:
        return bl_fail(t, BL_FAILED,
                       "there is no upstream \"%s\": add it first", upstream);
    case BL_E_CONFLICT:
        return bl_fail(t, BL_FAILED,
                       "upstream \"%s\" has a key \"%s\" already: choose "
                       "another name, or delete that key first",
                       upstream, name);
    case BL_E_BAD_VALUE:
        return bl_fail(t, BL_USAGE,
                       "a key is 8 to 4096 printable ASCII characters without "
                       "spaces; its name is letters, digits, dots, hyphens and "
                       "underscores");
    default:
        return bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
    }
}

/* A key sealed with a master key that running processes do not know would be
 * of no use to them. */
static int may_add_key(bl_tool_t *t)
{
    bl_rotation_t where;
    apr_status_t rv = bl_store_do_rotation(t->store, &where);

    if (rv != APR_SUCCESS) return bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
    if (!where.behind) return 0;
    return bl_fail(t, BL_FAILED,
                   "%d processes of httpd do not know the newest master key: "
                   "restart httpd gracefully, then add the key",
                   where.behind);
}

static int add_key(bl_tool_t *t, int argc, char **argv)
{
    char err[1024], secret[BL_SECRET_LINE];
    json_t *given = bl_options_new(argc, argv, key_options, err, sizeof(err));
    const char *upstream =
        json_string_value(json_object_get(given, "upstream"));
    const char *name = json_string_value(json_object_get(given, "name"));
    apr_int64_t id = 0;
    apr_status_t rv;
    int code;

    if (!given) return bl_fail(t, BL_USAGE, "%s", err);
    if (!upstream || !name) {
        code = bl_fail(t, BL_USAGE,
                       "it is \"key add --upstream U --name N\", "
                       "with the key on standard input");
    }
    else if ((code = bl_tool_open(t, BL_OPEN_KEYS)) == 0 &&
             (code = may_add_key(t)) == 0 &&
             !bl_read_secret("API key: ", secret, sizeof(secret)))
    {
        code = bl_fail(t, BL_USAGE, "no key came on standard input");
    }
    if (!code) {
        rv =
            bl_store_do_key_add(t->store, &t->who, upstream, name, secret, &id);
        code = key_added(t, upstream, name, rv, id);
    }
    bl_secret_wipe(secret, sizeof(secret));
    json_decref(given);
    return code;
}

static int change_key(bl_tool_t *t, const char *verb, const char *text)
{
    char *end;
    apr_int64_t id = strtoll(text, &end, 10);
    apr_status_t rv;
    int code;

    if (end == text || *end || id < 1) {
        return bl_fail(t, BL_USAGE,
                       "\"%.64s\" is not the id of a key: see \"key list\"",
                       text);
    }
    code = bl_tool_open(t, BL_OPEN_WORK);
    if (code) return code;
    if (!strcmp(verb, "delete")) {
        rv = bl_store_do_key_delete(t->store, &t->who, id);
    }
    else {
        rv =
            bl_store_do_key_set(t->store, &t->who, id, !strcmp(verb, "enable"));
    }
    if (rv == BL_E_NOT_FOUND) {
        return bl_fail(t, BL_FAILED, "there is no key %s: see \"key list\"",
                       text);
    }
    if (rv == BL_E_CONFLICT) {
        return bl_fail(t, BL_FAILED,
                       "key %s was entered for another address of its "
                       "upstream: enter it again by \"key add\" with the same "
                       "name",
                       text);
    }
    if (rv != APR_SUCCESS) return bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
    return done(t, "");
}

int bl_command_key(bl_tool_t *t, int argc, char **argv)
{
    const char *verb = argv[0];

    if (argc == 1 && !strcmp(verb, "list")) return list_objects(t, &key_object);
    if (!strcmp(verb, "add")) return add_key(t, argc - 1, argv + 1);
    if (argc == 2 && (!strcmp(verb, "enable") || !strcmp(verb, "disable") ||
                      !strcmp(verb, "delete")))
    {
        return change_key(t, verb, argv[1]);
    }
    return bl_fail(t, BL_USAGE,
                   "it is \"key list\", \"key add --upstream U --name N\", "
                   "\"key enable ID\", \"key disable ID\" or \"key delete "
                   "ID\"");
}
