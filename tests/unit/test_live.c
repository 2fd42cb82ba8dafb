/* SPDX-License-Identifier: Apache-2.0 */
/* Streams that live in an engine: readers, ends, ceilings, policies. */
#include "engine_env.h"

#include "base/clock.h"
#include "shm/stats.h"

static engine_env_t ee;

static apr_uint64_t counted(bl_counter_t which)
{
    return bl_stats_total(ee.shm, which);
}

static apr_uint64_t all_outcomes(void)
{
    return counted(BL_COUNT_STREAMS_COMPLETED) +
           counted(BL_COUNT_STREAMS_LENGTH) +
           counted(BL_COUNT_STREAMS_CANCELLED) +
           counted(BL_COUNT_STREAMS_TIMEOUT) + counted(BL_COUNT_STREAMS_ERROR) +
           counted(BL_COUNT_STREAMS_INTERRUPTED);
}

static void one_and_hang(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "one");
    stub_hang(c);
}

/* --- one answer ------------------------------------------------------------
 */

static void test_live_answer_reaches_reader_store_and_counters(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    reader_expect_end(r, "completed", NULL);
    assert_string_equal(r->text, "Hello world");
    assert_string_equal(r->kinds, "start delta delta usage end ");
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_COMPLETED);
    assert_int_equal(row.event_count, 5);
    assert_int_equal(row.text_len, 11);
    assert_int_equal(row.input_tokens, 3);
    assert_int_equal(row.output_tokens, 5);
    assert_string_equal(row.sha256_hex, s->sha256_hex);
    assert_string_equal(
        env_sql(&ee.env, "SELECT content FROM message ORDER BY id"),
        "hi|Hello world");
    assert_int_equal(counted(BL_COUNT_STREAMS_STARTED), 1);
    assert_int_equal(counted(BL_COUNT_STREAMS_COMPLETED), 1);
    assert_int_equal(all_outcomes(), 1);
    assert_int_equal(bl_slot_count(ee.shm), 0);
    assert_null(bl_engine_find(ee.engine, s->id));
    reader_close(r);
    bl_stream_unref(s);
}

/* The upstream's session goes with the next question of the conversation. */
static void test_live_next_question_carries_the_session(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;
    int i;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    for (i = 0; i < 2; i++) {
        s = engine_env_ask(&ee);
        engine_env_stored(&ee, s->id, &row);
        bl_stream_unref(s);
    }
    assert_null(strstr(stub_request(&ee.stub, 0), "\"session_id\""));
    assert_non_null(strstr(stub_request(&ee.stub, 1), "\"session_id\":\"s1\""));
}

static void test_live_unknown_app_is_refused_and_starts_nothing(void **state)
{
    bl_question_t q;
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    q = engine_env_question(&ee);
    q.app = "no-such-app";
    assert_int_equal(bl_engine_ask(ee.engine, &q, &s, id), BL_E_BAD_VALUE);
    assert_null(s);
    assert_int_equal(bl_slot_count(ee.shm), 0);
    assert_int_equal(counted(BL_COUNT_STREAMS_STARTED), 0);
    assert_int_equal(counted(BL_COUNT_STREAMS_REFUSED), 1);
    assert_int_equal(stub_accepted(&ee.stub), 0);
}

/* --- many readers ----------------------------------------------------------
 */

/* I3: readers that come at any moment get the same, each from its seq on. */
static void test_live_readers_of_any_moment_get_the_same_i3(void **state)
{
    bl_stream_t *s;
    reader_t *first, *late, *resumed, *after_end;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    s = engine_env_ask(&ee);
    first = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(first, "one"));
    late = reader_open(ee.engine, s, 0);
    resumed = reader_open(ee.engine, s, 2);
    assert_true(reader_has_text(late, "one"));
    stub_open_gate(&ee.stub);
    reader_expect_end(first, "completed", NULL);
    reader_expect_end(late, "completed", NULL);
    reader_expect_end(resumed, "completed", NULL);
    after_end = reader_open(ee.engine, s, 0);
    reader_expect_end(after_end, "completed", NULL);
    assert_string_equal(first->text, "one two");
    assert_string_equal(late->text, "one two");
    assert_string_equal(resumed->text, " two");
    assert_string_equal(after_end->text, "one two");
    assert_string_equal(first->kinds, after_end->kinds);
    reader_close(first);
    reader_close(late);
    reader_close(resumed);
    reader_close(after_end);
    bl_stream_unref(s);
}

