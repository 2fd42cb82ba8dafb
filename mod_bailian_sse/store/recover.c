/* SPDX-License-Identifier: Apache-2.0 */
/* Streams of dead processes (P01): marked interrupted, the text so far kept. */
#include "store/store_private.h"

#include "base/clock.h"
#include "base/errors.h"
#include "crypto/token.h"
#include "store/gather.h"
#include "store/usage.h"
#include "stream/journal.h"

#include <stdlib.h>
#include <string.h>

typedef struct dead_stream_t {
    apr_int64_t id, started_at;
    apr_uint64_t last_seq;
    bl_buf_t text, reasoning;
    unsigned char sha256[BL_SHA256_BYTES];
} dead_stream_t;

int bl_recover_is_needed(bl_store_t *s, bl_db_t *db)
{
    static const char sql[] = "SELECT 1 FROM stream WHERE outcome = 0"
                              " AND child_id <> ?1 LIMIT 1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return 0;
    bl_db_int(st, 1, s->child_id);
    rv = bl_db_step(db, st);
    bl_db_done(st);
    return rv == APR_SUCCESS;
}

static apr_status_t sum_up(dead_stream_t *d)
{
    bl_sha256_t *h;
    apr_status_t rv = bl_sha256_create(&h);

    if (rv != APR_SUCCESS) return rv;
    bl_sha256_add(h, d->text.data, d->text.len);
    bl_sha256_end(h, d->sha256);
    bl_sha256_destroy(h);
    return APR_SUCCESS;
}

/* The same fields as the END event of a stream that lived (stream.c). */
static apr_status_t append_end(bl_db_t *db, const dead_stream_t *d)
{
    static const char sql[] = "INSERT INTO stream_event (stream, first_seq,"
                              " last_seq, data) VALUES (?1, ?2, ?2, ?3)";
    char sha256_hex[2 * BL_SHA256_BYTES + 1];
    bl_buf_t fields, run;
    bl_event_t ev;
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_buf_init(&fields, 1024);
    bl_buf_init(&run, 2048);
    bl_hex(sha256_hex, d->sha256, sizeof(d->sha256));
    bl_buf_printf(&fields,
                  "{\"outcome\":\"interrupted\",\"reason\":\"interrupted\","
                  "\"events\":%" APR_UINT64_T_FMT ",\"length\":%lu,"
                  "\"sha256\":\"%s\"}",
                  d->last_seq + 1, (unsigned long)d->text.len, sha256_hex);
    memset(&ev, 0, sizeof(ev));
    ev.kind = BL_EV_END;
    ev.text = "";
    ev.fields = fields.data;
    ev.fields_len = fields.len;
    rv = bl_buf_status(&fields);
    if (rv == APR_SUCCESS) rv = bl_event_pack(&run, &ev);
    if (rv == APR_SUCCESS) {
        bl_db_int(st, 1, d->id);
        bl_db_int(st, 2, (apr_int64_t)(d->last_seq + BL_STORE_SEQ_JUMP));
        bl_db_blob(st, 3, run.data, run.len);
        rv = bl_db_run(db, st, NULL);
    }
    bl_buf_release(&fields);
    bl_buf_release(&run);
    return rv;
}

static apr_status_t close_row(bl_db_t *db, const dead_stream_t *d)
{
    static const char sql[] =
        "UPDATE stream SET outcome = ?2, reason = 'interrupted', sha256 = ?3,"
        " text_len = ?4, event_count = ?5, duration_ms = ?6, ended_at = ?7"
        " WHERE id = ?1";
    apr_time_t now = bl_clock_wall();
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, d->id);
    bl_db_int(st, 2, BL_OUTCOME_INTERRUPTED);
    bl_db_blob(st, 3, d->sha256, sizeof(d->sha256));
    bl_db_int(st, 4, (apr_int64_t)d->text.len);
    bl_db_int(st, 5, (apr_int64_t)(d->last_seq + BL_STORE_SEQ_JUMP));
    bl_db_int(st, 6, now > d->started_at ? (now - d->started_at) / 1000 : 0);
    bl_db_int(st, 7, now);
    return bl_db_run(db, st, NULL);
}

