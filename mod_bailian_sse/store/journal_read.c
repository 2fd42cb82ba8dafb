/* SPDX-License-Identifier: Apache-2.0 */
/* The reading half of the stored streams; writing is in journal_store.c and
 * journal_end.c. */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "crypto/token.h"
#include "store/history.h"
#include "stream/journal.h"

#include <stdlib.h>
#include <string.h>

#define SESSION_AGE_US (3600ll * 1000000) /* bailian.md 9 */
#define DATA_MOST (BL_CEIL_EVENT_BYTES + 4u * 1024 * 1024)

static apr_int64_t number_or(sqlite3_stmt *st, int column, apr_int64_t other)
{
    return sqlite3_column_type(st, column) == SQLITE_NULL
               ? other
               : sqlite3_column_int64(st, column);
}

static void read_row(sqlite3_stmt *st, bl_stored_stream_t *out)
{
    bl_db_copy(st, 0, out->owner, sizeof(out->owner));
    bl_db_copy(st, 1, out->conversation_id, sizeof(out->conversation_id));
    bl_db_copy(st, 2, out->item_id, sizeof(out->item_id));
    bl_db_copy(st, 3, out->app, sizeof(out->app));
    out->outcome = (bl_outcome_t)sqlite3_column_int(st, 4);
    bl_db_copy(st, 5, out->reason, sizeof(out->reason));
    out->event_count = (apr_uint64_t)number_or(st, 6, 0);
    out->started_at = sqlite3_column_int64(st, 7);
    out->ended_at = number_or(st, 8, 0);
    out->input_tokens = number_or(st, 9, -1);
    out->output_tokens = number_or(st, 10, -1);
    out->attempts = sqlite3_column_int(st, 11);
    if (sqlite3_column_bytes(st, 12) == BL_SHA256_BYTES) {
        bl_hex(out->sha256_hex, sqlite3_column_blob(st, 12), BL_SHA256_BYTES);
    }
    out->text_len = (apr_uint64_t)sqlite3_column_int64(st, 13);
    out->trimmed_to = (apr_uint64_t)sqlite3_column_int64(st, 14);
    if (out->event_count < out->trimmed_to) {
        out->event_count = out->trimmed_to;
    }
}

apr_status_t bl_store_stream(bl_store_t *s, const char *stream_id,
                             bl_stored_stream_t *out)
{
    static const char sql[] =
        "SELECT c.owner, c.client_id, q.item_id, s.app, s.outcome, s.reason,"
        " (SELECT max(last_seq) FROM stream_event e WHERE e.stream = s.id),"
        " s.started_at, s.ended_at, s.input_tokens, s.output_tokens,"
        " s.attempts, s.sha256, s.text_len, s.trimmed_to FROM stream s"
        " JOIN message m ON m.id = s.id"
        " JOIN conversation c ON c.id = m.conversation_id"
        " LEFT JOIN message q ON q.id = s.id - 1 AND q.answer_id = s.id"
        " WHERE s.stream_id = ?1";
    unsigned char id[BL_ID_BYTES];
    sqlite3_stmt *st;
    bl_db_t *db;
    apr_status_t rv;

    memset(out, 0, sizeof(*out));
    if (!bl_unhex(id, sizeof(id), stream_id)) return BL_E_NOT_FOUND;
    rv = bl_store_read_begin(s, &db);
    if (rv != APR_SUCCESS) return rv;
    bl_hex(out->stream_id, id, sizeof(id));
    st = bl_db_stmt(db, sql);
    if (st) bl_db_blob(st, 1, id, sizeof(id));
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) read_row(st, out);
    bl_db_done(st);
    bl_store_read_end(s, db);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_store_by_idempotency(bl_store_t *s, const char *asker,
                                     const char *key, char *stream_id)
{
    static const char sql[] =
        "SELECT s.stream_id FROM stream s JOIN message m ON m.id = s.id"
        " JOIN conversation c ON c.id = m.conversation_id"
        " WHERE s.idempotency_key = ?2 AND coalesce(s.asker, c.owner) = ?1"
        " ORDER BY s.id LIMIT 1";
    sqlite3_stmt *st;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_begin(s, &db);

    *stream_id = '\0';
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (st) bl_db_text(st, 1, asker);
    if (st) bl_db_text(st, 2, key);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        bl_hex(stream_id, sqlite3_column_blob(st, 0), BL_ID_BYTES);
    }
    bl_db_done(st);
    bl_store_read_end(s, db);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_store_session(bl_store_t *s, const char *owner,
                              const char *conversation_id, char *session_id,
                              size_t size)
{
    static const char sql[] =
        "SELECT s.session_id FROM message m JOIN stream s ON s.id = m.id"
        " WHERE m.conversation_id = ?1 AND s.session_id IS NOT NULL"
        " AND s.ended_at > ?2 ORDER BY m.id DESC LIMIT 1";
    apr_int64_t id = 0;
    sqlite3_stmt *st;
    bl_db_t *db;
    apr_status_t rv = bl_store_read_own(s, owner, conversation_id, &db);

    *session_id = '\0';
    if (rv != APR_SUCCESS) return rv;
    rv = bl_history_find(db, owner, conversation_id, &id);
    if (rv == APR_SUCCESS) {
        st = bl_db_stmt(db, sql);
        if (st) bl_db_int(st, 1, id);
        if (st) bl_db_int(st, 2, bl_clock_wall() - SESSION_AGE_US);
        rv = bl_db_step(db, st);
        if (rv == APR_SUCCESS) bl_db_copy(st, 0, session_id, size);
        bl_db_done(st);
    }
    bl_store_read_end(s, db);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* --- events ------------------------------------------------------------- */

typedef struct run_t {
    apr_uint64_t first_seq;
    bl_buf_t data;
} run_t;

/* The run that holds `after` + 1, or else the next one behind it; a copy, so
 * that no transaction is open while the caller feeds a client (D05). */
static apr_status_t read_run(bl_db_t *db, const unsigned char *id,
                             apr_uint64_t after, run_t *run)
{
    static const char sql[] =
        "SELECT e.first_seq, e.data FROM stream s"
        " JOIN stream_event e ON e.stream = s.id"
        " WHERE s.stream_id = ?1 AND e.last_seq > ?2 AND e.first_seq >="
        " coalesce((SELECT max(first_seq) FROM stream_event b"
        " WHERE b.stream = s.id AND b.first_seq <= ?2 + 1), 0)"
        " ORDER BY e.first_seq LIMIT 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_blob(st, 1, id, BL_ID_BYTES);
    bl_db_int(st, 2, (apr_int64_t)after);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS) {
        run->first_seq = (apr_uint64_t)sqlite3_column_int64(st, 0);
        bl_buf_clear(&run->data);
        rv = bl_buf_append(&run->data, sqlite3_column_blob(st, 1),
                           (size_t)sqlite3_column_bytes(st, 1));
    }
    bl_db_done(st);
    return rv;
}

