/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "shm/directory.h"
#include "shm/marks.h"
#include "shm/stats.h"
#include "shm/trend.h"

#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static bl_shm_t *shm;
static int child;

static int open_shm(void **state)
{
    (void)state;
    shm = mmap(NULL, bl_shm_size(), PROT_READ | PROT_WRITE,
               MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shm, MAP_FAILED);
    assert_int_equal(bl_shm_format(shm), APR_SUCCESS);
    bl_shm_join(shm, 1, &child);
    return 0;
}

static int close_shm(void **state)
{
    (void)state;
    munmap(shm, bl_shm_size());
    return 0;
}

/* --- trend -------------------------------------------------------------- */

static void test_trend_holds_what_was_counted_in_each_second(void **state)
{
    (void)state;
    bl_count(shm, child, EVENTS, 100); /* before anybody looked */
    assert_true(bl_trend_tick(shm, 50000));
    bl_count(shm, child, EVENTS, 3);
    assert_false(bl_trend_tick(shm, 50900)); /* still the same second */
    assert_true(bl_trend_tick(shm, 51000));
    bl_count(shm, child, EVENTS, 4);
    assert_true(bl_trend_tick(shm, 53400));
    assert_int_equal(bl_trend_newest(shm, BL_RANGE_MINUTES), 53);
    assert_int_equal(
        bl_trend_at(shm, BL_RANGE_MINUTES, 50)->counts[BL_COUNT_EVENTS], 0);
    assert_int_equal(
        bl_trend_at(shm, BL_RANGE_MINUTES, 51)->counts[BL_COUNT_EVENTS], 3);
    assert_null(bl_trend_at(shm, BL_RANGE_MINUTES, 52)); /* nobody looked */
    assert_int_equal(
        bl_trend_at(shm, BL_RANGE_MINUTES, 53)->counts[BL_COUNT_EVENTS], 4);
}

/* The ring goes round: an old second is gone, not shown as a new one. */
static void test_trend_forgets_what_is_older_than_its_range(void **state)
{
    apr_uint64_t sums[BL_WORDS];
    int i;

    (void)state;
    for (i = 1; i <= 700; i++) {
        bl_count(shm, child, EVENTS, 1);
        bl_trend_tick(shm, i * 1000);
    }
    assert_null(bl_trend_at(shm, BL_RANGE_MINUTES, 400));
    assert_non_null(bl_trend_at(shm, BL_RANGE_MINUTES, 401));
    assert_int_equal(bl_trend_sum(shm, BL_RANGE_MINUTES, 60, sums), 60);
    assert_int_equal(sums[BL_COUNT_EVENTS], 60);
    assert_int_equal(bl_trend_newest(shm, BL_RANGE_HOUR), 69);
    assert_int_equal(
        bl_trend_at(shm, BL_RANGE_HOUR, 69)->counts[BL_COUNT_EVENTS], 10);
    assert_int_equal(bl_trend_sum(shm, BL_RANGE_HOUR, 360, sums), 69);
    assert_int_equal(sums[BL_COUNT_EVENTS], 690);
}

/* Graceful restart: the segment stays, the child that counted leaves. */
static void test_trend_goes_on_when_its_children_are_replaced(void **state)
{
    int next;

    (void)state;
    bl_count(shm, child, RETRIES, 5);
    bl_trend_tick(shm, 10000);
    bl_count(shm, child, RETRIES, 2);
    bl_shm_join(shm, 2, &next);
    bl_shm_leave(shm, child);
    bl_count(shm, next, RETRIES, 1);
    bl_trend_tick(shm, 11000);
    assert_int_equal(
        bl_trend_at(shm, BL_RANGE_MINUTES, 11)->counts[BL_COUNT_RETRIES], 3);
}

/* Eight children tick at once: each second has one writer. */
static void test_trend_has_one_writer_among_children(void **state)
{
    int i, status, sum = 0;
    apr_int64_t second;

    (void)state;
    bl_trend_tick(shm, 1000);
    for (i = 0; i < 8; i++) {
        if (!fork()) {
            int won = 0;

            for (second = 2; second < 200; second++)
                won += bl_trend_tick(shm, second * 1000);
            bl_count(shm, child, EVENTS, won);
            _exit(0);
        }
    }
    for (i = 0; i < 8; i++) {
        wait(&status);
        assert_int_equal(status, 0);
    }
    for (second = 2; second < 200; second++)
        sum += bl_trend_at(shm, BL_RANGE_MINUTES, second) != NULL;
    assert_int_equal(bl_stats_total(shm, BL_COUNT_EVENTS), sum);
    assert_int_equal(bl_trend_newest(shm, BL_RANGE_MINUTES), 199);
}

/* A writer that was killed in the middle does not end the history. */
static void test_trend_replaces_a_writer_that_died(void **state)
{
    pid_t pid = fork();

    (void)state;
    if (!pid) _exit(0);
    waitpid(pid, NULL, 0);
    bl_trend_tick(shm, 1000);
    shm->trend.writer = (apr_uint32_t)pid;
    assert_true(bl_trend_tick(shm, 2000));
    shm->trend.writer = (apr_uint32_t)getppid(); /* alive */
    assert_false(bl_trend_tick(shm, 3000));
}

