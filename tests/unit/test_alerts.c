/* SPDX-License-Identifier: Apache-2.0 */
/* When a rule fires, and when that is told. */
#include "core.h"

#include "engine/alerts.h"
#include "shm/directory.h"
#include "shm/stats.h"
#include "shm/targets.h"
#include "shm/trend.h"

#include <sys/mman.h>

#define MINUTE 60000
#define SECOND_US APR_USEC_PER_SEC

static bl_shm_t *shm;
static int child;
static bl_ms_t now;

static int open_shm(void **state)
{
    (void)state;
    shm = mmap(NULL, bl_shm_size(), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shm, MAP_FAILED);
    assert_int_equal(bl_shm_format(shm), APR_SUCCESS);
    bl_shm_join(shm, 1, &child);
    now = 10000000;
    assert_true(bl_trend_tick(shm, now));
    return 0;
}

static int close_shm(void **state)
{
    (void)state;
    munmap(shm, bl_shm_size());
    return 0;
}

static void second_passes(void)
{
    now += 1000;
    assert_true(bl_trend_tick(shm, now));
}

/* --- what is told ------------------------------------------------------- */

static bl_tell_t step(bl_rule_state_t *r, int is_firing, bl_ms_t at)
{
    return bl_rule_step(r, is_firing, 0, 60 * MINUTE, at, at * 1000);
}

static void test_rule_is_told_once_and_again_after_its_time(void **state)
{
    bl_rule_state_t r;

    (void)state;
    memset(&r, 0, sizeof(r));
    assert_int_equal(step(&r, 0, now), BL_TELL_NOTHING);
    assert_int_equal(step(&r, 1, now), BL_TELL_FIRING);
    bl_rule_told(&r, BL_TELL_FIRING, now * 1000);
    assert_int_equal(step(&r, 1, now + 59 * MINUTE), BL_TELL_NOTHING);
    assert_int_equal(step(&r, 1, now + 60 * MINUTE), BL_TELL_FIRING);
    bl_rule_told(&r, BL_TELL_FIRING, (now + 60 * MINUTE) * 1000);
    assert_int_equal(step(&r, 1, now + 61 * MINUTE), BL_TELL_NOTHING);
}

static void test_rule_without_a_time_is_told_once(void **state)
{
    bl_rule_state_t r;
    bl_ms_t late = now + 10000 * (bl_ms_t)MINUTE;

    (void)state;
    memset(&r, 0, sizeof(r));
    assert_int_equal(bl_rule_step(&r, 1, 0, -1, now, now * 1000),
                     BL_TELL_FIRING);
    bl_rule_told(&r, BL_TELL_FIRING, now * 1000);
    assert_int_equal(bl_rule_step(&r, 1, 0, -1, late, late * 1000),
                     BL_TELL_NOTHING);
}

/* Nobody knows of it yet: a message that did not arrive comes again. */
static void test_message_that_did_not_arrive_is_sent_again(void **state)
{
    bl_rule_state_t r;

    (void)state;
    memset(&r, 0, sizeof(r));
    assert_int_equal(step(&r, 1, now), BL_TELL_FIRING);
    assert_int_equal(step(&r, 1, now + 59000), BL_TELL_NOTHING);
    assert_int_equal(step(&r, 1, now + 60000), BL_TELL_FIRING);
}

/* What comes and goes is one incident, with one end. */
static void test_rule_is_well_again_after_a_quiet_minute(void **state)
{
    bl_rule_state_t r;
    bl_ms_t quiet = now + 20 * MINUTE;

    (void)state;
    memset(&r, 0, sizeof(r));
    assert_int_equal(step(&r, 1, now), BL_TELL_FIRING);
    bl_rule_told(&r, BL_TELL_FIRING, now * 1000);
    assert_int_equal(step(&r, 0, quiet), BL_TELL_NOTHING);
    assert_int_equal(step(&r, 1, quiet + 30000), BL_TELL_NOTHING);
    assert_int_equal(step(&r, 0, quiet + 31000), BL_TELL_NOTHING);
    assert_int_equal(step(&r, 0, quiet + 90000), BL_TELL_NOTHING);
    assert_int_equal(step(&r, 0, quiet + 91000), BL_TELL_RESOLVED);
    bl_rule_told(&r, BL_TELL_RESOLVED, (quiet + 91000) * 1000);
    assert_int_equal(step(&r, 0, quiet + 200000), BL_TELL_NOTHING);
}

