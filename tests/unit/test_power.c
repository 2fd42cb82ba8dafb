/* SPDX-License-Identifier: Apache-2.0 */
/* D11: the power is cut while the store writes. BL_STORE_SLOW=1 cuts it at 500
 * points. */
#include "store_env.h"

#include "fault_vfs.h"
#include "power.h"

#include <unistd.h>

static env_t after; /* what the disk held */

static int points(void)
{
    const char *slow = getenv("BL_STORE_SLOW");

    return slow && !strcmp(slow, "1") ? 500 : 40;
}

/* A directory for the files of the next cut, with the same master key. */
static void prepare(const env_t *env)
{
    memset(&after, 0, sizeof(after));
    snprintf(after.dir, sizeof(after.dir), "/tmp/bl-power-XXXXXX");
    assert_non_null(mkdtemp(after.dir));
    snprintf(after.path, sizeof(after.path), "%s/bailian.db", after.dir);
    snprintf(after.key_path, sizeof(after.key_path), "%s", env->key_path);
}

static void add_upstream(bl_store_t *s)
{
    char err[256];

    assert_int_equal(
        bl_store_do_upstream_put(s, &env_who, "up",
                                 "{\"kind\":\"bailian-app\",\"baseUrl\":"
                                 "\"https://x.example/api/v1\"}",
                                 BL_PUT_NEW, err, sizeof(err)),
        APR_SUCCESS);
}

/* A key, which is acknowledged; then an answer, which is not. */
static void write_some(bl_store_t *s, int n, int *pkeys)
{
    static const char *const words[] = {"some", "words", NULL};
    apr_int64_t id;
    char name[32];

    snprintf(name, sizeof(name), "key%d", n);
    assert_int_equal(bl_store_do_key_add(s, &env_who, "up", name,
                                         "sk-0123456789abcdef", &id),
                     APR_SUCCESS);
    __atomic_add_fetch(pkeys, 1, __ATOMIC_RELEASE);
    env_begin(s, n, "user:li", "c", "question");
    env_say(s, n, 1, words);
    env_end(s, n, BL_OUTCOME_COMPLETED, "some words", 2);
}

/* The store opens on what the disk held; all that was acknowledged is there
 * and can be opened, each key with its audit row; nothing is half there. */
static void check_after(int keys)
{
    bl_buf_t report;

    after.store = env_second(&after);
    bl_buf_init(&report, 65536);
    assert_int_equal(bl_store_check(after.store, &report), APR_SUCCESS);
    assert_non_null(strstr(bl_buf_str(&report), "cannot be opened: 0"));
    bl_buf_release(&report);
    assert_true(atoi(env_sql(&after, "SELECT count(*) FROM api_key")) >= keys);
    assert_string_equal(env_sql(&after,
                                "SELECT (SELECT count(*) FROM api_key) ="
                                " (SELECT count(*) FROM audit"
                                " WHERE action = 'key.add')"),
                        "1");
    assert_string_equal(
        env_sql(&after, "SELECT count(*) FROM message m LEFT JOIN stream s"
                        " ON s.id = m.id WHERE m.role = 'assistant'"
                        " AND s.id IS NULL"),
        "0");
}

static void begin(env_t *env)
{
    fault_install();
    power_begin();
    env_open(env);
    add_upstream(env->store);
}

static void end(env_t *env)
{
    power_end();
    env_close(env);
}

static void test_power_d11_cut_anywhere_loses_nothing_acknowledged(void **state)
{
    int turn, n = 0, keys = 0, then = 0;
    env_t env;

    (void)state;
    begin(&env);
    for (turn = 1; turn <= points(); turn++) {
        prepare(&env);
        power_arm(after.dir, 1 + turn * 7919 % 61,
                  turn % 4 ? (unsigned)turn : 0, &keys);
        do {
            write_some(env.store, ++n, &keys);
        } while (!power_is_cut(&then));
        check_after(then);
        env_close(&after);
    }
    end(&env);
}

/* Answers are not synced one by one, but within seconds. */
static void test_power_d11_answers_are_on_the_disk_soon(void **state)
{
    int keys = 0, left = 6000;
    env_t env;

    (void)state;
    begin(&env);
    write_some(env.store, 1, &keys);
    env_settle(env.store);
    prepare(&env);
    while (power_cut(after.dir, 0)) {
        assert_true(left-- > 0);
        usleep(5000);
    }
    check_after(1);
    assert_string_equal(env_sql(&after, "SELECT content FROM message"
                                        " WHERE role = 'assistant'"),
                        "some words");
    env_close(&after);
    end(&env);
}

/* The disk of these tests is able to forget. */
static void test_power_what_is_not_synced_can_be_lost(void **state)
{
    int keys = 0, n = 0;
    env_t env;

    (void)state;
    begin(&env);
    prepare(&env);
    do {
        write_some(env.store, ++n, &keys);
        env_settle(env.store);
    } while (!power_cut(after.dir, 0));
    check_after(keys);
    assert_true(atoi(env_sql(&after, "SELECT count(*) FROM stream")) < n);
    env_close(&after);
    end(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_power_d11_cut_anywhere_loses_nothing_acknowledged),
        cmocka_unit_test(test_power_d11_answers_are_on_the_disk_soon),
        cmocka_unit_test(test_power_what_is_not_synced_can_be_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