/* C16: one reader takes nothing; the other 49 get all at once. */
static void test_live_slow_reader_among_50_holds_nobody_back_c16(void **state)
{
    reader_t *readers[50];
    bl_stream_t *s;
    int i;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    ee.limits.queue_bytes = 100;
    s = engine_env_ask(&ee);
    readers[0] = reader_open_stalled(ee.engine, s);
    for (i = 1; i < 50; i++)
        readers[i] = reader_open(ee.engine, s, 0);
    stub_open_gate(&ee.stub);
    for (i = 1; i < 50; i++) {
        reader_expect_end(readers[i], "completed", NULL);
        assert_string_equal(readers[i]->text, "one two");
    }
    assert_int_equal(reader_events(readers[0]), 0);
    reader_go_on(readers[0]);
    reader_expect_end(readers[0], "completed", NULL);
    assert_string_equal(readers[0]->text, "one two");
    for (i = 0; i < 50; i++)
        reader_close(readers[i]);
    bl_stream_unref(s);
}

#define MUCH (4 * 1024 * 1024)
#define PART 8192

static void say_much(stub_conn_t *c, void *ctx)
{
    char text[PART + 1];
    int i;

    (void)ctx;
    memset(text, 'm', PART);
    text[PART] = '\0';
    stub_begin(c);
    stub_wait(c); /* for the reader: without one nothing is held */
    for (i = 0; i < MUCH / PART; i++)
        stub_say(c, text);
    stub_finish(c, "");
}

static int phase_of(const bl_stream_t *s)
{
    apr_int64_t child_id;
    int child;
    bl_slot_t *slot = bl_slot_find(ee.shm, s->id, &child, &child_id);

    return slot ? (int)__atomic_load_n(&slot->phase, __ATOMIC_RELAXED) : -1;
}

/* U28: the only reader stops: the upstream is held, memory stays bounded; it
 * goes on: nothing was lost. */
static void test_live_stalled_reader_holds_the_upstream_u28(void **state)
{
    size_t queue = 64 * 1024, most;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, say_much, NULL);
    ee.limits.queue_bytes = queue;
    s = engine_env_ask(&ee);
    r = reader_open_stalled(ee.engine, s);
    stub_open_gate(&ee.stub);
    wait_until(phase_of(s) == BL_PHASE_PAUSED);
    wait_until(counted(BL_COUNT_PAUSES) == 1);
    /* Before what comes in one read would take it across the mark. */
    most = queue * 80 / 100;
    assert_true(bl_journal_bytes(s->journal) >= queue / 2);
    assert_true(bl_journal_bytes(s->journal) <= most);
    assert_true(bl_journal_memory(s->journal) <= most + 16 * 1024);
    reader_go_on(r);
    reader_expect_end(r, "completed", NULL);
    assert_int_equal(r->text_len, MUCH);
    reader_close(r);
    bl_stream_unref(s);
}

/* U28, U12: the silence of an upstream that is held is ours, not a stall. */
static void test_live_held_upstream_is_not_stalled_u28(void **state)
{
    bl_ms_t began;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, say_much, NULL);
    ee.limits.queue_bytes = 64 * 1024;
    ee.limits.gap_ms = 1000;
    s = engine_env_ask(&ee);
    r = reader_open_stalled(ee.engine, s);
    began = bl_clock_ms();
    stub_open_gate(&ee.stub);
    wait_until(phase_of(s) == BL_PHASE_PAUSED);
    wait_until(bl_clock_ms() - began > 2 * ee.limits.gap_ms + 200);
    assert_int_equal(phase_of(s), BL_PHASE_PAUSED);
    reader_go_on(r);
    reader_expect_end(r, "completed", NULL);
    assert_int_equal(r->text_len, MUCH);
    reader_close(r);
    bl_stream_unref(s);
}

