/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that do not live here any more. */
#include "engine_env.h"

#include "engine/replay.h"

static engine_env_t ee;

static int close_env(void **state)
{
    (void)state;
    engine_env_close(&ee);
    return 0;
}

static const char *const words[] = {"one", " two", NULL};

/* A stream of a process that died after it had stored two events. */
static void leave_dead_stream(int n)
{
    bl_store_t *dying = env_second(&ee.env);

    env_begin(dying, n, "user:li", "c1", "q");
    env_say(dying, n, 1, words);
    env_settle(dying);
    bl_store_close(dying, 5000);
}

static void find(const char *id, bl_stored_stream_t *row)
{
    assert_int_equal(bl_replay_find(ee.engine, id, row), APR_SUCCESS);
}

/* "2 two 1000003 " of what the reader gets after a seq. */
static const char *read_all(bl_stream_t *s, apr_uint64_t after)
{
    static char out[256];
    bl_event_t ev;
    int n;

    out[0] = '\0';
    while (bl_journal_read(s->journal, after, &ev, 1, &n) == APR_SUCCESS) {
        size_t len = strlen(out);

        snprintf(out + len, sizeof(out) - len, "%lu%.*s ",
                 (unsigned long)ev.seq, (int)ev.text_len, ev.text);
        after = ev.seq;
    }
    return out;
}

/* I3, C14: whoever comes back after any seq gets the rest, whole and once. */
static void test_replay_of_a_stored_stream_from_each_seq(void **state)
{
    static const char *const rests[] = {"1 2Hello 3 world 4 5 ",
                                        "2Hello 3 world 4 5 ", "3 world 4 5 ",
                                        "4 5 ", "5 "};
    bl_stored_stream_t row;
    apr_uint64_t after, last;
    bl_stream_t *s, *again;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    s = engine_env_ask(&ee);
    engine_env_stored(&ee, s->id, &row);
    for (after = 0; after < 5; after++) {
        assert_int_equal(bl_replay_load(ee.engine, &row, after, &again, &last),
                         APR_SUCCESS);
        assert_string_equal(read_all(again, after), rests[after]);
        assert_int_equal(again->state, BL_STREAM_ENDED);
        assert_string_equal(again->sha256_hex, row.sha256_hex);
        bl_stream_unref(again);
    }
    bl_stream_unref(s);
}

/* C14: a reader that has all, or claims more, has nothing to wait for. */
static void test_replay_beyond_the_end_is_eof(void **state)
{
    static const apr_uint64_t beyond[] = {5, 6, 1000000, UINT64_MAX};
    bl_stored_stream_t row;
    apr_uint64_t last;
    bl_stream_t *s, *again;
    size_t i;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    s = engine_env_ask(&ee);
    engine_env_stored(&ee, s->id, &row);
    for (i = 0; i < 4; i++) {
        assert_int_equal(
            bl_replay_load(ee.engine, &row, beyond[i], &again, &last), APR_EOF);
        assert_null(again);
    }
    bl_stream_unref(s);
}

/* P01: what was stored, then an end above every seq that can have been seen; a
 * reader that saw more than was stored is told so, and told how much was. */
static void test_replay_after_a_crash_says_what_was_kept_p01(void **state)
{
    static const apr_uint64_t lost[] = {3, 4, 500, 1000000};
    bl_stored_stream_t row;
    apr_uint64_t after, last;
    bl_stream_t *s;
    size_t i;
    int n;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    leave_dead_stream(7);
    bl_store_do_recover(ee.env.store, &n);
    find(env_id(7), &row);
    assert_int_equal(row.outcome, BL_OUTCOME_INTERRUPTED);
    for (after = 0; after <= 2; after++) {
        static const char *const rests[] = {"1one 2 two 1000002 ",
                                            "2 two 1000002 ", "1000002 "};

        assert_int_equal(bl_replay_load(ee.engine, &row, after, &s, &last),
                         APR_SUCCESS);
        assert_string_equal(read_all(s, after), rests[after]);
        bl_stream_unref(s);
    }
    for (i = 0; i < 4; i++) {
        assert_int_equal(bl_replay_load(ee.engine, &row, lost[i], &s, &last),
                         BL_E_TRIMMED);
        assert_null(s);
        assert_int_equal(last, 2);
    }
    assert_int_equal(bl_replay_load(ee.engine, &row, 1000002, &s, &last),
                     APR_EOF);
}