/* A gap is only right in front of the END that recovery wrote, which says by
 * its seq what was stored last: anything else missing is told, never skipped
 * (I3, P01). */
static int is_gap(const bl_event_t *ev, apr_uint64_t after)
{
    return ev->seq != after + 1 &&
           (ev->kind != BL_EV_END || ev->seq != after + BL_STORE_SEQ_JUMP);
}

static apr_status_t hand_out(const run_t *run, apr_uint64_t *pafter,
                             bl_store_event_fn *fn, void *ctx)
{
    apr_uint64_t seq = run->first_seq;
    bl_event_t ev;
    size_t at = 0;
    apr_status_t rv;

    while ((rv = bl_event_unpack(run->data.data, run->data.len, &at, &ev)) ==
           APR_SUCCESS)
    {
        ev.seq = seq++;
        if (ev.seq <= *pafter) continue;
        if (is_gap(&ev, *pafter)) return BL_E_TRIMMED;
        rv = fn(ctx, &ev);
        if (rv != APR_SUCCESS) return rv;
        *pafter = ev.seq;
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

static apr_status_t check_stream(bl_db_t *db, const unsigned char *id,
                                 apr_uint64_t after)
{
    static const char sql[] =
        "SELECT trimmed_to FROM stream WHERE stream_id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_blob(st, 1, id, BL_ID_BYTES);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS && after < (apr_uint64_t)sqlite3_column_int64(st, 0))
    {
        rv = BL_E_TRIMMED;
    }
    bl_db_done(st);
    return rv == APR_EOF ? BL_E_NOT_FOUND : rv;
}

apr_status_t bl_store_events(bl_store_t *s, const char *stream_id,
                             apr_uint64_t after, bl_store_event_fn *fn,
                             void *ctx)
{
    unsigned char id[BL_ID_BYTES];
    run_t run;
    bl_db_t *db;
    apr_status_t rv;

    if (!bl_unhex(id, sizeof(id), stream_id)) return BL_E_NOT_FOUND;
    if (after > APR_INT64_MAX) return APR_SUCCESS;
    rv = bl_store_read_begin(s, &db);
    if (rv != APR_SUCCESS) return rv;
    rv = check_stream(db, id, after);
    bl_buf_init(&run.data, DATA_MOST);
    while (rv == APR_SUCCESS) {
        rv = read_run(db, id, after, &run);
        if (rv != APR_SUCCESS) {
            if (rv == APR_EOF) rv = APR_SUCCESS;
            break;
        }
        /* While fn waits for its client others may read. */
        bl_store_read_end(s, db);
        db = NULL;
        rv = hand_out(&run, &after, fn, ctx);
        if (rv == APR_SUCCESS) rv = bl_store_read_begin(s, &db);
    }
    bl_buf_release(&run.data);
    bl_store_read_end(s, db);
    return rv;
}
