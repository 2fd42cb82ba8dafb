/* SPDX-License-Identifier: Apache-2.0 */
/* Upstreams, apps and keys as rows of JSON: for bailianctl and the page. */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "crypto/keyring.h"
#include "store/catalog_fields.h"
#include "store/lists.h"

#include <string.h>

#define ALL 1000000000 /* rows: without end */
#define DAY_US 86400000000
#define DAYS 30 /* whose usage is summed */

static json_t *text_new(sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);

    return text ? json_string(text) : json_null();
}

static json_t *number_new(sqlite3_stmt *st, int column)
{
    return json_integer(sqlite3_column_int64(st, column));
}

/* Parameters of every list: 1 name, 2 after, 3 limit. */
static void bind_ask(sqlite3_stmt *st, void *ctx)
{
    const bl_list_ask_t *ask = ctx;

    bl_db_text(st, 1, ask->name);
    bl_db_text(st, 2, ask->after);
    bl_db_int(st, 3, ask->limit ? ask->limit : ALL);
}

/* Columns: id, name, revision, created, updated, then the fields. */
static json_t *row_new(sqlite3_stmt *st, const bl_field_t *fields)
{
    json_t *row = bl_fields_read_new(st, 5, fields);

    if (!row) return NULL;
    bl_json_set(&row, "id", number_new(st, 0));
    bl_json_set(&row, "name", text_new(st, 1));
    bl_json_set(&row, "version", number_new(st, 2));
    bl_json_set(&row, "createdAt", bl_time_new(sqlite3_column_int64(st, 3)));
    bl_json_set(&row, "updatedAt", bl_time_new(sqlite3_column_int64(st, 4)));
    return row;
}

/* --- upstreams and apps ------------------------------------------------- */

static json_t *upstream_new(sqlite3_stmt *st, void *ctx)
{
    json_t *row = row_new(st, bl_upstream_fields);
    int at = 5 + BL_UPSTREAM_FIELDS;

    (void)ctx;
    if (!row) return NULL;
    bl_json_set(&row, "keys",
                json_pack("{s:i,s:i,s:i}", "enabled",
                          sqlite3_column_int(st, at), "disabled",
                          sqlite3_column_int(st, at + 1), "reenter",
                          sqlite3_column_int(st, at + 2)));
    bl_json_set(&row, "apps", number_new(st, at + 3));
    return row;
}

apr_status_t bl_store_upstream_rows(bl_store_t *s, const bl_list_ask_t *ask,
                                    json_t **prows)
{
#define KEYS(state)                                                            \
    " (SELECT count(*) FROM api_key k WHERE k.upstream_id = u.id"              \
    " AND k.state = '" state "'),"
    static const char sql[] =
        "SELECT id, name, revision, created_at, updated_at,"
        " " BL_UPSTREAM_COLUMNS "," KEYS("enabled") KEYS("disabled")
            KEYS("reenter") " (SELECT count(*) FROM app WHERE upstream_id ="
                            " u.id) FROM upstream u WHERE (?1 IS NULL OR"
                            " name = ?1) AND name > ifnull(?2, '')"
                            " ORDER BY name LIMIT ?3";
#undef KEYS

    return bl_list_rows_bound(s, sql, bind_ask, (void *)ask, upstream_new, NULL,
                              prows);
}

static json_t *app_new(sqlite3_stmt *st, void *ctx)
{
    (void)ctx;
    return row_new(st, bl_app_fields);
}

apr_status_t bl_store_app_rows(bl_store_t *s, const bl_list_ask_t *ask,
                               json_t **prows)
{
    static const char sql[] =
        "SELECT a.id, a.name, a.revision, a.created_at,"
        " a.updated_at, " BL_APP_COLUMNS
        " FROM app a JOIN upstream u ON u.id = a.upstream_id"
        " WHERE (?1 IS NULL OR a.name = ?1) AND a.name > ifnull(?2, '')"
        " ORDER BY a.name LIMIT ?3";

    return bl_list_rows_bound(s, sql, bind_ask, (void *)ask, app_new, NULL,
                              prows);
}

/* --- keys --------------------------------------------------------------- */

static void bind_key_ask(sqlite3_stmt *st, void *ctx)
{
    const bl_list_ask_t *ask = ctx;

    bl_db_int_or_null(st, 1, ask->id ? ask->id : -1);
    bl_db_int(st, 2, ask->after_id);
    bl_db_int(st, 3, ask->limit ? ask->limit : ALL);
    bl_db_text(st, 4, ask->upstream);
    bl_db_text(st, 5, ask->q);
    bl_db_int(st, 6, bl_clock_wall() / DAY_US - DAYS);
}

