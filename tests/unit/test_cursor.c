/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_help.h"

#define ID "00000000000000000000000000000001"

static int woken;
static int changes;

static void on_changed(bl_stream_t *s, void *ctx)
{
    (void)s;
    (void)ctx;
    changes++;
}

/* Takes one event; its text, or NULL with the status. */
static const char *next(bl_cursor_t *c, apr_uint64_t seq, apr_status_t *prv)
{
    static char text[64];
    bl_event_t ev;
    int n;

    *prv = bl_cursor_peek(c, &ev, 1, &n);
    if (*prv != APR_SUCCESS) return NULL;
    assert_int_equal(ev.seq, seq);
    snprintf(text, sizeof(text), "%.*s", (int)ev.text_len, ev.text);
    bl_cursor_advance(c, &ev);
    return text;
}

/* A reader that comes back after seq 2 gets 3 next, once (I3). */
static void test_cursor_resumed_after_seq_has_no_gap_and_no_repeat(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    apr_status_t rv;
    bl_cursor_t c;

    (void)state;
    say(s, "a");
    say(s, "b");
    say(s, "c");
    bl_cursor_rt_open(&c, s, 2, count_wake, &woken);
    assert_string_equal(next(&c, 3, &rv), "c");
    assert_null(next(&c, 4, &rv));
    assert_int_equal(rv, APR_EAGAIN);
    say(s, "d");
    assert_string_equal(next(&c, 4, &rv), "d");
    bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, APR_SUCCESS, "stop");
    assert_string_equal(next(&c, 5, &rv), "");
    assert_null(next(&c, 6, &rv));
    assert_int_equal(rv, APR_EOF);
    bl_cursor_rt_close(&c);
    bl_stream_unref(s);
}

static void test_cursor_stays_until_it_is_told_to_advance(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_event_t events[4];
    bl_cursor_t c;
    int n, i;

    (void)state;
    say(s, "a");
    say(s, "b");
    bl_cursor_rt_open(&c, s, 0, count_wake, &woken);
    for (i = 0; i < 3; i++) {
        assert_int_equal(bl_cursor_peek(&c, events, 4, &n), APR_SUCCESS);
        assert_int_equal(n, 2);
        assert_int_equal(events[0].seq, 1);
    }
    bl_cursor_advance(&c, &events[0]);
    assert_int_equal(bl_cursor_peek(&c, events, 4, &n), APR_SUCCESS);
    assert_int_equal(n, 1);
    assert_int_equal(events[0].seq, 2);
    bl_cursor_rt_close(&c);
    bl_stream_unref(s);
}

#define INDEX 16 /* an event's place there */

/* Lag: what was not taken, and what was taken but not yet sent. */
static void test_cursor_lag_counts_untaken_and_unsent_bytes(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    apr_status_t rv;
    bl_cursor_t c, later;

    (void)state;
    say(s, "12345");
    put(s, BL_EV_STATUS, "", "{\"a\":1}");
    bl_cursor_rt_open(&c, s, 0, count_wake, &woken);
    bl_cursor_rt_open(&later, s, 1, count_wake, &woken);
    assert_int_equal(bl_cursor_lag(&c), 12 + 2 * INDEX);
    assert_int_equal(bl_cursor_lag(&later), 7 + INDEX);
    assert_int_equal(bl_stream_rt_lag(s), 12 + 2 * INDEX);
    next(&c, 1, &rv);
    assert_int_equal(bl_cursor_lag(&c), 7 + INDEX);
    next(&c, 2, &rv);
    assert_int_equal(bl_cursor_lag(&c), 0);
    bl_cursor_set_unsent(&c, 100);
    assert_int_equal(bl_cursor_lag(&c), 100);
    say(s, "123");
    assert_int_equal(bl_cursor_lag(&c), 103 + INDEX);
    bl_cursor_set_unsent(&c, 0);
    assert_int_equal(bl_cursor_lag(&c), 3 + INDEX);
    bl_cursor_rt_close(&c);
    bl_cursor_rt_close(&later);
    bl_stream_unref(s);
}

/* C14: a reader that claims more than there is waits, and is not behind. */
static void test_cursor_beyond_the_newest_waits(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    apr_status_t rv;
    bl_cursor_t c;

    (void)state;
    say(s, "a");
    bl_cursor_rt_open(&c, s, UINT64_MAX, count_wake, &woken);
    assert_null(next(&c, 0, &rv));
    assert_int_equal(rv, APR_EAGAIN);
    assert_int_equal(bl_cursor_lag(&c), 0);
    bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, APR_SUCCESS, "stop");
    assert_null(next(&c, 0, &rv));
    assert_int_equal(rv, APR_EOF);
    bl_cursor_rt_close(&c);
    bl_stream_unref(s);
}

