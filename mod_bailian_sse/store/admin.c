/* SPDX-License-Identifier: Apache-2.0 */
/* Upstreams and apps: what an admin puts, lists and deletes. */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "store/audit.h"
#include "store/fields.h"
#include "store/flow.h"
#include "store/lists.h"
#include "store/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MOST 1024
#define PATH_MOST 1024
#define DAY_MS (24 * 3600 * 1000)

static const char *kind_complaint(const char *kind)
{
    return strcmp(kind, "bailian-app") ? "must be \"bailian-app\"" : NULL;
}

static const char *path_complaint(const char *path)
{
    return path[0] == '/' ? NULL : "must be an absolute path";
}

static const char *flow_complaint(const char *flow)
{
    bl_flow_mode_t mode;

    return bl_flow_from_name(flow, &mode)
               ? NULL
               : "must be none, full_thoughts, message_format, "
                 "message_format_plus or agent_format";
}

/* S-30: it goes into one slot of the path. */
static const char *app_id_complaint(const char *id)
{
    size_t n = strspn(id, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                          "0123456789._:/-");

    return id[n] || strstr(id, "..")
               ? "must be letters, digits and . _ : / - without two dots in a "
                 "row"
               : NULL;
}

static const bl_field_t upstream_fields[] = {
    {"kind", BL_FIELD_TEXT, 1, 31, kind_complaint},
    {"baseUrl", BL_FIELD_TEXT, 1, URL_MOST, bl_url_complaint},
    {"workspace", BL_FIELD_TEXT, 0, 127, NULL},
    {"caFile", BL_FIELD_TEXT, 0, PATH_MOST, path_complaint},
    {"proxy", BL_FIELD_TEXT, 0, URL_MOST, bl_url_complaint},
    {"http2", BL_FIELD_BOOL, 1, 0, NULL},
    {NULL, BL_FIELD_TEXT, 0, 0, NULL},
};

static const bl_field_t app_fields[] = {
    {"upstream", BL_FIELD_TEXT, 1, BL_NAME_BYTES - 1, NULL},
    {"appId", BL_FIELD_TEXT, 1, 128, app_id_complaint},
    {"default", BL_FIELD_BOOL, 1, 0, NULL},
    {"incremental", BL_FIELD_BOOL, 1, 0, NULL},
    {"thoughts", BL_FIELD_BOOL, 1, 0, NULL},
    {"thinking", BL_FIELD_TRISTATE, 0, 0, NULL},
    {"flow", BL_FIELD_TEXT, 1, 31, flow_complaint},
    {"answerNodes", BL_FIELD_TEXT, 0, 1023, NULL},
    {"parameters", BL_FIELD_OBJECT, 0, 0, NULL},
    {"workspace", BL_FIELD_TEXT, 0, 127, NULL},
    {"connectTimeoutMs", BL_FIELD_NUMBER, 0, DAY_MS, NULL},
    {"firstContentTimeoutMs", BL_FIELD_NUMBER, 0, DAY_MS, NULL},
    {"gapTimeoutMs", BL_FIELD_NUMBER, 0, DAY_MS, NULL},
    {"totalTimeoutMs", BL_FIELD_NUMBER, 0, DAY_MS, NULL},
    {"retries", BL_FIELD_NUMBER, 0, 10, NULL},
    {"policy", BL_FIELD_TEXT, 0, 31, bl_policy_complaint},
    {NULL, BL_FIELD_TEXT, 0, 0, NULL},
};

#define UPSTREAM_COLUMNS "kind, base_url, workspace, ca_file, proxy, use_http2"
#define APP_COLUMNS                                                            \
    "u.name, a.app_id, a.is_default, a.is_incremental, a.has_thoughts,"        \
    " a.enable_thinking, a.flow_mode, a.answer_nodes, a.parameters,"           \
    " a.workspace, a.connect_ms, a.first_content_ms, a.gap_ms, a.total_ms,"    \
    " a.retries, a.policy"

typedef struct put_call_t {
    const bl_admin_who_t *who;
    const char *name, *fields;
    bl_put_mode_t mode;
    char *err;
    size_t err_size;
} put_call_t;

