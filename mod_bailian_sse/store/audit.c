/* SPDX-License-Identifier: Apache-2.0 */
#include "store/audit.h"
#include "store/store_private.h"

#include "base/clock.h"

apr_status_t bl_audit_add(bl_db_t *db, const bl_admin_who_t *who,
                          const char *action, const char *object,
                          const char *detail)
{
    return bl_audit_outcome(db, who, action, object, detail, "done");
}

apr_status_t bl_audit_outcome(bl_db_t *db, const bl_admin_who_t *who,
                              const char *action, const char *object,
                              const char *detail, const char *outcome)
{
    static const char sql[] =
        "INSERT INTO audit (at, actor, from_addr, action, object, detail,"
        " outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, bl_clock_wall());
    bl_db_text(st, 2, who->actor);
    bl_db_text(st, 3, who->from);
    bl_db_text(st, 4, action);
    bl_db_text(st, 5, object);
    bl_db_text(st, 6, detail);
    bl_db_text(st, 7, outcome);
    return bl_db_run(db, st, NULL);
}

typedef struct rows_t {
    const bl_admin_who_t *who;
    const char *action;
    const char *const *objects;
    int count;
} rows_t;

static apr_status_t do_rows(bl_db_t *db, void *ctx)
{
    const rows_t *rows = ctx;
    apr_status_t rv = APR_SUCCESS;
    int i;

    for (i = 0; i < rows->count && rv == APR_SUCCESS; i++) {
        rv = bl_audit_add(db, rows->who, rows->action, rows->objects[i], NULL);
    }
    return rv;
}

apr_status_t bl_store_do_audit_all(bl_store_t *s, const bl_admin_who_t *who,
                                   const char *action,
                                   const char *const *objects, int count)
{
    rows_t rows = {who, action, objects, count};

    return bl_store_do(s, do_rows, &rows);
}
