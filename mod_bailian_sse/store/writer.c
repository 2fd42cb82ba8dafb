/* SPDX-License-Identifier: Apache-2.0 */
#include "store/writer.h"

#include "base/budget.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>

#define BATCH_BYTES (4u << 20)
#define WINDOW_LEAST_MS 4 /* how long a first job waits for company ... */
#define WINDOW_MOST_MS 40 /* ... when many come */
#define RETRY_FIRST_MS 50
#define RETRY_MOST_MS 1000

typedef enum { DO_QUEUED, DO_RUNNING, DO_DONE, DO_ABANDONED } do_state_t;

/* A bl_writer_do(): on the heap, because its caller may give up waiting. */
typedef struct do_job_t {
    bl_job_t job;
    bl_do_fn *fn;
    void *ctx; /* the caller's; not touched once abandoned */
    apr_status_t rv;
    do_state_t state; /* guarded by the writer's lock */
} do_job_t;

struct bl_writer_t {
    bl_writer_conf_t conf;
    pthread_t thread;
    pthread_mutex_t lock; /* guards every field below it */
    pthread_cond_t work;  /* the writer sleeps on it */
    pthread_cond_t done;  /* callers of do sleep on it */
    bl_job_t *head, **tail;
    unsigned queued; /* in the queue and in the batch */
    size_t queued_bytes;
    apr_int64_t due_ms;         /* the jobs in the queue wait no longer */
    unsigned last_jobs;         /* in the last batch */
    unsigned waiters;           /* in bl_writer_wait() */
    apr_uint64_t put, finished; /* jobs so far: taken in, done with */
    int is_closing;
    apr_int64_t deadline_ms; /* of the closing */
    apr_status_t last;
    apr_uint64_t transactions, rows;
    /* the writer's own */
    bl_log_gate_t failed_gate, job_gate;
    int was_failing;
};

/* Waits for real, also when a test has stopped the clock: so this asks the
 * system and not base/clock. */
static apr_int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void wait_until(bl_writer_t *w, pthread_cond_t *c, apr_int64_t at_ms)
{
    struct timespec ts;

    ts.tv_sec = (time_t)(at_ms / 1000);
    ts.tv_nsec = (long)(at_ms % 1000) * 1000000;
    pthread_cond_timedwait(c, &w->lock, &ts);
}

static int is_do(const bl_job_t *job)
{
    return job->run == NULL;
}

/* --- any thread --------------------------------------------------------- */

/* A millisecond for each job of the last batch: where more than one comes in a
 * millisecond the window grows, where few come it stays short. */
static apr_int64_t window_ms(const bl_writer_t *w, const bl_job_t *job)
{
    if (is_do(job)) return 0;
    if (job->is_patient) return BL_WRITER_PATIENCE_MS;
    if (w->last_jobs < WINDOW_LEAST_MS) return WINDOW_LEAST_MS;
    return w->last_jobs < WINDOW_MOST_MS ? w->last_jobs : WINDOW_MOST_MS;
}

/* Under the lock. 1: the writer may sleep for longer than this job can wait
 * and must be woken; so once for a burst of jobs. */
static int must_wake_for(bl_writer_t *w, const bl_job_t *job)
{
    int is_full =
        w->queued >= BL_WRITER_BATCH_JOBS || w->queued_bytes >= BATCH_BYTES;
    apr_int64_t due = is_full ? 0 : now_ms() + window_ms(w, job);

    if (w->head != job && due >= w->due_ms) return 0;
    w->due_ms = due;
    return 1;
}

/* --- how much waits; under the lock ------------------------------------- */

static void count_queued(bl_writer_t *w, size_t bytes)
{
    w->queued_bytes += bytes;
    bl_budget_pass(w->conf.budget, bytes);
}

static void count_gone(bl_writer_t *w, size_t bytes)
{
    w->queued_bytes -= bytes;
    bl_budget_passed(w->conf.budget, bytes);
}