/* A row by its name, as JSON; a new object with defaults when absent. *pid 0:
 * it was absent. The id is column 0, the fields follow. */
static apr_status_t find_row(bl_db_t *db, const char *sql, const put_call_t *c,
                             const bl_field_t *fields, const char *defaults,
                             json_t **prow, apr_int64_t *pid)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    *prow = NULL;
    *pid = 0;
    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->name);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS && c->mode == BL_PUT_NEW) rv = BL_E_CONFLICT;
    if (rv == APR_SUCCESS) {
        *pid = sqlite3_column_int64(st, 0);
        *prow = bl_fields_read_new(st, 1, fields);
    }
    bl_db_done(st);
    if (rv == APR_EOF && c->mode == BL_PUT_EXISTING) rv = BL_E_NOT_FOUND;
    if (rv == APR_EOF) {
        *prow = json_loads(defaults, 0, NULL);
        rv = APR_SUCCESS;
    }
    return rv == APR_SUCCESS && !*prow ? APR_ENOMEM : rv;
}

/* The one row a change was about: the same end for both tables. */
static apr_status_t finish_put(bl_db_t *db, sqlite3_stmt *st,
                               const put_call_t *c, const json_t *row,
                               const bl_field_t *fields, int after,
                               const char *action)
{
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_fields_bind(st, row, fields);
    bl_db_text(st, after, c->name);
    bl_db_int(st, after + 1, bl_clock_wall());
    rv = bl_db_run(db, st, NULL);
    if (rv == APR_SUCCESS) {
        rv = bl_audit_add(db, c->who, action, c->name, c->fields);
    }
    return rv;
}

/* --- upstreams ---------------------------------------------------------- */

apr_status_t bl_upstream_id(bl_db_t *db, const char *name, apr_int64_t *pid)
{
    static const char sql[] = "SELECT id FROM upstream WHERE name = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    *pid = 0;
    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, name);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) *pid = sqlite3_column_int64(st, 0);
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

/* A key is sent to no other scheme, host or port than it was entered for. */
static apr_status_t disable_keys(bl_db_t *db, const put_call_t *c,
                                 apr_int64_t id)
{
    static const char sql[] = "UPDATE api_key SET state = 'reenter',"
                              " updated_at = ?2 WHERE upstream_id = ?1"
                              " AND state <> 'reenter'";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;
    int changed = 0;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_int(st, 2, bl_clock_wall());
    rv = bl_db_run(db, st, &changed);
    if (rv == APR_SUCCESS && changed) {
        snprintf(c->err, c->err_size,
                 "the upstream lies elsewhere now: %d of its keys must be "
                 "entered again (key add, same name) before they are used",
                 changed);
        rv = bl_audit_add(db, c->who, "key.reenter", c->name, NULL);
    }
    return rv;
}

static apr_status_t do_upstream_put(bl_db_t *db, void *ctx)
{
    static const char sql_find[] =
        "SELECT id, " UPSTREAM_COLUMNS " FROM upstream WHERE name = ?1";
    static const char sql_put[] =
        "INSERT INTO upstream (" UPSTREAM_COLUMNS ", name, created_at,"
        " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?8)"
        " ON CONFLICT (name) DO UPDATE SET kind = ?1, base_url = ?2,"
        " workspace = ?3, ca_file = ?4, proxy = ?5, use_http2 = ?6,"
        " updated_at = ?8";
    put_call_t *c = ctx;
    char *old_url = NULL;
    apr_int64_t id;
    json_t *row;
    apr_status_t rv;

    rv = find_row(db, sql_find, c, upstream_fields, "{\"http2\":true}", &row,
                  &id);
    if (rv == APR_SUCCESS && id) {
        old_url = strdup(json_string_value(json_object_get(row, "baseUrl")));
        if (!old_url) rv = APR_ENOMEM;
    }
    if (rv == APR_SUCCESS) {
        rv = bl_fields_apply(row, c->fields, upstream_fields, c->err,
                             c->err_size);
    }
    if (rv == APR_SUCCESS && old_url &&
        !bl_url_same_origin(old_url,
                            json_string_value(json_object_get(row, "baseUrl"))))
    {
        rv = disable_keys(db, c, id);
    }
    if (rv == APR_SUCCESS) {
        rv = finish_put(db, bl_db_stmt(db, sql_put), c, row, upstream_fields, 7,
                        "upstream.put");
    }
    free(old_url);
    json_decref(row);
    return rv;
}