static apr_status_t keep_text(bl_db_t *db, const dead_stream_t *d)
{
    static const char sql[] =
        "UPDATE message SET content = ?2, reasoning = ?3 WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, d->id);
    bl_db_text_n(st, 2, d->text.len ? d->text.data : "", d->text.len);
    if (d->reasoning.len) {
        bl_db_text_n(st, 3, d->reasoning.data, d->reasoning.len);
    }
    return bl_db_run(db, st, NULL);
}

static apr_status_t count_usage(bl_db_t *db, const dead_stream_t *d)
{
    const bl_usage_t u = {d->id, NULL, NULL, bl_clock_wall(), 0, 1, -1, -1};

    return bl_usage_add(db, &u);
}

static apr_status_t recover_one(bl_db_t *db, apr_int64_t id,
                                apr_int64_t started_at)
{
    dead_stream_t d;
    apr_status_t rv;

    memset(&d, 0, sizeof(d));
    d.id = id;
    d.started_at = started_at;
    bl_buf_init(&d.text, 2 * BL_MAX_ANSWER_BYTES);
    bl_buf_init(&d.reasoning, 2 * BL_MAX_ANSWER_BYTES);
    rv = bl_gather_stream(db, id, &d.text, &d.reasoning, &d.last_seq);
    if (rv == APR_SUCCESS) rv = sum_up(&d);
    if (rv == APR_SUCCESS) rv = append_end(db, &d);
    if (rv == APR_SUCCESS) rv = close_row(db, &d);
    if (rv == APR_SUCCESS) rv = keep_text(db, &d);
    if (rv == APR_SUCCESS) rv = count_usage(db, &d);
    bl_buf_release(&d.text);
    bl_buf_release(&d.reasoning);
    return rv;
}

/* One stream at a time, so that the list is not read while it changes. */
static apr_status_t recover_child(bl_db_t *db, apr_int64_t child_id, int most,
                                  int *pn)
{
    static const char sql[] = "SELECT id, started_at FROM stream"
                              " WHERE outcome = 0 AND child_id = ?1 LIMIT 1";
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && *pn < most) {
        sqlite3_stmt *st = bl_db_stmt(db, sql);
        apr_int64_t id, started_at;

        if (!st) return bl_db_failure(db);
        bl_db_int(st, 1, child_id);
        rv = bl_db_step(db, st);
        id = rv == APR_SUCCESS ? sqlite3_column_int64(st, 0) : 0;
        started_at = rv == APR_SUCCESS ? sqlite3_column_int64(st, 1) : 0;
        bl_db_done(st);
        if (rv == APR_SUCCESS) rv = recover_one(db, id, started_at);
        if (rv == APR_SUCCESS) ++*pn;
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* The next child id above `above` that has live streams. */
static apr_status_t next_child(bl_db_t *db, apr_int64_t above,
                               apr_int64_t *pchild_id)
{
    static const char sql[] =
        "SELECT min(child_id) FROM stream WHERE outcome = 0 AND child_id > ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, above);
    rv = bl_db_step(db, st);
    if (rv == APR_SUCCESS && sqlite3_column_type(st, 0) == SQLITE_NULL) {
        rv = APR_EOF;
    }
    if (rv == APR_SUCCESS) *pchild_id = sqlite3_column_int64(st, 0);
    bl_db_done(st);
    return rv;
}

/* Who can take the byte of a child id knows that the child is dead; child ids
 * are never used twice, so it stays dead. */
apr_status_t bl_recover_wt_some(bl_store_t *s, bl_db_t *db, int most, int *pn)
{
    apr_int64_t child_id = 0;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && *pn < most) {
        rv = next_child(db, child_id, &child_id);
        if (rv != APR_SUCCESS) break;
        if (child_id == s->child_id) continue;
        rv = bl_lock_take_child(s->lock, child_id);
        if (rv == APR_EBUSY) {
            rv = APR_SUCCESS;
            continue;
        }
        if (rv != APR_SUCCESS) break;
        rv = recover_child(db, child_id, most, pn);
        bl_lock_release_child(s->lock, child_id);
    }
    return rv == APR_EOF ? APR_SUCCESS : rv;
}
