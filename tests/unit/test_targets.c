/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/clock.h"
#include "engine/targets.h"
#include "shm/directory.h"

#include <sys/mman.h>
#include <sys/wait.h>

static bl_shm_t *shm;
static bl_key_t keys[4];
static bl_upstream_t upstream;
static bl_app_t app;

/* One upstream with n keys of these priorities, as the catalog sorts them. */
static void make(int n, const int *priorities)
{
    int i;

    assert_int_equal(bl_shm_format(shm), APR_SUCCESS);
    memset(&upstream, 0, sizeof(upstream));
    memset(keys, 0, sizeof(keys));
    memset(&app, 0, sizeof(app));
    app.upstream = &upstream;
    app.app_id = "qwen-plus";
    snprintf(app.name, sizeof(app.name), "qa");
    upstream.id = 7;
    upstream.keys = keys;
    upstream.key_count = n;
    snprintf(upstream.name, sizeof(upstream.name), "stub");
    for (i = 0; i < n; i++) {
        keys[i].id = i + 1;
        keys[i].version = 1;
        keys[i].priority = priorities[i];
    }
}

static apr_int64_t next_key(bl_ms_t now)
{
    const bl_key_t *key;
    bl_ms_t wait;

    bl_targets_take_key(shm, &app, now, &key, &wait);
    return key ? key->id : 0;
}

static void tell(int key, apr_status_t rv, bl_ms_t cool_ms, bl_ms_t now)
{
    bl_targets_tell(shm, NULL, &upstream, key ? &keys[key - 1] : NULL, rv,
                    cool_ms, now);
}

static void set_account(bl_key_t *key, const char *account)
{
    snprintf(key->account, sizeof(key->account), "%s", account);
}

static void expect_none(bl_ms_t now, apr_status_t why, bl_ms_t wait_ms)
{
    const bl_key_t *key = keys;
    bl_ms_t wait = 0;

    assert_int_equal(bl_targets_key(shm, &app, now, &key, &wait), why);
    assert_null(key);
    assert_int_equal(wait, wait_ms);
}

static void test_targets_equal_keys_take_turns(void **state)
{
    static const int same[] = {1, 1, 1};
    int i, seen[4] = {0};

    (void)state;
    make(3, same);
    for (i = 0; i < 30; i++)
        seen[next_key(1000)]++;
    assert_int_equal(seen[1], 10);
    assert_int_equal(seen[2], 10);
    assert_int_equal(seen[3], 10);
}

static void test_targets_lower_priority_only_when_the_higher_rest(void **state)
{
    static const int falling[] = {2, 1, 1};
    int i;

    (void)state;
    make(3, falling);
    for (i = 0; i < 5; i++)
        assert_int_equal(next_key(1000), 1);
    tell(1, BL_E_UPSTREAM_QUOTA, 2000, 1000);
    assert_int_equal(next_key(1500), 2);
    assert_int_equal(next_key(1500), 3);
    assert_int_equal(next_key(2999), 2);
    assert_int_equal(next_key(3000), 1);
}

/* U06: a throttled key rests as long as the upstream said, 5 s if it did not.
 */
static void test_targets_throttled_key_rests(void **state)
{
    static const int one[] = {1};

    (void)state;
    make(1, one);
    tell(1, BL_E_UPSTREAM_QUOTA, 1500, 1000);
    expect_none(1000, BL_E_UPSTREAM_QUOTA, 1500);
    expect_none(2400, BL_E_UPSTREAM_QUOTA, 100);
    assert_int_equal(next_key(2500), 1);
    tell(1, BL_E_UPSTREAM_QUOTA, -1, 10000);
    assert_int_equal(next_key(14999), 0);
    assert_int_equal(next_key(15000), 1);
}

/* U05: a refused key is out, the next one is used. */
static void test_targets_refused_key_is_out(void **state)
{
    static const int two[] = {1, 1};

    (void)state;
    make(2, two);
    tell(1, BL_E_UPSTREAM_AUTH, -1, 1000);
    assert_int_equal(next_key(2000), 2);
    assert_int_equal(next_key(2000), 2);
    tell(2, BL_E_UPSTREAM_AUTH, -1, 2000);
    assert_int_equal(next_key(2000), 0);
}

