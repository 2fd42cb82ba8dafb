/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/clock.h"

#include <time.h>

/* Counts while the machine is suspended (P15, P16), and never goes back. */
static void test_clock_is_the_boot_clock_and_never_goes_back(void **state)
{
    struct timespec ts;
    bl_ms_t before, now, after;
    int i;

    (void)state;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    before = (bl_ms_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    now = bl_clock_ms();
    clock_gettime(CLOCK_BOOTTIME, &ts);
    after = (bl_ms_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
    assert_true(before <= now && now <= after);
    for (i = 0; i < 10000; i++) {
        bl_ms_t next = bl_clock_ms();

        assert_true(next >= now);
        now = next;
    }
}

static void test_clock_wall_is_microseconds_since_1970(void **state)
{
    apr_time_t before = (apr_time_t)time(NULL) * 1000000;
    apr_time_t wall = bl_clock_wall();

    (void)state;
    assert_true(wall >= before);
    assert_true(wall < before + 60 * 1000000);
}

/* From here on the clock of this program stands still. */
static void test_clock_turned_moves_by_hand_only_both_alike(void **state)
{
    apr_time_t wall;
    bl_ms_t ms;

    (void)state;
    bl_clock_turn(0);
    ms = bl_clock_ms();
    wall = bl_clock_wall();
    usleep(3000);
    assert_int_equal(bl_clock_ms(), ms);
    assert_int_equal(bl_clock_wall(), wall);
    bl_clock_turn(1500);
    bl_clock_turn(500);
    assert_int_equal(bl_clock_ms(), ms + 2000);
    assert_int_equal(bl_clock_wall(), wall + 2000 * 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock_is_the_boot_clock_and_never_goes_back),
        cmocka_unit_test(test_clock_wall_is_microseconds_since_1970),
        cmocka_unit_test(test_clock_turned_moves_by_hand_only_both_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
