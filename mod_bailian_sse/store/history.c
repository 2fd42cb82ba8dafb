/* SPDX-License-Identifier: Apache-2.0 */
/* Conversations of one owner: list, read, rename, delete. Searching is in
 * search.c; the shapes are in docs/protocol.md, "Conversations". */
#include "store/history.h"

#include "base/clock.h"
#include "base/errors.h"
#include "base/utf8.h"
#include "crypto/token.h"
#include "store/gather.h"
#include "store/lists.h"
#include "store/members.h"
#include "store/store_private.h"

#include <stdlib.h>
#include <string.h>

#define TITLE_MOST 800 /* bytes: 200 characters */

apr_status_t bl_history_find(bl_db_t *db, const char *owner,
                             const char *client_id, apr_int64_t *pid)
{
    static const char sql[] =
        "SELECT id FROM conversation WHERE owner = ?1 AND client_id = ?2";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    *pid = 0;
    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, owner);
    bl_db_text(st, 2, client_id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) *pid = sqlite3_column_int64(st, 0);
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

/* --- messages ----------------------------------------------------------- */

/* Columns of sql_messages below. */
enum {
    M_ID,
    M_ROLE,
    M_ITEM,
    M_CONTENT,
    M_REASONING,
    M_REFS,
    M_CREATED,
    M_STREAM_ROW,
    M_STREAM_ID,
    M_OUTCOME,
    M_REASON,
    M_INPUT,
    M_OUTPUT,
    M_APP,
    M_ASKER
};

static const char sql_messages[] =
    "SELECT m.id, m.role, m.item_id, m.content, m.reasoning, m.refs,"
    " m.created_at, s.id, s.stream_id, s.outcome, s.reason, s.input_tokens,"
    " s.output_tokens, s.app, s.asker FROM message m"
    " LEFT JOIN stream s ON s.id = coalesce(m.answer_id, m.id)"
    " WHERE m.conversation_id = ?1 ORDER BY m.id";

static int is_answer(sqlite3_stmt *st)
{
    const unsigned char *role = sqlite3_column_text(st, M_ROLE);

    return role && role[0] == 'a';
}

static int is_live(sqlite3_stmt *st)
{
    return is_answer(st) &&
           sqlite3_column_type(st, M_STREAM_ROW) != SQLITE_NULL &&
           sqlite3_column_int(st, M_OUTCOME) == BL_OUTCOME_NONE;
}

/* Text and reasoning of an answer that still runs: from its events so far. */
static apr_status_t put_live(bl_db_t *db, sqlite3_stmt *st, json_t **pm)
{
    bl_buf_t text, reasoning;
    apr_status_t rv;

    bl_buf_init(&text, 2 * BL_MAX_ANSWER_BYTES);
    bl_buf_init(&reasoning, 2 * BL_MAX_ANSWER_BYTES);
    rv = bl_gather_stream(db, sqlite3_column_int64(st, M_STREAM_ROW), &text,
                          &reasoning, NULL);
    if (rv == APR_SUCCESS) {
        bl_json_set(pm, "content",
                    json_stringn(text.len ? text.data : "", text.len));
        if (reasoning.len) {
            bl_json_set(pm, "reasoning",
                        json_stringn(reasoning.data, reasoning.len));
        }
        bl_json_set(pm, "state", json_string("live"));
    }
    bl_buf_release(&text);
    bl_buf_release(&reasoning);
    return rv;
}

static void put_if_there(json_t **pm, const char *name, json_t *value)
{
    if (json_is_null(value))
        json_decref(value);
    else
        bl_json_set(pm, name, value);
}

static void put_usage(sqlite3_stmt *st, json_t **pm)
{
    if (sqlite3_column_type(st, M_INPUT) == SQLITE_NULL &&
        sqlite3_column_type(st, M_OUTPUT) == SQLITE_NULL)
    {
        return;
    }
    bl_json_set(pm, "usage",
                json_pack("{s:I,s:I}", "inputTokens",
                          (json_int_t)sqlite3_column_int64(st, M_INPUT),
                          "outputTokens",
                          (json_int_t)sqlite3_column_int64(st, M_OUTPUT)));
}

static void put_ended(sqlite3_stmt *st, json_t **pm)
{
    const char *refs = (const char *)sqlite3_column_text(st, M_REFS);
    bl_outcome_t outcome = (bl_outcome_t)sqlite3_column_int(st, M_OUTCOME);
    json_t *value;

    put_if_there(pm, "reasoning", bl_column_text_new(st, M_REASONING));
    if (refs) {
        apr_status_t rv = bl_json_parse_stored(&value, refs);

        if (rv != BL_E_STORE_CORRUPT) bl_json_set(pm, "references", value);
    }
    bl_json_set(pm, "outcome", json_string(bl_outcome_name(outcome)));
    put_if_there(pm, "reason", bl_column_text_new(st, M_REASON));
    put_usage(st, pm);
}

