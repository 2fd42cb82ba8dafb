/* SPDX-License-Identifier: Apache-2.0 */
/* What the store does when the disk, the lock or the file fails it. */
#include "store_env.h"

#include "base/clock.h"
#include "base/log.h"
#include "fault_vfs.h"

#include "store/db.h"
#include "store/store_private.h"

#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

#define PATIENCE_S 60 /* a busy machine is no failure */

/* Until the queue is empty; 0 when it is not after so many seconds. */
static int drained(bl_store_t *s, double seconds)
{
    double until = now() + seconds;
    bl_store_health_t h;

    do {
        bl_store_health(s, &h);
        if (!h.queued) return 1;
        usleep(2000);
    } while (now() < until);
    return 0;
}

/* Until the newest transaction ended so. */
static int has_met(bl_store_t *s, apr_status_t rv)
{
    double until = now() + PATIENCE_S;
    bl_store_health_t h;

    do {
        bl_store_health(s, &h);
        if (h.last == rv) return 1;
        usleep(2000);
    } while (now() < until);
    return 0;
}

static void assert_sound(env_t *env)
{
    assert_string_equal(env_sql(env, "PRAGMA integrity_check"), "ok");
    assert_string_equal(env_sql(env, "PRAGMA foreign_key_check"), "");
}

static void one_answer(bl_store_t *s, int n)
{
    static const char *const words[] = {"some", " words", NULL};

    env_begin(s, n, "user:li", "c1", "q");
    env_say(s, n, 1, words);
    env_end(s, n, BL_OUTCOME_COMPLETED, "some words", 2);
}

static void assert_count(env_t *env, int n)
{
    char expected[32];

    snprintf(expected, sizeof(expected), "%d", n);
    assert_string_equal(env_sql(env, "SELECT count(*) FROM stream"
                                     " WHERE outcome = 1"),
                        expected);
}

/* D01, D02: one fault at every call of that kind in turn. The batch is kept
 * and written again; after each all of it is there. */
static void each_in_turn(fault_kind_t kind, int code)
{
    env_t env;
    int skip, n = 0;

    env_open(&env);
    one_answer(env.store, ++n);
    assert_true(drained(env.store, PATIENCE_S));
    for (skip = 0; skip < 200; skip++) {
        fault_arm(kind, skip, 1, code);
        one_answer(env.store, ++n);
        if (!drained(env.store, PATIENCE_S))
            fail_msg("stuck after fault %d", skip);
        if (!fault_hits()) break;
        /* After an I/O error nothing is known of what SQLite has in memory. */
        if (code == SQLITE_IOERR_WRITE) assert_true(fault_opens() > 0);
        fault_disarm();
        assert_count(&env, n);
    }
    fault_disarm();
    assert_true(skip >= 1 || kind != FAULT_WRITE);
    assert_count(&env, n);
    assert_sound(&env);
    env_close(&env);
}

static void test_d01_disk_full_at_each_write(void **state)
{
    (void)state;
    each_in_turn(FAULT_WRITE, SQLITE_FULL);
}

static void test_d02_io_error_at_each_write(void **state)
{
    (void)state;
    each_in_turn(FAULT_WRITE, SQLITE_IOERR_WRITE);
}

static void test_d02_io_error_at_each_read(void **state)
{
    (void)state;
    each_in_turn(FAULT_READ, SQLITE_IOERR_READ);
}

/* D02: a sync that fails, in calls that wait for the disk: the call says so,
 * the next one works. */
static void test_d02_failed_sync(void **state)
{
    env_t env;

    (void)state;
    env_open(&env);
    one_answer(env.store, 1);
    env_settle(env.store);
    fault_arm(FAULT_SYNC, 0, 1, SQLITE_IOERR_FSYNC);
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "new"),
                     BL_E_STORE_UNAVAILABLE);
    assert_int_equal(fault_hits(), 1);
    fault_disarm();
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "newer"),
                     APR_SUCCESS);
    assert_string_equal(env_sql(&env, "SELECT title FROM conversation"),
                        "newer");
    assert_sound(&env);
    env_close(&env);
}

