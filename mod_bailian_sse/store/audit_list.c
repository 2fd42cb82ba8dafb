/* SPDX-License-Identifier: Apache-2.0 */
/* The audit, read: newest first. */
#include "store/store_private.h"

#include "store/admin.h"
#include "store/audit.h"
#include "store/lists.h"

#include <limits.h>
#include <string.h>

typedef struct audit_call_t {
    const bl_admin_who_t *who;
    const char *action, *object, *detail, *outcome;
} audit_call_t;

static apr_status_t do_audit(bl_db_t *db, void *ctx)
{
    const audit_call_t *c = ctx;

    return bl_audit_outcome(db, c->who, c->action, c->object, c->detail,
                            c->outcome);
}

apr_status_t bl_store_do_audit(bl_store_t *s, const bl_admin_who_t *who,
                               const char *action, const char *object,
                               const char *detail, const char *outcome)
{
    audit_call_t c = {who, action, object, detail, outcome};

    return bl_store_do(s, do_audit, &c);
}

static void bind_ask(sqlite3_stmt *st, void *ctx)
{
    const bl_audit_ask_t *ask = ctx;
    size_t len = ask->action ? strlen(ask->action) : 0;
    int is_prefix = len && ask->action[len - 1] == '*';

    bl_db_text(st, 1, ask->actor);
    bl_db_text(st, 2, is_prefix ? NULL : ask->action);
    if (is_prefix) bl_db_text_n(st, 3, ask->action, len - 1);
    bl_db_text(st, 4, ask->object);
    bl_db_text(st, 5, ask->outcome);
    bl_db_text(st, 6, ask->q);
    bl_db_int(st, 7, ask->from);
    bl_db_int(st, 8, ask->to ? ask->to : INT64_MAX);
    bl_db_int(st, 9, ask->before ? ask->before : INT64_MAX);
    bl_db_int(st, 10, ask->limit);
}

static json_t *text_new(sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);

    return text ? json_string(text) : json_null();
}

static json_t *row_new(sqlite3_stmt *st, void *ctx)
{
    (void)ctx;
    return json_pack("{s:I,s:o,s:o,s:o,s:o,s:o,s:o,s:o}", "id",
                     (json_int_t)sqlite3_column_int64(st, 0), "at",
                     bl_time_new(sqlite3_column_int64(st, 1)), "actor",
                     text_new(st, 2), "from", text_new(st, 3), "action",
                     text_new(st, 4), "object", text_new(st, 5), "detail",
                     text_new(st, 6), "outcome", text_new(st, 7));
}

apr_status_t bl_store_audit_rows(bl_store_t *s, const bl_audit_ask_t *ask,
                                 json_t **prows)
{
    static const char sql[] =
        "SELECT id, at, actor, from_addr, action, object, detail, outcome"
        " FROM audit WHERE (?1 IS NULL OR actor = ?1)"
        " AND (?2 IS NULL OR action = ?2)"
        " AND (?3 IS NULL OR substr(action, 1, length(?3)) = ?3)"
        " AND (?4 IS NULL OR object = ?4)"
        " AND (?5 IS NULL OR outcome = ?5)"
        " AND (?6 IS NULL OR instr(object, ?6) OR instr(detail, ?6))"
        " AND at >= ?7 AND at < ?8 AND id < ?9 ORDER BY id DESC LIMIT ?10";

    return bl_list_rows_bound(s, sql, bind_ask, (void *)ask, row_new, NULL,
                              prows);
}