static void test_replay_of_a_living_stream_is_busy(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    s = engine_env_ask(&ee);
    env_settle(ee.env.store);
    assert_int_equal(bl_replay_find(ee.engine, s->id, &row), APR_EBUSY);
    stub_open_gate(&ee.stub);
    engine_env_stored(&ee, s->id, &row);
    bl_stream_unref(s);
}

static void test_replay_of_an_unknown_stream_is_not_found(void **state)
{
    static const char *const ids[] = {
        "", "x", "00000000000000000000000000000000",
        "zzzzzzzzzzzzzzzzzzzzzzzzzzzzzzzz", "../../etc/passwd"};
    bl_stored_stream_t row;
    size_t i;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++) {
        assert_int_equal(bl_replay_find(ee.engine, ids[i], &row),
                         BL_E_NOT_FOUND);
    }
}

/* The row of a stream is there as soon as it can be asked for: not only when
 * the writer came to it. */
static void test_replay_right_after_the_question_is_never_unknown(void **state)
{
    bl_stored_stream_t row;
    int i;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    for (i = 0; i < 50; i++) {
        bl_stream_t *s = engine_env_ask(&ee);
        apr_status_t rv;

        do {
            rv = bl_replay_find(ee.engine, s->id, &row);
            assert_int_not_equal(rv, BL_E_NOT_FOUND);
        } while (rv == APR_EBUSY);
        assert_int_equal(row.outcome, BL_OUTCOME_COMPLETED);
        bl_stream_unref(s);
    }
}

static void expect_state(const char *id, const char *owner, const char *begin)
{
    bl_buf_t out;

    bl_buf_init(&out, 65536);
    assert_int_equal(bl_replay_state(ee.engine, id, owner, &out), APR_SUCCESS);
    assert_true(out.len > strlen(begin));
    out.data[strlen(begin)] = '\0';
    assert_string_equal(out.data, begin);
    bl_buf_release(&out);
}

static void test_replay_state_of_living_and_stored_streams(void **state)
{
    char begin[256];
    bl_stored_stream_t row;
    apr_int64_t child_id;
    bl_slot_t *slot;
    bl_stream_t *s;
    reader_t *r;
    int child;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    /* Readers are told before the directory is. */
    slot = bl_slot_find(ee.shm, s->id, &child, &child_id);
    assert_non_null(slot);
    wait_until(bl_slot_get(slot, seq) == 2);
    snprintf(begin, sizeof(begin),
             "{\"id\":\"%s\",\"live\":true,\"outcome\":null,"
             "\"phase\":\"streaming\",\"app\":\"qa\",\"events\":2",
             s->id);
    expect_state(s->id, "user:li", begin);
    stub_open_gate(&ee.stub);
    engine_env_stored(&ee, s->id, &row);
    snprintf(begin, sizeof(begin),
             "{\"id\":\"%s\",\"live\":false,\"outcome\":\"completed\","
             "\"app\":\"qa\",",
             s->id);
    expect_state(s->id, "user:li", begin);
    reader_close(r);
    bl_stream_unref(s);
}

/* S-04: another's stream is as one that does not exist, living or stored. */
static void test_replay_state_of_a_foreign_stream_is_not_found(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;
    bl_buf_t out;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    bl_buf_init(&out, 65536);
    s = engine_env_ask(&ee);
    assert_int_equal(bl_replay_state(ee.engine, s->id, "user:wu", &out),
                     BL_E_NOT_FOUND);
    stub_open_gate(&ee.stub);
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(bl_replay_state(ee.engine, s->id, "user:wu", &out),
                     BL_E_NOT_FOUND);
    assert_int_equal(bl_replay_state(ee.engine, s->id, "", &out),
                     BL_E_NOT_FOUND);
    assert_int_equal(out.len, 0);
    bl_buf_release(&out);
    bl_stream_unref(s);
}

#define with_env(test) cmocka_unit_test_teardown(test, close_env)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_env(test_replay_of_a_stored_stream_from_each_seq),
        with_env(test_replay_beyond_the_end_is_eof),
        with_env(test_replay_after_a_crash_says_what_was_kept_p01),
        with_env(test_replay_of_a_living_stream_is_busy),
        with_env(test_replay_of_an_unknown_stream_is_not_found),
        with_env(test_replay_right_after_the_question_is_never_unknown),
        with_env(test_replay_state_of_living_and_stored_streams),
        with_env(test_replay_state_of_a_foreign_stream_is_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