/* What BL1407 said last; the writer's until its job is done. */
static char said[256];

static void note_line(bl_log_level_t level, apr_status_t rv, const char *line)
{
    (void)level;
    (void)rv;
    if (strstr(line, "BL1407")) snprintf(said, sizeof(said), "%s", line);
}

static apr_status_t has_no_memory(bl_db_t *db, void *ctx)
{
    static const char sql[] = "UPDATE conversation SET title = ''";

    (void)ctx;
    bl_db_run(db, bl_db_stmt(db, sql), NULL);
    return APR_ENOMEM;
}

/* R02, D02: and not what SQLite says of the roll-back that comes after. */
static void test_store_faults_log_says_the_real_reason(void **state)
{
    env_t env;

    (void)state;
    env_open(&env);
    one_answer(env.store, 1);
    env_settle(env.store);
    bl_log_install(note_line, BL_LOG_INFO);
    assert_int_equal(bl_store_do(env.store, has_no_memory, NULL), APR_ENOMEM);
    assert_non_null(strstr(said, "out of memory"));
    one_answer(env.store, 2);
    env_settle(env.store);
    fault_arm(FAULT_SYNC, 0, 1, SQLITE_IOERR_FSYNC);
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "new"),
                     BL_E_STORE_UNAVAILABLE);
    fault_disarm();
    assert_non_null(strstr(said, "disk I/O error"));
    bl_log_install(NULL, BL_LOG_WARNING);
    env_close(&env);
}

/* D01: full for a while. Answers wait in memory and arrive within 5 s after
 * there is room again; the health tells both. */
static void test_d01_full_for_a_while(void **state)
{
    bl_store_health_t h;
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    env_settle(env.store);
    fault_arm(FAULT_WRITE, 0, 1 << 30, SQLITE_FULL);
    for (i = 1; i <= 50; i++)
        one_answer(env.store, i);
    assert_true(has_met(env.store, BL_E_STORE_UNAVAILABLE));
    bl_store_health(env.store, &h);
    assert_int_equal(h.queued, 150);
    assert_int_equal(h.trouble, BL_TROUBLE_FULL);
    assert_true(h.free_bytes > 0); /* of the disk that the test uses */
    fault_disarm();
    assert_true(drained(env.store, PATIENCE_S));
    bl_store_health(env.store, &h);
    assert_int_equal(h.last, APR_SUCCESS);
    assert_int_equal(h.trouble, BL_TROUBLE_NONE);
    assert_count(&env, 50);
    assert_sound(&env);
    env_close(&env);
}

/* D08: turned read-only while running; the health tells it apart. */
static void test_d08_turned_read_only_is_told(void **state)
{
    bl_store_health_t h;
    env_t env;

    (void)state;
    env_open(&env);
    env_settle(env.store);
    fault_arm(FAULT_WRITE, 0, 1 << 30, SQLITE_READONLY);
    one_answer(env.store, 1);
    assert_true(has_met(env.store, BL_E_STORE_UNAVAILABLE));
    bl_store_health(env.store, &h);
    assert_int_equal(h.trouble, BL_TROUBLE_READONLY);
    fault_disarm();
    assert_true(drained(env.store, PATIENCE_S));
    assert_count(&env, 1);
    env_close(&env);
}

/* P10: the queue has a ceiling; above it a put says so, nothing is queued,
 * and no memory grows. */
