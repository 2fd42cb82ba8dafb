/* SPDX-License-Identifier: Apache-2.0 */
/* Where a database may lie, its lock, and the way to the newest schema. */
#include "store_env.h"

#include "base/asset.h"
#include "store/db.h"
#include "store/migrate.h"
#include "store/path.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static char err[1024];

#define STEP(text)                                                             \
    {                                                                          \
        .name = "step.sql", .data = (const unsigned char *)(text)              \
    }

static const bl_asset_t steps[] = {
    STEP("CREATE TABLE a (x INTEGER) STRICT; PRAGMA user_version = 1;"),
    STEP("CREATE TABLE b (x INTEGER) STRICT; INSERT INTO b VALUES (7);"
         "PRAGMA user_version = 2;"),
    STEP("CREATE TABLE c (x INTEGER) STRICT; INSERT INTO absent VALUES (1);"
         "PRAGMA user_version = 3;"),
    STEP("CREATE TABLE d (x INTEGER) STRICT;"),
};

typedef struct place_t {
    env_t env;
    bl_lock_t *lock;
    bl_db_t *db;
} place_t;

static void place_open(place_t *p)
{
    env_make(&p->env);
    assert_int_equal(bl_lock_open(&p->lock, p->env.path), APR_SUCCESS);
    assert_int_equal(bl_db_open(&p->db, p->env.path, BL_DB_CREATE, p->lock, err,
                                sizeof(err)),
                     APR_SUCCESS);
}

static void place_close(place_t *p)
{
    bl_db_close(p->db);
    bl_lock_close(p->lock);
    env_close(&p->env);
}

static const char *schema(place_t *p)
{
    return env_sql(&p->env, "SELECT user_version FROM pragma_user_version"
                            " UNION ALL SELECT group_concat(name, ',') FROM"
                            " (SELECT name FROM sqlite_schema ORDER BY name)");
}

/* --- migration -------------------------------------------------------------
 */

/* An empty file gets the newest schema, a second time changes nothing. */
static void test_migrate_from_nothing(void **state)
{
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 2, 1, err, 1024),
                     APR_SUCCESS);
    assert_string_equal(schema(&p), "2|a,b");
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 2, 0, err, 1024),
                     APR_SUCCESS);
    assert_string_equal(schema(&p), "2|a,b");
    place_close(&p);
}

/* D12: from an older schema; a copy from before stands beside it. */
static void test_migrate_d12_keeps_a_copy_from_before(void **state)
{
    char copy[128];
    struct stat st;
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 1, 1, err, 1024),
                     APR_SUCCESS);
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 2, 0, err, 1024),
                     BL_E_STORE_UNAVAILABLE);
    assert_non_null(strstr(err, "db migrate"));
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 2, 1, err, 1024),
                     APR_SUCCESS);
    assert_string_equal(schema(&p), "2|a,b");
    snprintf(copy, sizeof(copy), "%s.before-2", p.env.path);
    assert_int_equal(stat(copy, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    snprintf(p.env.path, sizeof(p.env.path), "%s/bailian.db.before-2",
             p.env.dir);
    assert_string_equal(schema(&p), "1|a");
    place_close(&p);
}

/* D12: a step that fails in its middle leaves the old schema, whole. */
static void test_migrate_d12_failed_step_changes_nothing(void **state)
{
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 1, 1, err, 1024),
                     APR_SUCCESS);
    assert_int_not_equal(bl_migrate(p.db, p.env.path, steps, 3, 1, err, 1024),
                         APR_SUCCESS);
    assert_non_null(strstr(err, "as it was"));
    assert_string_equal(schema(&p), "1|a");
    place_close(&p);
}

static void test_migrate_step_must_set_its_number(void **state)
{
    const bl_asset_t wrong[] = {steps[3]};
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_not_equal(bl_migrate(p.db, p.env.path, wrong, 1, 1, err, 1024),
                         APR_SUCCESS);
    assert_string_equal(schema(&p), "0|NULL");
    place_close(&p);
}

/* P12 */
static void test_migrate_p12_newer_schema_is_refused(void **state)
{
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 2, 1, err, 1024),
                     APR_SUCCESS);
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 1, 1, err, 1024),
                     BL_E_STORE_UNAVAILABLE);
    assert_non_null(strstr(err, "newer"));
    assert_string_equal(schema(&p), "2|a,b");
    place_close(&p);
}

