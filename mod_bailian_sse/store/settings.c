/* SPDX-License-Identifier: Apache-2.0 */
/* What an admin sets and asks of the retention; the deleting itself is in
 * retention.c. */
#include "store/retention.h"

#include "base/clock.h"
#include "base/errors.h"
#include "store/audit.h"
#include "store/lists.h"
#include "store/store_private.h"

#include <stdio.h>
#include <stdlib.h>

/* --- settings ----------------------------------------------------------- */

static json_t *days_new(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL
               ? json_null()
               : json_integer(sqlite3_column_int64(st, column));
}

static json_t *settings_new(sqlite3_stmt *st)
{
    return json_pack(
        "{s:I,s:{s:o,s:o},s:{s:s,s:I,s:I,s:o,s:o,s:o}}", "version",
        (json_int_t)sqlite3_column_int64(st, 0), "retention",
        "conversationDays", days_new(st, 1), "eventDays", days_new(st, 2),
        "progress", "state", sqlite3_column_int(st, 3) ? "running" : "idle",
        "conversationsDeleted", (json_int_t)sqlite3_column_int64(st, 5),
        "streamsTrimmed", (json_int_t)sqlite3_column_int64(st, 6), "passAt",
        bl_time_new(sqlite3_column_int64(st, 4)), "oldestAt",
        bl_time_new(sqlite3_column_int64(st, 7)), "oldestEventsAt",
        bl_time_new(sqlite3_column_int64(st, 8)));
}

static apr_status_t put_settings(bl_db_t *db, bl_buf_t *out,
                                 apr_int64_t *pversion)
{
    static const char sql[] =
        "SELECT version, conversation_days, event_days, is_running, pass_at,"
        " conversations, streams, (SELECT min(updated_at) FROM conversation),"
        " (SELECT min(ended_at) FROM stream WHERE outcome <> 0"
        " AND trimmed_to = 0)"
        " FROM retention WHERE id = 1";
    static const char sql_unused[] = "PRAGMA freelist_count";
    static const char sql_page[] = "PRAGMA page_size";
    apr_int64_t unused = 0, page = 0;
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    json_t *all = NULL, *progress;
    apr_status_t rv = bl_db_step(db, st);

    if (rv == APR_SUCCESS) {
        all = settings_new(st);
        *pversion = sqlite3_column_int64(st, 0);
    }
    bl_db_done(st);
    if (rv != APR_SUCCESS) return rv;
    rv = bl_db_number(db, sql_unused, 0, &unused);
    if (rv == APR_SUCCESS) rv = bl_db_number(db, sql_page, 0, &page);
    progress = json_incref(json_object_get(all, "progress"));
    bl_json_set(&progress, "freeBytes", json_integer(unused * page));
    if (rv == APR_SUCCESS && !progress) rv = APR_ENOMEM;
    json_decref(progress);
    if (rv == APR_SUCCESS) return bl_json_put_new(out, all);
    json_decref(all);
    return rv;
}

apr_status_t bl_store_settings(bl_store_t *s, bl_buf_t *out,
                               apr_int64_t *pversion)
{
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv == APR_SUCCESS) rv = put_settings(db, out, pversion);
    bl_store_read_end(s, db);
    return rv;
}

typedef struct settings_call_t {
    const bl_admin_who_t *who;
    apr_int64_t version;
    const bl_retention_change_t *change;
} settings_call_t;

static void bind_days(sqlite3_stmt *st, int at, int has, int days)
{
    bl_db_int(st, at, has);
    if (days) bl_db_int(st, at + 1, days);
}

static void put_days(json_t **pdetail, const char *name, int has, int days)
{
    if (!has) return;
    bl_json_set(pdetail, name, days ? json_integer(days) : json_null());
}