/* NULL without memory. */
static json_t *message_new(bl_db_t *db, sqlite3_stmt *st, apr_status_t *prv)
{
    json_t *m = json_object();
    char hex[BL_ID_TEXT + 1];

    if (!m) return NULL;
    bl_json_set(&m, "id", json_integer(sqlite3_column_int64(st, M_ID)));
    bl_json_set(&m, "role", bl_column_text_new(st, M_ROLE));
    bl_json_set(&m, "content", bl_column_text_new(st, M_CONTENT));
    bl_json_set(&m, "createdAt",
                bl_time_new(sqlite3_column_int64(st, M_CREATED)));
    put_if_there(&m, "itemId", bl_column_text_new(st, M_ITEM));
    if (is_answer(st)) put_if_there(&m, "app", bl_column_text_new(st, M_APP));
    if (!is_answer(st)) {
        put_if_there(&m, "asker", bl_column_text_new(st, M_ASKER));
    }
    if (sqlite3_column_bytes(st, M_STREAM_ID) == BL_ID_BYTES) {
        bl_hex(hex, sqlite3_column_blob(st, M_STREAM_ID), BL_ID_BYTES);
        bl_json_set(&m, "streamId", json_string(hex));
    }
    if (is_live(st))
        *prv = put_live(db, st, &m);
    else if (is_answer(st))
        put_ended(st, &m);
    return m;
}

apr_status_t bl_history_put_messages(bl_db_t *db, apr_int64_t id, bl_buf_t *out)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql_messages);
    apr_status_t rv;
    int n = 0;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        json_t *m = message_new(db, st, &rv);

        if (n++) bl_buf_puts(out, ",");
        if (rv == APR_SUCCESS)
            rv = bl_json_put_new(out, m);
        else
            json_decref(m);
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* --- one conversation --------------------------------------------------- */

static const char sql_head[] = "SELECT client_id, title, created_at,"
                               " updated_at FROM conversation WHERE id = ?1";

json_t *bl_history_item_new(sqlite3_stmt *st, int first)
{
    return json_pack(
        "{s:o,s:o,s:o,s:o}", "conversationId", bl_column_text_new(st, first),
        "title", bl_column_text_new(st, first + 1), "createdAt",
        bl_time_new(sqlite3_column_int64(st, first + 2)), "updatedAt",
        bl_time_new(sqlite3_column_int64(st, first + 3)));
}

/* {"conversationId":...,"messages":[...]} */
static apr_status_t put_conversation(bl_db_t *db, apr_int64_t id, bl_buf_t *out)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql_head);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        bl_buf_puts(out, "{");
        rv = bl_json_put_members_new(out, bl_history_item_new(st, 0));
    }
    bl_db_done(st);
    if (rv != APR_SUCCESS) return rv;
    bl_buf_puts(out, ",\"messages\":[");
    rv = bl_history_put_messages(db, id, out);
    bl_buf_puts(out, "]}");
    return rv == APR_SUCCESS ? bl_buf_status(out) : rv;
}

static apr_status_t put_heading(sqlite3_stmt *st, bl_buf_t *out)
{
    json_t *at = bl_time_new(sqlite3_column_int64(st, M_CREATED));

    if (!at) return APR_ENOMEM;
    bl_buf_puts(out, is_answer(st) ? "\n## Assistant" : "\n## User");
    if (json_is_string(at)) {
        bl_buf_puts(out, " (");
        bl_buf_puts(out, json_string_value(at));
        bl_buf_puts(out, ")");
    }
    json_decref(at);
    return bl_buf_puts(out, "\n\n");
}

static void put_remark(sqlite3_stmt *st, bl_buf_t *out)
{
    bl_outcome_t outcome = (bl_outcome_t)sqlite3_column_int(st, M_OUTCOME);

    if (!is_answer(st) || outcome == BL_OUTCOME_COMPLETED) return;
    bl_buf_puts(out, "\n*(");
    bl_buf_puts(out, outcome == BL_OUTCOME_NONE ? "still being written"
                                                : bl_outcome_name(outcome));
    bl_buf_puts(out, ")*\n");
}

static apr_status_t put_text(bl_db_t *db, sqlite3_stmt *st, bl_buf_t *out)
{
    if (is_live(st)) {
        return bl_gather_stream(db, sqlite3_column_int64(st, M_STREAM_ROW), out,
                                NULL, NULL);
    }
    return bl_buf_append(out, sqlite3_column_text(st, M_CONTENT),
                         (size_t)sqlite3_column_bytes(st, M_CONTENT));
}