static void test_migrate_leaves_a_foreign_database_alone(void **state)
{
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_db_exec(p.db, "CREATE TABLE theirs (x)"), APR_SUCCESS);
    assert_int_equal(bl_migrate(p.db, p.env.path, steps, 2, 1, err, 1024),
                     BL_E_STORE_UNAVAILABLE);
    assert_non_null(strstr(err, "another program"));
    assert_string_equal(schema(&p), "0|theirs");
    place_close(&p);
}

/* D12: three children at once: one does it, the others wait. */
static void test_migrate_d12_three_children_at_once(void **state)
{
    int i, round, status;
    env_t env;

    (void)state;
    for (round = 0; round < 5; round++) {
        env_make(&env);
        for (i = 0; i < 3; i++) {
            if (fork()) continue;
            env.store = env_second(&env);
            bl_store_close(env.store, 1000);
            _exit(0);
        }
        for (i = 0; i < 3; i++) {
            assert_true(wait(&status) > 0);
            assert_int_equal(status, 0);
        }
        assert_string_equal(env_sql(&env, "SELECT count(*) FROM setting"
                                          " WHERE name = 'catalog_version'"),
                            "1");
        env_close(&env);
    }
}

/* --- the lock --------------------------------------------------------------
 */

static void test_lock_excludes_and_gives_up_in_time(void **state)
{
    bl_lock_t *other;
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_lock_open(&other, p.env.path), APR_SUCCESS);
    assert_int_equal(bl_lock_take(p.lock, 0, NULL, NULL), APR_SUCCESS);
    assert_int_equal(bl_lock_take(other, 20, NULL, NULL),
                     BL_E_STORE_UNAVAILABLE);
    bl_lock_release(p.lock);
    assert_int_equal(bl_lock_take(other, 20, NULL, NULL), APR_SUCCESS);
    bl_lock_close(other); /* lets go of all it holds */
    assert_int_equal(bl_lock_take(p.lock, 0, NULL, NULL), APR_SUCCESS);
    bl_lock_release(p.lock);
    place_close(&p);
}

static int always(void *ctx)
{
    ++*(int *)ctx;
    return 1;
}

static void test_lock_wait_can_be_ended(void **state)
{
    bl_lock_t *other;
    int asked = 0;
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_lock_open(&other, p.env.path), APR_SUCCESS);
    assert_int_equal(bl_lock_take(other, 0, NULL, NULL), APR_SUCCESS);
    assert_int_equal(bl_lock_take(p.lock, 60000, always, &asked),
                     BL_E_STORE_UNAVAILABLE);
    assert_int_equal(asked, 1);
    bl_lock_close(other);
    place_close(&p);
}

/* A deleted lock file guards nothing any more: it is not taken for one. */
static void test_lock_deleted_file_is_no_lock(void **state)
{
    char name[128];
    place_t p;

    (void)state;
    place_open(&p);
    assert_true(bl_lock_is_in_place(p.lock));
    snprintf(name, sizeof(name), "%s.lock", p.env.path);
    unlink(name);
    assert_int_equal(bl_lock_take(p.lock, 0, NULL, NULL),
                     BL_E_STORE_UNAVAILABLE);
    assert_false(bl_lock_is_in_place(p.lock));
    place_close(&p);
}

static void test_lock_child_bytes(void **state)
{
    bl_lock_t *other;
    place_t p;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_lock_open(&other, p.env.path), APR_SUCCESS);
    assert_int_equal(bl_lock_take_child(p.lock, 0x3fffffffffffffff),
                     APR_SUCCESS);
    assert_int_equal(bl_lock_take_child(other, 0x3fffffffffffffff), APR_EBUSY);
    assert_int_equal(bl_lock_take_child(other, 1), APR_SUCCESS);
    assert_int_equal(bl_lock_take(other, 0, NULL, NULL), APR_SUCCESS);
    bl_lock_close(other);
    place_close(&p);
}

static void add_id(void *ctx, apr_int64_t child_id)
{
    apr_int64_t *sums = ctx;

    sums[0]++;
    sums[1] += child_id;
}