/* --- one end (I2, C17) -----------------------------------------------------
 */

static void
test_live_stopped_ends_cancelled_and_the_upstream_is_closed(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, one_and_hang, NULL);
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    bl_engine_stop(ee.engine, s);
    bl_engine_stop(ee.engine, s);
    reader_expect_end(r, "cancelled", "cancelled");
    wait_until(stub_gone(&ee.stub) == 1); /* C02 */
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_CANCELLED);
    assert_int_equal(row.text_len, 3);
    bl_engine_stop(ee.engine, s); /* of an ended one: nothing happens */
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_CANCELLED);
    assert_int_equal(all_outcomes(), 1);
    reader_close(r);
    bl_stream_unref(s);
}

#define RACES 10000
#define AT_ONCE 40

static bl_stream_t *racing[AT_ONCE];

/* Stops of one batch while its answers end by themselves; at another moment of
 * the answer each time. */
static void race_batch(int batch)
{
    int i;

    for (i = 0; i < AT_ONCE; i++)
        racing[i] = engine_env_ask(&ee);
    for (i = 0; i < AT_ONCE; i++) {
        if ((batch + i) % 3) usleep((useconds_t)((batch * 7 + i) % 300));
        bl_engine_stop(ee.engine, racing[i]);
        if (i % 5 == 0) bl_engine_stop(ee.engine, racing[i]);
    }
    for (i = 0; i < AT_ONCE; i++) {
        bl_event_t ev[8];
        int n, ends = 0, k;

        while (!bl_stream_wait_end(racing[i], 1000))
            ;
        assert_int_equal(bl_journal_read(racing[i]->journal, 0, ev, 8, &n),
                         APR_SUCCESS);
        for (k = 0; k < n; k++)
            ends += ev[k].kind == BL_EV_END;
        assert_int_equal(ends, 1);
        assert_int_equal(ev[n - 1].kind, BL_EV_END);
        bl_stream_unref(racing[i]);
    }
}

/* C17: 10,000 times a cancel against the natural end: one outcome each, and
 * started = sum of outcomes (I2). */
static void
test_live_cancel_against_natural_end_has_one_outcome_c17(void **state)
{
    int batch;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    for (batch = 0; batch < RACES / AT_ONCE; batch++)
        race_batch(batch);
    assert_int_equal(counted(BL_COUNT_STREAMS_STARTED), RACES);
    wait_until(all_outcomes() == RACES);
    assert_int_equal(counted(BL_COUNT_STREAMS_COMPLETED) +
                         counted(BL_COUNT_STREAMS_CANCELLED),
                     RACES);
    wait_until(bl_slot_count(ee.shm) == 0);
    env_settle(ee.env.store);
    assert_string_equal(env_sql(&ee.env, "SELECT count(*) FROM stream"
                                         " WHERE outcome IN (1, 3)"),
                        "10000");
}

/* --- when nobody reads -----------------------------------------------------
 */

static void test_live_policy_cancel_ends_it_with_its_last_reader(void **state)
{
    bl_stored_stream_t row;
    reader_t *a, *b;
    bl_stream_t *s;

    (void)state;
    engine_env_start(&ee, one_and_hang, NULL);
    ee.limits.policy = BL_POLICY_CANCEL;
    s = engine_env_ask(&ee);
    a = reader_open(ee.engine, s, 0);
    b = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(b, "one"));
    reader_close(a);
    assert_int_equal(phase_of(s), BL_PHASE_STREAMING);
    reader_close(b);
    wait_until(stub_gone(&ee.stub) == 1);
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_CANCELLED);
    bl_stream_unref(s);
}