/* "# title", then each message as it was written: it is Markdown itself. */
apr_status_t bl_history_put_markdown(bl_db_t *db, apr_int64_t id, bl_buf_t *out)
{
    sqlite3_stmt *st = bl_db_stmt(db, sql_head);
    const char *title;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        title = (const char *)sqlite3_column_text(st, 1);
        rv = title ? bl_buf_puts(out, "# ") : APR_ENOMEM;
        if (title) bl_buf_puts(out, title);
        bl_buf_puts(out, "\n");
    }
    bl_db_done(st);
    st = rv == APR_SUCCESS ? bl_db_stmt(db, sql_messages) : NULL;
    if (!st) return rv == APR_SUCCESS ? bl_db_failure(db) : rv;
    bl_db_int(st, 1, id);
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        rv = put_heading(st, out);
        if (rv == APR_SUCCESS) rv = put_text(db, st, out);
        if (rv != APR_SUCCESS) break;
        bl_buf_puts(out, "\n");
        put_remark(st, out);
    }
    bl_db_done(st);
    return rv == APR_EOF ? bl_buf_status(out) : rv;
}

/* All statements of one answer see one state of the database. A failure
 * leaves out as it was. */
static apr_status_t
read_one(bl_store_t *s, const char *owner, const char *id, bl_buf_t *out,
         apr_status_t (*put)(bl_db_t *, apr_int64_t, bl_buf_t *))
{
    size_t len = out->len;
    apr_int64_t row;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_own(s, owner, id, &db);

    if (rv != APR_SUCCESS) return rv;
    rv = bl_db_run(db, bl_db_stmt(db, "BEGIN"), NULL);
    if (rv == APR_SUCCESS) {
        rv = bl_history_find(db, owner, id, &row);
        if (rv == APR_SUCCESS) rv = put(db, row, out);
        bl_db_abandon(db);
    }
    bl_store_read_end(s, db);
    if (rv != APR_SUCCESS) out->len = len;
    return rv;
}

apr_status_t bl_store_conversation(bl_store_t *s, const char *owner,
                                   const char *id, bl_buf_t *out)
{
    return read_one(s, owner, id, out, put_conversation);
}

apr_status_t bl_store_conversation_markdown(bl_store_t *s, const char *owner,
                                            const char *id, bl_buf_t *out)
{
    return read_one(s, owner, id, out, bl_history_put_markdown);
}

/* --- changes ------------------------------------------------------------ */

typedef struct change_t {
    const char *owner, *id, *title;
    apr_time_t at;
} change_t;

static apr_status_t do_create(bl_db_t *db, void *ctx)
{
    static const char sql[] =
        "INSERT INTO conversation (owner, client_id, title, created_at,"
        " updated_at) VALUES (?1, ?2, ?3, ?4, ?4)"
        " ON CONFLICT (owner, client_id) DO NOTHING";
    const change_t *c = ctx;
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;
    int changed;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->owner);
    bl_db_text(st, 2, c->id);
    bl_db_text(st, 3, c->title);
    bl_db_int(st, 4, c->at);
    rv = bl_db_run(db, st, &changed);
    return rv == APR_SUCCESS && !changed ? BL_E_CONFLICT : rv;
}

static apr_status_t do_rename(bl_db_t *db, void *ctx)
{
    static const char sql[] = "UPDATE conversation SET title = ?3"
                              " WHERE owner = ?1 AND client_id = ?2";
    const change_t *c = ctx;
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;
    int changed;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->owner);
    bl_db_text(st, 2, c->id);
    bl_db_text(st, 3, c->title);
    rv = bl_db_run(db, st, &changed);
    return rv == APR_SUCCESS && !changed ? BL_E_NOT_FOUND : rv;
}

static int is_title_valid(const char *title)
{
    const char *s;

    for (s = title; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return 0;
    }
    return s > title && s - title <= TITLE_MOST &&
           bl_utf8_is_valid(title, (size_t)(s - title));
}

apr_status_t bl_store_do_create(bl_store_t *s, const char *owner,
                                const char *id, const char *title,
                                apr_time_t at)
{
    change_t c = {owner, id, title, at};

    if (*title && !is_title_valid(title)) return BL_E_BAD_VALUE;
    if (bl_shared_id_is(id)) return BL_E_CONFLICT;
    return bl_store_do(s, do_create, &c);
}

apr_status_t bl_store_do_rename(bl_store_t *s, const char *owner,
                                const char *id, const char *title)
{
    change_t c = {owner, id, title, 0};

    if (!is_title_valid(title)) return BL_E_BAD_VALUE;
    return bl_store_do(s, do_rename, &c);
}

/* Messages, streams and their events go with it (foreign keys), and nothing
 * readable is left in the file (secure_delete). */
static apr_status_t do_delete(bl_db_t *db, void *ctx)
{
    static const char sql[] =
        "DELETE FROM conversation WHERE owner = ?1 AND client_id = ?2";
    const change_t *c = ctx;
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;
    int changed;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, c->owner);
    bl_db_text(st, 2, c->id);
    rv = bl_db_run(db, st, &changed);
    return rv == APR_SUCCESS && !changed ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_store_do_delete(bl_store_t *s, const char *owner,
                                const char *id)
{
    change_t c = {owner, id, NULL, 0};
    apr_status_t rv = bl_store_do(s, do_delete, &c);

    if (rv == APR_SUCCESS) bl_retention_note_delete(s);
    return rv;
}
