/* SPDX-License-Identifier: Apache-2.0 */
#include "store/stream_jobs.h"

#include "base/errors.h"

#include <stdlib.h>
#include <string.h>

/* --- a struct, and behind it the text it points to ---------------------- */

void bl_stream_job_drop(bl_job_t *job)
{
    free(job);
}

size_t bl_stream_job_room(const char *s)
{
    return s ? strlen(s) + 1 : 0;
}

/* Moves *ps to where the job keeps it. */
void bl_stream_job_keep(const char **ps, size_t len, char **pat)
{
    if (!*ps) return;
    memcpy(*pat, *ps, len);
    (*pat)[len] = '\0';
    *ps = *pat;
    *pat += len + 1;
}

void bl_stream_job_keep_text(const char **ps, char **pat)
{
    if (*ps) bl_stream_job_keep(ps, strlen(*ps), pat);
}

void *bl_stream_job_new(size_t struct_size, size_t text_size,
                        apr_status_t (*run)(bl_db_t *, void *))
{
    bl_job_t *job = malloc(struct_size + text_size);

    if (!job) return NULL;
    memset(job, 0, struct_size);
    job->bytes = struct_size + text_size;
    job->run = run;
    job->drop = bl_stream_job_drop;
    return job;
}

apr_status_t bl_stream_job_put(bl_store_t *s, bl_job_t *job)
{
    if (s->writer && !__atomic_load_n(&s->is_lost, __ATOMIC_RELAXED)) {
        return bl_writer_put(s->writer, job);
    }
    job->drop(job);
    return BL_E_STORE_UNAVAILABLE;
}

/* --- rows --------------------------------------------------------------- */

/* Why the statements here look up a row first and then change it by its id,
 * one row each: for RETURNING SQLite opens a b-tree of its own, and for what
 * may fail after its first row it keeps a copy of every page it changes. Both
 * cost more than all the rest of the job. */
apr_status_t bl_stream_job_find(bl_db_t *db, sqlite3_stmt *st, apr_int64_t *pid)
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
    return bl_stream_job_find(db, st, pid);
}

apr_status_t bl_stream_job_row(bl_db_t *db, const bl_stream_job_t *of,
                               const bl_begin_job_t *begin, apr_int64_t *pid)
{
    if (begin && begin->row) {
        *pid = begin->row;
        return APR_SUCCESS;
    }
    return find_live(db, of->id, pid);
}

/* --- one batch ---------------------------------------------------------- */

#define PLACES (2 * BL_WRITER_BATCH_JOBS) /* a power of two */

/* The begin of this id, or the place for it. */
static bl_begin_job_t **place_of(bl_begin_job_t **places,
                                 const unsigned char *id)
{
    apr_uint32_t at;

    memcpy(&at, id + BL_ID_TIME_BYTES, sizeof(at)); /* random ones */
    while (places[at % PLACES] &&
           memcmp(places[at % PLACES]->of.id, id, BL_ID_BYTES))
    {
        at++;
    }
    return &places[at % PLACES];
}

/* What comes after an end is of no use to its stream (I3): it is looked up as
 * if it were alone. */
void bl_stream_jobs_join(bl_job_t *batch)
{
    bl_begin_job_t *places[PLACES], *begin;
    bl_job_t *job;

    memset(places, 0, sizeof(places));
    for (job = batch; job; job = job->next) {
        if (job->run == bl_begin_job_run) {
            begin = (bl_begin_job_t *)job;
            *place_of(places, begin->of.id) = begin;
        }
        else if (job->run == bl_events_job_run || job->run == bl_end_job_run) {
            begin = *place_of(places, ((bl_stream_job_t *)job)->id);
            if (!begin || begin->end) continue;
            if (job->run == bl_events_job_run) {
                ((bl_events_job_t *)job)->begin = begin;
                continue;
            }
            begin->end = (bl_end_job_t *)job;
            begin->end->begin = begin;
        }
    }
}
