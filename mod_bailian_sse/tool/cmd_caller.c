/* SPDX-License-Identifier: Apache-2.0 */
/* bailianctl caller: tokens and JWT issuers. */
#include "tool/commands.h"

#include "base/errors.h"
#include "base/json.h"
#include "store/clients.h"
#include "tool/input.h"
#include "tool/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const bl_opt_t options[] = {
    {"--kind", "kind", BL_OPT_TEXT},
    {"--scopes", "scopes", BL_OPT_TEXT},
    {"--apps", "apps", BL_OPT_TEXT},
    {"--starts-per-minute", "startsPerMinute", BL_OPT_NUMBER},
    {"--max-streams", "maxStreams", BL_OPT_NUMBER},
    {"--tokens-per-day", "tokensPerDay", BL_OPT_NUMBER},
    {"--expires", "expiresAt", BL_OPT_TEXT},
    {"--note", "note", BL_OPT_TEXT},
    {"--algorithm", "algorithm", BL_OPT_TEXT},
    {"--public-key", "publicKey", BL_OPT_TEXT},
    {"--issuer", "issuer", BL_OPT_TEXT},
    {"--audience", "audience", BL_OPT_TEXT},
    {"--leeway-seconds", "leewaySeconds", BL_OPT_NUMBER},
    {NULL, NULL, BL_OPT_TEXT},
};

static const bl_column_t columns[] = {
    {"NAME", "name"},    {"KIND", "kind"},         {"STATE", "state"},
    {"LAST 4", "last4"}, {"EXPIRES", "expiresAt"}, {"NOTE", "note"},
    {NULL, NULL},
};

/* "a,b" -> ["a","b"] */
static void split_list(json_t **pfields, const char *name)
{
    const char *text = json_string_value(json_object_get(*pfields, name));
    json_t *list;

    if (!text) return;
    list = json_array();
    while (*text) {
        size_t n = strcspn(text, ",");

        if (n) bl_json_append(&list, json_stringn(text, n));
        text += n + (text[n] == ',');
    }
    bl_json_set(pfields, name, list);
}

/* The name of a file becomes what is in it. */
static int read_public_key(bl_tool_t *t, json_t **pfields)
{
    const char *path =
        json_string_value(json_object_get(*pfields, "publicKey"));
    char text[BL_PUBLIC_KEY_MOST + 1];
    FILE *file;
    size_t n;

    if (!path) return 0;
    file = fopen(path, "re");
    if (!file) {
        return bl_fail(t, BL_FAILED,
                       "%.256s cannot be read: it must be the "
                       "file of a public key in PEM",
                       path);
    }
    n = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    text[n] = '\0';
    /* Whatever it is: whether it is a key is the store's to say. */
    bl_json_set(pfields, "publicKey", json_string_nocheck(text));
    return 0;
}

static int failed(bl_tool_t *t, const char *name, apr_status_t rv,
                  const bl_complaint_t *e)
{
    char text[BL_SAY_TEXT];

    bl_complaint_text(e, 0, text);
    if (rv == BL_E_BAD_VALUE) return bl_fail(t, BL_USAGE, "%s", text);
    if (rv == BL_E_NOT_FOUND) {
        return bl_fail(t, BL_FAILED,
                       "there is no caller \"%s\": see \"caller list\"", name);
    }
    if (rv == BL_E_CONFLICT && !*text) {
        return bl_fail(t, BL_FAILED,
                       "a caller \"%s\" is there already: choose another name",
                       name);
    }
    return bl_fail(t, BL_FAILED, "%s", *text ? text : bl_error(rv)->en);
}

static void tell(const bl_tool_t *t, apr_int64_t id, const char *token)
{
    if (t->is_json) {
        printf("{\"ok\":true,\"id\":%" APR_INT64_T_FMT, id);
        if (*token) printf(",\"token\":\"%s\"", token);
        puts("}");
    }
    else if (*token) {
        puts(token);
        fputs("bailianctl: this is the token; it is not shown again\n", stderr);
    }
}

