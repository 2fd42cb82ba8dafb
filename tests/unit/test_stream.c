/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_help.h"

#include "base/clock.h"
#include "crypto/token.h"

#include <pthread.h>

#define ID "00000000000000000000000000000001"
/* printf 'Hello world' | sha256sum */
#define HELLO_WORLD_SHA256                                                     \
    "64ec88ca00b268e5ba1a35678a1b5316d212f4f366b2477232534a8aeca37f3c"
#define EMPTY_SHA256                                                           \
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static bl_event_t last_event(bl_stream_t *s)
{
    apr_uint64_t tail = bl_journal_tail(s->journal);
    bl_event_t ev;
    int n;

    assert_int_equal(bl_journal_read(s->journal, tail - 1, &ev, 1, &n),
                     APR_SUCCESS);
    return ev;
}

static void expect_fields(bl_stream_t *s, const char *expected)
{
    bl_event_t ev = last_event(s);

    assert_int_equal(ev.kind, BL_EV_END);
    assert_int_equal(ev.fields_len, strlen(expected));
    assert_memory_equal(ev.fields, expected, ev.fields_len);
}

static void test_stream_keeps_what_it_was_made_of(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);

    (void)state;
    assert_string_equal(s->id, ID);
    assert_string_equal(s->owner, "user:li");
    assert_string_equal(s->conversation_id, "c1");
    assert_string_equal(s->item_id, "i1");
    assert_string_equal(s->app, "qa");
    assert_int_equal(s->state, BL_STREAM_OPENING);
    bl_stream_unref(s);
}

/* Only content makes it live: a retry is possible until then (I12). */
static void test_stream_becomes_live_by_content_only(void **state)
{
    static const bl_event_kind_t others[] = {
        BL_EV_START,  BL_EV_STATUS,      BL_EV_PLAN,           BL_EV_SEARCH,
        BL_EV_TOOL,   BL_EV_AGENT_START, BL_EV_AGENT_COMPLETE, BL_EV_PROGRESS,
        BL_EV_NOTICE, BL_EV_USAGE};
    static const bl_event_kind_t content[] = {BL_EV_DELTA, BL_EV_REASONING,
                                              BL_EV_REPLACE};
    bl_stream_t *s;
    size_t i;

    (void)state;
    for (i = 0; i < 3; i++) {
        size_t k;

        s = new_stream(ID, 1000);
        for (k = 0; k < sizeof(others) / sizeof(others[0]); k++)
            put(s, others[k], "", NULL);
        assert_int_equal(s->state, BL_STREAM_OPENING);
        put(s, content[i], "x", NULL);
        assert_int_equal(s->state, BL_STREAM_LIVE);
        bl_stream_unref(s);
    }
}

/* I2: whoever comes first decides; later ones change nothing. */
static void test_stream_ends_once_the_first_one_wins(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    apr_uint64_t tail;

    (void)state;
    put(s, BL_EV_START, "", NULL);
    say(s, "Hello");
    assert_int_equal(
        bl_stream_rt_end(s, BL_OUTCOME_CANCELLED, BL_E_CANCELLED, NULL), 1);
    tail = bl_journal_tail(s->journal);
    assert_int_equal(
        bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, APR_SUCCESS, "stop"), 0);
    assert_int_equal(
        bl_stream_rt_end(s, BL_OUTCOME_CANCELLED, BL_E_CANCELLED, NULL), 0);
    assert_int_equal(s->outcome, BL_OUTCOME_CANCELLED);
    assert_int_equal(s->failure, BL_E_CANCELLED);
    assert_int_equal(bl_journal_tail(s->journal), tail);
    bl_stream_unref(s);
}

static void test_stream_event_after_its_end_changes_nothing(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_event_t end = {9, BL_EV_END, 0, "", 0, "{}", 2};
    apr_uint64_t tail;

    (void)state;
    say(s, "Hello");
    bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, APR_SUCCESS, "stop");
    tail = bl_journal_tail(s->journal);
    assert_int_equal(say(s, "more"), BL_E_INTERNAL);
    assert_int_equal(bl_stream_rt_append_copy(s, &end), BL_E_INTERNAL);
    assert_int_equal(bl_stream_rt_append_end(s, &end), BL_E_INTERNAL);
    assert_int_equal(bl_journal_tail(s->journal), tail);
    assert_int_equal(s->whole.len, 5);
    bl_stream_unref(s);
}

static void test_stream_end_event_says_outcome_and_sums(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);

    (void)state;
    put(s, BL_EV_START, "", NULL);
    put(s, BL_EV_REASONING, "not part of it", NULL);
    say(s, "Hello");
    say(s, " world");
    bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, APR_SUCCESS, "stop");
    expect_fields(s, "{\"outcome\":\"completed\",\"reason\":null,"
                     "\"finishReason\":\"stop\",\"events\":5,\"length\":11,"
                     "\"sha256\":\"" HELLO_WORLD_SHA256 "\"}");
    assert_string_equal(s->sha256_hex, HELLO_WORLD_SHA256);
    assert_int_equal(s->whole.len, 11);
    bl_stream_unref(s);
}