/* ... until it was entered anew: another version is another key. */
static void test_targets_key_entered_anew_is_tried_at_once(void **state)
{
    static const int one[] = {1};

    (void)state;
    make(1, one);
    tell(1, BL_E_UPSTREAM_AUTH, -1, 1000);
    assert_int_equal(next_key(1001), 0);
    keys[0].version = 2;
    assert_int_equal(next_key(1001), 1);
}

static void test_targets_without_any_key_wait_for_none(void **state)
{
    static const int none[] = {0};

    (void)state;
    make(0, none);
    expect_none(1000, BL_E_UPSTREAM_AUTH, -1);
}

/* U06: however long the upstream said, it is a limit and no wrong key. */
static void test_targets_key_throttled_for_an_hour_is_quota_not_auth(void **st)
{
    static const int two[] = {1, 1};

    (void)st;
    make(2, two);
    tell(1, BL_E_UPSTREAM_AUTH, -1, 1000);
    tell(2, BL_E_UPSTREAM_QUOTA, 3600000, 1000);
    expect_none(2000, BL_E_UPSTREAM_QUOTA, 3599000);
    tell(2, BL_E_UPSTREAM_AUTH, -1, 2000);
    expect_none(2000, BL_E_UPSTREAM_AUTH, -1);
}

static void test_targets_looking_for_a_key_takes_no_turn(void **state)
{
    static const int two[] = {1, 1};
    const bl_key_t *key;
    bl_ms_t wait;
    int i;

    (void)state;
    make(2, two);
    assert_int_equal(next_key(1000), 1);
    for (i = 0; i < 5; i++) {
        assert_int_equal(bl_targets_key(shm, &app, 1000, &key, &wait),
                         APR_SUCCESS);
        assert_int_equal(key->id, 2);
    }
}

static void test_targets_weight_is_the_share_of_a_key(void **state)
{
    static const int same[] = {1, 1};
    int i, seen[3] = {0};

    (void)state;
    make(2, same);
    keys[0].weight = 3;
    keys[1].weight = 1;
    for (i = 0; i < 400; i++)
        seen[next_key(1000)]++;
    assert_in_range(seen[1], 299, 301);
}

/* A key that rested is not owed the turns that it missed. */
static void test_targets_key_that_rested_takes_only_its_share(void **state)
{
    static const int same[] = {1, 1};
    int i, seen[3] = {0};

    (void)state;
    make(2, same);
    tell(1, BL_E_UPSTREAM_QUOTA, 1000, 1000);
    for (i = 0; i < 100; i++)
        assert_int_equal(next_key(1500), 2);
    for (i = 0; i < 10; i++)
        seen[next_key(2000)]++;
    assert_in_range(seen[1], 4, 6);
}

static void test_targets_key_is_used_for_its_apps_and_models_only(void **state)
{
    static const int same[] = {1, 1};

    (void)state;
    make(2, same);
    keys[0].apps = "[\"other\",\"qa2\"]";
    assert_int_equal(next_key(1000), 2);
    keys[1].models = "[\"qwen-max\"]";
    assert_int_equal(next_key(1000), 0);
    keys[0].apps = "[\"other\",\"qa\"]";
    assert_int_equal(next_key(1000), 1);
    keys[0].models = "[\"qwen-max\"]";
    keys[1].models = "[\"qwen-plus\"]";
    assert_int_equal(next_key(1000), 2);
}

/* U06: limits count per account, also over upstreams. */
static void test_targets_limit_of_an_account_rests_all_its_keys(void **state)
{
    static const int same[] = {1, 1, 1};
    bl_key_t elsewhere;
    bl_upstream_t both[2];
    bl_catalog_t catalog;

    (void)state;
    make(3, same);
    memset(&catalog, 0, sizeof(catalog));
    memset(&elsewhere, 0, sizeof(elsewhere));
    elsewhere.id = 40;
    elsewhere.version = 1;
    set_account(&elsewhere, "main");
    set_account(&keys[0], "main");
    set_account(&keys[1], "main");
    set_account(&keys[2], "second");
    both[0] = upstream;
    both[1] = upstream;
    both[1].keys = &elsewhere;
    both[1].key_count = 1;
    catalog.upstreams = both;
    catalog.upstream_count = 2;
    bl_targets_tell(shm, &catalog, &upstream, &keys[0], BL_E_UPSTREAM_QUOTA,
                    2000, 1000);
    assert_int_equal(next_key(1500), 3);
    assert_int_equal(next_key(1500), 3);
    assert_int_equal(bl_key_rests(bl_key_place(shm, 40, 1), 1500), 1500);
    assert_int_equal(next_key(3000), 1);
}