/* The first reader needs a moment to come: until then nobody has gone. */
static void test_live_policy_cancel_waits_for_the_first_reader(void **state)
{
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    ee.limits.policy = BL_POLICY_CANCEL;
    s = engine_env_ask(&ee);
    wait_until(phase_of(s) == BL_PHASE_STREAMING);
    r = reader_open(ee.engine, s, 0);
    stub_open_gate(&ee.stub);
    reader_expect_end(r, "completed", NULL);
    reader_close(r);
    bl_stream_unref(s);
}

static void test_live_policy_drain_goes_on_without_readers(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    ee.limits.policy = BL_POLICY_DRAIN;
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    reader_close(r);
    stub_open_gate(&ee.stub);
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_COMPLETED);
    assert_int_equal(row.text_len, 7);
    bl_stream_unref(s);
}

/* A reader that comes back in time finds it as if nothing had been. */
static void
test_live_policy_detach_waits_for_a_reader_to_come_back(void **state)
{
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    ee.limits.policy = BL_POLICY_DETACH;
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    reader_close(r);
    wait_until(phase_of(s) == BL_PHASE_DETACHED);
    r = reader_open(ee.engine, s, 2);
    wait_until(phase_of(s) == BL_PHASE_STREAMING);
    stub_open_gate(&ee.stub);
    reader_expect_end(r, "completed", NULL);
    assert_string_equal(r->text, " two");
    reader_close(r);
    bl_stream_unref(s);
}

static void test_live_policy_detach_cancels_when_nobody_comes(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, one_and_hang, NULL);
    ee.limits.policy = BL_POLICY_DETACH;
    ee.limits.detach_ms = 50;
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    reader_close(r);
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_CANCELLED);
    assert_int_equal(row.text_len, 3);
    bl_stream_unref(s);
}

/* --- ceilings (R04) and keys (C18) -----------------------------------------
 */

static apr_status_t ask_as(const char *owner, const char *key, bl_stream_t **ps,
                           char *id)
{
    bl_question_t q = engine_env_question(&ee);

    q.owner = owner;
    q.idempotency_key = key;
    return bl_engine_ask(ee.engine, &q, ps, id);
}

static void test_live_ceilings_are_exact_and_free_at_once_r04(void **state)
{
    bl_stream_t *s[4], *more;
    char id[BL_ID_TEXT + 1];
    int i;

    (void)state;
    engine_env_make(&ee);
    ee.limits.streams_per_principal = 3;
    ee.conf.streams_per_child = 4;
    engine_env_open(&ee, one_and_hang, NULL);
    for (i = 0; i < 3; i++)
        assert_int_equal(ask_as("user:li", NULL, &s[i], id), APR_SUCCESS);
    assert_int_equal(ask_as("user:li", NULL, &more, id), BL_E_RATE_LIMITED);
    assert_int_equal(ask_as("user:wu", NULL, &s[3], id), APR_SUCCESS);
    assert_int_equal(ask_as("user:ma", NULL, &more, id), BL_E_OVERLOADED);
    assert_null(more);
    bl_engine_stop(ee.engine, s[0]);
    while (!bl_stream_wait_end(s[0], 1000))
        ;
    wait_until(bl_slot_count(ee.shm) == 3);
    bl_stream_unref(s[0]);
    assert_int_equal(ask_as("user:li", NULL, &s[0], id), APR_SUCCESS);
    assert_int_equal(counted(BL_COUNT_STREAMS_REFUSED), 2);
    for (i = 0; i < 4; i++) {
        bl_engine_stop(ee.engine, s[i]);
        bl_stream_unref(s[i]);
    }
    wait_until(bl_slot_count(ee.shm) == 0);
}

