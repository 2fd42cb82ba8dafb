/* SPDX-License-Identifier: Apache-2.0 */
/*
 * writer - the one thread that writes; many requests, one transaction.
 *
 * A job is queued and run in order. Jobs that are queued together share a
 * transaction; a transaction that cannot be made (busy, full, I/O error) is
 * tried again until it can, so that a disk that fills up costs no row (D01 -
 * D03). A job that fails by itself is left out and the rest is written. Calls
 * by bl_writer_do() wait for a transaction of their own and are not repeated.
 *
 * A transaction costs the same few pages whether it carries one answer or
 * thirty. So a first job waits for company: the longer the more jobs come, and
 * one that nobody looks for yet (is_patient) the longest.
 *
 * OWNERSHIP  a job put is the writer's: it calls job->drop. The writer owns
 *            nothing of what its jobs point to. db is borrowed.
 * THREADS    put: any, never waits for a disk. do: any but the reactor and the
 *            writer itself. run, tick: the writer's thread.
 * ERRORS     BL_E_STORE_UNAVAILABLE queue full, closing, or not in time;
 *            BL_E_STORE_CORRUPT from then on for good.
 */
#ifndef BL_WRITER_H
#define BL_WRITER_H

#include "base/bl.h"
#include "store/db.h"

#define BL_WRITER_PATIENCE_MS 100
#define BL_WRITER_BATCH_JOBS 512 /* most in one transaction */

typedef struct bl_writer_t bl_writer_t;
typedef struct bl_job_t bl_job_t;

struct bl_job_t {
    bl_job_t *next; /* the writer's; in its batch the one that comes after */
    size_t bytes;   /* what it holds, itself included */
    int is_patient; /* may wait BL_WRITER_PATIENCE_MS for its transaction */
    apr_status_t (*run)(bl_db_t *db, void *job); /* in a transaction */
    void (*drop)(bl_job_t *job);
};

typedef struct bl_writer_conf_t {
    bl_db_t *db;
    unsigned queue_jobs;
    size_t queue_bytes;
    bl_budget_t *budget; /* where the queue is counted, or NULL */
    /* Looks at the jobs of a transaction before it begins. */
    void (*join)(bl_job_t *batch);
    /* Every tick_ms, and after each bl_writer_do(), between transactions.
     * Answers after how many ms it wants to be called again; 0: tick_ms. */
    bl_ms_t (*tick)(void *ctx, bl_db_t *db, int is_after_do);
    void *tick_ctx;
    bl_ms_t tick_ms;
} bl_writer_conf_t;

apr_status_t bl_writer_create(bl_writer_t **pw, const bl_writer_conf_t *conf);

/* Takes the job also when it fails. */
apr_status_t bl_writer_put(bl_writer_t *w, bl_job_t *job);

/* Runs fn in a transaction that is on the disk when this answers. */
typedef apr_status_t bl_do_fn(bl_db_t *db, void *ctx);
apr_status_t bl_writer_do(bl_writer_t *w, bl_do_fn *fn, void *ctx,
                          bl_ms_t wait_ms);

/* Waits until all that was put before is written, at most wait_ms, and not at
 * all while the database cannot be written. */
void bl_writer_wait(bl_writer_t *w, bl_ms_t wait_ms);

/* Writes what is queued, for at most wait_ms, and ends the thread. Jobs that
 * were not written are counted in the log and dropped. No other call may be
 * under way. */
void bl_writer_destroy(bl_writer_t *w, bl_ms_t wait_ms);

typedef struct bl_writer_health_t {
    apr_status_t last; /* of the last transaction */
    apr_uint32_t queued;
    apr_uint64_t queued_bytes;
    apr_uint64_t transactions, rows;
} bl_writer_health_t;
void bl_writer_health(bl_writer_t *w, bl_writer_health_t *out);

#endif