/* --- first content ------------------------------------------------------ */

static void test_percentile_lies_within_its_bucket(void **state)
{
    apr_uint64_t buckets[BL_BUCKETS] = {0};
    int i;

    (void)state;
    assert_int_equal(bl_bucket_percentile(buckets, 50), -1);
    for (i = 0; i < 90; i++)
        bl_count_first_content(shm, child, 120);
    for (i = 0; i < 10; i++)
        bl_count_first_content(shm, child, 4000);
    for (i = 0; i < BL_BUCKETS; i++)
        buckets[i] = bl_stats_total(shm, BL_WORD_FIRST + i);
    assert_in_range(bl_bucket_percentile(buckets, 50), 100, 150);
    assert_in_range(bl_bucket_percentile(buckets, 95), 3000, 5000);
    assert_int_equal(bl_stats_total(shm, BL_WORD_FIRST_MS),
                     90 * 120 + 10 * 4000);
    bl_count_first_content(shm, child, 3600 * 1000);
    assert_int_equal(bl_stats_total(shm, BL_WORD_FIRST + BL_BUCKETS - 1), 1);
}

static void test_errors_are_counted_by_their_class(void **state)
{
    (void)state;
    bl_count_error(shm, child, BL_WORD_ENDS, BL_E_UPSTREAM_CUT);
    bl_count_error(shm, child, BL_WORD_ATTEMPTS, BL_E_UPSTREAM_CUT);
    bl_count_error(shm, child, BL_WORD_ENDS, APR_SUCCESS);
    bl_count_error(shm, child, BL_WORD_ENDS, APR_ENOMEM);
    assert_int_equal(
        bl_stats_total(shm, BL_WORD_ENDS + bl_error_line(BL_E_UPSTREAM_CUT)),
        1);
    assert_int_equal(
        bl_stats_total(shm, BL_WORD_ENDS + bl_error_line(BL_E_INTERNAL)), 1);
    assert_int_equal(bl_stats_total(shm, BL_WORD_ATTEMPTS +
                                             bl_error_line(BL_E_UPSTREAM_CUT)),
                     1);
}

/* --- marks -------------------------------------------------------------- */

static void test_marks_keep_the_first_and_the_newest(void **state)
{
    bl_slot_t slot;
    bl_mark_t marks[BL_MARKS];
    char packed[BL_MARKS_PACKED];
    size_t len;
    int i, n, lost;

    (void)state;
    memset(&slot, 0, sizeof(slot));
    for (i = 0; i < 100; i++) {
        bl_mark_add(&slot, i, BL_MARK_ATTEMPT, (apr_uint32_t)i, APR_SUCCESS, 0);
    }
    len = bl_marks_pack(&slot, packed);
    n = bl_marks_unpack(packed, len, marks, &lost);
    assert_int_equal(n, BL_MARKS);
    assert_int_equal(lost, 100 - BL_MARKS);
    assert_int_equal(marks[0].n, 0);
    assert_int_equal(marks[BL_MARKS_FIRST - 1].n, BL_MARKS_FIRST - 1);
    for (i = BL_MARKS_FIRST; i < BL_MARKS; i++)
        assert_int_equal(marks[i].n, 100 - BL_MARKS + i);
}

static void test_marks_add_heartbeats_up_and_name_the_error(void **state)
{
    bl_slot_t slot;
    bl_mark_t marks[BL_MARKS];
    int lost;

    (void)state;
    memset(&slot, 0, sizeof(slot));
    slot.started_ms = 1000;
    bl_mark_add(&slot, 1000, BL_MARK_START, 0, APR_SUCCESS, 0);
    bl_mark_add(&slot, 2000, BL_MARK_HEARTBEATS, 1, APR_SUCCESS, 0);
    bl_mark_add(&slot, 3000, BL_MARK_HEARTBEATS, 2, APR_SUCCESS, 0);
    bl_mark_add(&slot, 3500, BL_MARK_FAILED, 1, BL_E_UPSTREAM_QUOTA, 429);
    assert_int_equal(bl_marks_read(&slot, marks, &lost), 3);
    assert_int_equal(lost, 0);
    assert_int_equal(marks[1].n, 3);
    assert_int_equal(marks[1].at_ms, 1000);
    assert_int_equal(marks[2].status, 429);
    assert_string_equal(bl_error_at(marks[2].error - 1)->code,
                        "upstream_quota");
    assert_string_equal(bl_mark_name(marks[2].what), "failed");
    assert_null(bl_mark_name(99));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, open_shm, close_shm)
    const struct CMUnitTest tests[] = {
        T(test_trend_holds_what_was_counted_in_each_second),
        T(test_trend_forgets_what_is_older_than_its_range),
        T(test_trend_goes_on_when_its_children_are_replaced),
        T(test_trend_has_one_writer_among_children),
        T(test_trend_replaces_a_writer_that_died),
        T(test_percentile_lies_within_its_bucket),
        T(test_errors_are_counted_by_their_class),
        T(test_marks_keep_the_first_and_the_newest),
        T(test_marks_add_heartbeats_up_and_name_the_error),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
