/* SPDX-License-Identifier: Apache-2.0 */
/*
 * d06_race - does a checkpoint beside writers of other processes lose rows?
 *
 * d06_race DIRECTORY SECONDS WRITERS CHECKPOINTERS guarded|unguarded
 *
 * Writers change, in turn, 61 rows and 1 row of 300 rows of 3 KB with an
 * index; each has rows of its own, so that it knows what must be there, and
 * reads six of them back by another connection, not through the index, after
 * each commit. Checkpointers make passive checkpoints without a pause. guarded
 * goes through the store's transactions and lock; unguarded is the same work
 * without the lock: it must fail with the SQLite of Debian 12, or the test
 * could not see the fault.
 *
 * Exit code: 0 sound, 1 rows were lost or the database is damaged, 2 the test
 * itself failed.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/errors.h"
#include "store/db.h"

#define ROWS 300
#define ROW_BYTES 3000
#define MANY 61
#define READ_BACK 6
#define PROCESSES_MOST 8

enum { SOUND, DAMAGED, BROKEN };

typedef struct race_t {
    char path[512];
    int seconds, writers, checkpointers, is_guarded;
    bl_lock_t *lock;
    bl_db_t *db, *other;
    long expected[ROWS + 1];
    unsigned long commits;
} race_t;

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int open_all(race_t *r)
{
    return bl_lock_open(&r->lock, r->path) == APR_SUCCESS &&
           bl_db_open(&r->db, r->path, BL_DB_CREATE, r->lock, NULL, 0) ==
               APR_SUCCESS &&
           bl_db_open(&r->other, r->path, BL_DB_READ, NULL, NULL, 0) ==
               APR_SUCCESS;
}

static void close_all(race_t *r)
{
    bl_db_close(r->other);
    bl_db_close(r->db);
    bl_lock_close(r->lock);
}

static apr_status_t begin(race_t *r)
{
    if (r->is_guarded) return bl_db_begin(r->db, 0);
    return bl_db_exec(r->db, "BEGIN IMMEDIATE");
}

static apr_status_t commit(race_t *r)
{
    if (r->is_guarded) return bl_db_commit(r->db);
    return bl_db_exec(r->db, "COMMIT");
}

static void give_up(race_t *r)
{
    if (r->is_guarded)
        bl_db_rollback(r->db);
    else
        bl_db_exec(r->db, "ROLLBACK");
}

static apr_status_t write_row(race_t *r, int row, long value)
{
    static const char sql[] = "UPDATE t SET k = ?2, data = randomblob(3000)"
                              " WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(r->db, sql);

    if (!st) return bl_db_failure(r->db);
    bl_db_int(st, 1, row);
    bl_db_int(st, 2, value);
    return bl_db_run(r->db, st, NULL);
}

/* SOUND, DAMAGED or BROKEN. Busy is none of them: then nothing was changed. */
static int judge(apr_status_t rv)
{
    if (rv == APR_SUCCESS || rv == BL_E_STORE_UNAVAILABLE) return SOUND;
    return rv == BL_E_STORE_CORRUPT || rv == BL_E_CONFLICT ? DAMAGED : BROKEN;
}

static int read_back(race_t *r, int row)
{
    static const char sql[] = "SELECT k, length(data) FROM t NOT INDEXED"
                              " WHERE id = ?1";
    sqlite3_stmt *st = bl_db_stmt(r->other, sql);
    long k = -1;
    apr_status_t rv;

    if (!st) return judge(bl_db_failure(r->other));
    bl_db_int(st, 1, row);
    rv = bl_db_step(r->other, st);
    if (rv == APR_SUCCESS) k = (long)sqlite3_column_int64(st, 0);
    bl_db_done(st);
    if (rv != APR_SUCCESS && rv != APR_EOF) return judge(rv);
    if (k == r->expected[row]) return SOUND;
    fprintf(stderr, "row %d: %ld was committed, %ld is there\n", row,
            r->expected[row], k);
    return DAMAGED;
}

/* Row i of this writer: each has every writers-th one. */
static int row_of(const race_t *r, int writer, long i)
{
    long mine = ROWS / r->writers;

    return (int)(i % mine * r->writers + writer + 1);
}

/* The fault needs a checkpointer that is stopped between two reads of the
 * log's index for as long as one small transaction lasts. On one processor,
 * with writers that wake up from a nap, that happens often. */
static void share_one_processor(void)
{
    cpu_set_t one;

    CPU_ZERO(&one);
    CPU_SET(0, &one);
    sched_setaffinity(0, sizeof(one), &one);
}

static void nap(void)
{
    struct timespec ts = {0, 200000};

    nanosleep(&ts, NULL);
}

static int one_transaction(race_t *r, int writer, int rows, long *pnext)
{
    long first = *pnext, i;
    apr_status_t rv = begin(r);

    if (rv != APR_SUCCESS) return judge(rv);
    for (i = 0; i < rows && rv == APR_SUCCESS; i++) {
        rv = write_row(r, row_of(r, writer, first + i), first + i);
    }
    if (rv != APR_SUCCESS) {
        give_up(r);
        return judge(rv);
    }
    rv = commit(r);
    if (rv != APR_SUCCESS) {
        if (!r->is_guarded) give_up(r);
        return judge(rv);
    }
    for (i = 0; i < rows; i++)
        r->expected[row_of(r, writer, first + i)] = first + i;
    *pnext = first + rows;
    r->commits++;
    for (i = 0; i < READ_BACK; i++) {
        int verdict = read_back(r, row_of(r, writer, first + rows - 1 - i));

        if (verdict != SOUND) return verdict;
        if (i + 1 == rows && rows == 1) i = READ_BACK;
    }
    return SOUND;
}