static void test_stream_that_said_nothing_has_a_whole_end_too(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);

    (void)state;
    bl_stream_rt_end(s, BL_OUTCOME_ERROR, BL_E_UPSTREAM_CONNECT, NULL);
    expect_fields(s,
                  "{\"outcome\":\"error\",\"reason\":\"upstream_connect\","
                  "\"events\":1,\"length\":0,\"sha256\":\"" EMPTY_SHA256 "\"}");
    bl_stream_unref(s);
}

/* U20: a rewrite keeps the first bytes and goes on from there. */
static void test_stream_text_follows_replacements(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_buf_t text;

    (void)state;
    bl_buf_init(&text, 1000);
    say(s, "Hello");
    say(s, " word");
    put(s, BL_EV_REPLACE, " world", "{\"keep\":5}");
    assert_int_equal(bl_stream_text(s, &text), APR_SUCCESS);
    assert_string_equal(bl_buf_str(&text), "Hello world");
    put(s, BL_EV_REPLACE, "Bye", "{\"keep\":0}");
    say(s, "!");
    bl_buf_clear(&text);
    bl_buf_puts(&text, "> ");
    assert_int_equal(bl_stream_text(s, &text), APR_SUCCESS);
    assert_string_equal(bl_buf_str(&text), "> Bye!");
    put(s, BL_EV_REPLACE, "?", "{\"keep\":99}"); /* beyond: nothing to cut */
    bl_buf_clear(&text);
    bl_stream_text(s, &text);
    assert_string_equal(bl_buf_str(&text), "Bye!?");
    bl_buf_release(&text);
    bl_stream_unref(s);
}

/* The digest of a stream that says `pieces` times 100 bytes; the piece of this
 * number, from 1 on, is a rewrite that keeps 50 bytes. */
static void expect_whole_digest(int pieces, int rewrite)
{
    unsigned char digest[BL_SHA256_BYTES];
    char piece[101], hex[2 * BL_SHA256_BYTES + 1];
    bl_stream_t *s = new_stream(ID, BL_MAX_ANSWER_BYTES);
    bl_sha256_t *sum;
    int i;

    for (i = 1; i <= pieces; i++) {
        snprintf(piece, sizeof(piece), "%099d\n", i);
        if (i == rewrite)
            put(s, BL_EV_REPLACE, piece, "{\"keep\":50}");
        else
            say(s, piece);
        put(s, BL_EV_REASONING, "no part of it", NULL);
    }
    bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, APR_SUCCESS, "stop");
    assert_int_equal(s->whole.len, rewrite ? 50 + 100 * (pieces - rewrite + 1)
                                           : 100 * pieces);
    assert_int_equal(bl_sha256_create(&sum), APR_SUCCESS);
    bl_sha256_add(sum, s->whole.data, s->whole.len);
    bl_sha256_end(sum, digest);
    bl_sha256_destroy(sum);
    bl_hex(hex, digest, sizeof(digest));
    assert_string_equal(s->sha256_hex, hex);
    bl_stream_unref(s);
}

/* I9: of a long text it is made as the text comes. */
static void test_stream_digest_is_of_the_whole_text_however_long(void **state)
{
    (void)state;
    expect_whole_digest(655, 0); /* the last one that is short */
    expect_whole_digest(656, 0);
    expect_whole_digest(657, 0);
    expect_whole_digest(3000, 0);
    expect_whole_digest(3000, 10); /* rewritten while it was short */
    expect_whole_digest(3000, 656);
    expect_whole_digest(3000, 3000);
}

static void test_stream_reasoning_is_apart_from_the_text(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_buf_t text;
    int i;

    (void)state;
    bl_buf_init(&text, 10000);
    for (i = 0; i < 200; i++) { /* more than one read of the journal */
        put(s, BL_EV_REASONING, "r", NULL);
        say(s, "t");
    }
    bl_stream_reasoning(s, &text);
    assert_int_equal(text.len, 200);
    assert_int_equal(strspn(bl_buf_str(&text), "r"), 200);
    bl_buf_clear(&text);
    bl_stream_text(s, &text);
    assert_int_equal(text.len, 200);
    assert_int_equal(strspn(bl_buf_str(&text), "t"), 200);
    bl_buf_release(&text);
    bl_stream_unref(s);
}

static int dirtied;

static void on_dirty(bl_stream_t *s, void *ctx)
{
    (void)s;
    (void)ctx;
    dirtied++;
}