static apr_status_t audit_settings(bl_db_t *db, const settings_call_t *c)
{
    json_t *detail = json_object();
    apr_status_t rv;
    char *text;

    put_days(&detail, "conversationDays", c->change->has_conversation_days,
             c->change->conversation_days);
    put_days(&detail, "eventDays", c->change->has_event_days,
             c->change->event_days);
    text = bl_json_dump(detail, 0);
    json_decref(detail);
    if (!text) return APR_ENOMEM;
    rv = bl_audit_add(db, c->who, "setting.patch", "retention", text);
    free(text);
    return rv;
}

static apr_status_t do_settings(bl_db_t *db, void *ctx)
{
    static const char sql[] =
        "UPDATE retention SET version = version + 1,"
        " conversation_days = CASE WHEN ?2 THEN ?3 ELSE conversation_days END,"
        " event_days = CASE WHEN ?4 THEN ?5 ELSE event_days END"
        " WHERE id = 1 AND version = ?1";
    const settings_call_t *c = ctx;
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    int changed = 0;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, c->version);
    bind_days(st, 2, c->change->has_conversation_days,
              c->change->conversation_days);
    bind_days(st, 4, c->change->has_event_days, c->change->event_days);
    rv = bl_db_run(db, st, &changed);
    if (rv == APR_SUCCESS && !changed) rv = BL_E_VERSION_CONFLICT;
    return rv == APR_SUCCESS ? audit_settings(db, c) : rv;
}

static int is_days(int has, int days)
{
    return !has || (days >= 0 && days <= BL_RETENTION_DAYS_MOST);
}

apr_status_t bl_store_do_settings(bl_store_t *s, const bl_admin_who_t *who,
                                  apr_int64_t version,
                                  const bl_retention_change_t *change)
{
    settings_call_t c = {who, version, change};

    if (!is_days(change->has_conversation_days, change->conversation_days) ||
        !is_days(change->has_event_days, change->event_days))
    {
        return BL_E_BAD_VALUE;
    }
    return bl_store_do(s, do_settings, &c);
}

/* --- deletions ---------------------------------------------------------- */

static apr_status_t count_due(bl_db_t *db, const char *owner, apr_time_t before,
                              apr_int64_t *pn)
{
    static const char sql_all[] =
        "SELECT count(*) FROM conversation WHERE updated_at < ?1";
    static const char sql_own[] = "SELECT count(*) FROM conversation"
                                  " WHERE updated_at < ?1 AND owner = ?2";
    sqlite3_stmt *st = bl_db_stmt(db, owner ? sql_own : sql_all);
    apr_status_t rv;

    *pn = 0;
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, before);
    if (owner) bl_db_text(st, 2, owner);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) *pn = sqlite3_column_int64(st, 0);
    bl_db_done(st);
    return rv;
}

apr_status_t bl_store_deletion_count(bl_store_t *s, const bl_deletion_t *d,
                                     apr_int64_t *pn)
{
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv == APR_SUCCESS) {
        rv = count_due(db, d->owner, d->before ? d->before : bl_clock_wall(),
                       pn);
    }
    bl_store_read_end(s, db);
    return rv;
}

typedef struct deletion_call_t {
    const bl_admin_who_t *who;
    const bl_deletion_t *d;
    apr_int64_t id;
} deletion_call_t;

static apr_status_t insert_deletion(bl_db_t *db, deletion_call_t *c,
                                    apr_int64_t conversations)
{
    static const char sql[] =
        "INSERT INTO deletion (actor, owner, before, has_before, conversations,"
        " deleted, requested_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6)"
        " RETURNING id";
    apr_time_t now = bl_clock_wall();
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->who->actor);
    bl_db_text(st, 2, c->d->owner);
    bl_db_int(st, 3, c->d->before ? c->d->before : now);
    bl_db_int(st, 4, c->d->before != 0);
    bl_db_int(st, 5, conversations);
    bl_db_int(st, 6, now);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        c->id = sqlite3_column_int64(st, 0);
        rv = bl_db_run(db, st, NULL);
    }
    else {
        bl_db_done(st);
    }
    return rv;
}

