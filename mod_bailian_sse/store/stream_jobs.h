/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream_jobs - what the writer is asked to write of a stream: its begin, runs
 * of its events, its end; for the units of this directory only.
 *
 * Short answers are whole before the writer comes to them: then begin, events
 * and end stand in one transaction, and the rows are written once, as they are
 * at the end (bl_stream_jobs_join).
 *
 * OWNERSHIP  a job's texts lie behind its struct. What is joined stays in its
 *            batch, which is dropped as a whole.
 * THREADS    run and join: the writer's; all else: of whoever puts the job.
 */
#ifndef BL_STREAM_JOBS_H
#define BL_STREAM_JOBS_H

#include "store/store_private.h"

#include "crypto/token.h"

typedef struct bl_end_job_t bl_end_job_t;

/* Each begins with this. */
typedef struct bl_stream_job_t {
    bl_job_t job;
    unsigned char id[BL_ID_BYTES];
} bl_stream_job_t;

typedef struct bl_begin_job_t {
    bl_stream_job_t of;
    bl_store_begin_t b;
    bl_pending_at_t pending;
    apr_int64_t child_id;
    apr_int64_t row;   /* of the stream; 0 = not written in this transaction */
    bl_end_job_t *end; /* in the same batch, or NULL */
} bl_begin_job_t;

typedef struct bl_events_job_t {
    bl_stream_job_t of;
    const bl_begin_job_t *begin; /* in the same batch, or NULL */
    apr_uint64_t first_seq, last_seq;
    char *run; /* ours */
    size_t run_len;
} bl_events_job_t;

struct bl_end_job_t {
    bl_stream_job_t of;
    const bl_begin_job_t *begin; /* in the same batch, or NULL */
    bl_store_end_t e;
    bl_pending_at_t pending;
    unsigned char sha256[BL_SHA256_BYTES];
    int has_sha256;
    apr_int64_t key_id; /* 0: none */
};

apr_status_t bl_begin_job_run(bl_db_t *db, void *job);
apr_status_t bl_events_job_run(bl_db_t *db, void *job);
apr_status_t bl_end_job_run(bl_db_t *db, void *job);

/* Lets the jobs of one batch that are of one stream know each other. */
void bl_stream_jobs_join(bl_job_t *batch);

/* --- what the three share ----------------------------------------------- */

/* struct_size bytes of zero, text_size for its texts; NULL: no memory. */
void *bl_stream_job_new(size_t struct_size, size_t text_size,
                        apr_status_t (*run)(bl_db_t *, void *));
void bl_stream_job_drop(bl_job_t *job);
size_t bl_stream_job_room(const char *s);
/* Moves *ps to where the job keeps it. NULL stays NULL. */
void bl_stream_job_keep(const char **ps, size_t len, char **pat);
void bl_stream_job_keep_text(const char **ps, char **pat);
apr_status_t bl_stream_job_put(bl_store_t *s, bl_job_t *job);

/* One row's id, and the statement is given back. APR_EOF: none. */
apr_status_t bl_stream_job_find(bl_db_t *db, sqlite3_stmt *st,
                                apr_int64_t *pid);

/* The row of a live stream: of its begin if that stands in this batch, else
 * looked up. APR_EOF: there is none. */
apr_status_t bl_stream_job_row(bl_db_t *db, const bl_stream_job_t *of,
                               const bl_begin_job_t *begin, apr_int64_t *pid);

/* The columns of stream that an end fills in, as ?2 to ?21, and those of the
 * answer's message: its id, content, reasoning and refs as ?1 to ?4. */
#define BL_END_NAMES                                                           \
    "outcome, reason, finish_reason, upstream_code, upstream_request_id,"      \
    " session_id, model_id, sha256, text_len, event_count, attempts,"          \
    " attempts_json, key_id, input_tokens, output_tokens, first_content_ms,"   \
    " duration_ms, ended_at, key_last4, timeline"
void bl_end_job_bind(sqlite3_stmt *st, const bl_end_job_t *j);
void bl_end_job_bind_answer(sqlite3_stmt *st, const bl_end_job_t *j,
                            apr_int64_t id);

#endif
