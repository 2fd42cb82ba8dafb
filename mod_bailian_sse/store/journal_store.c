/* SPDX-License-Identifier: Apache-2.0 */
/* What begins and feeds a stored stream. What ends it: journal_end.c; reading
 * is in journal_read.c. */
#include "store/stream_jobs.h"

#include "base/errors.h"
#include "base/log.h"
#include "store/usage.h"

#include <stdlib.h>
#include <string.h>

#define TITLE_CHARS 60

/* --- begin -------------------------------------------------------------- */

static void drop_begin(bl_job_t *job)
{
    bl_pending_remove(&((bl_begin_job_t *)job)->pending);
    bl_stream_job_drop(job);
}

/* Bytes of the first TITLE_CHARS characters, up to the first line end. */
static size_t title_bytes(const char *s)
{
    size_t n = 0;
    int chars = 0;

    while (s[n] && s[n] != '\n' && s[n] != '\r') {
        if (((unsigned char)s[n] & 0xc0) != 0x80 && ++chars > TITLE_CHARS)
            break;
        n++;
    }
    return n;
}

static apr_status_t add_conversation(bl_db_t *db, const bl_begin_job_t *j,
                                     const char *title, apr_int64_t *pid)
{
    static const char sql[] =
        "INSERT INTO conversation (owner, client_id, title, created_at,"
        " updated_at) VALUES (?1, ?2, ?3, ?4, ?4)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, j->b.owner);
    bl_db_text(st, 2, j->b.conversation_id);
    bl_db_text_n(st, 3, title, title_bytes(title));
    bl_db_int(st, 4, j->b.at);
    rv = bl_db_run(db, st, NULL);
    *pid = sqlite3_last_insert_rowid(bl_db_handle(db));
    return rv;
}

static apr_status_t touch_conversation(bl_db_t *db, const bl_begin_job_t *j,
                                       const char *title, apr_int64_t id)
{
    static const char sql[] =
        "UPDATE conversation SET updated_at = max(updated_at, ?2),"
        " title = CASE title WHEN '' THEN ?3 ELSE title END WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_int(st, 2, j->b.at);
    bl_db_text_n(st, 3, title, title_bytes(title));
    return bl_db_run(db, st, NULL);
}

static apr_status_t upsert_conversation(bl_db_t *db, const bl_begin_job_t *j,
                                        apr_int64_t *pid)
{
    static const char sql[] =
        "SELECT id FROM conversation WHERE owner = ?1 AND client_id = ?2";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    const char *title = j->b.question + strspn(j->b.question, " \t\r\n");
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, j->b.owner);
    bl_db_text(st, 2, j->b.conversation_id);
    rv = bl_stream_job_find(db, st, pid);
    if (rv == APR_SUCCESS) return touch_conversation(db, j, title, *pid);
    return rv == APR_EOF ? add_conversation(db, j, title, pid) : rv;
}

static apr_status_t insert_question(bl_db_t *db, const bl_begin_job_t *j,
                                    apr_int64_t conversation, apr_int64_t id)
{
    static const char sql[] =
        "INSERT INTO message (id, conversation_id, role, answer_id, item_id,"
        " content, created_at) VALUES (?1, ?2, 'user', ?3, ?4, ?5, ?6)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_int(st, 2, conversation);
    bl_db_int(st, 3, id + 1);
    bl_db_text(st, 4, j->b.item_id);
    bl_db_text(st, 5, j->b.question);
    bl_db_int(st, 6, j->b.at);
    return bl_db_run(db, st, NULL);
}

/* Empty until the stream ends, unless it has. */
static apr_status_t insert_answer(bl_db_t *db, const bl_begin_job_t *j,
                                  apr_int64_t conversation, apr_int64_t id)
{
    static const char sql[] =
        "INSERT INTO message (id, conversation_id, role, content, reasoning,"
        " refs, created_at) VALUES (?1, ?5, 'assistant', ?2, ?3, ?4, ?6)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    if (j->end) {
        bl_end_job_bind_answer(st, j->end, id);
    }
    else {
        bl_db_int(st, 1, id);
        bl_db_text(st, 2, "");
    }
    bl_db_int(st, 5, conversation);
    bl_db_int(st, 6, j->b.at);
    return bl_db_run(db, st, NULL);
}

