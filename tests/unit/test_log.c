/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>

static char line_seen[2048];
static int lines_seen;
static bl_log_level_t level_seen;
static apr_status_t status_seen;

static void see(bl_log_level_t level, apr_status_t rv, const char *line)
{
    lines_seen++;
    level_seen = level;
    status_seen = rv;
    snprintf(line_seen, sizeof(line_seen), "%s", line);
}

static int asked;

static int ask(void)
{
    return ++asked;
}

static void test_log_line_reaches_the_sink_with_level_and_status(void **state)
{
    (void)state;
    lines_seen = 0;
    bl_log_install(see, BL_LOG_INFO);
    bl_log(BL_LOG_WARNING, APR_ENOSPC, BL_LOGNO(1) "%d of %s", 3, "four");
    assert_int_equal(lines_seen, 1);
    assert_int_equal(level_seen, BL_LOG_WARNING);
    assert_int_equal(status_seen, APR_ENOSPC);
    assert_string_equal(line_seen, "BL1: 3 of four");
    bl_log_install(NULL, BL_LOG_WARNING);
}

/* Arguments cost nothing when nobody reads the line. */
static void test_log_level_that_is_off_makes_no_arguments(void **state)
{
    (void)state;
    lines_seen = asked = 0;
    bl_log_install(see, BL_LOG_INFO);
    assert_true(bl_log_is_on(BL_LOG_ERR));
    assert_true(bl_log_is_on(BL_LOG_INFO));
    assert_false(bl_log_is_on(BL_LOG_DEBUG));
    bl_log(BL_LOG_DEBUG, 0, BL_LOGNO(1) "%d", ask());
    assert_int_equal(lines_seen, 0);
    assert_int_equal(asked, 0);
    bl_log(BL_LOG_INFO, 0, BL_LOGNO(1) "%d", ask());
    assert_int_equal(lines_seen, 1);
    assert_int_equal(asked, 1);
    bl_log_install(NULL, BL_LOG_WARNING);
}

static void test_log_line_too_long_is_cut_and_ended(void **state)
{
    char text[4096];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    bl_log_install(see, BL_LOG_INFO);
    bl_log(BL_LOG_INFO, 0, "%s", text);
    assert_int_equal(strlen(line_seen), 1023);
    bl_log_install(NULL, BL_LOG_WARNING);
}

/* S-50: no line end, escape sequence or other control of outside text. */
static void test_log_safe_escapes_everything_that_is_not_plain(void **state)
{
    char dst[128];
    int c;

    (void)state;
    assert_string_equal(
        bl_log_safe(dst, sizeof(dst), "a\r\n\033[31m\\\x7f\xe4", 11),
        "a\\x0d\\x0a\\x1b[31m\\x5c\\x7f\\xe4");
    for (c = 1; c < 256; c++) {
        char one = (char)c;
        const char *at = bl_log_safe(dst, sizeof(dst), &one, 1);

        for (; *at; at++)
            assert_true(*at >= 0x20 && *at < 0x7f);
    }
    assert_string_equal(bl_log_safe(dst, sizeof(dst), "ab\0cd", 5), "ab");
}

/* Whatever the room: ended by NUL, never beyond, no escape cut in the middle.
 */
static void test_log_safe_stays_within_any_room(void **state)
{
    size_t size;

    (void)state;
    for (size = 1; size < 40; size++) {
        char *dst = malloc(size); /* exact: a sanitizer sees one byte more */
        size_t len;

        bl_log_safe(dst, size, "ab\n\ncd\xff\xff gh", 11);
        len = strlen(dst);
        assert_true(len < size);
        assert_true(!strncmp("ab\\x0a\\x0acd\\xff\\xff gh", dst, len));
        assert_true(len < 1 || dst[len - 1] != '\\');
        free(dst);
    }
}

#define GATES 300
#define KNOCKERS 4

static bl_log_gate_t gates[GATES];
static int passed[GATES];
static unsigned told[GATES]; /* itself and those kept back before it */
static pthread_barrier_t together;

static void *knock(void *ctx)
{
    unsigned n;
    int i;

    (void)ctx;
    for (i = 0; i < GATES; i++) {
        pthread_barrier_wait(&together);
        n = bl_log_gate(&gates[i]);
        __atomic_add_fetch(&passed[i], n > 0, __ATOMIC_RELAXED);
        __atomic_add_fetch(&told[i], n, __ATOMIC_RELAXED);
    }
    return NULL;
}

/* Before the clock is turned: it must not be with threads about. */
static void test_log_gate_lets_one_of_all_threads_pass(void **state)
{
    pthread_t threads[KNOCKERS];
    int i;

    (void)state;
    pthread_barrier_init(&together, NULL, KNOCKERS);
    for (i = 0; i < KNOCKERS; i++)
        pthread_create(&threads[i], NULL, knock, NULL);
    for (i = 0; i < KNOCKERS; i++)
        pthread_join(threads[i], NULL);
    pthread_barrier_destroy(&together);
    for (i = 0; i < GATES; i++) {
        assert_int_equal(passed[i], 1);
        assert_int_equal(told[i] + gates[i].suppressed, KNOCKERS);
    }
}

/* I11: a fault that repeats is logged once a minute, with a count. */
static void test_log_gate_opens_once_a_minute_and_counts_the_rest(void **state)
{
    bl_log_gate_t gate;
    int i;

    (void)state;
    memset(&gate, 0, sizeof(gate));
    bl_clock_turn(0);
    assert_int_equal(bl_log_gate(&gate), 1);
    for (i = 0; i < 7; i++)
        assert_int_equal(bl_log_gate(&gate), 0);
    bl_clock_turn(59999);
    assert_int_equal(bl_log_gate(&gate), 0);
    bl_clock_turn(1);
    assert_int_equal(bl_log_gate(&gate), 1 + 8);
    assert_int_equal(bl_log_gate(&gate), 0);
    bl_clock_turn(60000);
    assert_int_equal(bl_log_gate(&gate), 1 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_log_line_reaches_the_sink_with_level_and_status),
        cmocka_unit_test(test_log_level_that_is_off_makes_no_arguments),
        cmocka_unit_test(test_log_line_too_long_is_cut_and_ended),
        cmocka_unit_test(test_log_safe_escapes_everything_that_is_not_plain),
        cmocka_unit_test(test_log_safe_stays_within_any_room),
        cmocka_unit_test(test_log_gate_lets_one_of_all_threads_pass),
        cmocka_unit_test(test_log_gate_opens_once_a_minute_and_counts_the_rest),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
