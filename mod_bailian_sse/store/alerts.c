/* SPDX-License-Identifier: Apache-2.0 */
/* Alerts: what an admin adds, changes, silences and lists. */
#include "store/alerts.h"

#include "base/clock.h"
#include "base/errors.h"
#include "store/alerts_load.h"
#include "store/api_keys.h"
#include "store/fields.h"
#include "store/lists.h"
#include "store/names.h"
#include "store/sealed.h"
#include "store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define URL_MOST 2048
#define DEFAULTS                                                               \
    "{\"shape\":\"generic\",\"enabled\":true,\"windowSeconds\":300,"           \
    "\"leastStreams\":10,\"keys\":true,\"store\":true,\"repeatMinutes\":60}"

/* --- fields ------------------------------------------------------------- */

static const char *name_complaint(const char *name)
{
    return bl_name_is_valid(name) ? NULL
                                  : BL_SAY("must be letters, digits, dots, "
                                           "hyphens and underscores, not "
                                           "beginning with a dot or hyphen");
}

static const char *shape_complaint(const char *shape)
{
    static const char *const shapes[] = {"generic", "dingtalk", "wecom",
                                         "feishu"};
    size_t i;

    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        if (!strcmp(shapes[i], shape)) return NULL;
    }
    return BL_SAY("must be generic, dingtalk, wecom or feishu");
}

static const char *path_complaint(const char *path)
{
    return path[0] == '/' ? NULL : BL_SAY("must be an absolute path");
}

static const bl_field_t fields[] = {
    {"name", BL_FIELD_TEXT, 1, BL_NAME_BYTES - 1, name_complaint, 0},
    {"shape", BL_FIELD_TEXT, 1, 15, shape_complaint, 0},
    {"enabled", BL_FIELD_BOOL, 1, 0, NULL, 0},
    {"caFile", BL_FIELD_TEXT, 0, 1024, path_complaint, 0},
    {"proxy", BL_FIELD_TEXT, 0, 1024, bl_url_complaint, 0},
    {"windowSeconds", BL_FIELD_NUMBER, 1, 3600, NULL, 60},
    {"errorPercent", BL_FIELD_NUMBER, 0, 100, NULL, 1},
    {"leastStreams", BL_FIELD_NUMBER, 1, 1000000, NULL, 1},
    {"firstContentMs", BL_FIELD_NUMBER, 0, 600000, NULL, 1},
    {"keys", BL_FIELD_BOOL, 1, 0, NULL, 0},
    {"store", BL_FIELD_BOOL, 1, 0, NULL, 0},
    {"repeatMinutes", BL_FIELD_NUMBER, 0, 10080, NULL, 5},
    {"note", BL_FIELD_TEXT, 0, 2000, NULL, 0},
    {NULL, BL_FIELD_TEXT, 0, 0, NULL, 0}};
#define FIELDS 13
#define FIELD_COLUMNS                                                          \
    "name, shape, is_enabled, ca_file, proxy, window_s, error_percent,"        \
    " streams_least, first_content_ms, has_keys, has_store, repeat_minutes,"   \
    " note"

/* --- the URL ------------------------------------------------------------ */

/* A webhook's token stands in its path or in its query; the rest is judged as
 * the URL of any other target (S-31). */
static apr_status_t check_url(const char *url, bl_complaint_t *why)
{
    char base[URL_MOST + 1];
    size_t len = url ? strcspn(url, "?") : 0, i;
    const char *wish;

    if (!len) return bl_complain(why, "url", BL_SAY("is needed"));
    if (strlen(url) > URL_MOST) {
        return bl_complain(why, "url", BL_SAY("must have at most {1} bytes"),
                           "2048");
    }
    memcpy(base, url, len);
    base[len] = '\0';
    wish = bl_url_complaint(base);
    for (i = len; !wish && url[i]; i++) {
        if ((unsigned char)url[i] <= 0x20 || (unsigned char)url[i] >= 0x7f ||
            url[i] == '#')
        {
            wish =
                BL_SAY("must be plain ASCII without spaces and fragment (#)");
        }
    }
    return wish ? bl_complain(why, "url", wish) : APR_SUCCESS;
}

/* "https://host:port" of a URL that was checked. */
static void host_of(const char *url, char *out, size_t size)
{
    size_t len = strcspn(strstr(url, "://") + 3, "/?") +
                 (size_t)(strstr(url, "://") + 3 - url);

    snprintf(out, size, "%.*s", (int)len, url);
}

/* --- add and change ----------------------------------------------------- */

typedef struct alert_call_t {
    const bl_admin_who_t *who;
    bl_keyring_t *keyring;
    apr_int64_t id; /* of a new one: out */
    const char *fields, *url;
    apr_time_t until;
    bl_change_t *change;
} alert_call_t;

