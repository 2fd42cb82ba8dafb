/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/log.h"
#include "base/log_queue.h"

#include <pthread.h>

static pthread_mutex_t gate = PTHREAD_MUTEX_INITIALIZER;
static char seen[64 * 1024];
static unsigned lines, told_dropped; /* atomic */

/* A log that takes lines only while the gate is open. */
static void slow_log(bl_log_level_t level, apr_status_t rv, const char *line)
{
    const char *number = strstr(line, "BL1001: ");

    (void)rv;
    pthread_mutex_lock(&gate);
    if (number) {
        assert_int_equal(level, BL_LOG_WARNING);
        told_dropped += (unsigned)strtoul(number + 8, NULL, 10);
    }
    else {
        if (strlen(seen) + strlen(line) < sizeof(seen)) strcat(seen, line);
        lines++;
    }
    pthread_mutex_unlock(&gate);
}

static int open_queue(void **state)
{
    (void)state;
    seen[0] = '\0';
    lines = told_dropped = 0;
    bl_log_install(slow_log, BL_LOG_INFO);
    bl_log_queue_start();
    return 0;
}

static int close_queue(void **state)
{
    (void)state;
    bl_log_queue_stop(CORE_WAIT_MS);
    bl_log_install(NULL, BL_LOG_WARNING);
    return 0;
}

static void test_log_queue_keeps_every_line_in_its_order(void **state)
{
    char expected[4096] = "", one[16];
    int i;

    (void)state;
    for (i = 0; i < 500; i++) {
        snprintf(one, sizeof(one), "%d,", i);
        strcat(expected, one);
        bl_log_write(BL_LOG_INFO, 0, "%s", one);
    }
    assert_true(bl_log_queue_flush(CORE_WAIT_MS));
    assert_string_equal(seen, expected);
    assert_int_equal(told_dropped, 0);
}

/* R08: nobody waits for a log that takes nothing; what was lost is told. */
static void test_log_queue_blocked_log_r08_stops_nobody_and_counts(void **state)
{
    unsigned i, n = 4 * 1024;
    char text[1000];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    pthread_mutex_lock(&gate);
    for (i = 0; i < n; i++) /* 4 MiB: this would hang */
        bl_log_write(BL_LOG_INFO, 0, "%s", text);
    assert_false(bl_log_queue_flush(1));
    pthread_mutex_unlock(&gate);
    assert_true(bl_log_queue_flush(CORE_WAIT_MS));
    bl_log_write(BL_LOG_INFO, 0, "y");
    assert_true(bl_log_queue_flush(CORE_WAIT_MS));
    bl_log_queue_stop(CORE_WAIT_MS);
    assert_true(lines >= 512 && lines < n);
    assert_int_equal(lines - 1 + told_dropped, n);
}

static void test_log_queue_stop_writes_the_rest_and_logs_directly(void **state)
{
    (void)state;
    bl_log_write(BL_LOG_INFO, 0, "a");
    bl_log_queue_stop(CORE_WAIT_MS);
    assert_string_equal(seen, "a");
    bl_log_write(BL_LOG_INFO, 0, "b");
    assert_string_equal(seen, "ab");
}

#define with_queue(test)                                                       \
    cmocka_unit_test_setup_teardown(test, open_queue, close_queue)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_queue(test_log_queue_keeps_every_line_in_its_order),
        with_queue(test_log_queue_blocked_log_r08_stops_nobody_and_counts),
        with_queue(test_log_queue_stop_writes_the_rest_and_logs_directly),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
