/* SPDX-License-Identifier: Apache-2.0 */
/* Upstreams and apps: what an admin puts and deletes. */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "store/admin.h"
#include "store/api_keys.h"
#include "store/audit.h"
#include "store/catalog_fields.h"
#include "store/names.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct put_call_t {
    const bl_admin_who_t *who;
    const char *name, *fields;
    bl_put_mode_t mode;
    bl_change_t *change;
} put_call_t;

apr_status_t bl_check_revision(bl_change_t *change, apr_int64_t present)
{
    change->present = present;
    return !change->revision || change->revision == present
               ? APR_SUCCESS
               : BL_E_VERSION_CONFLICT;
}

/* A row by its name, as JSON; a new object with defaults when absent. *pid 0:
 * it was absent. Columns: id, revision, the fields. */
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
        rv = bl_check_revision(c->change, sqlite3_column_int64(st, 1));
    }
    if (rv == APR_SUCCESS) {
        *pid = sqlite3_column_int64(st, 0);
        *prow = bl_fields_read_new(st, 2, fields);
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
    if (bl_fields_bind(st, row, fields) != APR_SUCCESS) {
        bl_db_done(st);
        return APR_ENOMEM;
    }
    bl_db_text(st, after, c->name);
    bl_db_int(st, after + 1, bl_clock_wall());
    rv = bl_db_run(db, st, NULL);
    c->change->present++; /* a new row has revision 1 */
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
                              " updated_at = ?2, revision = revision + 1"
                              " WHERE upstream_id = ?1"
                              " AND state <> 'reenter'";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    bl_say_number_t count;
    apr_status_t rv;
    int changed = 0;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_int(st, 2, bl_clock_wall());
    rv = bl_db_run(db, st, &changed);
    if (rv == APR_SUCCESS && changed) {
        bl_say(
            &c->change->why.said,
            BL_SAY("The upstream lies elsewhere now: {1} of its keys must be "
                   "entered again, with the same name, before they are used."),
            bl_say_number(count, changed));
        rv = bl_audit_add(db, c->who, "key.reenter", c->name, NULL);
    }
    return rv;
}

static apr_status_t do_upstream_put(bl_db_t *db, void *ctx)
{
    static const char sql_find[] = "SELECT id, revision, " BL_UPSTREAM_COLUMNS
                                   " FROM upstream WHERE name = ?1";
    static const char sql_put[] =
        "INSERT INTO upstream (" BL_UPSTREAM_COLUMNS ", name, created_at,"
        " updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11,"
        " ?12, ?13, ?14, ?14) ON CONFLICT (name) DO UPDATE SET kind = ?1,"
        " base_url = ?2, workspace = ?3, ca_file = ?4, proxy = ?5,"
        " use_http2 = ?6, region = ?7, note = ?8, connect_ms = ?9,"
        " first_content_ms = ?10, gap_ms = ?11, total_ms = ?12,"
        " updated_at = ?14, revision = revision + 1";
    put_call_t *c = ctx;
    char *old_url = NULL;
    apr_int64_t id;
    json_t *row;
    apr_status_t rv;

    rv = find_row(db, sql_find, c, bl_upstream_fields,
                  "{\"kind\":\"bailian-app\",\"http2\":true}", &row, &id);
    if (rv == APR_SUCCESS && id) {
        old_url = strdup(json_string_value(json_object_get(row, "baseUrl")));
        if (!old_url) rv = APR_ENOMEM;
    }
    if (rv == APR_SUCCESS) {
        rv = bl_fields_apply(row, c->fields, bl_upstream_fields,
                             &c->change->why);
    }
    if (rv == APR_SUCCESS && old_url &&
        !bl_url_same_origin(old_url,
                            json_string_value(json_object_get(row, "baseUrl"))))
    {
        rv = disable_keys(db, c, id);
    }
    if (rv == APR_SUCCESS) {
        rv = finish_put(db, bl_db_stmt(db, sql_put), c, row, bl_upstream_fields,
                        BL_UPSTREAM_FIELDS + 1, "upstream.put");
    }
    free(old_url);
    json_decref(row);
    return rv;
}