/* The answer's id follows the question's, and is the id of the stream as
 * well. */
static apr_status_t insert_messages(bl_db_t *db, const bl_begin_job_t *j,
                                    apr_int64_t conversation, apr_int64_t *pid)
{
    static const char sql_next[] = "SELECT coalesce(max(id), 0) FROM message";
    apr_int64_t newest = 0;
    apr_status_t rv = bl_db_number(db, sql_next, 0, &newest);

    if (rv == APR_SUCCESS) {
        rv = insert_question(db, j, conversation, newest + 1);
    }
    if (rv == APR_SUCCESS) {
        rv = insert_answer(db, j, conversation, newest + 2);
    }
    *pid = newest + 2;
    return rv;
}

static void bind_begin(sqlite3_stmt *st, const bl_begin_job_t *j,
                       apr_int64_t id)
{
    bl_db_int(st, 1, id);
    bl_db_blob(st, 22, j->of.id, BL_ID_BYTES);
    bl_db_text(st, 23, j->b.app);
    bl_db_text(st, 24, j->b.transport);
    bl_db_text(st, 25, j->b.idempotency_key);
    bl_db_int(st, 26, j->child_id);
    bl_db_int(st, 27, j->b.at);
    bl_db_text(st, 28, j->b.upstream);
    bl_db_text(st, 29, j->b.client);
    bl_db_text(st, 30, j->b.request_id);
    bl_db_text(st, 31, j->b.asker);
}

/* ?2 to ?21 are the end's, of which four may not be NULL. */
static apr_status_t insert_stream(bl_db_t *db, const bl_begin_job_t *j,
                                  apr_int64_t id)
{
    static const char sql[] =
        "INSERT INTO stream (id, " BL_END_NAMES ", stream_id, app, transport,"
        " idempotency_key, child_id, started_at, upstream, client, request_id,"
        " asker) VALUES (?1, ifnull(?2, 0), ?3, ?4, ?5, ?6, ?7, ?8, ?9,"
        " ifnull(?10, 0), ifnull(?11, 0), ifnull(?12, 0), ?13, ?14, ?15, ?16,"
        " ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25, ?26, ?27, ?28, ?29, ?30,"
        " ?31)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bind_begin(st, j, id);
    if (j->end) bl_end_job_bind(st, j->end);
    return bl_db_run(db, st, NULL);
}

apr_status_t bl_begin_job_run(bl_db_t *db, void *job)
{
    bl_begin_job_t *j = job;
    apr_int64_t conversation = 0, id = 0;
    apr_status_t rv;

    j->row = 0; /* of a transaction that was rolled back */
    rv = upsert_conversation(db, j, &conversation);
    if (rv == APR_SUCCESS) rv = insert_messages(db, j, conversation, &id);
    if (rv == APR_SUCCESS) rv = insert_stream(db, j, id);
    if (rv == APR_SUCCESS) j->row = id;
    return rv;
}

static size_t begin_room(const bl_store_begin_t *b)
{
    return bl_stream_job_room(b->owner) + bl_stream_job_room(b->asker) +
           bl_stream_job_room(b->conversation_id) +
           bl_stream_job_room(b->item_id) + bl_stream_job_room(b->app) +
           bl_stream_job_room(b->transport) + bl_stream_job_room(b->client) +
           bl_stream_job_room(b->request_id) + bl_stream_job_room(b->upstream) +
           bl_stream_job_room(b->idempotency_key) +
           bl_stream_job_room(b->question);
}

