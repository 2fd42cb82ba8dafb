/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "shm/directory.h"
#include "shm/stats.h"

#include <pthread.h>

static bl_shm_t *new_shm(void)
{
    bl_shm_t *shm = calloc(1, bl_shm_size());

    assert_non_null(shm);
    assert_int_equal(bl_shm_format(shm), APR_SUCCESS);
    return shm;
}

static void test_stats_total_is_the_sum_over_children(void **state)
{
    bl_shm_t *shm = new_shm();
    int a, b;

    (void)state;
    bl_shm_join(shm, 1, &a);
    bl_shm_join(shm, 2, &b);
    bl_count(shm, a, EVENTS, 3);
    bl_count(shm, b, EVENTS, 4);
    bl_count(shm, b, RETRIES, 1);
    assert_int_equal(bl_stats_total(shm, BL_COUNT_EVENTS), 7);
    assert_int_equal(bl_stats_total(shm, BL_COUNT_RETRIES), 1);
    assert_int_equal(bl_stats_total(shm, BL_COUNT_ATTEMPTS), 0);
    free(shm);
}

/* A counter that went down would look like a restart to who reads it. */
static void test_stats_of_ended_children_stay_in_the_total(void **state)
{
    bl_shm_t *shm = new_shm();
    int child, i;

    (void)state;
    for (i = 1; i <= 5; i++) {
        bl_shm_join(shm, i, &child);
        bl_count(shm, child, CONTENT_BYTES, 1000);
        assert_int_equal(bl_stats_total(shm, BL_COUNT_CONTENT_BYTES), 1000 * i);
        bl_shm_leave(shm, child);
        assert_int_equal(bl_stats_total(shm, BL_COUNT_CONTENT_BYTES), 1000 * i);
    }
    free(shm);
}

static void test_stats_names_are_those_of_the_metrics(void **state)
{
    int i, k;

    (void)state;
    assert_string_equal(bl_counter_name(BL_COUNT_STREAMS_STARTED),
                        "streams_started");
    assert_string_equal(bl_counter_name(BL_COUNT_STORE_FAILURES),
                        "store_failures");
    for (i = 0; i < BL_COUNTERS; i++) {
        const char *name = bl_counter_name((bl_counter_t)i);

        assert_int_equal(strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789_"),
                         strlen(name));
        for (k = 0; k < i; k++)
            assert_string_not_equal(name, bl_counter_name((bl_counter_t)k));
    }
}

static bl_shm_t *busy;
static int busy_child;

static void *count_much(void *ctx)
{
    int i;

    (void)ctx;
    for (i = 0; i < 50000; i++)
        bl_count(busy, busy_child, EVENTS, 2);
    return NULL;
}

static void test_stats_of_many_threads_lose_nothing(void **state)
{
    pthread_t threads[4];
    int i;

    (void)state;
    busy = new_shm();
    bl_shm_join(busy, 1, &busy_child);
    for (i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, count_much, NULL);
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(bl_stats_total(busy, BL_COUNT_EVENTS), 400000);
    free(busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats_total_is_the_sum_over_children),
        cmocka_unit_test(test_stats_of_ended_children_stay_in_the_total),
        cmocka_unit_test(test_stats_names_are_those_of_the_metrics),
        cmocka_unit_test(test_stats_of_many_threads_lose_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
