/* SPDX-License-Identifier: Apache-2.0 */
#include "store/conversations.h"

#include "base/errors.h"
#include "store/audit.h"
#include "store/history.h"
#include "store/lists.h"
#include "store/scan.h"
#include "store/store_private.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ID_TEXT 48
#define OBJECT_BYTES (BL_PRINCIPAL_BYTES + BL_ITEM_ID_BYTES)

/* --- names -------------------------------------------------------------- */

/* "<row id>-<created_at>", the latter in hex. */
static void put_id(char text[ID_TEXT], apr_int64_t row, apr_int64_t created_at)
{
    snprintf(text, ID_TEXT, "%" APR_INT64_T_FMT "-%" APR_UINT64_T_HEX_FMT, row,
             (apr_uint64_t)created_at);
}

/* As it was handed out, and nothing else. */
static int parse_id(const char *text, apr_int64_t *prow,
                    apr_int64_t *pcreated_at)
{
    char back[ID_TEXT], *end;

    *prow = strtoll(text, &end, 10);
    if (*end != '-') return 0;
    *pcreated_at = (apr_int64_t)strtoull(end + 1, NULL, 16);
    put_id(back, *prow, *pcreated_at);
    return *prow > 0 && !strcmp(back, text);
}

/* --- one line ----------------------------------------------------------- */

/* Columns that all queries here begin with. */
#define COLUMNS "id, owner, client_id, title, created_at, updated_at"
enum { C_ID, C_OWNER, C_CLIENT_ID, C_TITLE, C_CREATED, C_UPDATED };

/* Questions and answers come in pairs, so the index alone counts them. */
static apr_status_t put_counts(bl_db_t *db, apr_int64_t id, json_t **pitem)
{
    static const char sql[] =
        "SELECT (count(*) + 1) / 2 FROM message WHERE conversation_id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        bl_json_set(pitem, "questions",
                    json_integer(sqlite3_column_int64(st, 0)));
    }
    bl_db_done(st);
    return rv;
}

static const char *outcome_text(int outcome)
{
    return outcome == BL_OUTCOME_NONE ? "live"
                                      : bl_outcome_name((bl_outcome_t)outcome);
}