/* Several events of one upstream read leave in one write. */
static void test_stream_tells_once_of_many_events(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_cursor_t c;
    int woken = 0;

    (void)state;
    dirtied = 0;
    s->dirty = on_dirty;
    bl_cursor_rt_open(&c, s, 0, count_wake, &woken);
    say(s, "a");
    say(s, "b");
    say(s, "c");
    assert_int_equal(dirtied, 1);
    bl_stream_rt_wake(s);
    assert_int_equal(woken, 1);
    say(s, "d");
    assert_int_equal(dirtied, 2);
    bl_cursor_rt_close(&c);
    bl_stream_unref(s);
}

/* U28: held back at 80 % of the queue, let go at 30 %, not in between. */
static void test_stream_is_blocked_at_80_and_freed_at_30_percent(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_cursor_t c;
    int woken = 0;

    (void)state;
    bl_cursor_rt_open(&c, s, 0, count_wake, &woken);
    say_bytes(s, 799 - 16); /* and 16 of its place in the index */
    assert_false(bl_stream_rt_is_blocked(s, 0, 0));
    put(s, BL_EV_STATUS, "", "");
    assert_true(bl_stream_rt_is_blocked(s, 0, 0));
    bl_cursor_rt_close(&c);
    bl_cursor_rt_open(&c, s, bl_journal_tail(s->journal), count_wake, &woken);
    bl_cursor_set_unsent(&c, 300);
    assert_true(bl_stream_rt_is_blocked(s, 1, 0));
    assert_false(bl_stream_rt_is_blocked(s, 0, 0));
    bl_cursor_set_unsent(&c, 299);
    assert_false(bl_stream_rt_is_blocked(s, 1, 0));
    bl_cursor_rt_close(&c);
    bl_stream_unref(s);
}

/* C06: before the read that would be too much, not after it; but where a read
 * is larger than the queue, not before the middle between both marks. */
static void test_stream_is_blocked_before_more_would_be_too_much(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_cursor_t c;
    int woken = 0;

    (void)state;
    bl_cursor_rt_open(&c, s, 0, count_wake, &woken);
    bl_cursor_set_unsent(&c, 699);
    assert_false(bl_stream_rt_is_blocked(s, 0, 100));
    bl_cursor_set_unsent(&c, 700);
    assert_true(bl_stream_rt_is_blocked(s, 0, 100));
    assert_false(bl_stream_rt_is_blocked(s, 0, 99));
    bl_cursor_set_unsent(&c, 549);
    assert_false(bl_stream_rt_is_blocked(s, 0, 5000));
    bl_cursor_set_unsent(&c, 550);
    assert_true(bl_stream_rt_is_blocked(s, 0, 5000));
    bl_cursor_rt_close(&c);
    bl_stream_unref(s);
}

/* C06: where words come one by one the index is most of what waits. */
static void test_stream_is_blocked_by_many_small_events(void **state)
{
    bl_stream_t *s = new_stream(ID, 256 * 1024);
    size_t before = bl_journal_memory(s->journal);
    bl_cursor_t c;
    int woken = 0;

    (void)state;
    bl_cursor_rt_open(&c, s, 0, count_wake, &woken);
    while (!bl_stream_rt_is_blocked(s, 0, 0))
        say(s, "a");
    /* The index grows by doubling; its half may lie unused. */
    assert_true(bl_journal_memory(s->journal) - before <= 2 * 256 * 1024);
    bl_cursor_rt_close(&c);
    bl_stream_unref(s);
}

/* Nobody reads: the journal's own ceiling bounds what is kept. */
static void test_stream_without_readers_is_not_blocked(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);

    (void)state;
    say_bytes(s, 5000);
    assert_false(bl_stream_rt_is_blocked(s, 0, 0));
    assert_false(bl_stream_rt_is_blocked(s, 1, 0));
    assert_int_equal(bl_stream_rt_lag(s), 0);
    bl_stream_unref(s);
}

/* An event from another child or the store keeps its number and its time. */
static void test_stream_copy_keeps_seq_and_time(void **state)
{
    bl_stream_t *s = new_stream(ID, 1000);
    bl_event_t ev = {1, BL_EV_DELTA, 77, "a", 1, NULL, 0}, out;

    (void)state;
    assert_int_equal(bl_stream_rt_append_copy(s, &ev), APR_SUCCESS);
    assert_int_equal(s->state, BL_STREAM_LIVE);
    out = last_event(s);
    assert_int_equal(out.seq, 1);
    assert_int_equal(out.at_ms, 77);
    ev.seq = 3;
    assert_int_equal(bl_stream_rt_append_copy(s, &ev), BL_E_STORE_CORRUPT);
    bl_stream_unref(s);
}