static void test_silent_rule_is_told_when_the_silence_is_over(void **state)
{
    bl_rule_state_t r;

    (void)state;
    memset(&r, 0, sizeof(r));
    assert_int_equal(bl_rule_step(&r, 1, 1, -1, now, now * 1000),
                     BL_TELL_NOTHING);
    assert_true(r.since != 0); /* the page shows that it fires */
    assert_int_equal(bl_rule_step(&r, 1, 0, -1, now + 1000, now * 1000),
                     BL_TELL_FIRING);
}

static void test_places_of_alerts_that_are_gone_are_free_again(void **state)
{
    apr_int64_t ids[] = {7};
    int i;

    (void)state;
    for (i = 1; i <= BL_SHM_ALERTS; i++)
        assert_non_null(bl_alert_made(shm, i));
    assert_null(bl_alert_made(shm, 100));
    bl_alerts_keep(shm, ids, 1);
    assert_non_null(bl_alert_find(shm, 7));
    assert_null(bl_alert_find(shm, 8));
    assert_non_null(bl_alert_made(shm, 100));
}

/* --- what fires --------------------------------------------------------- */

static bl_alert_t alert_of_all(void)
{
    bl_alert_t a;

    memset(&a, 0, sizeof(a));
    a.window_s = 60;
    a.error_percent = 20;
    a.streams_least = 10;
    a.first_content_ms = 1000;
    a.has_keys = a.has_store = 1;
    return a;
}

static int fires(const bl_alert_t *a, bl_rule_t rule)
{
    bl_catalog_t none;
    bl_finding_t f;

    memset(&none, 0, sizeof(none));
    assert_true(bl_rule_look(shm, &none, a, rule, now, &f));
    return f.is_firing;
}

static void test_errors_fire_at_their_share_of_enough_streams(void **state)
{
    bl_alert_t a = alert_of_all();

    (void)state;
    bl_count(shm, child, STREAMS_ERROR, 2);
    bl_count(shm, child, STREAMS_COMPLETED, 7);
    bl_count(shm, child, STREAMS_CANCELLED, 50); /* nobody's fault */
    second_passes();
    assert_false(fires(&a, BL_RULE_ERRORS)); /* 2 of 9: too few to judge */
    bl_count(shm, child, STREAMS_LENGTH, 1);
    second_passes();
    assert_true(fires(&a, BL_RULE_ERRORS)); /* 2 of 10 */
    bl_count(shm, child, STREAMS_COMPLETED, 1);
    second_passes();
    assert_false(fires(&a, BL_RULE_ERRORS)); /* 18 % */
    bl_count(shm, child, STREAMS_TIMEOUT, 1);
    second_passes();
    assert_true(fires(&a, BL_RULE_ERRORS));
    now += 60000;
    second_passes();
    assert_false(fires(&a, BL_RULE_ERRORS)); /* out of the window */
    a.window_s = 600;                        /* ... but not of a longer one */
    now += 10000;
    second_passes();
    assert_true(fires(&a, BL_RULE_ERRORS));
}

static void test_first_content_fires_at_its_95_of_100(void **state)
{
    bl_alert_t a = alert_of_all();
    int i;

    (void)state;
    for (i = 0; i < 96; i++)
        bl_count_first_content(shm, child, 200);
    for (i = 0; i < 4; i++)
        bl_count_first_content(shm, child, 9000);
    second_passes();
    assert_false(fires(&a, BL_RULE_FIRST_CONTENT));
    for (i = 0; i < 10; i++)
        bl_count_first_content(shm, child, 9000);
    second_passes();
    assert_true(fires(&a, BL_RULE_FIRST_CONTENT));
}