static apr_status_t put_row(bl_store_t *s, bl_do_fn *fn,
                            const bl_admin_who_t *who, const char *name,
                            const char *fields, bl_put_mode_t mode,
                            bl_change_t *change)
{
    bl_say_number_t most;
    put_call_t c;

    memset(&change->why, 0, sizeof(change->why));
    change->present = 0;
    if (!bl_name_is_valid(name)) {
        return bl_complain(&change->why, "name",
                           BL_SAY("must be 1 to {1} letters, digits, dots, "
                                  "hyphens and underscores"),
                           bl_say_number(most, BL_NAME_BYTES - 1));
    }
    c.who = who;
    c.name = name;
    c.fields = fields;
    c.mode = mode;
    c.change = change;
    return bl_store_do(s, fn, &c);
}

apr_status_t bl_store_do_upstream_change(bl_store_t *s,
                                         const bl_admin_who_t *who,
                                         const char *name, const char *fields,
                                         bl_put_mode_t mode,
                                         bl_change_t *change)
{
    return put_row(s, do_upstream_put, who, name, fields, mode, change);
}

/* Of bailianctl: based on no revision. */
static apr_status_t put_any(bl_store_t *s, bl_do_fn *fn,
                            const bl_admin_who_t *who, const char *name,
                            const char *fields, bl_put_mode_t mode, char *err,
                            size_t err_size)
{
    char text[BL_SAY_TEXT];
    bl_change_t change;
    apr_status_t rv;

    change.revision = 0;
    rv = put_row(s, fn, who, name, fields, mode, &change);
    if (err && err_size) {
        bl_complaint_text(&change.why, 0, text);
        snprintf(err, err_size, "%s", text);
    }
    return rv;
}

apr_status_t bl_store_do_upstream_put(bl_store_t *s, const bl_admin_who_t *who,
                                      const char *name, const char *fields,
                                      bl_put_mode_t mode, char *err,
                                      size_t err_size)
{
    return put_any(s, do_upstream_put, who, name, fields, mode, err, err_size);
}

/* --- apps --------------------------------------------------------------- */

static apr_status_t only_default(bl_db_t *db, const put_call_t *c)
{
    static const char sql[] =
        "UPDATE app SET is_default = 0, revision = revision + 1"
        " WHERE is_default = 1 AND name <> ?1";
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

    rv = bl_fields_apply(row, c->fields, bl_app_fields, &c->change->why);
    if (rv != APR_SUCCESS) return rv;
    name = json_string_value(json_object_get(row, "upstream"));
    rv = bl_upstream_id(db, name, &upstream);
    if (rv == BL_E_NOT_FOUND) {
        rv = bl_complain(&c->change->why, "upstream",
                         BL_SAY("There is no upstream \"{1}\": add it first."),
                         name);
    }
    if (rv == APR_SUCCESS && json_is_true(json_object_get(row, "default"))) {
        rv = only_default(db, c);
    }
    return rv;
}