/* P01: what recovery wrote behind a crash reads back as it stands. */
static void test_stream_copied_end_may_stand_far_above(void **state)
{
    static const char fields[] = "{\"outcome\":\"interrupted\"}";
    bl_stream_t *s = new_stream(ID, 1000);
    bl_event_t ev = {1, BL_EV_DELTA, 0, "Hello world", 11, NULL, 0};
    bl_event_t end = {1000001, BL_EV_END, 0, "", 0, fields, sizeof(fields) - 1};

    (void)state;
    bl_stream_rt_append_copy(s, &ev);
    assert_int_equal(bl_stream_rt_append_copy(s, &end), APR_SUCCESS);
    assert_int_equal(s->state, BL_STREAM_ENDED);
    assert_int_equal(bl_journal_tail(s->journal), 1000001);
    assert_string_equal(s->sha256_hex, HELLO_WORLD_SHA256);
    bl_stream_unref(s);
}

/* --- I2, C17: two who want to end it, over a real reactor --------------------
 */

typedef struct race_t {
    bl_letter_t natural, cancel;
    bl_stream_t *stream;
    int winners;
} race_t;

#define RACES 10000

static race_t races[RACES];
static bl_reactor_t *reactor;
static int ended;

static void on_natural(bl_letter_t *letter)
{
    race_t *r = (race_t *)letter;

    r->winners +=
        bl_stream_rt_end(r->stream, BL_OUTCOME_COMPLETED, APR_SUCCESS, "stop");
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELEASE);
}

static void on_cancel(bl_letter_t *letter)
{
    race_t *r = (race_t *)((char *)letter - offsetof(race_t, cancel));

    r->winners +=
        bl_stream_rt_end(r->stream, BL_OUTCOME_CANCELLED, BL_E_CANCELLED, NULL);
    __atomic_add_fetch(&ended, 1, __ATOMIC_RELEASE);
}

static void *cancel_all(void *ctx)
{
    int i;

    (void)ctx;
    for (i = 0; i < RACES; i++)
        bl_reactor_post(reactor, &races[i].cancel);
    return NULL;
}

static void test_stream_cancel_against_natural_end_has_one_outcome(void **state)
{
    pthread_t thread;
    int i;

    (void)state;
    assert_int_equal(bl_reactor_create(&reactor), APR_SUCCESS);
    for (i = 0; i < RACES; i++) {
        races[i].stream = new_stream(ID, 1000);
        say(races[i].stream, "x");
        races[i].natural.fn = on_natural;
        races[i].cancel.fn = on_cancel;
    }
    assert_int_equal(bl_reactor_start(reactor), APR_SUCCESS);
    pthread_create(&thread, NULL, cancel_all, NULL);
    for (i = 0; i < RACES; i++)
        bl_reactor_post(reactor, &races[i].natural);
    pthread_join(thread, NULL);
    wait_until(__atomic_load_n(&ended, __ATOMIC_ACQUIRE) == 2 * RACES);
    bl_reactor_stop(reactor);
    for (i = 0; i < RACES; i++) {
        bl_stream_t *s = races[i].stream;

        assert_int_equal(races[i].winners, 1);
        assert_int_equal(bl_journal_tail(s->journal), 2);
        assert_true(s->outcome == BL_OUTCOME_COMPLETED ||
                    s->outcome == BL_OUTCOME_CANCELLED);
        bl_stream_unref(s);
    }
    bl_reactor_destroy(reactor);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_keeps_what_it_was_made_of),
        cmocka_unit_test(test_stream_becomes_live_by_content_only),
        cmocka_unit_test(test_stream_ends_once_the_first_one_wins),
        cmocka_unit_test(test_stream_event_after_its_end_changes_nothing),
        cmocka_unit_test(test_stream_end_event_says_outcome_and_sums),
        cmocka_unit_test(test_stream_digest_is_of_the_whole_text_however_long),
        cmocka_unit_test(test_stream_that_said_nothing_has_a_whole_end_too),
        cmocka_unit_test(test_stream_text_follows_replacements),
        cmocka_unit_test(test_stream_reasoning_is_apart_from_the_text),
        cmocka_unit_test(test_stream_tells_once_of_many_events),
        cmocka_unit_test(test_stream_is_blocked_at_80_and_freed_at_30_percent),
        cmocka_unit_test(test_stream_is_blocked_before_more_would_be_too_much),
        cmocka_unit_test(test_stream_is_blocked_by_many_small_events),
        cmocka_unit_test(test_stream_without_readers_is_not_blocked),
        cmocka_unit_test(test_stream_copy_keeps_seq_and_time),
        cmocka_unit_test(test_stream_copied_end_may_stand_far_above),
        cmocka_unit_test(
            test_stream_cancel_against_natural_end_has_one_outcome),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
