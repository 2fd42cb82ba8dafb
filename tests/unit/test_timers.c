/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "reactor/timers.h"

static char fired[256];
static bl_timers_t heap;

typedef struct named_t {
    bl_timer_t timer;
    char name;
    bl_timer_t *disarms; /* when it fires */
    bl_ms_t again;       /* arms itself for then */
} named_t;

static void fire(void *ctx)
{
    named_t *n = ctx;
    size_t len = strlen(fired);

    snprintf(fired + len, sizeof(fired) - len, "%c", n->name);
    if (n->disarms) bl_timers_disarm(&heap, n->disarms);
    if (n->again) {
        bl_timers_arm(&heap, &n->timer, n->again);
        n->again = 0;
    }
}

static void make(named_t *n, int count)
{
    int i;

    memset(n, 0, sizeof(*n) * (size_t)count);
    for (i = 0; i < count; i++) {
        n[i].name = (char)('a' + i);
        n[i].timer.fn = fire;
        n[i].timer.ctx = &n[i];
    }
    fired[0] = '\0';
    assert_int_equal(bl_timers_init(&heap), APR_SUCCESS);
}

static void test_timers_run_in_the_order_they_are_due(void **state)
{
    named_t n[4];

    (void)state;
    make(n, 4);
    bl_timers_arm(&heap, &n[0].timer, 30);
    bl_timers_arm(&heap, &n[1].timer, 10);
    bl_timers_arm(&heap, &n[2].timer, 40);
    bl_timers_arm(&heap, &n[3].timer, 20);
    bl_timers_run(&heap, 100);
    assert_string_equal(fired, "bdac");
    assert_int_equal(heap.count, 0);
    bl_timers_release(&heap);
}

static void test_timers_not_due_wait(void **state)
{
    named_t n[2];

    (void)state;
    make(n, 2);
    assert_int_equal(bl_timers_wait(&heap, 0), -1);
    bl_timers_arm(&heap, &n[0].timer, 10);
    bl_timers_arm(&heap, &n[1].timer, 11);
    assert_int_equal(bl_timers_wait(&heap, 4), 6);
    bl_timers_run(&heap, 9);
    assert_string_equal(fired, "");
    bl_timers_run(&heap, 10);
    assert_string_equal(fired, "a");
    assert_int_equal(bl_timers_wait(&heap, 20), 0);
    assert_int_equal(n[0].timer.place, 0);
    assert_true(n[1].timer.place > 0);
    bl_timers_release(&heap);
}

static void test_timers_armed_again_moves_both_ways(void **state)
{
    named_t n[3];

    (void)state;
    make(n, 3);
    bl_timers_arm(&heap, &n[0].timer, 10);
    bl_timers_arm(&heap, &n[1].timer, 20);
    bl_timers_arm(&heap, &n[2].timer, 30);
    bl_timers_arm(&heap, &n[0].timer, 25);
    bl_timers_arm(&heap, &n[2].timer, 5);
    assert_int_equal(heap.count, 3);
    bl_timers_run(&heap, 100);
    assert_string_equal(fired, "cba");
    bl_timers_release(&heap);
}

static void test_timers_disarmed_does_not_run(void **state)
{
    named_t n[3];

    (void)state;
    make(n, 3);
    bl_timers_arm(&heap, &n[0].timer, 1);
    bl_timers_arm(&heap, &n[1].timer, 2);
    bl_timers_arm(&heap, &n[2].timer, 3);
    bl_timers_disarm(&heap, &n[1].timer);
    bl_timers_disarm(&heap, &n[1].timer);
    bl_timers_run(&heap, 10);
    assert_string_equal(fired, "ac");
    bl_timers_release(&heap);
}

/* The end of one thing often ends another that is due in the same turn. */
static void
test_timers_disarmed_by_another_in_its_turn_does_not_run(void **state)
{
    named_t n[3];

    (void)state;
    make(n, 3);
    n[0].disarms = &n[1].timer;
    bl_timers_arm(&heap, &n[0].timer, 1);
    bl_timers_arm(&heap, &n[1].timer, 2);
    bl_timers_arm(&heap, &n[2].timer, 3);
    bl_timers_run(&heap, 10);
    assert_string_equal(fired, "ac");
    bl_timers_release(&heap);
}

static void test_timers_may_arm_itself_again(void **state)
{
    named_t n[1];

    (void)state;
    make(n, 1);
    n[0].again = 20;
    bl_timers_arm(&heap, &n[0].timer, 1);
    bl_timers_run(&heap, 10);
    assert_string_equal(fired, "a");
    assert_int_equal(bl_timers_wait(&heap, 10), 10);
    bl_timers_run(&heap, 20);
    assert_string_equal(fired, "aa");
    bl_timers_release(&heap);
}

/* --- against a plain list --------------------------------------------------
 */

#define MANY 500

static bl_timer_t many[MANY];
static bl_ms_t due_of[MANY]; /* 0: not armed */
static bl_ms_t newest_run;
static int is_wrong;

static void run_one(void *ctx)
{
    bl_timer_t *t = ctx;
    long i = t - many;

    if (!due_of[i] || due_of[i] != t->due_ms || t->due_ms < newest_run) {
        is_wrong = 1;
    }
    newest_run = t->due_ms;
    due_of[i] = 0;
}

static unsigned next_number(unsigned *seed)
{
    *seed = *seed * 1103515245u + 12345u;
    return *seed >> 8;
}

static void check_all(bl_ms_t now)
{
    bl_ms_t least = 0;
    unsigned armed = 0;
    int i;

    for (i = 0; i < MANY; i++) {
        if (!due_of[i]) continue;
        armed++;
        if (!least || due_of[i] < least) least = due_of[i];
    }
    assert_int_equal(heap.count, armed);
    assert_int_equal(bl_timers_wait(&heap, now), armed ? least - now : -1);
}

static void test_timers_behave_as_a_list_over_100000_random_steps(void **state)
{
    unsigned seed = 20260, i;
    bl_ms_t now = 1;
    int step;

    (void)state;
    assert_int_equal(bl_timers_init(&heap), APR_SUCCESS);
    memset(many, 0, sizeof(many));
    for (i = 0; i < MANY; i++) {
        many[i].fn = run_one;
        many[i].ctx = &many[i];
    }
    for (step = 0; step < 100000; step++) {
        i = next_number(&seed) % MANY;
        if (next_number(&seed) % 4) {
            due_of[i] = now + 1 + (bl_ms_t)(next_number(&seed) % 300);
            bl_timers_arm(&heap, &many[i], due_of[i]);
        }
        else {
            due_of[i] = 0;
            bl_timers_disarm(&heap, &many[i]);
        }
        if (step % 20) continue;
        now += (bl_ms_t)(next_number(&seed) % 10);
        newest_run = 0;
        bl_timers_run(&heap, now);
        check_all(now);
    }
    assert_false(is_wrong);
    bl_timers_release(&heap);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_timers_run_in_the_order_they_are_due),
        cmocka_unit_test(test_timers_not_due_wait),
        cmocka_unit_test(test_timers_armed_again_moves_both_ways),
        cmocka_unit_test(test_timers_disarmed_does_not_run),
        cmocka_unit_test(
            test_timers_disarmed_by_another_in_its_turn_does_not_run),
        cmocka_unit_test(test_timers_may_arm_itself_again),
        cmocka_unit_test(test_timers_behave_as_a_list_over_100000_random_steps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