/* Under the lock. */
static apr_status_t enqueue(bl_writer_t *w, bl_job_t *job, int *pmust_wake)
{
    *pmust_wake = 0;
    if (w->last == BL_E_STORE_CORRUPT) return w->last;
    if (w->is_closing || w->queued >= w->conf.queue_jobs ||
        w->queued_bytes + job->bytes > w->conf.queue_bytes)
    {
        return BL_E_STORE_UNAVAILABLE;
    }
    job->next = NULL;
    *w->tail = job;
    w->tail = &job->next;
    w->queued++;
    w->put++;
    count_queued(w, job->bytes);
    *pmust_wake = must_wake_for(w, job);
    return APR_SUCCESS;
}

apr_status_t bl_writer_put(bl_writer_t *w, bl_job_t *job)
{
    apr_status_t rv;
    int must_wake;

    pthread_mutex_lock(&w->lock);
    rv = enqueue(w, job, &must_wake);
    pthread_mutex_unlock(&w->lock);
    /* Not under the lock, for which it would wait at once. */
    if (must_wake) pthread_cond_signal(&w->work);
    if (rv != APR_SUCCESS) job->drop(job);
    return rv;
}

static void drop_do(bl_job_t *job)
{
    free(job);
}

apr_status_t bl_writer_do(bl_writer_t *w, bl_do_fn *fn, void *ctx,
                          bl_ms_t wait_ms)
{
    do_job_t *d = calloc(1, sizeof(*d));
    apr_int64_t until = now_ms() + wait_ms;
    apr_status_t rv;
    int must_wake;

    if (!d) return APR_ENOMEM;
    d->job.bytes = sizeof(*d);
    d->job.drop = drop_do;
    d->fn = fn;
    d->ctx = ctx;
    d->rv = BL_E_STORE_UNAVAILABLE;
    pthread_mutex_lock(&w->lock);
    rv = enqueue(w, &d->job, &must_wake);
    if (rv != APR_SUCCESS) {
        pthread_mutex_unlock(&w->lock);
        free(d);
        return rv;
    }
    if (must_wake) pthread_cond_signal(&w->work);
    /* Once it runs its end is awaited: it uses what is on our stack, and it
     * is bounded by the waits of the connection. */
    while (d->state == DO_RUNNING ||
           (d->state == DO_QUEUED && now_ms() < until))
        wait_until(w, &w->done,
                   d->state == DO_RUNNING ? now_ms() + 1000 : until);
    if (d->state == DO_DONE) {
        rv = d->rv;
        pthread_mutex_unlock(&w->lock);
        free(d);
        return rv;
    }
    d->state = DO_ABANDONED; /* the writer frees it, unrun */
    pthread_mutex_unlock(&w->lock);
    return BL_E_STORE_UNAVAILABLE;
}

void bl_writer_wait(bl_writer_t *w, bl_ms_t wait_ms)
{
    apr_int64_t until = now_ms() + wait_ms;
    apr_uint64_t mine;

    pthread_mutex_lock(&w->lock);
    mine = w->put;
    w->waiters++;
    pthread_cond_signal(&w->work); /* the window is over */
    while (w->finished < mine && w->last == APR_SUCCESS && now_ms() < until)
        wait_until(w, &w->done, until);
    w->waiters--;
    pthread_mutex_unlock(&w->lock);
}

void bl_writer_health(bl_writer_t *w, bl_writer_health_t *out)
{
    pthread_mutex_lock(&w->lock);
    out->last = w->last;
    out->queued = w->queued;
    out->queued_bytes = w->queued_bytes;
    out->transactions = w->transactions;
    out->rows = w->rows;
    pthread_mutex_unlock(&w->lock);
}

/* --- the writer's thread ------------------------------------------------ */

static int is_over(void *ctx)
{
    bl_writer_t *w = ctx;
    int over;

    pthread_mutex_lock(&w->lock);
    over = w->is_closing && now_ms() >= w->deadline_ms;
    pthread_mutex_unlock(&w->lock);
    return over;
}