static apr_status_t do_deletion(bl_db_t *db, void *ctx)
{
    deletion_call_t *c = ctx;
    apr_int64_t n = 0;
    char detail[128];
    json_t *at;
    apr_status_t rv = count_due(
        db, c->d->owner, c->d->before ? c->d->before : bl_clock_wall(), &n);

    if (rv == APR_SUCCESS) rv = insert_deletion(db, c, n);
    if (rv != APR_SUCCESS) return rv;
    at = bl_time_new(c->d->before);
    snprintf(detail, sizeof(detail),
             "{\"deletion\":%" APR_INT64_T_FMT
             ",\"conversations\":%" APR_INT64_T_FMT ",\"before\":%s%s%s}",
             c->id, n, json_is_string(at) ? "\"" : "",
             json_is_string(at) ? json_string_value(at) : "null",
             json_is_string(at) ? "\"" : "");
    json_decref(at);
    return bl_audit_add(db, c->who, "conversation.delete.many",
                        c->d->owner ? c->d->owner : "*", detail);
}

apr_status_t bl_store_do_deletion(bl_store_t *s, const bl_admin_who_t *who,
                                  const bl_deletion_t *d, apr_int64_t *pid)
{
    deletion_call_t c = {who, d, 0};
    apr_status_t rv = bl_store_do(s, do_deletion, &c);

    *pid = c.id;
    return rv;
}

static json_t *deletion_new(sqlite3_stmt *st)
{
    const char *state = "queued";

    if (sqlite3_column_type(st, 8) != SQLITE_NULL)
        state = "done";
    else if (sqlite3_column_int64(st, 6))
        state = "running";
    return json_pack("{s:I,s:o,s:o,s:s,s:I,s:I,s:o,s:o,s:o}", "id",
                     (json_int_t)sqlite3_column_int64(st, 0), "user",
                     bl_column_text_new(st, 2), "before",
                     bl_time_new(sqlite3_column_int(st, 4)
                                     ? sqlite3_column_int64(st, 3)
                                     : 0),
                     "state", state, "conversations",
                     (json_int_t)sqlite3_column_int64(st, 5), "deleted",
                     (json_int_t)sqlite3_column_int64(st, 6), "requestedAt",
                     bl_time_new(sqlite3_column_int64(st, 7)), "endedAt",
                     bl_time_new(sqlite3_column_int64(st, 8)), "actor",
                     bl_column_text_new(st, 1));
}

#define DELETION_COLUMNS                                                       \
    "id, actor, owner, before, has_before, conversations, deleted,"            \
    " requested_at, ended_at"

static apr_status_t put_deletions(bl_db_t *db, apr_int64_t id, bl_buf_t *out)
{
    static const char sql_one[] =
        "SELECT " DELETION_COLUMNS " FROM deletion WHERE id = ?1";
    static const char sql_all[] =
        "SELECT " DELETION_COLUMNS " FROM deletion ORDER BY id DESC LIMIT 100";
    sqlite3_stmt *st = bl_db_stmt(db, id ? sql_one : sql_all);
    apr_status_t rv;
    int n = 0;

    if (!st) return bl_db_failure(db);
    if (id) bl_db_int(st, 1, id);
    if (!id) bl_buf_puts(out, "{\"items\":[");
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        if (n++) bl_buf_puts(out, ",");
        rv = bl_json_put_new(out, deletion_new(st));
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    if (rv != APR_EOF) return rv;
    if (id) return n ? APR_SUCCESS : BL_E_NOT_FOUND;
    return bl_buf_puts(out, "],\"next\":null}");
}

apr_status_t bl_store_deletions(bl_store_t *s, apr_int64_t id, bl_buf_t *out)
{
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv == APR_SUCCESS) rv = put_deletions(db, id, out);
    bl_store_read_end(s, db);
    return rv;
}