/* C18: while it runs the second one joins; of another owner it is another. */
static void test_live_same_key_joins_the_running_stream_c18(void **state)
{
    char id[BL_ID_TEXT + 1], again[BL_ID_TEXT + 1];
    bl_stream_t *s, *found, *other;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, stub_half_then_half, NULL);
    assert_int_equal(ask_as("user:li", "k", &s, id), APR_SUCCESS);
    assert_int_equal(ask_as("user:li", "k", &other, again), APR_EEXIST);
    assert_null(other);
    assert_string_equal(again, id);
    found = bl_engine_find(ee.engine, again);
    assert_ptr_equal(found, s);
    r = reader_open(ee.engine, found, 0);
    bl_stream_unref(found);
    stub_open_gate(&ee.stub);
    reader_expect_end(r, "completed", NULL);
    assert_string_equal(r->text, "one two");
    assert_int_equal(stub_asked(&ee.stub), 1);
    assert_int_equal(counted(BL_COUNT_STREAMS_STARTED), 1);
    assert_int_equal(ask_as("user:wu", "k", &other, again), APR_SUCCESS);
    assert_string_not_equal(again, id);
    bl_stream_unref(other);
    reader_close(r);
    bl_stream_unref(s);
    stub_open_gate(&ee.stub);
}

/* S-13: the owner of a stream is who asked, whatever a client called itself. */
static void test_live_stream_belongs_to_who_asked_s13(void **state)
{
    bl_stored_stream_t row;
    char id[BL_ID_TEXT + 1];
    bl_buf_t out;
    bl_stream_t *s;

    (void)state;
    engine_env_start(&ee, stub_hello, NULL);
    assert_int_equal(ask_as("anon:li", NULL, &s, id), APR_SUCCESS);
    engine_env_stored(&ee, id, &row);
    assert_string_equal(row.owner, "anon:li");
    bl_buf_init(&out, 65536);
    assert_int_equal(bl_store_conversation(ee.env.store, "user:li", "c1", &out),
                     BL_E_NOT_FOUND);
    assert_int_equal(bl_store_conversation(ee.env.store, "anon:li", "c1", &out),
                     APR_SUCCESS);
    bl_buf_release(&out);
    bl_stream_unref(s);
}

/* --- going down ------------------------------------------------------------
 */

static void test_live_drained_refuses_new_and_interrupts_what_runs(void **state)
{
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s, *other;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, one_and_hang, NULL);
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    bl_engine_drain(ee.engine, 1);
    reader_expect_end(r, "interrupted", "draining");
    assert_int_equal(ask_as("user:li", NULL, &other, id), BL_E_DRAINING);
    assert_string_equal(r->text, "one");
    reader_close(r);
    bl_stream_unref(s);
}

/* --- a drain that begins, and is over, around a question (P04) -------------
 * All on the reactor's thread, so that no machine is too slow or too fast. */

typedef struct late_t {
    bl_letter_t sleep, ask;
    bl_stream_t *stream;
    apr_status_t rv;
    int is_asked; /* atomic */
} late_t;

static void ask_now(late_t *late)
{
    char id[BL_ID_TEXT + 1];

    late->rv = ask_as("user:li", NULL, &late->stream, id);
    __atomic_store_n(&late->is_asked, 1, __ATOMIC_RELEASE);
}

static void on_ask(bl_letter_t *letter)
{
    ask_now((late_t *)((char *)letter - offsetof(late_t, ask)));
}

/* The clock of the drain runs. Its end is for the next turn, in which the
 * question comes before it, and what the question begins after it. */
static void on_sleep(bl_letter_t *letter)
{
    late_t *late = (late_t *)((char *)letter - offsetof(late_t, sleep));
    bl_ms_t began = bl_clock_ms();

    bl_reactor_post(bl_engine_reactor(ee.engine), &late->ask);
    while (bl_clock_ms() <= began + ee.conf.drain_ms)
        usleep(1000);
}

static void drain_and_ask(void *ctx)
{
    bl_engine_drain(ee.engine, 1);
    ask_now(ctx);
}

static void drain_and_ask_late(void *ctx)
{
    late_t *late = ctx;

    late->sleep.fn = on_sleep;
    late->ask.fn = on_ask;
    bl_engine_drain(ee.engine, 1);
    bl_reactor_post(bl_engine_reactor(ee.engine), &late->sleep);
}

