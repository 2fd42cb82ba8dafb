/* SPDX-License-Identifier: Apache-2.0 */
#include "store/ends.h"

#include "base/errors.h"
#include "crypto/token.h"
#include "store/store_private.h"

#include <string.h>

/* --- rows --------------------------------------------------------------- */

enum {
    C_ROW,
    C_ID,
    C_OWNER,
    C_CONVERSATION,
    C_APP,
    C_UPSTREAM,
    C_TRANSPORT,
    C_CLIENT,
    C_REQUEST,
    C_UPSTREAM_REQUEST,
    C_OUTCOME,
    C_REASON,
    C_UPSTREAM_CODE,
    C_FINISH,
    C_STARTED,
    C_ENDED,
    C_DURATION,
    C_FIRST,
    C_ATTEMPTS,
    C_ATTEMPTS_JSON,
    C_EVENTS,
    C_TEXT,
    C_INPUT,
    C_OUTPUT,
    C_LAST4,
    C_KEY_NAME,
    C_MODEL,
    C_TIMELINE
};

#define COLUMNS                                                                \
    "SELECT s.id, s.stream_id, c.owner, c.client_id, s.app, s.upstream,"       \
    " s.transport, s.client, s.request_id, s.upstream_request_id, s.outcome,"  \
    " s.reason, s.upstream_code, s.finish_reason, s.started_at, s.ended_at,"   \
    " s.duration_ms, s.first_content_ms, s.attempts, s.attempts_json,"         \
    " s.event_count, s.text_len, s.input_tokens, s.output_tokens,"             \
    " s.key_last4, k.name, s.model_id, s.timeline FROM stream s"               \
    " LEFT JOIN message m ON m.id = s.id"                                      \
    " LEFT JOIN conversation c ON c.id = m.conversation_id"                    \
    " LEFT JOIN api_key k ON k.id = s.key_id"

/* ?1 from, ?2 to, ?3 outcome, ?4 code, ?5 app, ?6 upstream, ?7 key, ?8 owner
 */
#define FILTER                                                                 \
    " s.ended_at >= ?1 AND s.ended_at < ?2"                                    \
    " AND (?3 = 0 OR s.outcome = ?3)"                                          \
    " AND (?4 IS NULL OR s.reason = ?4 OR s.upstream_code = ?4)"               \
    " AND (?5 IS NULL OR s.app = ?5) AND (?6 IS NULL OR s.upstream = ?6)"      \
    " AND (?7 IS NULL OR s.key_last4 = ?7)"                                    \
    " AND (?8 IS NULL OR EXISTS (SELECT 1 FROM message om JOIN conversation "  \
    "oc"                                                                       \
    " ON oc.id = om.conversation_id WHERE om.id = s.id AND oc.owner = ?8))"

#define PAGE                                                                   \
    " AND (?9 = 0 OR s.ended_at < ?9 OR (s.ended_at = ?9 AND s.id < ?10))"     \
    " ORDER BY s.ended_at DESC, s.id DESC LIMIT ?11"

#define FAR_AWAY ((apr_time_t)1 << 62)

static const char *text_of(sqlite3_stmt *st, int column)
{
    return (const char *)sqlite3_column_text(st, column);
}

static apr_int64_t number_of(sqlite3_stmt *st, int column)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL
               ? -1
               : sqlite3_column_int64(st, column);
}

static void read_row(sqlite3_stmt *st, bl_end_row_t *row)
{
    memset(row, 0, sizeof(*row));
    row->row = sqlite3_column_int64(st, C_ROW);
    if (sqlite3_column_bytes(st, C_ID) == BL_ID_BYTES) {
        bl_hex(row->id, sqlite3_column_blob(st, C_ID), BL_ID_BYTES);
    }
    row->owner = text_of(st, C_OWNER);
    row->conversation_id = text_of(st, C_CONVERSATION);
    row->app = text_of(st, C_APP);
    row->upstream = text_of(st, C_UPSTREAM);
    row->transport = text_of(st, C_TRANSPORT);
    row->client = text_of(st, C_CLIENT);
    row->request_id = text_of(st, C_REQUEST);
    row->upstream_request_id = text_of(st, C_UPSTREAM_REQUEST);
    row->outcome = (bl_outcome_t)sqlite3_column_int(st, C_OUTCOME);
    row->reason = text_of(st, C_REASON);
    row->upstream_code = text_of(st, C_UPSTREAM_CODE);
    row->finish_reason = text_of(st, C_FINISH);
    row->started_at = sqlite3_column_int64(st, C_STARTED);
    row->ended_at = sqlite3_column_int64(st, C_ENDED);
    row->duration_ms = number_of(st, C_DURATION);
    row->first_content_ms = number_of(st, C_FIRST);
    row->attempts = sqlite3_column_int(st, C_ATTEMPTS);
    row->attempts_json = text_of(st, C_ATTEMPTS_JSON);
    row->event_count = sqlite3_column_int64(st, C_EVENTS);
    row->text_len = sqlite3_column_int64(st, C_TEXT);
    row->input_tokens = number_of(st, C_INPUT);
    row->output_tokens = number_of(st, C_OUTPUT);
    row->key_last4 = text_of(st, C_LAST4);
    row->key_name = text_of(st, C_KEY_NAME);
    row->model_id = text_of(st, C_MODEL);
    row->timeline = sqlite3_column_blob(st, C_TIMELINE);
    row->timeline_len = (size_t)sqlite3_column_bytes(st, C_TIMELINE);
}