static int be_writer(race_t *r, int writer)
{
    double until = now() + r->seconds;
    long next = 1;
    int verdict = SOUND, n = 0;

    /* A writer has 61 rows at least only with up to four of them. */
    while (verdict == SOUND && now() < until) {
        verdict = one_transaction(r, writer, n++ % 2 ? 1 : MANY, &next);
        nap();
    }
    fprintf(stderr, "writer %d: %lu commits\n", writer, r->commits);
    if (r->commits < 10 && verdict == SOUND) verdict = BROKEN;
    return verdict;
}

static int be_checkpointer(race_t *r)
{
    double until = now() + r->seconds;
    unsigned long n = 0;
    int rc = SQLITE_OK;

    while (now() < until && (rc & 0xff) != SQLITE_CORRUPT) {
        if (r->is_guarded &&
            bl_lock_take(r->lock, 10000, NULL, NULL) != APR_SUCCESS) {
            continue;
        }
        rc = sqlite3_wal_checkpoint_v2(bl_db_handle(r->db), NULL,
                                       SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
        if (r->is_guarded) bl_lock_release(r->lock);
        n++;
    }
    fprintf(stderr, "checkpointer: %lu\n", n);
    return (rc & 0xff) == SQLITE_CORRUPT ? DAMAGED : SOUND;
}

static int fill(race_t *r)
{
    static const char sql[] =
        "CREATE TABLE t (id INTEGER PRIMARY KEY, k INTEGER, data BLOB);"
        "CREATE INDEX t_k ON t (k);"
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 300) INSERT INTO t SELECT i, 0, randomblob(3000) FROM n;";
    int ok = open_all(r) && bl_db_begin(r->db, 1) == APR_SUCCESS &&
             bl_db_exec(r->db, sql) == APR_SUCCESS &&
             bl_db_commit(r->db) == APR_SUCCESS;

    close_all(r);
    return ok;
}

/* A fresh process looks at all of it: table, index, structure. */
static int check(race_t *r)
{
    static const char sql_rows[] = "SELECT count(*) FROM t NOT INDEXED";
    static const char sql_index[] = "SELECT count(*) FROM t INDEXED BY t_k"
                                    " WHERE k >= 0";
    static const char sql_check[] = "PRAGMA integrity_check";
    apr_int64_t rows = 0, indexed = 0;
    sqlite3_stmt *st;
    int verdict = DAMAGED;

    if (!open_all(r)) return DAMAGED;
    bl_db_number(r->other, sql_rows, 0, &rows);
    bl_db_number(r->other, sql_index, 0, &indexed);
    st = bl_db_stmt(r->other, sql_check);
    if (bl_db_step(r->other, st) == APR_SUCCESS) {
        const char *line = (const char *)sqlite3_column_text(st, 0);

        fprintf(stderr, "integrity_check: %s; %ld rows, %ld in the index\n",
                line, (long)rows, (long)indexed);
        if (!strcmp(line, "ok") && rows == ROWS && indexed == ROWS) {
            verdict = SOUND;
        }
    }
    bl_db_done(st);
    close_all(r);
    return verdict;
}

static int in_process(race_t *r, int which)
{
    int verdict = BROKEN;
    pid_t pid = fork();

    if (pid) return pid;
    if (which < 0) _exit(check(r));
    share_one_processor();
    if (open_all(r)) {
        verdict = which < r->writers ? be_writer(r, which) : be_checkpointer(r);
    }
    close_all(r);
    _exit(verdict);
}

static int verdict_of(int status)
{
    return WIFEXITED(status) ? WEXITSTATUS(status) : BROKEN;
}

int main(int argc, char **argv)
{
    int i, status, worst = SOUND, n, pids[PROCESSES_MOST];
    race_t r;

    memset(&r, 0, sizeof(r));
    if (argc != 6) return BROKEN;
    snprintf(r.path, sizeof(r.path), "%s/race.db", argv[1]);
    r.seconds = (int)strtol(argv[2], NULL, 10);
    r.writers = (int)strtol(argv[3], NULL, 10);
    r.checkpointers = (int)strtol(argv[4], NULL, 10);
    r.is_guarded = !strcmp(argv[5], "guarded");
    n = r.writers + r.checkpointers;
    if (r.writers < 1 || r.writers > 4 || n > PROCESSES_MOST || !fill(&r)) {
        return BROKEN;
    }
    for (i = 0; i < n; i++)
        pids[i] = in_process(&r, i);
    for (i = 0; i < n; i++) {
        if (waitpid(pids[i], &status, 0) != pids[i]) return BROKEN;
        if (verdict_of(status) > worst) worst = verdict_of(status);
    }
    pids[0] = in_process(&r, -1);
    if (waitpid(pids[0], &status, 0) != pids[0]) return BROKEN;
    if (worst == SOUND || verdict_of(status) == BROKEN) {
        worst = verdict_of(status);
    }
    printf("%s, SQLite %s: %s\n", argv[5], sqlite3_libversion(),
           worst == SOUND     ? "sound"
           : worst == DAMAGED ? "damaged"
                              : "broken");
    return worst;
}