static void test_targets_restored_by_the_admin_is_used_at_once(void **state)
{
    static const int one[] = {1};
    int i;

    (void)state;
    make(1, one);
    tell(1, BL_E_UPSTREAM_AUTH, -1, 1000);
    assert_int_equal(next_key(1001), 0);
    assert_true(bl_key_restore(bl_key_place(shm, 1, 1)));
    assert_int_equal(next_key(1001), 1);
    assert_false(bl_key_restore(bl_key_place(shm, 1, 1)));
    for (i = 0; i < 5; i++)
        tell(0, BL_E_UPSTREAM_CONNECT, -1, 1000);
    assert_false(bl_targets_may_ask(shm, &upstream, 1001));
    assert_true(bl_upstream_restore(bl_upstream_place(shm, 7)));
    assert_true(bl_targets_may_ask(shm, &upstream, 1001));
}

/* --- all children (U05, U06, U30) ------------------------------------------
 */

static void in_another_child(void (*fn)(void))
{
    int status;
    pid_t pid = fork();

    assert_true(pid >= 0);
    if (!pid) {
        fn();
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

static void throttle_1_refuse_2(void)
{
    tell(1, BL_E_UPSTREAM_QUOTA, 2000, 1000);
    tell(2, BL_E_UPSTREAM_AUTH, -1, 1000);
}

static void test_targets_key_throttled_in_one_child_rests_in_all_u06(void **st)
{
    static const int three[] = {1, 1, 1};

    (void)st;
    make(3, three);
    in_another_child(throttle_1_refuse_2);
    assert_int_equal(next_key(1500), 3);
    assert_int_equal(next_key(1500), 3);
    assert_int_equal(next_key(3000), 1);
    assert_int_equal(next_key(3000), 3);
}

static void fail_5_times(void)
{
    int i;

    for (i = 0; i < 5; i++)
        tell(1, BL_E_UPSTREAM_CONNECT, -1, 1000);
}

static void
test_targets_breaker_opened_by_one_child_is_open_in_all_u30(void **s)
{
    static const int one[] = {1};

    (void)s;
    make(1, one);
    in_another_child(fail_5_times);
    assert_false(bl_targets_may_ask(shm, &upstream, 5999));
    assert_true(bl_targets_may_ask(shm, &upstream, 6000));
    assert_false(bl_targets_may_ask(shm, &upstream, 6000));
}

/* Many children make the places of the same keys at once: one place a key. */
static void use_all_keys(void)
{
    int i;

    for (i = 1; i <= 200; i++)
        bl_key_use(bl_upstream_place(shm, 1), bl_key_place(shm, i, 1), 1);
}

static void test_targets_children_that_meet_make_one_place_a_key(void **state)
{
    static const int one[] = {1};
    int i, n = 0;
    pid_t pids[8];

    (void)state;
    make(1, one);
    for (i = 0; i < 8; i++) {
        pids[i] = fork();
        if (!pids[i]) {
            use_all_keys();
            _exit(0);
        }
    }
    for (i = 0; i < 8; i++)
        assert_int_equal(waitpid(pids[i], NULL, 0), pids[i]);
    for (i = 0; i < BL_SHM_KEYS; i++)
        n += shm->keys[i].name != 0;
    assert_int_equal(n, 200);
}

/* --- what the admin page sees ----------------------------------------------
 */

static bl_target_health_t health_of(int key, bl_ms_t now)
{
    bl_target_health_t h;

    bl_key_health(shm, keys[key - 1].id, keys[key - 1].version, now, &h);
    return h;
}

static void test_targets_health_of_a_key_tells_state_and_counts(void **state)
{
    static const int one[] = {1};
    bl_target_health_t h;
    apr_time_t before = bl_clock_wall();

    (void)state;
    make(1, one);
    h = health_of(1, 1000);
    assert_int_equal(h.state, BL_TARGET_READY);
    assert_int_equal(h.last_used, 0);
    tell(1, APR_SUCCESS, -1, 1000);
    tell(1, BL_E_UPSTREAM_QUOTA, 2000, 1000);
    h = health_of(1, 1500);
    assert_int_equal(h.state, BL_TARGET_COOLING);
    assert_int_equal(h.left_ms, 1500);
    assert_true(h.since >= before && h.since <= bl_clock_wall());
    assert_true(h.last_used >= before);
    assert_int_equal(h.last, BL_E_UPSTREAM_QUOTA);
    assert_int_equal(bl_target_count(&h, APR_SUCCESS), 1);
    assert_int_equal(bl_target_count(&h, BL_E_UPSTREAM_QUOTA), 1);
    h = health_of(1, 3000);
    assert_int_equal(h.state, BL_TARGET_READY);
    assert_int_equal(h.since, 0);
    tell(1, BL_E_UPSTREAM_AUTH, -1, 3000);
    assert_int_equal(health_of(1, 3001).state, BL_TARGET_REFUSED);
    tell(1, APR_SUCCESS, -1, 3002); /* an attempt from before the refusal */
    assert_int_equal(health_of(1, 3003).state, BL_TARGET_REFUSED);
    tell(1, APR_SUCCESS, -1, 3000 + 300000);
    assert_int_equal(health_of(1, 303001).state, BL_TARGET_READY);
}

static void test_targets_health_of_an_upstream_tells_its_breaker(void **state)
{
    static const int one[] = {1};
    bl_target_health_t h;

    (void)state;
    make(1, one);
    fail_5_times();
    bl_upstream_health(shm, upstream.id, 2000, &h);
    assert_int_equal(h.state, BL_TARGET_OPEN);
    assert_int_equal(h.failures, 5);
    assert_int_equal(h.left_ms, 4000);
    assert_int_equal(h.last, BL_E_UPSTREAM_CONNECT);
    assert_int_equal(bl_target_count(&h, BL_E_UPSTREAM_CONNECT), 5);
    tell(1, APR_SUCCESS, -1, 7000);
    bl_upstream_health(shm, upstream.id, 7001, &h);
    assert_int_equal(h.state, BL_TARGET_READY);
    assert_int_equal(h.failures, 0);
}

static void test_targets_of_another_database_are_other_ones(void **state)
{
    static const int one[] = {1};

    (void)state;
    make(1, one);
    bl_targets_of_database(shm, "/a.db");
    tell(1, BL_E_UPSTREAM_AUTH, -1, 1000);
    bl_targets_of_database(shm, "/a.db"); /* a graceful restart */
    assert_int_equal(next_key(1001), 0);
    bl_targets_of_database(shm, "/b.db");
    assert_int_equal(next_key(1001), 1);
}

/* --- the breaker (U30) -----------------------------------------------------
 */

static void fail_times(int n, apr_status_t rv, bl_ms_t now)
{
    while (n--)
        tell(1, rv, -1, now);
}

static int may_ask(bl_ms_t now)
{
    return bl_targets_may_ask(shm, &upstream, now);
}

static void open_breaker(bl_ms_t now)
{
    static const int one[] = {1};

    make(1, one);
    fail_times(5, BL_E_UPSTREAM_CONNECT, now);
}

static void test_targets_breaker_opens_after_5_failures_in_a_row(void **state)
{
    static const int one[] = {1};
    int i;

    (void)state;
    make(1, one);
    fail_times(4, BL_E_UPSTREAM_CONNECT, 1000);
    tell(1, APR_SUCCESS, -1, 1000);
    fail_times(4, BL_E_UPSTREAM_UNAVAILABLE, 1000);
    for (i = 0; i < 10; i++)
        assert_true(may_ask(1000));
    fail_times(1, BL_E_UPSTREAM_FIRST_TIMEOUT, 1000);
    assert_false(may_ask(1000));
}

static void test_targets_open_breaker_lets_one_probe_pass_in_5_s(void **state)
{
    int i;

    (void)state;
    open_breaker(1000);
    assert_false(may_ask(5999));
    assert_true(may_ask(6000));
    for (i = 0; i < 100; i++)
        assert_false(may_ask(6000 + i));
    assert_false(may_ask(10999));
    assert_true(may_ask(11000));
}

static void test_targets_breaker_closes_with_the_first_success(void **state)
{
    (void)state;
    open_breaker(1000);
    assert_true(may_ask(6000));
    tell(1, APR_SUCCESS, -1, 6100);
    assert_true(may_ask(6100));
    assert_true(may_ask(6100));
    fail_times(4, BL_E_UPSTREAM_CONNECT, 6200);
    assert_true(may_ask(6200));
}

static void test_targets_failed_probe_keeps_the_breaker_open(void **state)
{
    (void)state;
    open_breaker(1000);
    assert_true(may_ask(6000));
    tell(1, BL_E_UPSTREAM_CONNECT, -1, 6050);
    assert_false(may_ask(6100));
    assert_true(may_ask(11000));
}

/* An upstream that answers "no" is there: only silence and breakage count. */
static void test_targets_refusals_do_not_open_the_breaker(void **state)
{
    static const apr_status_t answers[] = {BL_E_UPSTREAM_REJECTED,
                                           BL_E_UPSTREAM_QUOTA,
                                           BL_E_UPSTREAM_AUTH, BL_E_CANCELLED};
    static const int one[] = {1};
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        make(1, one);
        fail_times(50, answers[i], 1000);
        assert_true(may_ask(1000));
    }
}

static void test_targets_breakers_of_two_upstreams_are_apart(void **state)
{
    bl_upstream_t other;

    (void)state;
    open_breaker(1000);
    other = upstream;
    other.id = 8;
    assert_false(may_ask(1000));
    assert_true(bl_targets_may_ask(shm, &other, 1000));
}

/* More keys and upstreams than places: the oldest is forgotten, nothing else.
 */
static void test_targets_more_than_there_are_places_still_work(void **state)
{
    static const int one[] = {1};
    int i;

    (void)state;
    make(1, one);
    for (i = 1; i <= 3 * BL_SHM_KEYS; i++) {
        upstream.id = i;
        keys[0].id = i;
        assert_int_equal(next_key(1000), i);
        assert_true(may_ask(1000));
        tell(1, APR_SUCCESS, -1, 1000);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_targets_equal_keys_take_turns),
        cmocka_unit_test(test_targets_lower_priority_only_when_the_higher_rest),
        cmocka_unit_test(test_targets_throttled_key_rests),
        cmocka_unit_test(test_targets_refused_key_is_out),
        cmocka_unit_test(test_targets_key_entered_anew_is_tried_at_once),
        cmocka_unit_test(test_targets_without_any_key_wait_for_none),
        cmocka_unit_test(
            test_targets_key_throttled_for_an_hour_is_quota_not_auth),
        cmocka_unit_test(test_targets_looking_for_a_key_takes_no_turn),
        cmocka_unit_test(test_targets_weight_is_the_share_of_a_key),
        cmocka_unit_test(test_targets_key_that_rested_takes_only_its_share),
        cmocka_unit_test(test_targets_key_is_used_for_its_apps_and_models_only),
        cmocka_unit_test(test_targets_limit_of_an_account_rests_all_its_keys),
        cmocka_unit_test(test_targets_restored_by_the_admin_is_used_at_once),
        cmocka_unit_test(
            test_targets_key_throttled_in_one_child_rests_in_all_u06),
        cmocka_unit_test(
            test_targets_breaker_opened_by_one_child_is_open_in_all_u30),
        cmocka_unit_test(test_targets_children_that_meet_make_one_place_a_key),
        cmocka_unit_test(test_targets_health_of_a_key_tells_state_and_counts),
        cmocka_unit_test(test_targets_health_of_an_upstream_tells_its_breaker),
        cmocka_unit_test(test_targets_of_another_database_are_other_ones),
        cmocka_unit_test(test_targets_breaker_opens_after_5_failures_in_a_row),
        cmocka_unit_test(test_targets_open_breaker_lets_one_probe_pass_in_5_s),
        cmocka_unit_test(test_targets_breaker_closes_with_the_first_success),
        cmocka_unit_test(test_targets_failed_probe_keeps_the_breaker_open),
        cmocka_unit_test(test_targets_refusals_do_not_open_the_breaker),
        cmocka_unit_test(test_targets_breakers_of_two_upstreams_are_apart),
        cmocka_unit_test(test_targets_more_than_there_are_places_still_work),
    };

    shm = mmap(NULL, bl_shm_size(), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shm == MAP_FAILED) return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