static apr_status_t do_app_put(bl_db_t *db, void *ctx)
{
    static const char sql_find[] =
        "SELECT a.id, a.revision, " BL_APP_COLUMNS " FROM app a"
        " JOIN upstream u ON u.id = a.upstream_id WHERE a.name = ?1";
    static const char sql_put[] =
        "INSERT INTO app (upstream_id, app_id, is_default, is_incremental,"
        " has_thoughts, enable_thinking, flow_mode, answer_nodes, parameters,"
        " workspace, connect_ms, first_content_ms, gap_ms, total_ms, retries,"
        " policy, note, heartbeat_first_ms, heartbeat_ms, retry_pace,"
        " retry_ms, principal_streams, queue_bytes, name, created_at,"
        " updated_at)"
        " VALUES ((SELECT id FROM upstream WHERE name = ?1), ?2, ?3, ?4, ?5,"
        " ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19,"
        " ?20, ?21, ?22, ?23, ?24, ?25, ?25)"
        " ON CONFLICT (name) DO UPDATE SET upstream_id = excluded.upstream_id,"
        " app_id = ?2, is_default = ?3, is_incremental = ?4,"
        " has_thoughts = ?5, enable_thinking = ?6, flow_mode = ?7,"
        " answer_nodes = ?8, parameters = ?9, workspace = ?10,"
        " connect_ms = ?11, first_content_ms = ?12, gap_ms = ?13,"
        " total_ms = ?14, retries = ?15, policy = ?16, note = ?17,"
        " heartbeat_first_ms = ?18, heartbeat_ms = ?19, retry_pace = ?20,"
        " retry_ms = ?21, principal_streams = ?22, queue_bytes = ?23,"
        " updated_at = ?25, revision = revision + 1";
    put_call_t *c = ctx;
    json_t *row = NULL;
    apr_int64_t id;
    apr_status_t rv;
    const char *defaults = app_defaults(db, &rv);

    if (rv == APR_SUCCESS) {
        rv = find_row(db, sql_find, c, bl_app_fields, defaults, &row, &id);
    }
    if (rv == APR_SUCCESS) rv = check_app(db, c, row);
    if (rv == APR_SUCCESS) {
        rv = finish_put(db, bl_db_stmt(db, sql_put), c, row, bl_app_fields,
                        BL_APP_FIELDS + 1, "app.put");
    }
    json_decref(row);
    return rv;
}

apr_status_t bl_store_do_app_change(bl_store_t *s, const bl_admin_who_t *who,
                                    const char *name, const char *fields,
                                    bl_put_mode_t mode, bl_change_t *change)
{
    return put_row(s, do_app_put, who, name, fields, mode, change);
}

apr_status_t bl_store_do_app_put(bl_store_t *s, const bl_admin_who_t *who,
                                 const char *name, const char *fields,
                                 bl_put_mode_t mode, char *err, size_t err_size)
{
    return put_any(s, do_app_put, who, name, fields, mode, err, err_size);
}

/* --- delete ------------------------------------------------------------- */

typedef struct delete_call_t {
    const bl_admin_who_t *who;
    const char *name, *sql_find, *sql, *action;
    bl_change_t *change;
} delete_call_t;

static apr_status_t check_row(bl_db_t *db, const delete_call_t *c)
{
    sqlite3_stmt *st = bl_db_stmt(db, c->sql_find);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->name);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        rv = bl_check_revision(c->change, sqlite3_column_int64(st, 0));
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

static apr_status_t do_delete(bl_db_t *db, void *ctx)
{
    const delete_call_t *c = ctx;
    apr_status_t rv = check_row(db, c);
    sqlite3_stmt *st;

    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, c->sql);
    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->name);
    rv = bl_db_run(db, st, NULL);
    if (rv != APR_SUCCESS) return rv; /* CONFLICT: an app still uses it */
    return bl_audit_add(db, c->who, c->action, c->name, NULL);
}

apr_status_t bl_store_do_upstream_drop(bl_store_t *s, const bl_admin_who_t *who,
                                       const char *name, bl_change_t *change)
{
    delete_call_t c = {who,
                       name,
                       "SELECT revision FROM upstream WHERE name = ?1",
                       "DELETE FROM upstream WHERE name = ?1",
                       "upstream.delete",
                       change};

    return bl_store_do(s, do_delete, &c);
}

apr_status_t bl_store_do_app_drop(bl_store_t *s, const bl_admin_who_t *who,
                                  const char *name, bl_change_t *change)
{
    delete_call_t c = {who,
                       name,
                       "SELECT revision FROM app WHERE name = ?1",
                       "DELETE FROM app WHERE name = ?1",
                       "app.delete",
                       change};

    return bl_store_do(s, do_delete, &c);
}

apr_status_t bl_store_do_upstream_delete(bl_store_t *s,
                                         const bl_admin_who_t *who,
                                         const char *name)
{
    bl_change_t any = {0};

    return bl_store_do_upstream_drop(s, who, name, &any);
}

apr_status_t bl_store_do_app_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    const char *name)
{
    bl_change_t any = {0};

    return bl_store_do_app_drop(s, who, name, &any);
}