/* Columns 10 to 13: of the newest check. */
static json_t *check_new(sqlite3_stmt *st)
{
    int is_ok = sqlite3_column_type(st, 11) == SQLITE_NULL;

    if (sqlite3_column_type(st, 10) == SQLITE_NULL) return json_null();
    return json_pack("{s:o,s:b,s:o,s:o,s:o}", "at",
                     bl_time_new(sqlite3_column_int64(st, 10)), "ok", is_ok,
                     "code", text_new(st, 11), "status", number_new(st, 12),
                     "latencyMs", number_new(st, 13));
}

static json_t *key_new(sqlite3_stmt *st, void *ctx)
{
    const bl_keyring_t *k = ctx;
    apr_uint32_t master = (apr_uint32_t)sqlite3_column_int64(st, 7);
    json_t *row = bl_fields_read_new(st, 14, bl_key_fields);
    int i, at = 14 + BL_KEY_FIELDS;
    static const char *const sums[] = {"streams", "failures", "inputTokens",
                                       "outputTokens"};

    if (!row) return NULL;
    bl_json_set(&row, "id", number_new(st, 0));
    bl_json_set(&row, "upstream", text_new(st, 1));
    bl_json_set(&row, "state", text_new(st, 2));
    bl_json_set(&row, "last4", text_new(st, 3));
    bl_json_set(&row, "fingerprint", text_new(st, 4));
    bl_json_set(&row, "version", number_new(st, 5));
    bl_json_set(&row, "sealVersion", number_new(st, 6));
    bl_json_set(&row, "masterKey", json_integer(master));
    bl_json_set(&row, "canBeOpened",
                json_boolean(k && bl_keyring_has(k, master)));
    bl_json_set(&row, "createdAt", bl_time_new(sqlite3_column_int64(st, 8)));
    bl_json_set(&row, "updatedAt", bl_time_new(sqlite3_column_int64(st, 9)));
    bl_json_set(&row, "check", check_new(st));
    for (i = 0; i < 4; i++)
        bl_json_set(&row, sums[i], number_new(st, at + i));
    return row;
}

apr_status_t bl_store_key_rows(bl_store_t *s, const bl_list_ask_t *ask,
                               json_t **prows)
{
#define USAGE(what)                                                            \
    " (SELECT ifnull(sum(" what "), 0) FROM usage_day d WHERE d.key_id = k.id" \
    " AND d.day >= ?6)"
    static const char sql[] =
        "SELECT k.id, u.name, k.state, k.last4, k.fingerprint, k.revision,"
        " k.version, k.master_key_id, k.created_at, k.updated_at,"
        " c.at, c.code, c.status, c.latency_ms, " BL_KEY_COLUMNS
        "," USAGE("streams") "," USAGE("failures") "," USAGE(
            "input_tokens") "," USAGE("output_tokens") " FROM api_key k JOIN "
                                                       "upstream u ON u.id = "
                                                       "k.upstream_id"
                                                       " LEFT JOIN key_check c "
                                                       "ON c.key_id = k.id"
                                                       " WHERE (?1 IS NULL OR "
                                                       "k.id = ?1) AND k.id > "
                                                       "?2"
                                                       " AND (?4 IS NULL OR "
                                                       "u.name = ?4)"
                                                       " AND (?5 IS NULL OR "
                                                       "instr(lower(k.name), "
                                                       "lower(?5))"
                                                       " OR "
                                                       "instr(lower(ifnull(k."
                                                       "note, '')), lower(?5))"
                                                       " OR "
                                                       "instr(lower(ifnull(k."
                                                       "account, '')), "
                                                       "lower(?5))"
                                                       " OR k.last4 = ?5) "
                                                       "ORDER BY k.id LIMIT ?3";
#undef USAGE

    return bl_list_rows_bound(s, sql, bind_key_ask, (void *)ask, key_new,
                              s->keyring, prows);
}

/* --- the whole list, as text (bailianctl) ------------------------------- */

static apr_status_t all_as_text(bl_store_t *s,
                                apr_status_t (*list)(bl_store_t *,
                                                     const bl_list_ask_t *,
                                                     json_t **),
                                bl_buf_t *out)
{
    bl_list_ask_t ask;
    json_t *rows;
    apr_status_t rv;

    memset(&ask, 0, sizeof(ask));
    rv = list(s, &ask, &rows);
    return rv == APR_SUCCESS ? bl_json_put_new(out, rows) : rv;
}

apr_status_t bl_store_upstreams(bl_store_t *s, bl_buf_t *out)
{
    return all_as_text(s, bl_store_upstream_rows, out);
}

apr_status_t bl_store_apps(bl_store_t *s, bl_buf_t *out)
{
    return all_as_text(s, bl_store_app_rows, out);
}

apr_status_t bl_store_keys(bl_store_t *s, bl_buf_t *out)
{
    return all_as_text(s, bl_store_key_rows, out);
}