static apr_status_t set_url(bl_db_t *db, const alert_call_t *c)
{
    static const char sql[] = "UPDATE alert SET host = ?2 WHERE id = ?1"
                              " RETURNING version";
    char host[URL_MOST];
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_int64_t version = 0;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    host_of(c->url, host, sizeof(host));
    bl_db_int(st, 1, c->id);
    bl_db_text(st, 2, host);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        version = sqlite3_column_int64(st, 0);
        rv = bl_db_run(db, st, NULL);
    }
    else {
        bl_db_done(st);
    }
    return rv == APR_SUCCESS
               ? bl_sealed_put(db, c->keyring, &bl_sealed_alerts, c->id,
                               version + 1, c->url, strlen(c->url))
               : rv;
}

/* Names are taken once. */
static apr_status_t refuse_name(apr_status_t rv, const alert_call_t *c)
{
    if (rv == BL_E_CONFLICT)
        bl_complain(&c->change->why, "name", BL_SAY("is taken"));
    return rv;
}

static apr_status_t insert(bl_db_t *db, alert_call_t *c, const json_t *row)
{
    static const char sql[] =
        "INSERT INTO alert (" FIELD_COLUMNS ", host, sealed, version,"
        " master_key_id, created_at, updated_at) VALUES (?1, ?2, ?3, ?4, ?5,"
        " ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, '', x'', 0, 0, ?14, ?14)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    if (bl_fields_bind(st, row, fields) != APR_SUCCESS) {
        bl_db_done(st);
        return APR_ENOMEM;
    }
    bl_db_int(st, FIELDS + 1, bl_clock_wall());
    rv = refuse_name(bl_db_run(db, st, NULL), c);
    c->id = sqlite3_last_insert_rowid(bl_db_handle(db));
    return rv;
}

static apr_status_t do_new(bl_db_t *db, void *ctx)
{
    static const char sql[] = "SELECT count(*) FROM alert";
    alert_call_t *c = ctx;
    json_t *row = json_loads(DEFAULTS, 0, NULL);
    apr_int64_t n = 0;
    apr_status_t rv = bl_db_number(db, sql, 0, &n);

    if (rv == APR_SUCCESS && n >= BL_ALERTS_MOST) {
        bl_complain(&c->change->why, "name",
                    BL_SAY("would be the 33rd alert: 32 at most"));
        rv = BL_E_CONFLICT;
    }
    if (rv == APR_SUCCESS) {
        rv = row ? bl_fields_apply(row, c->fields, fields, &c->change->why)
                 : APR_ENOMEM;
    }
    if (rv == APR_SUCCESS) rv = check_url(c->url, &c->change->why);
    if (rv == APR_SUCCESS) rv = insert(db, c, row);
    json_decref(row);
    if (rv == APR_SUCCESS) rv = set_url(db, c);
    return rv == APR_SUCCESS
               ? bl_alert_audit(db, c->who, "alert.add", c->id, c->fields)
               : rv;
}

apr_status_t bl_store_do_alert_new(bl_store_t *s, const bl_admin_who_t *who,
                                   const char *new_fields, const char *url,
                                   apr_int64_t *pid, bl_change_t *change)
{
    alert_call_t c = {who, s->keyring, 0, new_fields, url, 0, change};
    apr_status_t rv = bl_store_do(s, do_new, &c);

    *pid = c.id;
    return rv;
}