static void
test_keys_fire_when_one_is_refused_or_an_upstream_fails(void **state)
{
    bl_alert_t a = alert_of_all();
    bl_upstream_t u;
    bl_key_t keys[2];
    bl_catalog_t c;
    bl_finding_t f;
    int i;

    (void)state;
    memset(&u, 0, sizeof(u));
    memset(keys, 0, sizeof(keys));
    memset(&c, 0, sizeof(c));
    keys[0].id = 1;
    keys[1].id = 2;
    keys[0].version = keys[1].version = 1;
    snprintf(keys[1].name, sizeof(keys[1].name), "spare");
    snprintf(u.name, sizeof(u.name), "beijing");
    u.id = 5;
    u.keys = keys;
    u.key_count = 2;
    c.upstreams = &u;
    c.upstream_count = 1;
    assert_true(bl_rule_look(shm, &c, &a, BL_RULE_KEYS, now, &f));
    assert_false(f.is_firing);
    /* A limit passes by itself. */
    bl_key_tell(bl_key_place(shm, 1, 1), BL_E_UPSTREAM_QUOTA, 5000, now);
    bl_key_tell(bl_key_place(shm, 2, 1), BL_E_UPSTREAM_QUOTA, 5000, now);
    bl_rule_look(shm, &c, &a, BL_RULE_KEYS, now, &f);
    assert_false(f.is_firing);
    bl_key_tell(bl_key_place(shm, 2, 1), BL_E_UPSTREAM_AUTH, -1, now);
    bl_rule_look(shm, &c, &a, BL_RULE_KEYS, now, &f);
    assert_true(f.is_firing);
    assert_int_equal(f.value, 1);
    assert_non_null(strstr(f.text, "spare"));
    for (i = 0; i < 5; i++)
        bl_upstream_tell(bl_upstream_place(shm, 5), BL_E_UPSTREAM_CONNECT, now);
    bl_rule_look(shm, &c, &a, BL_RULE_KEYS, now, &f);
    assert_int_equal(f.value, 2);
    assert_non_null(strstr(f.text, "beijing"));
}

static void test_store_fires_while_transactions_fail(void **state)
{
    bl_alert_t a = alert_of_all();

    (void)state;
    second_passes();
    assert_false(fires(&a, BL_RULE_STORE));
    bl_count(shm, child, STORE_FAILURES, 1);
    second_passes();
    assert_true(fires(&a, BL_RULE_STORE));
    now += 10000;
    second_passes();
    assert_false(fires(&a, BL_RULE_STORE));
}

static void test_rule_that_is_not_set_is_not_looked_at(void **state)
{
    bl_alert_t a;
    bl_catalog_t none;
    bl_finding_t f;
    int i;

    (void)state;
    memset(&a, 0, sizeof(a));
    memset(&none, 0, sizeof(none));
    a.error_percent = -1;
    a.first_content_ms = -1;
    for (i = 0; i < BL_RULES; i++)
        assert_false(bl_rule_look(shm, &none, &a, (bl_rule_t)i, now, &f));
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, open_shm, close_shm)
    const struct CMUnitTest tests[] = {
        T(test_rule_is_told_once_and_again_after_its_time),
        T(test_rule_without_a_time_is_told_once),
        T(test_message_that_did_not_arrive_is_sent_again),
        T(test_rule_is_well_again_after_a_quiet_minute),
        T(test_silent_rule_is_told_when_the_silence_is_over),
        T(test_places_of_alerts_that_are_gone_are_free_again),
        T(test_errors_fire_at_their_share_of_enough_streams),
        T(test_first_content_fires_at_its_95_of_100),
        T(test_keys_fire_when_one_is_refused_or_an_upstream_fails),
        T(test_store_fires_while_transactions_fail),
        T(test_rule_that_is_not_set_is_not_looked_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