/* Sleeps until jobs are due, the tick is, or the end. Under the lock. */
static void wait_for_work(bl_writer_t *w, apr_int64_t next_tick)
{
    while (!w->is_closing) {
        apr_int64_t now = now_ms(), until = next_tick;

        if (w->head && (w->waiters || now >= w->due_ms)) return;
        if (now >= next_tick) return;
        if (w->head && w->due_ms < until) until = w->due_ms;
        wait_until(w, &w->work, until);
    }
}

/* What goes into the next transaction: a do alone, or jobs up to the next do.
 * Under the lock. */
static bl_job_t *take_batch(bl_writer_t *w)
{
    bl_job_t *first = w->head, *job, **end = &w->head;
    size_t bytes = 0;
    unsigned n = 0;

    for (job = first; job && n < BL_WRITER_BATCH_JOBS && bytes < BATCH_BYTES;
         job = job->next)
    {
        if (is_do(job) && n) break;
        n++;
        bytes += job->bytes;
        end = &job->next;
        if (is_do(job)) break;
    }
    if (!n) return NULL;
    w->head = *end;
    *end = NULL;
    if (!w->head) w->tail = &w->head;
    return first;
}

static void tell_lost(unsigned n)
{
    bl_log(BL_LOG_ERR, 0,
           BL_LOGNO(1409) "%u requests to the database were not written", n);
}

static void forget_batch(bl_writer_t *w, bl_job_t *batch, apr_status_t rv,
                         unsigned rows)
{
    unsigned n = 0;
    size_t bytes = 0;

    while (batch) {
        bl_job_t *next = batch->next;

        n++;
        bytes += batch->bytes;
        batch->drop(batch);
        batch = next;
    }
    if (rv != APR_SUCCESS) tell_lost(n);
    pthread_mutex_lock(&w->lock);
    w->queued -= n;
    w->finished += n;
    count_gone(w, bytes);
    w->last = rv;
    w->last_jobs = n;
    if (w->waiters) pthread_cond_broadcast(&w->done);
    if (rv == APR_SUCCESS) {
        w->transactions++;
        w->rows += rows;
    }
    pthread_mutex_unlock(&w->lock);
}

/* These are about the database, all others about one job. */
static int is_of_database(apr_status_t rv)
{
    return rv == BL_E_STORE_UNAVAILABLE || rv == BL_E_STORE_CORRUPT ||
           rv == APR_ENOMEM;
}

static apr_status_t run_one(bl_writer_t *w, bl_job_t *job, int is_guarded)
{
    bl_db_t *db = w->conf.db;
    apr_status_t rv = APR_SUCCESS;
    unsigned count;

    if (is_guarded) {
        rv = bl_db_run(db, bl_db_stmt(db, "SAVEPOINT job"), NULL);
    }
    if (rv == APR_SUCCESS) rv = job->run(db, job);
    if (!is_guarded || is_of_database(rv)) return rv;
    if (rv != APR_SUCCESS) {
        count = bl_log_gate(&w->job_gate);
        if (count) {
            bl_log(BL_LOG_WARNING, 0,
                   BL_LOGNO(1406) "%u requests to the database were refused: "
                                  "%s",
                   count, bl_error(rv)->code);
        }
        rv = bl_db_run(db, bl_db_stmt(db, "ROLLBACK TO job"), NULL);
    }
    if (rv == APR_SUCCESS) {
        rv = bl_db_run(db, bl_db_stmt(db, "RELEASE job"), NULL);
    }
    return rv;
}

/* First without savepoints, which cost time in each job; when one job spoils
 * the transaction, again with them. */
static apr_status_t write_batch(bl_writer_t *w, bl_job_t *batch,
                                unsigned *prows)
{
    bl_db_t *db = w->conf.db;
    int is_guarded;
    apr_status_t rv = APR_SUCCESS;
    bl_job_t *job;

    for (is_guarded = 0; is_guarded < 2; is_guarded++) {
        *prows = 0;
        rv = bl_db_begin(db, 0);
        if (rv != APR_SUCCESS) return rv;
        for (job = batch; job && rv == APR_SUCCESS; job = job->next) {
            rv = run_one(w, job, is_guarded);
            ++*prows;
        }
        if (rv == APR_SUCCESS) return bl_db_commit(db);
        bl_db_rollback(db);
        if (is_of_database(rv)) return rv;
    }
    return rv;
}