static apr_status_t give_rows(bl_db_t *db, sqlite3_stmt *st, bl_end_row_fn *fn,
                              void *ctx)
{
    bl_end_row_t row;
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        read_row(st, &row);
        rv = fn(ctx, &row);
        if (rv != APR_SUCCESS) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static void bind_filter(sqlite3_stmt *st, const bl_ends_ask_t *ask)
{
    bl_db_int(st, 1, ask->from);
    bl_db_int(st, 2, ask->to ? ask->to : FAR_AWAY);
    bl_db_int(st, 3, ask->outcome);
    bl_db_text(st, 4, ask->code);
    bl_db_text(st, 5, ask->app);
    bl_db_text(st, 6, ask->upstream);
    bl_db_text(st, 7, ask->key_last4);
    bl_db_text(st, 8, ask->owner);
}

/* id holds the bytes until the last step: what is bound is not copied. */
static void bind_ids(sqlite3_stmt *st, const char *q,
                     unsigned char id[BL_ID_BYTES])
{
    if (strlen(q) == BL_ID_TEXT && bl_unhex(id, BL_ID_BYTES, q)) {
        bl_db_blob(st, 12, id, BL_ID_BYTES);
    }
    bl_db_text(st, 13, q);
}

apr_status_t bl_store_ends(bl_store_t *s, const bl_ends_ask_t *ask,
                           bl_end_row_fn *fn, void *ctx)
{
    static const char sql[] = COLUMNS " WHERE" FILTER PAGE;
    /* Each of the three has an index. */
    static const char sql_q[] =
        COLUMNS " WHERE s.id IN (SELECT id FROM stream WHERE stream_id = ?12"
                " UNION ALL SELECT id FROM stream WHERE request_id = ?13"
                " UNION ALL SELECT id FROM stream"
                " WHERE upstream_request_id = ?13) AND" FILTER PAGE;
    unsigned char id[BL_ID_BYTES];
    sqlite3_stmt *st;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, ask->q ? sql_q : sql);
    if (st) {
        bind_filter(st, ask);
        bl_db_int(st, 9, ask->before_id ? ask->before : 0);
        bl_db_int(st, 10, ask->before_id);
        bl_db_int(st, 11, ask->limit);
        if (ask->q) bind_ids(st, ask->q, id);
        rv = give_rows(db, st, fn, ctx);
    }
    else {
        rv = bl_db_failure(db);
    }
    bl_store_read_end(s, db);
    return rv;
}

typedef struct one_t {
    bl_end_row_fn *fn;
    void *ctx;
    int count;
} one_t;

static apr_status_t on_one(void *ctx, const bl_end_row_t *row)
{
    one_t *one = ctx;

    one->count++;
    return one->fn(one->ctx, row);
}

apr_status_t bl_store_end_of(bl_store_t *s, const char *stream_id,
                             bl_end_row_fn *fn, void *ctx)
{
    static const char sql[] = COLUMNS " WHERE s.stream_id = ?1";
    unsigned char id[BL_ID_BYTES];
    one_t one = {fn, ctx, 0};
    sqlite3_stmt *st;
    bl_db_t *db;
    apr_status_t rv;

    if (!bl_unhex(id, sizeof(id), stream_id)) return BL_E_NOT_FOUND;
    rv = bl_store_read_begin(s, &db);
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (st) {
        bl_db_blob(st, 1, id, sizeof(id));
        rv = give_rows(db, st, on_one, &one);
    }
    else {
        rv = bl_db_failure(db);
    }
    bl_store_read_end(s, db);
    return rv == APR_SUCCESS && !one.count ? BL_E_NOT_FOUND : rv;
}

/* --- counts ------------------------------------------------------------- */

#define COUNT(what)                                                            \
    "SELECT " what                                                             \
    ", (s.ended_at - ?1) / ?9, count(*) FROM stream s WHERE" FILTER            \
    " GROUP BY 1, 2"

static const char count_outcome[] = COUNT("s.outcome");
static const char count_code[] = COUNT("coalesce(s.reason, 'ok')");
static const char count_app[] = COUNT("s.app");
static const char count_upstream[] = COUNT("coalesce(s.upstream, '')");
static const char count_key[] = COUNT("coalesce(s.key_last4, '')");
static const char count_attempts[] = COUNT("CAST(s.attempts AS TEXT)");

static const char *const counts[] = {count_outcome, count_code,
                                     count_app,     count_upstream,
                                     count_key,     count_attempts};

static const char *name_of(sqlite3_stmt *st, bl_ends_by_t by)
{
    return by == BL_ENDS_BY_OUTCOME
               ? bl_outcome_name((bl_outcome_t)sqlite3_column_int(st, 0))
               : text_of(st, 0);
}

apr_status_t bl_store_end_counts(bl_store_t *s, const bl_ends_ask_t *ask,
                                 bl_ends_by_t by, apr_time_t bucket_us,
                                 bl_end_count_fn *fn, void *ctx)
{
    sqlite3_stmt *st;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, counts[by]);
    if (st) {
        bind_filter(st, ask);
        bl_db_int(st, 9, bucket_us);
        while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
            rv = fn(ctx, name_of(st, by), sqlite3_column_int(st, 1),
                    sqlite3_column_int64(st, 2));
            if (rv != APR_SUCCESS) break;
        }
        bl_db_done(st);
        if (rv == APR_EOF) rv = APR_SUCCESS;
    }
    else {
        rv = bl_db_failure(db);
    }
    bl_store_read_end(s, db);
    return rv;
}