static void test_cursor_comes_and_goes_in_any_order(void **state)
{
    static const int orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    bl_stream_t *s = new_stream(ID, 1000);
    bl_cursor_t c[3];
    size_t o;
    int i;

    (void)state;
    s->changed = on_changed;
    for (o = 0; o < 6; o++) {
        changes = woken = 0;
        for (i = 0; i < 3; i++)
            bl_cursor_rt_open(&c[i], s, 0, count_wake, &woken);
        assert_int_equal(s->reader_count, 3);
        for (i = 0; i < 3; i++) {
            bl_cursor_rt_close(&c[orders[o][i]]);
            bl_cursor_rt_close(&c[orders[o][i]]); /* twice: nothing more */
            assert_int_equal(s->reader_count, 2 - i);
            woken = 0;
            bl_stream_rt_wake(s);
            assert_int_equal(woken, 2 - i);
        }
        assert_int_equal(changes, 6);
        assert_null(s->cursors);
    }
    bl_stream_unref(s);
}

/* The reader's reference alone keeps the stream and its text. */
static void test_cursor_open_keeps_its_stream(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    apr_status_t rv;
    bl_cursor_t c;

    (void)state;
    say(s, "a");
    bl_cursor_rt_open(&c, s, 0, count_wake, &woken);
    bl_stream_unref(s);
    assert_string_equal(next(&c, 1, &rv), "a");
    bl_cursor_rt_close(&c);
}

/* C16: one that takes nothing among 50; the others get all, at once, and the
 * producer is not held back. */
static void test_cursor_slow_one_among_many_holds_nobody_back(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_cursor_t c[50];
    bl_event_t ev;
    int i, n, round;

    (void)state;
    for (i = 0; i < 50; i++)
        bl_cursor_rt_open(&c[i], s, 0, count_wake, &woken);
    for (round = 1; round <= 100; round++) {
        say_bytes(s, 50);
        for (i = 1; i < 50; i++) {
            assert_int_equal(bl_cursor_peek(&c[i], &ev, 1, &n), APR_SUCCESS);
            assert_int_equal(ev.seq, round);
            bl_cursor_advance(&c[i], &ev);
        }
        assert_false(bl_stream_rt_is_blocked(s, 0, 0));
    }
    assert_int_equal(bl_cursor_lag(&c[0]), 5000 + 100 * INDEX);
    for (i = 1; i < 50; i++)
        bl_cursor_rt_close(&c[i]);
    assert_true(bl_stream_rt_is_blocked(s, 0, 0)); /* now it is the only one */
    bl_cursor_rt_close(&c[0]);
    bl_stream_unref(s);
}

static bl_cursor_t self_closing;

static void close_self(void *ctx)
{
    ++*(int *)ctx;
    bl_cursor_rt_close(&self_closing);
}

static void test_cursor_may_close_itself_when_it_is_woken(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_cursor_t before, after;

    (void)state;
    woken = 0;
    bl_cursor_rt_open(&before, s, 0, count_wake, &woken);
    bl_cursor_rt_open(&self_closing, s, 0, close_self, &woken);
    bl_cursor_rt_open(&after, s, 0, count_wake, &woken);
    bl_stream_rt_wake(s);
    assert_int_equal(woken, 3);
    bl_stream_rt_wake(s);
    assert_int_equal(woken, 5);
    bl_cursor_rt_close(&before);
    bl_cursor_rt_close(&after);
    bl_stream_unref(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_cursor_resumed_after_seq_has_no_gap_and_no_repeat),
        cmocka_unit_test(test_cursor_stays_until_it_is_told_to_advance),
        cmocka_unit_test(test_cursor_lag_counts_untaken_and_unsent_bytes),
        cmocka_unit_test(test_cursor_beyond_the_newest_waits),
        cmocka_unit_test(test_cursor_comes_and_goes_in_any_order),
        cmocka_unit_test(test_cursor_open_keeps_its_stream),
        cmocka_unit_test(test_cursor_slow_one_among_many_holds_nobody_back),
        cmocka_unit_test(test_cursor_may_close_itself_when_it_is_woken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