/* Not sqlite3_errmsg(): what came since, a roll-back say, has its own. */
static const char *reason_of(bl_db_t *db, apr_status_t rv)
{
    if (rv == APR_ENOMEM) return sqlite3_errstr(SQLITE_NOMEM);
    if (rv == BL_E_STORE_CORRUPT) return sqlite3_errstr(SQLITE_CORRUPT);
    return bl_db_handle(db) ? sqlite3_errstr(bl_db_trouble(db)) : "not open";
}

static void tell_failing(bl_writer_t *w, apr_status_t rv)
{
    unsigned count = bl_log_gate(&w->failed_gate);

    w->was_failing = 1;
    if (!count) return;
    bl_log(BL_LOG_ERR, 0,
           BL_LOGNO(1407) "the database cannot be written (%u times): %s; %s",
           count, reason_of(w->conf.db, rv),
           rv == BL_E_STORE_CORRUPT
               ? "it is damaged, nothing is written any more: run "
                 "\"bailianctl db check\""
               : "answers wait in memory and are written when it can be");
}

static void tell_working(bl_writer_t *w)
{
    if (!w->was_failing) return;
    w->was_failing = 0;
    memset(&w->failed_gate, 0, sizeof(w->failed_gate));
    bl_log(BL_LOG_INFO, 0, BL_LOGNO(1408) "the database is written again");
}

static void note_last(bl_writer_t *w, apr_status_t rv)
{
    pthread_mutex_lock(&w->lock);
    w->last = rv;
    if (w->waiters) pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
}

/* After an I/O error nothing is known of what SQLite holds in memory (D02). */
static int needs_reopen(bl_db_t *db)
{
    sqlite3 *h = bl_db_handle(db);

    return !h || (sqlite3_errcode(h) & 0xff) == SQLITE_IOERR;
}

static void pause_for(bl_writer_t *w, apr_int64_t ms)
{
    apr_int64_t until = now_ms() + ms;

    pthread_mutex_lock(&w->lock);
    if (w->is_closing && until > w->deadline_ms) until = w->deadline_ms;
    /* Wake-ups of new jobs do not count here. */
    while (now_ms() < until)
        wait_until(w, &w->work, until);
    pthread_mutex_unlock(&w->lock);
}

static void run_batch(bl_writer_t *w, bl_job_t *batch)
{
    apr_int64_t pause = RETRY_FIRST_MS;
    unsigned rows = 0;
    apr_status_t rv;

    w->conf.join(batch);
    while ((rv = write_batch(w, batch, &rows)) != APR_SUCCESS) {
        int is_io = needs_reopen(w->conf.db);

        tell_failing(w, rv);
        note_last(w, rv);
        if (!is_of_database(rv) || rv == BL_E_STORE_CORRUPT || is_over(w)) {
            break;
        }
        pause_for(w, pause);
        if (pause < RETRY_MOST_MS) pause *= 2;
        if (is_io) bl_db_reopen(w->conf.db);
    }
    if (rv == APR_SUCCESS) tell_working(w);
    forget_batch(w, batch, rv, rows);
}