static apr_status_t put_row(bl_store_t *s, bl_do_fn *fn,
                            const bl_admin_who_t *who, const char *name,
                            const char *fields, bl_put_mode_t mode, char *err,
                            size_t err_size)
{
    put_call_t c;

    if (err && err_size) *err = '\0';
    if (!bl_name_is_valid(name)) {
        if (err) {
            snprintf(err, err_size,
                     "a name is 1 to %d letters, digits, dots, hyphens and "
                     "underscores",
                     BL_NAME_BYTES - 1);
        }
        return BL_E_BAD_VALUE;
    }
    c.who = who;
    c.name = name;
    c.fields = fields;
    c.mode = mode;
    c.err = err;
    c.err_size = err ? err_size : 0;
    return bl_store_do(s, fn, &c);
}

apr_status_t bl_store_do_upstream_put(bl_store_t *s, const bl_admin_who_t *who,
                                      const char *name, const char *fields,
                                      bl_put_mode_t mode, char *err,
                                      size_t err_size)
{
    return put_row(s, do_upstream_put, who, name, fields, mode, err, err_size);
}

/* --- apps --------------------------------------------------------------- */

static apr_status_t only_default(bl_db_t *db, const put_call_t *c)
{
    static const char sql[] =
        "UPDATE app SET is_default = 0 WHERE is_default = 1 AND name <> ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->name);
    return bl_db_run(db, st, NULL);
}

/* The first app is the default one without being told. */
static const char *app_defaults(bl_db_t *db, apr_status_t *prv)
{
    static const char sql[] = "SELECT count(*) FROM app";
    apr_int64_t n = 0;

    *prv = bl_db_number(db, sql, 0, &n);
    return n ? "{\"default\":false,\"incremental\":true,\"thoughts\":false,"
               "\"flow\":\"none\"}"
             : "{\"default\":true,\"incremental\":true,\"thoughts\":false,"
               "\"flow\":\"none\"}";
}

static apr_status_t check_app(bl_db_t *db, put_call_t *c, json_t *row)
{
    const char *name;
    apr_int64_t upstream;
    apr_status_t rv;

    rv = bl_fields_apply(row, c->fields, app_fields, c->err, c->err_size);
    if (rv != APR_SUCCESS) return rv;
    name = json_string_value(json_object_get(row, "upstream"));
    rv = bl_upstream_id(db, name, &upstream);
    if (rv == BL_E_NOT_FOUND) {
        snprintf(c->err, c->err_size,
                 "there is no upstream \"%s\": add it first", name);
        rv = BL_E_BAD_VALUE;
    }
    if (rv == APR_SUCCESS && json_is_true(json_object_get(row, "default"))) {
        rv = only_default(db, c);
    }
    return rv;
}