static void expect_drained(void (*fn)(void *))
{
    late_t late;
    reader_t *r;

    memset(&late, 0, sizeof(late));
    engine_env_start(&ee, one_and_hang, NULL);
    on_reactor(bl_engine_reactor(ee.engine), fn, &late);
    wait_until(__atomic_load_n(&late.is_asked, __ATOMIC_ACQUIRE));
    assert_int_equal(late.rv, APR_SUCCESS);
    r = reader_open(ee.engine, late.stream, 0);
    reader_expect_end(r, "interrupted", "draining");
    reader_close(r);
    bl_stream_unref(late.stream);
}

/* A connection that was accepted before the drain is not sent away. */
static void test_live_graceful_drain_answers_who_is_there_p04(void **state)
{
    (void)state;
    expect_drained(drain_and_ask);
}

static void test_live_question_at_the_end_of_a_drain_is_ended_too_p04(void **s)
{
    (void)s;
    expect_drained(drain_and_ask_late);
}

static void test_live_hard_drain_refuses_at_once_p06(void **state)
{
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s;

    (void)state;
    engine_env_start(&ee, one_and_hang, NULL);
    bl_engine_drain(ee.engine, 0);
    assert_int_equal(ask_as("user:li", NULL, &s, id), BL_E_DRAINING);
}

/* P06: closed with a stream alive: what was said is kept, no row stays live. */
static void test_live_closed_engine_leaves_no_row_live_p06(void **state)
{
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    engine_env_start(&ee, one_and_hang, NULL);
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    wait_until(reader_has_text(r, "one"));
    reader_close(r);
    bl_stream_unref(s);
    bl_engine_close(ee.engine);
    ee.engine = NULL;
    assert_string_equal(env_sql(&ee.env, "SELECT outcome, reason FROM stream"),
                        "6|draining");
    assert_string_equal(env_sql(&ee.env, "SELECT content FROM message"
                                         " WHERE role = 'assistant'"),
                        "one");
    assert_int_equal(bl_slot_count(ee.shm), 0);
}

static int close_env(void **state)
{
    (void)state;
    engine_env_close(&ee);
    return 0;
}

#define with_env(test) cmocka_unit_test_teardown(test, close_env)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_env(test_live_answer_reaches_reader_store_and_counters),
        with_env(test_live_next_question_carries_the_session),
        with_env(test_live_unknown_app_is_refused_and_starts_nothing),
        with_env(test_live_readers_of_any_moment_get_the_same_i3),
        with_env(test_live_slow_reader_among_50_holds_nobody_back_c16),
        with_env(test_live_stalled_reader_holds_the_upstream_u28),
        with_env(test_live_held_upstream_is_not_stalled_u28),
        with_env(test_live_stopped_ends_cancelled_and_the_upstream_is_closed),
        with_env(test_live_cancel_against_natural_end_has_one_outcome_c17),
        with_env(test_live_policy_cancel_ends_it_with_its_last_reader),
        with_env(test_live_policy_cancel_waits_for_the_first_reader),
        with_env(test_live_policy_drain_goes_on_without_readers),
        with_env(test_live_policy_detach_waits_for_a_reader_to_come_back),
        with_env(test_live_policy_detach_cancels_when_nobody_comes),
        with_env(test_live_ceilings_are_exact_and_free_at_once_r04),
        with_env(test_live_same_key_joins_the_running_stream_c18),
        with_env(test_live_stream_belongs_to_who_asked_s13),
        with_env(test_live_drained_refuses_new_and_interrupts_what_runs),
        with_env(test_live_graceful_drain_answers_who_is_there_p04),
        with_env(test_live_question_at_the_end_of_a_drain_is_ended_too_p04),
        with_env(test_live_hard_drain_refuses_at_once_p06),
        with_env(test_live_closed_engine_leaves_no_row_live_p06),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
