/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "engine/targets.h"

static bl_targets_t targets;
static bl_key_t keys[4];
static bl_upstream_t upstream;

/* One upstream with n keys of these priorities, as the catalog sorts them. */
static void make(int n, const int *priorities)
{
    int i;

    memset(&targets, 0, sizeof(targets));
    memset(&upstream, 0, sizeof(upstream));
    memset(keys, 0, sizeof(keys));
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
    bl_ms_t wait;
    const bl_key_t *key = bl_targets_key(&targets, &upstream, now, &wait);

    return key ? key->id : 0;
}

static void tell(int key, apr_status_t rv, bl_ms_t cool_ms, bl_ms_t now)
{
    bl_targets_tell(&targets, &upstream, key ? &keys[key - 1] : NULL, rv,
                    cool_ms, now);
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
    bl_ms_t wait;

    (void)state;
    make(1, one);
    tell(1, BL_E_UPSTREAM_QUOTA, 1500, 1000);
    assert_null(bl_targets_key(&targets, &upstream, 1000, &wait));
    assert_int_equal(wait, 1500);
    assert_null(bl_targets_key(&targets, &upstream, 2400, &wait));
    assert_int_equal(wait, 100);
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
    bl_ms_t wait = 0;

    (void)state;
    make(0, none);
    assert_null(bl_targets_key(&targets, &upstream, 1000, &wait));
    assert_int_equal(wait, -1);
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
    return bl_targets_may_ask(&targets, &upstream, now);
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
    assert_true(bl_targets_may_ask(&targets, &other, 1000));
}

/* More keys and upstreams than places: the oldest is forgotten, nothing else.
 */
static void test_targets_more_than_there_are_places_still_work(void **state)
{
    static const int one[] = {1};
    int i;

    (void)state;
    make(1, one);
    for (i = 1; i <= 3 * BL_TARGETS_KEYS; i++) {
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
        cmocka_unit_test(test_targets_breaker_opens_after_5_failures_in_a_row),
        cmocka_unit_test(test_targets_open_breaker_lets_one_probe_pass_in_5_s),
        cmocka_unit_test(test_targets_breaker_closes_with_the_first_success),
        cmocka_unit_test(test_targets_failed_probe_keeps_the_breaker_open),
        cmocka_unit_test(test_targets_refusals_do_not_open_the_breaker),
        cmocka_unit_test(test_targets_breakers_of_two_upstreams_are_apart),
        cmocka_unit_test(test_targets_more_than_there_are_places_still_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
