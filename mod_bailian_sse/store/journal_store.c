/* SPDX-License-Identifier: Apache-2.0 */
/* The writing half: what begins, feeds and ends a stored stream. Reading is
 * in journal_read.c. */
#include "store/store_private.h"

#include "base/errors.h"
#include "base/log.h"
#include "crypto/token.h"
#include "store/usage.h"

#include <stdlib.h>
#include <string.h>

#define TITLE_CHARS 60

/* --- jobs: a struct, and behind it the text it points to ---------------- */

static void drop_job(bl_job_t *job)
{
    free(job);
}

static size_t room_for(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

/* Moves *ps to where the job keeps it. */
static void keep(const char **ps, size_t len, char **pat)
{
    if (!*ps) return;
    memcpy(*pat, *ps, len);
    (*pat)[len] = '\0';
    *ps = *pat;
    *pat += len + 1;
}

static void keep_text(const char **ps, char **pat)
{
    if (*ps) keep(ps, strlen(*ps), pat);
}

static void *new_job(size_t struct_size, size_t text_size,
                     apr_status_t (*run)(bl_db_t *, void *))
{
    bl_job_t *job = malloc(struct_size + text_size);

    if (!job) return NULL;
    memset(job, 0, struct_size);
    job->bytes = struct_size + text_size;
    job->run = run;
    job->drop = drop_job;
    return job;
}

static apr_status_t put(bl_store_t *s, bl_job_t *job)
{
    if (s->writer && !__atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)) {
        return bl_writer_put(s->writer, job);
    }
    job->drop(job);
    return BL_E_STORE_UNAVAILABLE;
}

/* --- begin -------------------------------------------------------------- */

typedef struct begin_job_t {
    bl_job_t job;
    bl_store_begin_t b; /* its texts lie behind the struct */
    bl_pending_at_t pending;
    unsigned char id[BL_ID_BYTES];
    apr_int64_t child_id;
} begin_job_t;