static void test_p10_full_queue_is_told(void **state)
{
    char *big = malloc(8 << 20);
    apr_status_t rv = APR_SUCCESS;
    bl_store_health_t h;
    env_t env;
    int i;

    (void)state;
    memset(big, 'x', (8 << 20) - 1);
    big[(8 << 20) - 1] = '\0';
    env_open(&env);
    env_settle(env.store);
    fault_arm(FAULT_WRITE, 0, 1 << 30, SQLITE_FULL);
    for (i = 0; i < 40 && rv == APR_SUCCESS; i++) {
        bl_store_begin_t b;

        memset(&b, 0, sizeof(b));
        b.stream_id = env_id(i + 1);
        b.owner = "user:li";
        b.conversation_id = b.app = b.transport = "x";
        b.question = big;
        b.at = bl_clock_wall();
        rv = bl_store_put_begin(env.store, &b);
    }
    assert_int_equal(rv, BL_E_STORE_UNAVAILABLE);
    assert_in_range(i, 30, 34); /* 256 MiB of 8 MiB each */
    bl_store_health(env.store, &h);
    assert_in_range(h.queued_bytes, 240u << 20, BL_STORE_QUEUE_BYTES);
    fault_disarm();
    assert_true(drained(env.store, PATIENCE_S));
    one_answer(env.store, 1000);
    assert_true(drained(env.store, PATIENCE_S));
    free(big);
    env_close(&env);
}

/* D03: another process holds the database; writes wait and arrive, reads are
 * served meanwhile. */
static void test_d03_locked_by_another_process(void **state)
{
    bl_stored_stream_t st;
    bl_store_health_t h;
    sqlite3 *other;
    env_t env;

    (void)state;
    env_open(&env);
    one_answer(env.store, 1);
    env_settle(env.store);
    assert_int_equal(sqlite3_open(env.path, &other), SQLITE_OK);
    sqlite3_wal_autocheckpoint(other, 0);
    sqlite3_db_config(other, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    one_answer(env.store, 2);
    usleep(1200000);
    bl_store_health(env.store, &h);
    assert_int_equal(h.queued, 3);
    assert_int_equal(bl_store_stream(env.store, env_id(1), &st), APR_SUCCESS);
    assert_int_equal(sqlite3_exec(other, "COMMIT", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(other);
    assert_true(drained(env.store, PATIENCE_S));
    assert_count(&env, 2);
    env_close(&env);
}

/* A call that waits gives up in time, and is not made afterwards. */
static void test_d03_close_does_not_wait_for_ever(void **state)
{
    sqlite3 *other;
    double start;
    env_t env;

    (void)state;
    env_open(&env);
    env_settle(env.store);
    assert_int_equal(sqlite3_open(env.path, &other), SQLITE_OK);
    sqlite3_wal_autocheckpoint(other, 0);
    sqlite3_db_config(other, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
    assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL),
                     SQLITE_OK);
    one_answer(env.store, 1);
    usleep(50000);
    start = now();
    bl_store_close(env.store, 300);
    env.store = NULL;
    assert_true(now() - start < 8); /* the writer alone would wait for 10 s */
    sqlite3_exec(other, "COMMIT", NULL, NULL, NULL);
    sqlite3_close(other);
    assert_sound(&env);
    env_close(&env);
}

/* --- D07 -------------------------------------------------------------------
 */

static void overwrite(const char *path, off_t at, const char *bytes, size_t n)
{
    int fd = open(path, O_WRONLY);

    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, bytes, n, at), n);
    close(fd);
}

/* All that is in the log goes into the file, and the log is gone. */
static void close_and_flatten(env_t *env)
{
    char name[128];

    bl_store_close(env->store, 5000);
    env->store = NULL;
    env_sql(env, "PRAGMA wal_checkpoint(TRUNCATE)");
    snprintf(name, sizeof(name), "%s-wal", env->path);
    unlink(name);
    snprintf(name, sizeof(name), "%s-shm", env->path);
    unlink(name);
}

static void assert_not_opened(env_t *env, const char *what)
{
    bl_store_conf_t conf;
    char err[1024] = "";
    bl_store_t *s;
    apr_status_t rv;

    memset(&conf, 0, sizeof(conf));
    conf.path = env->path;
    rv = bl_store_open(&s, &conf, err, sizeof(err));
    if (rv == APR_SUCCESS) fail_msg("opened: %s", what);
    assert_null(s);
    if (rv != BL_E_STORE_CORRUPT || !strstr(err, "db check")) {
        fail_msg("%s: %d %s", what, rv, err);
    }
}