static void test_lock_finds_every_child(void **state)
{
    static const apr_int64_t ids[] = {1, 2, 77, 1 << 30, BL_LOCK_CHILD_MOST};
    apr_int64_t sums[2] = {0, 0}, sum = 0;
    bl_lock_t *others[5];
    place_t p;
    int i;

    (void)state;
    place_open(&p);
    for (i = 0; i < 5; i++) {
        assert_int_equal(bl_lock_open(&others[i], p.env.path), APR_SUCCESS);
        assert_int_equal(bl_lock_take_child(others[i], ids[i]), APR_SUCCESS);
        sum += i < 4 ? ids[i] : 0;
    }
    bl_lock_each_child(p.lock, 1, BL_LOCK_CHILD_MOST, add_id, sums);
    assert_int_equal(sums[0], 5);
    assert_true(sums[1] == sum + BL_LOCK_CHILD_MOST);
    for (i = 0; i < 5; i++)
        bl_lock_close(others[i]);
    sums[0] = 0;
    bl_lock_each_child(p.lock, 1, BL_LOCK_CHILD_MOST, add_id, sums);
    assert_int_equal(sums[0], 0);
    place_close(&p);
}

/* D06: on every connection, readers too. */
static void test_db_d06_no_automatic_checkpoint_anywhere(void **state)
{
    apr_int64_t pages = -1;
    bl_db_t *reader;
    place_t p;
    int is_off;

    (void)state;
    place_open(&p);
    assert_true(bl_db_is_guarded(p.db));
    assert_int_equal(
        bl_db_open(&reader, p.env.path, BL_DB_READ, NULL, err, sizeof(err)),
        APR_SUCCESS);
    sqlite3_db_config(bl_db_handle(reader), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE,
                      -1, &is_off);
    assert_int_equal(is_off, 1);
    assert_int_equal(
        bl_db_number(reader, "PRAGMA wal_autocheckpoint", -1, &pages),
        APR_SUCCESS);
    assert_int_equal(pages, 0);
    assert_int_equal(bl_db_exec(reader, "CREATE TABLE x (y)"),
                     BL_E_STORE_UNAVAILABLE);
    bl_db_close(reader);
    place_close(&p);
}

/* D05: the log does not grow without end, and is emptied once it did. */
static void test_db_d05_log_stays_small(void **state)
{
    static const char sql_fill[] =
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n"
        " WHERE i < 1000) INSERT INTO t SELECT randomblob(4000) FROM n";
    static const char sql_read[] = "SELECT count(*) FROM t";
    apr_uint64_t most = 0;
    bl_db_t *reader;
    apr_int64_t n;
    place_t p;
    int i;

    (void)state;
    place_open(&p);
    assert_int_equal(bl_db_exec(p.db, "CREATE TABLE t (x)"), APR_SUCCESS);
    for (i = 0; i < 30; i++) {
        assert_int_equal(bl_db_begin(p.db, 0), APR_SUCCESS);
        assert_int_equal(bl_db_exec(p.db, sql_fill), APR_SUCCESS);
        assert_int_equal(bl_db_commit(p.db), APR_SUCCESS);
        bl_db_checkpoint(p.db, 0);
        if (bl_db_wal_bytes(p.db) > most) most = bl_db_wal_bytes(p.db);
    }
    assert_in_range(most, 1, 64 << 20);
    /* With a reader that does not end it must grow; then it is emptied. */
    assert_int_equal(
        bl_db_open(&reader, p.env.path, BL_DB_READ, NULL, err, sizeof(err)),
        APR_SUCCESS);
    assert_int_equal(bl_db_exec(reader, "BEGIN"), APR_SUCCESS);
    assert_int_equal(bl_db_number(reader, sql_read, 0, &n), APR_SUCCESS);
    for (i = 0; i < 30; i++) {
        assert_int_equal(bl_db_begin(p.db, 0), APR_SUCCESS);
        assert_int_equal(bl_db_exec(p.db, sql_fill), APR_SUCCESS);
        assert_int_equal(bl_db_commit(p.db), APR_SUCCESS);
        bl_db_checkpoint(p.db, 0);
    }
    assert_true(bl_db_wal_bytes(p.db) > (64 << 20));
    assert_int_equal(bl_db_exec(reader, "ROLLBACK"), APR_SUCCESS);
    bl_db_checkpoint(p.db, 1);
    assert_in_range(bl_db_wal_bytes(p.db), 0, 64 << 20);
    bl_db_close(reader);
    place_close(&p);
}

/* --- where it lies: D08 ----------------------------------------------------
 */

static void assert_refused(const char *path, const char *reason)
{
    err[0] = '\0';
    assert_int_equal(bl_store_check_path(path, err, sizeof(err)),
                     BL_E_STORE_UNAVAILABLE);
    if (!strstr(err, reason)) fail_msg("\"%s\" is not in: %s", reason, err);
}

