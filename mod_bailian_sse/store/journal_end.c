/* SPDX-License-Identifier: Apache-2.0 */
/* What ends a stored stream. */
#include "store/stream_jobs.h"

#include "base/errors.h"
#include "store/usage.h"

#include <stdlib.h>
#include <string.h>

static void drop_end(bl_job_t *job)
{
    bl_pending_remove(&((bl_end_job_t *)job)->pending);
    bl_stream_job_drop(job);
}

void bl_end_job_bind(sqlite3_stmt *st, const bl_end_job_t *j)
{
    const bl_store_end_t *e = &j->e;

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

static apr_status_t end_stream(bl_db_t *db, const bl_end_job_t *j,
                               apr_int64_t id)
{
    static const char sql[] =
        "UPDATE stream SET (" BL_END_NAMES ") = (?2, ?3, ?4, ?5, ?6, ?7, ?8,"
        " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21)"
        " WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_db_int(st, 1, id);
    bl_end_job_bind(st, j);
    return bl_db_run(db, st, NULL);
}

void bl_end_job_bind_answer(sqlite3_stmt *st, const bl_end_job_t *j,
                            apr_int64_t id)
{
    const bl_store_end_t *e = &j->e;

    bl_db_int(st, 1, id);
    bl_db_text_n(st, 2, e->text ? e->text : "", e->text ? e->text_len : 0);
    if (e->reasoning && e->reasoning_len) {
        bl_db_text_n(st, 3, e->reasoning, e->reasoning_len);
    }
    bl_db_text(st, 4, e->references);
}

static apr_status_t fill_answer(bl_db_t *db, const bl_end_job_t *j,
                                apr_int64_t id)
{
    static const char sql[] = "UPDATE message SET content = ?2, reasoning = ?3,"
                              " refs = ?4 WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(db, sql);

    if (!st) return bl_db_failure(db);
    bl_end_job_bind_answer(st, j, id);
    return bl_db_run(db, st, NULL);
}

/* By its begin: the rows are as they are at the end. */
static int is_written(const bl_end_job_t *j)
{
    return j->begin && j->begin->row;
}

static apr_status_t count_usage(bl_db_t *db, const bl_end_job_t *j,
                                apr_int64_t id)
{
    const bl_store_end_t *e = &j->e;
    bl_usage_t u;

    memset(&u, 0, sizeof(u));
    u.stream = id;
    if (is_written(j)) {
        u.owner = j->begin->b.asker ? j->begin->b.asker : j->begin->b.owner;
        u.app = j->begin->b.app;
    }
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
apr_status_t bl_end_job_run(bl_db_t *db, void *job)
{
    const bl_end_job_t *j = job;
    apr_int64_t id = 0;
    apr_status_t rv = bl_stream_job_row(db, &j->of, j->begin, &id);

    if (rv == APR_EOF) return APR_SUCCESS;
    if (rv == APR_SUCCESS && !is_written(j)) {
        rv = end_stream(db, j, id);
        if (rv == APR_SUCCESS) rv = fill_answer(db, j, id);
    }
    if (rv == APR_SUCCESS) rv = count_usage(db, j, id);
    return rv;
}

static size_t end_room(const bl_store_end_t *e)
{
    return bl_stream_job_room(e->reason) +
           bl_stream_job_room(e->finish_reason) +
           bl_stream_job_room(e->upstream_code) +
           bl_stream_job_room(e->upstream_request_id) +
           bl_stream_job_room(e->session_id) + bl_stream_job_room(e->model_id) +
           e->text_len + 1 + e->reasoning_len + 1 +
           bl_stream_job_room(e->references) +
           bl_stream_job_room(e->attempts_json) +
           bl_stream_job_room(e->key_last4) + e->timeline_len + 1;
}

static void keep_end(bl_end_job_t *j)
{
    char *at = (char *)(j + 1);

    bl_stream_job_keep_text(&j->e.reason, &at);
    bl_stream_job_keep_text(&j->e.finish_reason, &at);
    bl_stream_job_keep_text(&j->e.upstream_code, &at);
    bl_stream_job_keep_text(&j->e.upstream_request_id, &at);
    bl_stream_job_keep_text(&j->e.session_id, &at);
    bl_stream_job_keep_text(&j->e.model_id, &at);
    bl_stream_job_keep(&j->e.text, j->e.text_len, &at);
    bl_stream_job_keep(&j->e.reasoning, j->e.reasoning_len, &at);
    bl_stream_job_keep_text(&j->e.references, &at);
    bl_stream_job_keep_text(&j->e.attempts_json, &at);
    bl_stream_job_keep_text(&j->e.key_last4, &at);
    bl_stream_job_keep((const char **)&j->e.timeline, j->e.timeline_len, &at);
}

apr_status_t bl_store_put_end(bl_store_t *s, const bl_store_end_t *e)
{
    unsigned char id[BL_ID_BYTES];
    bl_end_job_t *j;

    if (!bl_unhex(id, sizeof(id), e->stream_id) ||
        e->outcome == BL_OUTCOME_NONE) {
        return BL_E_BAD_VALUE;
    }
    j = bl_stream_job_new(sizeof(*j), end_room(e), bl_end_job_run);
    if (!j) return APR_ENOMEM;
    j->e = *e;
    if (!e->text) j->e.text_len = 0;
    if (!e->reasoning) j->e.reasoning_len = 0;
    keep_end(j);
    memcpy(j->of.id, id, sizeof(id));
    j->has_sha256 =
        e->sha256_hex && bl_unhex(j->sha256, sizeof(j->sha256), e->sha256_hex);
    j->key_id = e->key_id ? strtoll(e->key_id, NULL, 10) : 0;
    j->e.stream_id = j->e.sha256_hex = j->e.key_id = NULL;
    j->e.owner = j->e.conversation_id = NULL;
    j->of.job.drop = drop_end;
    if (e->owner && e->conversation_id) {
        bl_pending_add(&s->pending, e->owner, e->conversation_id, &j->pending);
    }
    return bl_stream_job_put(s, &j->of.job);
}