static int add(bl_tool_t *t, const char *name, json_t *fields)
{
    bl_change_t change = {0};
    char token[BL_CLIENT_TOKEN_TEXT + 1];
    apr_int64_t id;
    int code = bl_tool_open(t, BL_OPEN_WORK);
    apr_status_t rv;

    if (code) return code;
    rv = bl_store_do_client_add(t->store, &t->who, fields, &id, token, &change);
    if (rv != APR_SUCCESS) return failed(t, name, rv, &change.why);
    tell(t, id, token);
    return BL_DONE;
}

static int put(bl_tool_t *t, const char *name, json_t *fields)
{
    bl_change_t change = {0};
    apr_int64_t id;
    int code = bl_tool_open(t, BL_OPEN_WORK);
    apr_status_t rv;

    if (code) return code;
    rv = bl_store_client_id(t->store, name, &id);
    if (rv == APR_SUCCESS) {
        rv = bl_store_do_client_patch(t->store, &t->who, id, fields, &change);
    }
    if (rv != APR_SUCCESS) return failed(t, name, rv, &change.why);
    tell(t, id, "");
    return BL_DONE;
}

static int with_fields(bl_tool_t *t, const char *verb, int argc, char **argv)
{
    char err[1024];
    json_t *fields =
        bl_options_new(argc - 1, argv + 1, options, err, sizeof(err));
    int is_new = !strcmp(verb, "add"), code;

    if (!fields) return bl_fail(t, BL_USAGE, "%s", err);
    split_list(&fields, "scopes");
    split_list(&fields, "apps");
    if (is_new) bl_json_set(&fields, "name", json_string_nocheck(argv[0]));
    code = read_public_key(t, &fields);
    if (!code && !fields) code = bl_fail(t, BL_FAILED, "out of memory");
    if (!code) {
        code = is_new ? add(t, argv[0], fields) : put(t, argv[0], fields);
    }
    json_decref(fields);
    return code;
}

static int apply(bl_tool_t *t, const char *name, bl_client_verb_t verb)
{
    bl_change_t change = {0};
    apr_int64_t id;
    int code = bl_tool_open(t, BL_OPEN_WORK);
    apr_status_t rv;

    if (code) return code;
    rv = bl_store_client_id(t->store, name, &id);
    if (rv == APR_SUCCESS) {
        rv = bl_store_do_client_verb(t->store, &t->who, id, verb, &change);
    }
    if (rv != APR_SUCCESS) return failed(t, name, rv, &change.why);
    tell(t, id, "");
    return BL_DONE;
}

static int list(bl_tool_t *t)
{
    int code = bl_tool_open(t, BL_OPEN_WORK);
    apr_status_t rv;
    json_t *found;
    char *text;

    if (code) return code;
    rv = bl_store_clients(t->store, NULL, NULL, 0, 100000, &found);
    if (rv != APR_SUCCESS) return bl_fail(t, BL_FAILED, "%s", bl_error(rv)->en);
    text = bl_json_dump(json_object_get(found, "items"), 0);
    json_decref(found);
    if (!text) return bl_fail(t, BL_FAILED, "out of memory");
    if (t->is_json)
        puts(text);
    else
        bl_print_table(text, strlen(text), columns);
    free(text);
    return BL_DONE;
}

int bl_command_caller(bl_tool_t *t, int argc, char **argv)
{
    static const char *const verbs[] = {"enable", "disable", "revoke",
                                        "delete"};
    const char *verb = argv[0];
    int i;

    if (argc == 1 && !strcmp(verb, "list")) return list(t);
    if (argc >= 2 && (!strcmp(verb, "add") || !strcmp(verb, "set"))) {
        return with_fields(t, verb, argc - 1, argv + 1);
    }
    for (i = 0; argc == 2 && i < 4; i++) {
        if (!strcmp(verb, verbs[i])) {
            return apply(t, argv[1], (bl_client_verb_t)i);
        }
    }
    return bl_fail(t, BL_USAGE,
                   "it is \"caller list\", \"caller add NAME ...\", \"caller "
                   "set NAME ...\", or \"caller enable|disable|revoke|delete "
                   "NAME\"");
}