static void test_path_d08_is_refused_with_the_reason(void **state)
{
    char other[128], name[160];
    env_t env;

    (void)state;
    env_open(&env);
    assert_int_equal(bl_store_check_path(env.path, err, sizeof(err)),
                     APR_SUCCESS);
    assert_refused("bailian.db", "absolute");
    assert_refused("/tmp/", "absolute");
    assert_refused("/nowhere/at/all/x.db", "make it");
    assert_refused("/tmp/x.db", "chmod 0700");
    assert_refused("/tmp/x?mode=ro", "must not hold");
    chmod(env.path, 0640);
    assert_refused(env.path, "chmod 0600");
    chmod(env.path, 0600);
    snprintf(other, sizeof(other), "%s/other.db", env.dir);
    assert_int_equal(symlink(env.path, other), 0);
    assert_refused(other, "symbolic link");
    unlink(other);
    assert_int_equal(link(env.path, other), 0);
    assert_refused(env.path, "second name");
    unlink(other);
    assert_int_equal(mkdir(other, 0700), 0);
    assert_refused(other, "regular file");
    rmdir(other);
    assert_int_equal(mkfifo(other, 0600), 0);
    assert_refused(other, "regular file");
    unlink(other);
    snprintf(name, sizeof(name), "%s-wal", env.path);
    chmod(name, 0644);
    assert_refused(env.path, "-wal is open to other users");
    chmod(name, 0600);
    chmod(env.dir, 0750);
    assert_refused(env.path, "chmod 0700");
    chmod(env.dir, 0700);
    if (geteuid() == 0) {
        assert_int_equal(chown(env.path, 12345, 12345), 0);
        assert_refused(env.path, "belongs to user 12345");
        assert_int_equal(chown(env.path, 0, 0), 0);
    }
    env_close(&env);
}

/* Root beside a database of somebody else would leave files of root. */
static void test_path_store_of_another_user_is_not_opened(void **state)
{
    bl_store_conf_t conf;
    bl_store_t *s;
    env_t env;

    (void)state;
    if (geteuid() != 0) skip();
    env_make(&env);
    assert_int_equal(chown(env.dir, 12345, 12345), 0);
    memset(&conf, 0, sizeof(conf));
    conf.path = env.path;
    assert_int_equal(bl_store_open(&s, &conf, err, sizeof(err)),
                     BL_E_STORE_UNAVAILABLE);
    assert_null(s);
    assert_non_null(strstr(err, "runs as user 0"));
    assert_int_not_equal(access(env.path, F_OK), 0);
    env_close(&env);
}

static void test_path_files_are_made_for_their_owner_only(void **state)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", ".lock"};
    mode_t old = umask(0);
    char name[128];
    struct stat st;
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    umask(old);
    for (i = 0; i < 4; i++) {
        snprintf(name, sizeof(name), "%s%s", env.path, suffixes[i]);
        assert_int_equal(stat(name, &st), 0);
        assert_int_equal(st.st_mode & 0777, 0600);
    }
    env_close(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_migrate_from_nothing),
        cmocka_unit_test(test_migrate_d12_keeps_a_copy_from_before),
        cmocka_unit_test(test_migrate_d12_failed_step_changes_nothing),
        cmocka_unit_test(test_migrate_step_must_set_its_number),
        cmocka_unit_test(test_migrate_p12_newer_schema_is_refused),
        cmocka_unit_test(test_migrate_leaves_a_foreign_database_alone),
        cmocka_unit_test(test_migrate_d12_three_children_at_once),
        cmocka_unit_test(test_lock_excludes_and_gives_up_in_time),
        cmocka_unit_test(test_lock_wait_can_be_ended),
        cmocka_unit_test(test_lock_deleted_file_is_no_lock),
        cmocka_unit_test(test_lock_child_bytes),
        cmocka_unit_test(test_lock_finds_every_child),
        cmocka_unit_test(test_db_d06_no_automatic_checkpoint_anywhere),
        cmocka_unit_test(test_db_d05_log_stays_small),
        cmocka_unit_test(test_path_d08_is_refused_with_the_reason),
        cmocka_unit_test(test_path_store_of_another_user_is_not_opened),
        cmocka_unit_test(test_path_files_are_made_for_their_owner_only),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