static void keep_begin(bl_begin_job_t *j)
{
    char *at = (char *)(j + 1);

    bl_stream_job_keep_text(&j->b.owner, &at);
    bl_stream_job_keep_text(&j->b.asker, &at);
    bl_stream_job_keep_text(&j->b.conversation_id, &at);
    bl_stream_job_keep_text(&j->b.item_id, &at);
    bl_stream_job_keep_text(&j->b.app, &at);
    bl_stream_job_keep_text(&j->b.transport, &at);
    bl_stream_job_keep_text(&j->b.client, &at);
    bl_stream_job_keep_text(&j->b.request_id, &at);
    bl_stream_job_keep_text(&j->b.upstream, &at);
    bl_stream_job_keep_text(&j->b.idempotency_key, &at);
    bl_stream_job_keep_text(&j->b.question, &at);
}

apr_status_t bl_store_put_begin(bl_store_t *s, const bl_store_begin_t *b)
{
    unsigned char id[BL_ID_BYTES];
    bl_begin_job_t *j;

    if (!bl_unhex(id, sizeof(id), b->stream_id) || !b->owner || !b->owner[0] ||
        !b->conversation_id || !b->question || !b->app || !b->transport)
    {
        return BL_E_BAD_VALUE;
    }
    j = bl_stream_job_new(sizeof(*j), begin_room(b), bl_begin_job_run);
    if (!j) return APR_ENOMEM;
    j->b = *b;
    j->b.stream_id = NULL; /* only id is used from here on */
    memcpy(j->of.id, id, sizeof(id));
    j->child_id = s->child_id;
    j->of.job.drop = drop_begin;
    bl_pending_add(&s->pending, b->owner, b->conversation_id, &j->pending);
    keep_begin(j);
    return bl_stream_job_put(s, &j->of.job);
}

/* --- events ------------------------------------------------------------- */

static void drop_events(bl_job_t *job)
{
    free(((bl_events_job_t *)job)->run);
    free(job);
}

/* Only while the stream is live: once it was ended, or marked interrupted by
 * another process, its journal is closed (I3). */
apr_status_t bl_events_job_run(bl_db_t *db, void *job)
{
    static const char sql[] =
        "INSERT INTO stream_event (stream, first_seq, last_seq, data)"
        " VALUES (?1, ?2, ?3, ?4)";
    const bl_events_job_t *j = job;
    apr_int64_t id = 0;
    apr_status_t rv = bl_stream_job_row(db, &j->of, j->begin, &id);
    sqlite3_stmt *st;

    if (rv == APR_EOF) {
        bl_log(BL_LOG_DEBUG, 0,
               BL_LOGNO(1410) "events of a stream that is not live were left "
                              "out: deleted, or ended before");
        return APR_SUCCESS;
    }
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_int(st, 2, (apr_int64_t)j->first_seq);
    bl_db_int(st, 3, (apr_int64_t)j->last_seq);
    bl_db_blob(st, 4, j->run, j->run_len);
    return bl_db_run(db, st, NULL);
}

apr_status_t bl_store_put_events(bl_store_t *s, const char *stream_id,
                                 apr_uint64_t first_seq, apr_uint64_t last_seq,
                                 char *run_take, size_t run_len, int may_wait)
{
    bl_events_job_t *j = bl_stream_job_new(sizeof(*j), 0, bl_events_job_run);

    if (!j) {
        free(run_take);
        return APR_ENOMEM;
    }
    j->of.job.drop = drop_events;
    j->of.job.bytes += run_len;
    j->of.job.is_patient = may_wait;
    j->run = run_take;
    j->run_len = run_len;
    j->first_seq = first_seq;
    j->last_seq = last_seq;
    if (!bl_unhex(j->of.id, sizeof(j->of.id), stream_id) || !first_seq ||
        last_seq < first_seq)
    {
        drop_events(&j->of.job);
        return BL_E_BAD_VALUE;
    }
    return bl_stream_job_put(s, &j->of.job);
}