static void run_do(bl_writer_t *w, do_job_t *d)
{
    bl_db_t *db = w->conf.db;
    apr_status_t rv;
    int is_abandoned;

    pthread_mutex_lock(&w->lock);
    is_abandoned = d->state == DO_ABANDONED;
    if (!is_abandoned) d->state = DO_RUNNING;
    pthread_mutex_unlock(&w->lock);
    if (is_abandoned) {
        forget_batch(w, &d->job, APR_SUCCESS, 0);
        return;
    }
    rv = bl_db_begin(db, 1);
    if (rv == APR_SUCCESS) {
        rv = d->fn(db, d->ctx);
        if (rv == APR_SUCCESS)
            rv = bl_db_commit(db);
        else
            bl_db_rollback(db);
    }
    if (is_of_database(rv)) tell_failing(w, rv);
    if (rv != APR_SUCCESS && needs_reopen(db)) bl_db_reopen(db);
    if (rv == APR_SUCCESS) w->conf.tick(w->conf.tick_ctx, db, 1);
    pthread_mutex_lock(&w->lock);
    w->queued--;
    w->finished++;
    count_gone(w, d->job.bytes);
    w->last = is_of_database(rv) ? rv : APR_SUCCESS;
    w->transactions += rv == APR_SUCCESS;
    d->rv = rv;
    d->state = DO_DONE; /* from here on it is the caller's */
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static void *writer_main(void *arg)
{
    bl_writer_t *w = arg;
    apr_int64_t next_tick = 0;
    bl_ms_t again;
    bl_job_t *batch;

    prctl(PR_SET_NAME, "bl-writer");
    pthread_mutex_lock(&w->lock);
    while (!w->is_closing || (w->head && now_ms() < w->deadline_ms &&
                              w->last != BL_E_STORE_CORRUPT))
    {
        if (now_ms() >= next_tick) {
            pthread_mutex_unlock(&w->lock);
            again = w->conf.tick(w->conf.tick_ctx, w->conf.db, 0);
            next_tick = now_ms() + (again ? again : w->conf.tick_ms);
            pthread_mutex_lock(&w->lock);
        }
        wait_for_work(w, next_tick);
        batch = take_batch(w);
        if (!batch) continue;
        pthread_mutex_unlock(&w->lock);
        if (is_do(batch))
            run_do(w, (do_job_t *)batch);
        else
            run_batch(w, batch);
        bl_db_checkpoint(w->conf.db, 0);
        pthread_mutex_lock(&w->lock);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

/* --- life --------------------------------------------------------------- */

static apr_status_t init_sync(bl_writer_t *w)
{
    int code = pthread_mutex_init(&w->lock, NULL);

    if (!code) code = bl_cond_init(&w->work);
    if (!code) code = bl_cond_init(&w->done);
    return code;
}

apr_status_t bl_writer_create(bl_writer_t **pw, const bl_writer_conf_t *conf)
{
    bl_writer_t *w = calloc(1, sizeof(*w));
    int code;

    *pw = NULL;
    if (!w) return APR_ENOMEM;
    w->conf = *conf;
    w->tail = &w->head;
    code = init_sync(w);
    if (!code) {
        bl_db_set_wait(conf->db, 10000, is_over, w);
        code = bl_thread_start(&w->thread, writer_main, w);
    }
    if (code) {
        free(w);
        return code;
    }
    *pw = w;
    return APR_SUCCESS;
}

/* What could not be written in time. A do that waits is told so. */
static void drop_rest(bl_writer_t *w)
{
    unsigned lost = 0;
    bl_job_t *job;

    pthread_mutex_lock(&w->lock);
    while ((job = w->head) != NULL) {
        do_job_t *d = (do_job_t *)job;

        w->head = job->next;
        if (is_do(job) && d->state == DO_QUEUED) {
            d->state = DO_DONE;
            continue;
        }
        lost += !is_do(job);
        job->drop(job);
    }
    w->tail = &w->head;
    pthread_cond_broadcast(&w->done);
    pthread_mutex_unlock(&w->lock);
    if (lost) tell_lost(lost);
}

void bl_writer_destroy(bl_writer_t *w, bl_ms_t wait_ms)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->is_closing = 1;
    w->deadline_ms = now_ms() + wait_ms;
    pthread_cond_signal(&w->work);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    drop_rest(w);
    bl_db_set_wait(w->conf.db, 0, NULL, NULL);
    pthread_cond_destroy(&w->done);
    pthread_cond_destroy(&w->work);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