static apr_status_t do_app_put(bl_db_t *db, void *ctx)
{
    static const char sql_find[] =
        "SELECT a.id, " APP_COLUMNS " FROM app a"
        " JOIN upstream u ON u.id = a.upstream_id WHERE a.name = ?1";
    static const char sql_put[] =
        "INSERT INTO app (upstream_id, app_id, is_default, is_incremental,"
        " has_thoughts, enable_thinking, flow_mode, answer_nodes, parameters,"
        " workspace, connect_ms, first_content_ms, gap_ms, total_ms, retries,"
        " policy, name, created_at, updated_at)"
        " VALUES ((SELECT id FROM upstream WHERE name = ?1), ?2, ?3, ?4, ?5,"
        " ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?18)"
        " ON CONFLICT (name) DO UPDATE SET upstream_id = excluded.upstream_id,"
        " app_id = ?2, is_default = ?3, is_incremental = ?4,"
        " has_thoughts = ?5, enable_thinking = ?6, flow_mode = ?7,"
        " answer_nodes = ?8, parameters = ?9, workspace = ?10,"
        " connect_ms = ?11, first_content_ms = ?12, gap_ms = ?13,"
        " total_ms = ?14, retries = ?15, policy = ?16, updated_at = ?18";
    put_call_t *c = ctx;
    json_t *row = NULL;
    apr_int64_t id;
    apr_status_t rv;
    const char *defaults = app_defaults(db, &rv);

    if (rv == APR_SUCCESS) {
        rv = find_row(db, sql_find, c, app_fields, defaults, &row, &id);
    }
    if (rv == APR_SUCCESS) rv = check_app(db, c, row);
    if (rv == APR_SUCCESS) {
        rv = finish_put(db, bl_db_stmt(db, sql_put), c, row, app_fields, 17,
                        "app.put");
    }
    json_decref(row);
    return rv;
}

apr_status_t bl_store_do_app_put(bl_store_t *s, const bl_admin_who_t *who,
                                 const char *name, const char *fields,
                                 bl_put_mode_t mode, char *err, size_t err_size)
{
    return put_row(s, do_app_put, who, name, fields, mode, err, err_size);
}

/* --- delete ------------------------------------------------------------- */

typedef struct delete_call_t {
    const bl_admin_who_t *who;
    const char *name, *sql, *action;
} delete_call_t;

static apr_status_t do_delete(bl_db_t *db, void *ctx)
{
    const delete_call_t *c = ctx;
    sqlite3_stmt *st = bl_db_stmt(db, c->sql);
    apr_status_t rv;
    int changed = 0;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->name);
    rv = bl_db_run(db, st, &changed);
    if (rv == APR_SUCCESS && !changed) rv = BL_E_NOT_FOUND;
    if (rv != APR_SUCCESS) return rv; /* CONFLICT: an app still uses it */
    return bl_audit_add(db, c->who, c->action, c->name, NULL);
}

apr_status_t bl_store_do_upstream_delete(bl_store_t *s,
                                         const bl_admin_who_t *who,
                                         const char *name)
{
    static const char sql[] = "DELETE FROM upstream WHERE name = ?1";
    delete_call_t c = {who, name, sql, "upstream.delete"};

    return bl_store_do(s, do_delete, &c);
}

apr_status_t bl_store_do_app_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    const char *name)
{
    static const char sql[] = "DELETE FROM app WHERE name = ?1";
    delete_call_t c = {who, name, sql, "app.delete"};

    return bl_store_do(s, do_delete, &c);
}

/* --- lists -------------------------------------------------------------- */

/* Columns: id, name, created, updated, then the fields. */
static json_t *row_new(sqlite3_stmt *st, void *ctx)
{
    json_t *row = bl_fields_read_new(st, 4, ctx);

    if (!row) return NULL;
    json_object_set_new(row, "id", json_integer(sqlite3_column_int64(st, 0)));
    json_object_set_new(row, "name",
                        json_string((const char *)sqlite3_column_text(st, 1)));
    json_object_set_new(row, "createdAt",
                        bl_time_new(sqlite3_column_int64(st, 2)));
    json_object_set_new(row, "updatedAt",
                        bl_time_new(sqlite3_column_int64(st, 3)));
    return row;
}

apr_status_t bl_store_upstreams(bl_store_t *s, bl_buf_t *out)
{
    static const char sql[] =
        "SELECT id, name, created_at, updated_at, " UPSTREAM_COLUMNS
        " FROM upstream ORDER BY name";

    return bl_list_rows(s, sql, row_new, (void *)upstream_fields, out);
}

apr_status_t bl_store_apps(bl_store_t *s, bl_buf_t *out)
{
    static const char sql[] =
        "SELECT a.id, a.name, a.created_at, a.updated_at, " APP_COLUMNS
        " FROM app a JOIN upstream u ON u.id = a.upstream_id ORDER BY a.name";

    return bl_list_rows(s, sql, row_new, (void *)app_fields, out);
}