static apr_status_t put_newest(bl_db_t *db, apr_int64_t id, json_t **pitem)
{
    static const char sql[] =
        "SELECT s.app, s.outcome FROM message m JOIN stream s ON s.id = m.id"
        " WHERE m.conversation_id = ?1 ORDER BY m.id DESC LIMIT 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        bl_json_set(pitem, "app", bl_column_text_new(st, 0));
        bl_json_set(pitem, "outcome",
                    json_string(outcome_text(sqlite3_column_int(st, 1))));
    }
    else {
        bl_json_set(pitem, "app", json_null());
        bl_json_set(pitem, "outcome", json_null());
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t make_item(bl_db_t *db, sqlite3_stmt *st, int has_title,
                              json_t **pitem)
{
    apr_int64_t row = sqlite3_column_int64(st, C_ID);
    char id[ID_TEXT];
    apr_status_t rv;

    put_id(id, row, sqlite3_column_int64(st, C_CREATED));
    *pitem = json_pack(
        "{s:s,s:o,s:o,s:o,s:o,s:o}", "id", id, "owner",
        bl_column_text_new(st, C_OWNER), "conversationId",
        bl_column_text_new(st, C_CLIENT_ID), "title",
        has_title ? bl_column_text_new(st, C_TITLE) : json_null(), "createdAt",
        bl_time_new(sqlite3_column_int64(st, C_CREATED)), "updatedAt",
        bl_time_new(sqlite3_column_int64(st, C_UPDATED)));
    if (!*pitem) return APR_ENOMEM;
    rv = put_counts(db, row, pitem);
    if (rv == APR_SUCCESS) rv = put_newest(db, row, pitem);
    if (rv == APR_SUCCESS) return APR_SUCCESS;
    json_decref(*pitem);
    *pitem = NULL;
    return rv;
}

/* --- the list ----------------------------------------------------------- */

/* Has it an answer of this app with this outcome? */
static apr_status_t has_answer(bl_db_t *db, const bl_conversation_filter_t *f,
                               apr_int64_t id, int *phas)
{
    static const char sql[] =
        "SELECT 1 FROM message m JOIN stream s ON s.id = m.id"
        " WHERE m.conversation_id = ?1 AND (?2 IS NULL OR s.app = ?2)"
        " AND (?3 IS NULL OR s.outcome = ?3) LIMIT 1";
    sqlite3_stmt *st;
    apr_status_t rv;

    *phas = 1;
    if (!f->app && !f->has_outcome) return APR_SUCCESS;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_text(st, 2, f->app);
    if (f->has_outcome) bl_db_int(st, 3, f->outcome);
    rv = bl_db_step(db, st);
    *phas = rv == APR_SUCCESS;
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* Behind q->at, or, on the first page, before `to`. */
static sqlite3_stmt *find_rows(bl_db_t *db, bl_scan_t *q,
                               const bl_conversation_filter_t *f)
{
    static const char sql_all[] =
        "SELECT " COLUMNS " FROM conversation"
        " WHERE (updated_at, id) < (?1, ?2) AND updated_at >= ?3"
        " ORDER BY updated_at DESC, id DESC";
    static const char sql_own[] =
        "SELECT " COLUMNS " FROM conversation WHERE owner = ?4"
        " AND (updated_at, id) < (?1, ?2) AND updated_at >= ?3"
        " ORDER BY updated_at DESC, id DESC";
    sqlite3_stmt *st = bl_db_stmt(db, f->user ? sql_own : sql_all);

    if (!st) return NULL;
    if (f->to && q->at.updated_at >= f->to) {
        q->at.updated_at = f->to;
        q->at.id = 0;
    }
    bl_db_int(st, 1, q->at.updated_at);
    bl_db_int(st, 2, q->at.id);
    bl_db_int(st, 3, f->from);
    if (f->user) bl_db_text(st, 4, f->user);
    return st;
}

static apr_status_t look_at(bl_db_t *db, bl_scan_t *q,
                            const bl_conversation_filter_t *f, sqlite3_stmt *st,
                            int *pn, bl_buf_t *out)
{
    apr_int64_t id = sqlite3_column_int64(st, C_ID);
    int is_hit = 0;
    json_t *item;
    apr_status_t rv = has_answer(db, f, id, &is_hit);

    if (rv == APR_SUCCESS && is_hit) {
        rv = bl_scan_fits(db, q, st, C_TITLE, id, &is_hit);
    }
    if (rv == APR_SUCCESS && is_hit) {
        if ((*pn)++) bl_buf_puts(out, ",");
        rv = make_item(db, st, f->shown != NULL, &item);
        if (rv == APR_SUCCESS) rv = bl_json_put_new(out, item);
    }
    q->at.updated_at = sqlite3_column_int64(st, C_UPDATED);
    q->at.id = id;
    return rv;
}

static apr_status_t put_page(bl_db_t *db, bl_scan_t *q,
                             const bl_conversation_filter_t *f, bl_buf_t *out)
{
    sqlite3_stmt *st = find_rows(db, q, f);
    int n = 0, has_more = 0;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_buf_puts(out, "{\"items\":[");
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        has_more = n == f->limit || bl_scan_is_spent(q);
        if (has_more) break;
        rv = look_at(db, q, f, st, &n, out);
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    if (rv != APR_SUCCESS && rv != APR_EOF) return rv;
    return bl_scan_put_next(out, q, has_more);
}

typedef struct audit_call_t {
    const bl_admin_who_t *who;
    const char *action, *object;
} audit_call_t;

static apr_status_t do_audit(bl_db_t *db, void *ctx)
{
    const audit_call_t *c = ctx;

    return bl_audit_add(db, c->who, c->action, c->object, NULL);
}

static apr_status_t audit(bl_store_t *s, const bl_admin_who_t *who,
                          const char *action, const char *object)
{
    audit_call_t c = {who, action, object};

    return bl_store_do(s, do_audit, &c);
}

/* Everything in one state of the database. */
static apr_status_t read_page(bl_store_t *s, bl_scan_t *q,
                              const bl_conversation_filter_t *f, bl_buf_t *out)
{
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv != APR_SUCCESS) return rv;
    rv = bl_db_run(db, bl_db_stmt(db, "BEGIN"), NULL);
    if (rv == APR_SUCCESS) {
        rv = put_page(db, q, f, out);
        bl_db_abandon(db);
    }
    bl_store_read_end(s, db);
    return rv;
}

apr_status_t bl_store_all_conversations(bl_store_t *s,
                                        const bl_conversation_filter_t *f,
                                        bl_buf_t *out)
{
    size_t len = out->len;
    int has_query = f->query && *f->query;
    bl_scan_t q;
    apr_status_t rv = bl_scan_begin(&q, f->query, f->cursor);

    if (rv == APR_SUCCESS && has_query && !f->shown) rv = BL_E_FORBIDDEN;
    if (rv == APR_SUCCESS) rv = read_page(s, &q, f, out);
    bl_scan_release(&q);
    if (rv == APR_SUCCESS && f->shown) {
        rv = audit(s, f->shown,
                   has_query ? "conversation.search" : "conversation.list",
                   f->user ? f->user : "*");
    }
    if (rv != APR_SUCCESS) out->len = len;
    return rv;
}

/* --- one conversation --------------------------------------------------- */

typedef struct named_t {
    apr_int64_t row;
    char object[OBJECT_BYTES]; /* "<owner> <conversationId>", for the audit */
} named_t;

static sqlite3_stmt *find_one(bl_db_t *db, apr_int64_t row,
                              apr_int64_t created_at)
{
    static const char sql[] = "SELECT " COLUMNS " FROM conversation"
                              " WHERE id = ?1 AND created_at = ?2";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (st) bl_db_int(st, 1, row);
    if (st) bl_db_int(st, 2, created_at);
    return st;
}

/* Finds it; with out given, also writes its head: the members that stand before
 * its messages. */
static apr_status_t find(bl_db_t *db, const char *id, named_t *named,
                         bl_buf_t *out)
{
    apr_int64_t created_at;
    json_t *head = NULL;
    sqlite3_stmt *st;
    apr_status_t rv;

    if (!parse_id(id, &named->row, &created_at)) return BL_E_NOT_FOUND;
    st = find_one(db, named->row, created_at);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        snprintf(named->object, sizeof(named->object), "%s %s",
                 (const char *)sqlite3_column_text(st, C_OWNER),
                 (const char *)sqlite3_column_text(st, C_CLIENT_ID));
        if (out) rv = make_item(db, st, 1, &head);
        if (head) rv = bl_json_put_members_new(out, head);
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

static apr_status_t put_one(bl_db_t *db, const char *id,
                            bl_conversation_form_t form, named_t *named,
                            bl_buf_t *out)
{
    int is_markdown = form == BL_CONVERSATION_MARKDOWN;
    apr_status_t rv;

    if (!is_markdown) bl_buf_puts(out, "{");
    rv = find(db, id, named, is_markdown ? NULL : out);
    if (rv != APR_SUCCESS) return rv;
    if (is_markdown) return bl_history_put_markdown(db, named->row, out);
    bl_buf_puts(out, ",\"messages\":[");
    rv = bl_history_put_messages(db, named->row, out);
    bl_buf_puts(out, "]}");
    return rv == APR_SUCCESS ? bl_buf_status(out) : rv;
}

apr_status_t bl_store_any_conversation(bl_store_t *s, const bl_admin_who_t *who,
                                       const char *id,
                                       bl_conversation_form_t form,
                                       bl_buf_t *out)
{
    size_t len = out->len;
    named_t named;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv != APR_SUCCESS) return rv;
    rv = bl_db_run(db, bl_db_stmt(db, "BEGIN"), NULL);
    if (rv == APR_SUCCESS) {
        rv = put_one(db, id, form, &named, out);
        bl_db_abandon(db);
    }
    bl_store_read_end(s, db);
    if (rv == APR_SUCCESS) {
        rv = audit(s, who,
                   form == BL_CONVERSATION_READ ? "conversation.read"
                                                : "conversation.export",
                   named.object);
    }
    if (rv != APR_SUCCESS) out->len = len;
    return rv;
}

typedef struct delete_call_t {
    const bl_admin_who_t *who;
    const char *id;
} delete_call_t;

static apr_status_t do_delete(bl_db_t *db, void *ctx)
{
    static const char sql[] = "DELETE FROM conversation WHERE id = ?1";
    const delete_call_t *c = ctx;
    named_t named;
    sqlite3_stmt *st;
    apr_status_t rv = find(db, c->id, &named, NULL);

    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (st) bl_db_int(st, 1, named.row);
    rv = bl_db_run(db, st, NULL);
    if (rv != APR_SUCCESS) return rv;
    return bl_audit_add(db, c->who, "conversation.delete", named.object, NULL);
}

apr_status_t bl_store_do_any_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    const char *id)
{
    delete_call_t c = {who, id};
    apr_status_t rv = bl_store_do(s, do_delete, &c);

    if (rv == APR_SUCCESS) bl_retention_note_delete(s);
    return rv;
}