/* A broken file is refused with the command to run, and not touched. */
static void test_d07_broken_file_is_refused(void **state)
{
    char garbage[8192];
    struct stat before, after;
    env_t env;
    int i;

    (void)state;
    memset(garbage, 0x5a, sizeof(garbage));
    for (i = 0; i < 4; i++) {
        env_open(&env);
        one_answer(env.store, 1);
        env_settle(env.store);
        close_and_flatten(&env);
        if (i == 0) overwrite(env.path, 0, garbage, 100);    /* header */
        if (i == 1) overwrite(env.path, 100, garbage, 3000); /* schema page */
        if (i == 2) overwrite(env.path, 0, "just some text, no database", 27);
        if (i == 3) assert_int_equal(truncate(env.path, 5000), 0);
        assert_int_equal(stat(env.path, &before), 0);
        assert_not_opened(&env, i == 0   ? "header"
                                : i == 1 ? "schema page"
                                : i == 2 ? "text"
                                         : "cut");
        assert_int_equal(stat(env.path, &after), 0);
        assert_int_equal(before.st_size, after.st_size);
        env_close(&env);
    }
}

/* Found while running: reads that fail say so; nothing is written any more. */
static void test_d07_damage_found_while_writing_stops_writing(void **state)
{
    char garbage[4096];
    bl_store_begin_t b;
    struct stat st;
    off_t at;
    env_t env;

    (void)state;
    memset(garbage, 0x5a, sizeof(garbage));
    env_open(&env);
    one_answer(env.store, 1);
    env_settle(env.store);
    close_and_flatten(&env);
    assert_int_equal(stat(env.path, &st), 0);
    /* Page 1 stays, so that it opens; tables and indexes are broken. */
    env.store = env_second(&env);
    for (at = 4096 * 3; at < st.st_size; at += 4096)
        overwrite(env.path, at, garbage, sizeof(garbage));
    memset(&b, 0, sizeof(b));
    b.stream_id = env_id(2);
    b.owner = "user:li";
    b.conversation_id = b.app = b.transport = b.question = "x";
    b.at = bl_clock_wall();
    bl_store_put_begin(env.store, &b);
    assert_true(has_met(env.store, BL_E_STORE_CORRUPT));
    assert_int_equal(bl_store_put_begin(env.store, &b), BL_E_STORE_CORRUPT);
    assert_int_equal(bl_store_do_delete(env.store, "a", "b"),
                     BL_E_STORE_CORRUPT);
    env_close(&env);
}

/* --- D09 -------------------------------------------------------------------
 */

/* The file is moved away: that is noticed, nothing is written into it or
 * into another one; put back, all goes on. */
static void test_d09_file_moved_while_running(void **state)
{
    bl_stored_stream_t st;
    bl_store_health_t h;
    apr_status_t rv;
    char away[128];
    double until;
    env_t env;

    (void)state;
    env_open(&env);
    one_answer(env.store, 1);
    env_settle(env.store);
    assert_int_equal(bl_store_stream(env.store, env_id(1), &st), APR_SUCCESS);
    snprintf(away, sizeof(away), "%s.away", env.path);
    assert_int_equal(rename(env.path, away), 0);
    until = now() + PATIENCE_S;
    do {
        usleep(20000);
        rv = bl_store_stream(env.store, env_id(1), &st);
    } while (rv == APR_SUCCESS && now() < until);
    assert_int_equal(rv, BL_E_STORE_UNAVAILABLE);
    bl_store_health(env.store, &h);
    assert_int_equal(h.trouble, BL_TROUBLE_GONE);
    assert_int_equal(bl_store_do_rename(env.store, "user:li", "c1", "x"),
                     BL_E_STORE_UNAVAILABLE);
    assert_int_not_equal(access(env.path, F_OK), 0);
    assert_int_equal(rename(away, env.path), 0);
    until = now() + PATIENCE_S;
    do {
        usleep(20000);
        rv = bl_store_stream(env.store, env_id(1), &st);
    } while (rv != APR_SUCCESS && now() < until);
    assert_int_equal(rv, APR_SUCCESS);
    env_close(&env);
}