static void drop_begin(bl_job_t *job)
{
    bl_pending_remove(&((begin_job_t *)job)->pending);
    drop_job(job);
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

/* Why the statements here look up a row first and then change it by its id,
 * one row each: for RETURNING SQLite opens a b-tree of its own, and for what
 * may fail after its first row it keeps a copy of every page it changes. Both
 * cost more than all the rest of the job. */
static apr_status_t find_row(bl_db_t *db, sqlite3_stmt *st, apr_int64_t *pid)
{
    apr_status_t rv = bl_db_step(db, st);

    if (rv == APR_SUCCESS) *pid = sqlite3_column_int64(st, 0);
    bl_db_done(st);
    return rv;
}

/* APR_EOF: no live stream of that id. */
static apr_status_t find_live(bl_db_t *db, const unsigned char *id,
                              apr_int64_t *pid)
{
    static const char sql[] =
        "SELECT id FROM stream WHERE stream_id = ?1 AND outcome = 0";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_blob(st, 1, id, BL_ID_BYTES);
    return find_row(db, st, pid);
}

static apr_status_t add_conversation(bl_db_t *db, const begin_job_t *j,
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

static apr_status_t touch_conversation(bl_db_t *db, const begin_job_t *j,
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

static apr_status_t upsert_conversation(bl_db_t *db, const begin_job_t *j,
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
    rv = find_row(db, st, pid);
    if (rv == APR_SUCCESS) return touch_conversation(db, j, title, *pid);
    return rv == APR_EOF ? add_conversation(db, j, title, pid) : rv;
}

static apr_status_t insert_question(bl_db_t *db, const begin_job_t *j,
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

static apr_status_t insert_answer(bl_db_t *db, const begin_job_t *j,
                                  apr_int64_t conversation, apr_int64_t id)
{
    static const char sql[] =
        "INSERT INTO message (id, conversation_id, role, content, created_at)"
        " VALUES (?1, ?2, 'assistant', '', ?3)";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_int(st, 2, conversation);
    bl_db_int(st, 3, j->b.at);
    return bl_db_run(db, st, NULL);
}

/* The answer's id follows the question's, and is the id of the stream as
 * well. */
static apr_status_t insert_messages(bl_db_t *db, const begin_job_t *j,
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

static apr_status_t run_begin(bl_db_t *db, void *job)
{
    static const char sql[] =
        "INSERT INTO stream (id, stream_id, app, transport, idempotency_key,"
        " child_id, started_at, upstream, client, request_id, asker)"
        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)";
    const begin_job_t *j = job;
    apr_int64_t conversation = 0, id = 0;
    apr_status_t rv = upsert_conversation(db, j, &conversation);
    sqlite3_stmt *st;

    if (rv == APR_SUCCESS) rv = insert_messages(db, j, conversation, &id);
    if (rv != APR_SUCCESS) return rv;
    st = bl_db_stmt(db, sql);
    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_blob(st, 2, j->id, BL_ID_BYTES);
    bl_db_text(st, 3, j->b.app);
    bl_db_text(st, 4, j->b.transport);
    bl_db_text(st, 5, j->b.idempotency_key);
    bl_db_int(st, 6, j->child_id);
    bl_db_int(st, 7, j->b.at);
    bl_db_text(st, 8, j->b.upstream);
    bl_db_text(st, 9, j->b.client);
    bl_db_text(st, 10, j->b.request_id);
    bl_db_text(st, 11, j->b.asker);
    return bl_db_run(db, st, NULL);
}

static size_t begin_room(const bl_store_begin_t *b)
{
    return room_for(b->owner) + room_for(b->asker) +
           room_for(b->conversation_id) + room_for(b->item_id) +
           room_for(b->app) + room_for(b->transport) + room_for(b->client) +
           room_for(b->request_id) + room_for(b->upstream) +
           room_for(b->idempotency_key) + room_for(b->question);
}

static void keep_begin(begin_job_t *j)
{
    char *at = (char *)(j + 1);

    keep_text(&j->b.owner, &at);
    keep_text(&j->b.asker, &at);
    keep_text(&j->b.conversation_id, &at);
    keep_text(&j->b.item_id, &at);
    keep_text(&j->b.app, &at);
    keep_text(&j->b.transport, &at);
    keep_text(&j->b.client, &at);
    keep_text(&j->b.request_id, &at);
    keep_text(&j->b.upstream, &at);
    keep_text(&j->b.idempotency_key, &at);
    keep_text(&j->b.question, &at);
}

apr_status_t bl_store_put_begin(bl_store_t *s, const bl_store_begin_t *b)
{
    unsigned char id[BL_ID_BYTES];
    begin_job_t *j;

    if (!bl_unhex(id, sizeof(id), b->stream_id) || !b->owner || !b->owner[0] ||
        !b->conversation_id || !b->question || !b->app || !b->transport)
    {
        return BL_E_BAD_VALUE;
    }
    j = new_job(sizeof(*j), begin_room(b), run_begin);
    if (!j) return APR_ENOMEM;
    j->b = *b;
    j->b.stream_id = NULL; /* only id is used from here on */
    memcpy(j->id, id, sizeof(id));
    j->child_id = s->child_id;
    j->job.drop = drop_begin;
    bl_pending_add(&s->pending, b->owner, b->conversation_id, &j->pending);
    keep_begin(j);
    return put(s, &j->job);
}

/* --- events ------------------------------------------------------------- */

typedef struct events_job_t {
    bl_job_t job;
    unsigned char id[BL_ID_BYTES];
    apr_uint64_t first_seq, last_seq;
    char *run; /* ours */
    size_t run_len;
} events_job_t;

static void drop_events(bl_job_t *job)
{
    free(((events_job_t *)job)->run);
    free(job);
}

/* Only while the stream is live: once it was ended, or marked interrupted by
 * another process, its journal is closed (I3). */
static apr_status_t run_events(bl_db_t *db, void *job)
{
    static const char sql[] =
        "INSERT INTO stream_event (stream, first_seq, last_seq, data)"
        " VALUES (?1, ?2, ?3, ?4)";
    const events_job_t *j = job;
    apr_int64_t id = 0;
    apr_status_t rv = find_live(db, j->id, &id);
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
    events_job_t *j = new_job(sizeof(*j), 0, run_events);

    if (!j) {
        free(run_take);
        return APR_ENOMEM;
    }
    j->job.drop = drop_events;
    j->job.bytes += run_len;
    j->job.is_patient = may_wait;
    j->run = run_take;
    j->run_len = run_len;
    j->first_seq = first_seq;
    j->last_seq = last_seq;
    if (!bl_unhex(j->id, sizeof(j->id), stream_id) || !first_seq ||
        last_seq < first_seq)
    {
        drop_events(&j->job);
        return BL_E_BAD_VALUE;
    }
    return put(s, &j->job);
}

/* --- end ---------------------------------------------------------------- */

typedef struct end_job_t {
    bl_job_t job;
    bl_store_end_t e; /* its texts lie behind the struct */
    bl_pending_at_t pending;
    unsigned char id[BL_ID_BYTES];
    unsigned char sha256[BL_SHA256_BYTES];
    int has_sha256;
    apr_int64_t key_id; /* 0: none */
} end_job_t;

static void drop_end(bl_job_t *job)
{
    bl_pending_remove(&((end_job_t *)job)->pending);
    drop_job(job);
}

static void bind_end(sqlite3_stmt *st, const end_job_t *j, apr_int64_t id)
{
    const bl_store_end_t *e = &j->e;

    bl_db_int(st, 1, id);
    bl_db_int(st, 2, e->outcome);
    bl_db_text(st, 3, e->reason);
    bl_db_text(st, 4, e->finish_reason);
    bl_db_text(st, 5, e->upstream_code);
    bl_db_text(st, 6, e->upstream_request_id);
    if (e->session_id && e->session_id[0]) bl_db_text(st, 7, e->session_id);
    bl_db_text(st, 8, e->model_id);
    if (j->has_sha256) bl_db_blob(st, 9, j->sha256, BL_SHA256_BYTES);
    bl_db_int(st, 10, (apr_int64_t)e->text_len);
    bl_db_int(st, 11, (apr_int64_t)e->event_count);
    bl_db_int(st, 12, e->attempts);
    bl_db_text(st, 13, e->attempts_json);
    if (j->key_id) bl_db_int(st, 14, j->key_id);
    bl_db_int_or_null(st, 15, e->input_tokens);
    bl_db_int_or_null(st, 16, e->output_tokens);
    bl_db_int_or_null(st, 17, e->first_content_ms);
    bl_db_int(st, 18, e->duration_ms);
    bl_db_int(st, 19, e->at);
    bl_db_text(st, 20, e->key_last4);
    if (e->timeline_len) bl_db_blob(st, 21, e->timeline, e->timeline_len);
}

static apr_status_t end_stream(bl_db_t *db, const end_job_t *j, apr_int64_t id)
{
    static const char sql[] =
        "UPDATE stream SET outcome = ?2, reason = ?3, finish_reason = ?4,"
        " upstream_code = ?5, upstream_request_id = ?6, session_id = ?7,"
        " model_id = ?8, sha256 = ?9, text_len = ?10, event_count = ?11,"
        " attempts = ?12, attempts_json = ?13, key_id = ?14,"
        " input_tokens = ?15, output_tokens = ?16, first_content_ms = ?17,"
        " duration_ms = ?18, ended_at = ?19, key_last4 = ?20,"
        " timeline = ?21 WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bind_end(st, j, id);
    return bl_db_run(db, st, NULL);
}

static apr_status_t fill_answer(bl_db_t *db, const end_job_t *j, apr_int64_t id)
{
    static const char sql[] = "UPDATE message SET content = ?2, reasoning = ?3,"
                              " refs = ?4 WHERE id = ?1";
    const bl_store_end_t *e = &j->e;
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_db_text_n(st, 2, e->text ? e->text : "", e->text ? e->text_len : 0);
    if (e->reasoning && e->reasoning_len) {
        bl_db_text_n(st, 3, e->reasoning, e->reasoning_len);
    }
    bl_db_text(st, 4, e->references);
    return bl_db_run(db, st, NULL);
}

static apr_status_t count_usage(bl_db_t *db, const end_job_t *j, apr_int64_t id)
{
    const bl_store_end_t *e = &j->e;
    bl_usage_t u;

    u.stream = id;
    u.at = e->at;
    u.key_id = j->key_id;
    u.is_failure = e->outcome != BL_OUTCOME_COMPLETED &&
                   e->outcome != BL_OUTCOME_LENGTH &&
                   e->outcome != BL_OUTCOME_CANCELLED;
    u.input_tokens = e->input_tokens;
    u.output_tokens = e->output_tokens;
    return bl_usage_add(db, &u);
}

/* Whoever ends a stream second changes nothing (I2). */
static apr_status_t run_end(bl_db_t *db, void *job)
{
    const end_job_t *j = job;
    apr_int64_t id = 0;
    apr_status_t rv = find_live(db, j->id, &id);

    if (rv == APR_EOF) return APR_SUCCESS;
    if (rv == APR_SUCCESS) rv = end_stream(db, j, id);
    if (rv == APR_SUCCESS) rv = fill_answer(db, j, id);
    if (rv == APR_SUCCESS) rv = count_usage(db, j, id);
    return rv;
}

static size_t end_room(const bl_store_end_t *e)
{
    return room_for(e->reason) + room_for(e->finish_reason) +
           room_for(e->upstream_code) + room_for(e->upstream_request_id) +
           room_for(e->session_id) + room_for(e->model_id) + e->text_len + 1 +
           e->reasoning_len + 1 + room_for(e->references) +
           room_for(e->attempts_json) + room_for(e->key_last4) +
           e->timeline_len + 1;
}

static void keep_end(end_job_t *j)
{
    char *at = (char *)(j + 1);

    keep_text(&j->e.reason, &at);
    keep_text(&j->e.finish_reason, &at);
    keep_text(&j->e.upstream_code, &at);
    keep_text(&j->e.upstream_request_id, &at);
    keep_text(&j->e.session_id, &at);
    keep_text(&j->e.model_id, &at);
    keep(&j->e.text, j->e.text_len, &at);
    keep(&j->e.reasoning, j->e.reasoning_len, &at);
    keep_text(&j->e.references, &at);
    keep_text(&j->e.attempts_json, &at);
    keep_text(&j->e.key_last4, &at);
    keep((const char **)&j->e.timeline, j->e.timeline_len, &at);
}

apr_status_t bl_store_put_end(bl_store_t *s, const bl_store_end_t *e)
{
    unsigned char id[BL_ID_BYTES];
    end_job_t *j;

    if (!bl_unhex(id, sizeof(id), e->stream_id) ||
        e->outcome == BL_OUTCOME_NONE) {
        return BL_E_BAD_VALUE;
    }
    j = new_job(sizeof(*j), end_room(e), run_end);
    if (!j) return APR_ENOMEM;
    j->e = *e;
    if (!e->text) j->e.text_len = 0;
    if (!e->reasoning) j->e.reasoning_len = 0;
    keep_end(j);
    memcpy(j->id, id, sizeof(id));
    j->has_sha256 =
        e->sha256_hex && bl_unhex(j->sha256, sizeof(j->sha256), e->sha256_hex);
    j->key_id = e->key_id ? strtoll(e->key_id, NULL, 10) : 0;
    j->e.stream_id = j->e.sha256_hex = j->e.key_id = NULL;
    j->e.owner = j->e.conversation_id = NULL;
    j->job.drop = drop_end;
    if (e->owner && e->conversation_id) {
        bl_pending_add(&s->pending, e->owner, e->conversation_id, &j->pending);
    }
    return put(s, &j->job);
}