/* BL_E_NOT_FOUND, BL_E_VERSION_CONFLICT; *prow may be NULL. */
static apr_status_t read_row(bl_db_t *db, const alert_call_t *c, json_t **prow)
{
    static const char sql[] =
        "SELECT revision, " FIELD_COLUMNS " FROM alert WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        rv = bl_check_revision(c->change, sqlite3_column_int64(st, 0));
    }
    if (rv == APR_SUCCESS && prow) {
        *prow = bl_fields_read_new(st, 1, fields);
        if (!*prow) rv = APR_ENOMEM;
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

static apr_status_t update(bl_db_t *db, const alert_call_t *c,
                           const json_t *row)
{
    static const char sql[] =
        "UPDATE alert SET name = ?1, shape = ?2, is_enabled = ?3, ca_file = ?4,"
        " proxy = ?5, window_s = ?6, error_percent = ?7, streams_least = ?8,"
        " first_content_ms = ?9, has_keys = ?10, has_store = ?11,"
        " repeat_minutes = ?12, note = ?13, updated_at = ?14,"
        " revision = revision + 1 WHERE id = ?15";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    if (bl_fields_bind(st, row, fields) != APR_SUCCESS) {
        bl_db_done(st);
        return APR_ENOMEM;
    }
    bl_db_int(st, FIELDS + 1, bl_clock_wall());
    bl_db_int(st, FIELDS + 2, c->id);
    return refuse_name(bl_db_run(db, st, NULL), c);
}

static apr_status_t do_change(bl_db_t *db, void *ctx)
{
    const alert_call_t *c = ctx;
    json_t *row = NULL;
    apr_status_t rv = read_row(db, c, &row);

    if (rv == APR_SUCCESS) {
        rv = bl_fields_apply(row, c->fields, fields, &c->change->why);
    }
    if (rv == APR_SUCCESS && c->url) rv = check_url(c->url, &c->change->why);
    if (rv == APR_SUCCESS) rv = update(db, c, row);
    json_decref(row);
    if (rv == APR_SUCCESS && c->url) rv = set_url(db, c);
    if (rv != APR_SUCCESS) return rv;
    c->change->present++;
    return bl_alert_audit(db, c->who, "alert.put", c->id, c->fields);
}

apr_status_t bl_store_do_alert_change(bl_store_t *s, const bl_admin_who_t *who,
                                      apr_int64_t id, const char *new_fields,
                                      const char *url, bl_change_t *change)
{
    alert_call_t c = {who, s->keyring, id, new_fields, url, 0, change};

    return bl_store_do(s, do_change, &c);
}

/* --- delete, silence, test ---------------------------------------------- */

static apr_status_t do_drop(bl_db_t *db, void *ctx)
{
    static const char sql[] = "DELETE FROM alert WHERE id = ?1";
    const alert_call_t *c = ctx;
    sqlite3_stmt *st;
    apr_status_t rv = read_row(db, c, NULL);

    /* Audited first: then it still has its name. */
    if (rv == APR_SUCCESS) {
        rv = bl_alert_audit(db, c->who, "alert.delete", c->id, NULL);
    }
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    return bl_db_run(db, st, NULL);
}

apr_status_t bl_store_do_alert_drop(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id, bl_change_t *change)
{
    alert_call_t c = {who, NULL, id, NULL, NULL, 0, change};

    return bl_store_do(s, do_drop, &c);
}

static apr_status_t do_silence(bl_db_t *db, void *ctx)
{
    static const char sql[] =
        "UPDATE alert SET silenced_until = ?2 WHERE id = ?1";
    const alert_call_t *c = ctx;
    sqlite3_stmt *st;
    char detail[32];
    apr_status_t rv;

    snprintf(detail, sizeof(detail), "%" APR_INT64_T_FMT,
             c->until ? (c->until - bl_clock_wall()) / 60000000 + 1
                      : (apr_int64_t)0);
    rv = bl_alert_audit(db, c->who, "alert.silence", c->id, detail);
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->id);
    bl_db_int(st, 2, c->until);
    return bl_db_run(db, st, NULL);
}

apr_status_t bl_store_do_alert_silence(bl_store_t *s, const bl_admin_who_t *who,
                                       apr_int64_t id, apr_time_t until)
{
    alert_call_t c = {who, NULL, id, NULL, NULL, until, NULL};

    return bl_store_do(s, do_silence, &c);
}

static apr_status_t do_test(bl_db_t *db, void *ctx)
{
    const alert_call_t *c = ctx;

    return bl_alert_audit(db, c->who, "alert.test", c->id, NULL);
}

apr_status_t bl_store_do_alert_test(bl_store_t *s, const bl_admin_who_t *who,
                                    apr_int64_t id)
{
    alert_call_t c = {who, NULL, id, NULL, NULL, 0, NULL};

    return bl_store_do(s, do_test, &c);
}

/* --- list --------------------------------------------------------------- */

static void bind_id(sqlite3_stmt *st, void *ctx)
{
    const apr_int64_t *id = ctx;

    bl_db_int_or_null(st, 1, *id ? *id : -1);
}

static json_t *row_new(sqlite3_stmt *st, void *ctx)
{
    json_t *row = bl_fields_read_new(st, 6, fields);

    (void)ctx;
    if (!row) return NULL;
    bl_json_set(&row, "id", json_integer(sqlite3_column_int64(st, 0)));
    bl_json_set(&row, "version", json_integer(sqlite3_column_int64(st, 1)));
    bl_json_set(&row, "host", bl_column_text_new(st, 2));
    bl_json_set(&row, "silencedUntilAt",
                bl_time_new(sqlite3_column_int64(st, 3)));
    bl_json_set(&row, "createdAt", bl_time_new(sqlite3_column_int64(st, 4)));
    bl_json_set(&row, "updatedAt", bl_time_new(sqlite3_column_int64(st, 5)));
    return row;
}

apr_status_t bl_store_alert_rows(bl_store_t *s, apr_int64_t id, json_t **prows)
{
    static const char sql[] =
        "SELECT id, revision, host, silenced_until, created_at,"
        " updated_at, " FIELD_COLUMNS
        " FROM alert WHERE (?1 IS NULL OR id = ?1) ORDER BY id";

    return bl_list_rows_bound(s, sql, bind_id, &id, row_new, NULL, prows);
}