/* --- D04 ---------------------------------------------------------------- */

#define TURNS 500

typedef struct counter_t {
    const char *path;
    int failed;
} counter_t;

/* Reads, and writes what follows from it, each in one transaction. */
static void *count_up(void *ctx)
{
    counter_t *c = ctx;
    bl_lock_t *lock = NULL;
    bl_db_t *db = NULL;
    apr_int64_t n;
    int i;

    if (bl_lock_open(&lock, c->path) != APR_SUCCESS ||
        bl_db_open(&db, c->path, BL_DB_WRITE, lock, NULL, 0) != APR_SUCCESS)
    {
        c->failed = 1;
        return NULL;
    }
    bl_db_set_wait(db, 60000, NULL, NULL);
    for (i = 0; i < TURNS && !c->failed; i++) {
        sqlite3_stmt *st;

        c->failed =
            bl_db_begin(db, 0) != APR_SUCCESS ||
            bl_db_number(db, "SELECT n FROM d04", -1, &n) != APR_SUCCESS;
        st = bl_db_stmt(db, "UPDATE d04 SET n = ?1");
        if (!st || c->failed) break;
        bl_db_int(st, 1, n + 1);
        c->failed = bl_db_run(db, st, NULL) != APR_SUCCESS ||
                    bl_db_commit(db) != APR_SUCCESS;
    }
    c->failed |= i < TURNS;
    bl_db_close(db);
    bl_lock_close(lock);
    return NULL;
}

/* No second writer comes between the read and the write. */
static void test_d04_read_that_then_writes_loses_no_update(void **state)
{
    pthread_t threads[3];
    counter_t counters[3];
    char expected[32];
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    env_sql(&env, "CREATE TABLE d04 (n INTEGER NOT NULL)");
    env_sql(&env, "INSERT INTO d04 VALUES (0)");
    for (i = 0; i < 3; i++) {
        counters[i].path = env.path;
        counters[i].failed = 0;
        assert_int_equal(
            pthread_create(&threads[i], NULL, count_up, &counters[i]), 0);
    }
    for (i = 0; i < 3; i++)
        pthread_join(threads[i], NULL);
    for (i = 0; i < 3; i++)
        assert_false(counters[i].failed);
    snprintf(expected, sizeof(expected), "%d", 3 * TURNS);
    assert_string_equal(env_sql(&env, "SELECT n FROM d04"), expected);
    env_close(&env);
}

static int setup(void **state)
{
    (void)state;
    fault_install();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_d01_disk_full_at_each_write),
        cmocka_unit_test(test_d02_io_error_at_each_write),
        cmocka_unit_test(test_d02_io_error_at_each_read),
        cmocka_unit_test(test_d02_failed_sync),
        cmocka_unit_test(test_store_faults_log_says_the_real_reason),
        cmocka_unit_test(test_d01_full_for_a_while),
        cmocka_unit_test(test_d08_turned_read_only_is_told),
        cmocka_unit_test(test_p10_full_queue_is_told),
        cmocka_unit_test(test_d03_locked_by_another_process),
        cmocka_unit_test(test_d03_close_does_not_wait_for_ever),
        cmocka_unit_test(test_d07_broken_file_is_refused),
        cmocka_unit_test(test_d07_damage_found_while_writing_stops_writing),
        cmocka_unit_test(test_d09_file_moved_while_running),
        cmocka_unit_test(test_d04_read_that_then_writes_loses_no_update),
    };

    return cmocka_run_group_tests(tests, setup, NULL);
}
