/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "reactor/warm.h"

#define LINE 64

static bl_warm_t warm;
static _Alignas(LINE) char memory[(BL_WARM_LINES + 8) * LINE];

static int events_until_due(void)
{
    int n = 1;

    while (!bl_warm_begin(&warm))
        n++;
    return n;
}

static void every_line_that_a_range_touches_is_noted(void **state)
{
    (void)state;
    bl_warm_init(&warm);
    bl_warm_note(&warm, memory + LINE - 1, 2);
    bl_warm_note(&warm, memory + 4 * LINE, LINE);
    assert_int_equal(warm.count, 3);
    assert_ptr_equal(warm.lines[0], memory);
    assert_ptr_equal(warm.lines[1], memory + LINE);
    assert_ptr_equal(warm.lines[2], memory + 4 * LINE);
}

static void nothing_is_noted_of_nothing(void **state)
{
    (void)state;
    bl_warm_init(&warm);
    bl_warm_note(&warm, NULL, 0);
    bl_warm_note(&warm, memory + LINE, 0);
    assert_int_equal(warm.count, 0);
}

static void what_there_is_no_room_for_is_not_kept(void **state)
{
    (void)state;
    bl_warm_init(&warm);
    bl_warm_note(&warm, memory, sizeof(memory));
    assert_int_equal(warm.count, BL_WARM_LINES);
    bl_warm_note(&warm, memory, 1);
    assert_int_equal(warm.count, BL_WARM_LINES);
    assert_ptr_equal(warm.lines[BL_WARM_LINES - 1],
                     memory + (BL_WARM_LINES - 1) * LINE);
}

static void it_is_noted_early_and_then_again_and_again(void **state)
{
    int first, i;

    (void)state;
    bl_warm_init(&warm);
    first = events_until_due();
    assert_in_range(first, 2, 8);
    for (i = 0; i < 3; i++) {
        bl_warm_note(&warm, memory, LINE);
        bl_warm_renew(&warm);
        assert_int_equal(warm.count, 0);
        assert_in_range(events_until_due(), 32, 128);
    }
}

/* Another event noted in this turn: this one's turn comes with the next. */
static void who_did_not_note_is_asked_again(void **state)
{
    (void)state;
    bl_warm_init(&warm);
    events_until_due();
    assert_int_equal(events_until_due(), 1);
}

static void memory_that_is_nobodys_any_more_does_no_harm(void **state)
{
    char *gone = malloc(64 * LINE);

    (void)state;
    bl_warm_init(&warm);
    bl_warm_note(&warm, gone, 64 * LINE);
    free(gone);
    bl_warm_begin(&warm);
    bl_warm_note(&warm, (const void *)(uintptr_t)LINE, LINE);
    bl_warm_begin(&warm);
    assert_int_equal(warm.lines[warm.count - 1] == (const void *)LINE, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_line_that_a_range_touches_is_noted),
        cmocka_unit_test(nothing_is_noted_of_nothing),
        cmocka_unit_test(what_there_is_no_room_for_is_not_kept),
        cmocka_unit_test(it_is_noted_early_and_then_again_and_again),
        cmocka_unit_test(who_did_not_note_is_asked_again),
        cmocka_unit_test(memory_that_is_nobodys_any_more_does_no_harm),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
