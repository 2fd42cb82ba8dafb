/* SPDX-License-Identifier: Apache-2.0 */
/* What of a living stream has reached the store, and when. The reactor has no
 * thread here: the test is it. */
#include "store_env.h"
#include "stream_help.h"

#include "engine/persist.h"

#define ID "000000000000000000000000000000aa"

static env_t env;
static bl_stream_t *s;
static bl_reactor_t *reactor;
static bl_timer_t timer;
static bl_persist_t persist;
static bl_answer_t answer;

static void on_timer(void *ctx)
{
    bl_persist_rt_tick(ctx);
}

static int open_all(void **state)
{
    bl_store_begin_t b;

    (void)state;
    env_open(&env);
    s = new_stream(ID, 1000);
    memset(&b, 0, sizeof(b));
    b.stream_id = ID;
    b.owner = s->owner;
    b.conversation_id = s->conversation_id;
    b.app = s->app;
    b.transport = "sse";
    b.question = "q";
    assert_int_equal(bl_store_put_begin(env.store, &b), APR_SUCCESS);
    assert_int_equal(bl_reactor_create(&reactor), APR_SUCCESS);
    memset(&timer, 0, sizeof(timer));
    timer.fn = on_timer;
    timer.ctx = &persist;
    memset(&answer, 0, sizeof(answer));
    answer.retry_of_code = -1;
    answer.input_tokens = 3;
    answer.output_tokens = -1;
    bl_persist_init(&persist, env.store, s);
    bl_persist_rt_begin(&persist, reactor, &timer);
    return 0;
}

static int close_all(void **state)
{
    (void)state;
    bl_persist_release(&persist);
    bl_reactor_rt_disarm(reactor, &timer);
    bl_reactor_destroy(reactor);
    bl_stream_unref(s);
    env_close(&env);
    return 0;
}

static apr_status_t pack(void *ctx, const bl_event_t *ev)
{
    bl_buf_t *out = ctx;

    bl_buf_putu(out, ev->seq);
    bl_buf_puts(out, " ");
    return bl_event_pack(out, ev);
}

/* How many events are stored; all of them as they stand in the journal. */
static int stored(void)
{
    bl_buf_t in_store, in_journal;
    apr_uint64_t after = 0;
    bl_event_t ev;
    int n, count = 0;

    env_settle(env.store);
    bl_buf_init(&in_store, 64 << 20);
    bl_buf_init(&in_journal, 64 << 20);
    assert_int_equal(bl_store_events(env.store, ID, 0, pack, &in_store),
                     APR_SUCCESS);
    while (in_journal.len < in_store.len) {
        assert_int_equal(bl_journal_read(s->journal, after, &ev, 1, &n),
                         APR_SUCCESS);
        pack(&in_journal, &ev);
        after = ev.seq;
        count++;
    }
    assert_int_equal(in_journal.len, in_store.len);
    if (in_store.len) {
        assert_memory_equal(in_journal.data, in_store.data, in_store.len);
    }
    bl_buf_release(&in_store);
    bl_buf_release(&in_journal);
    return count;
}

static void end_stream(bl_outcome_t outcome, apr_status_t why)
{
    bl_persist_end_t end;
    static bl_slot_t slot;

    bl_stream_rt_end(s, outcome, why, "stop");
    memset(&end, 0, sizeof(end));
    end.attempts = 2;
    end.first_content_ms = 10;
    end.duration_ms = 20;
    end.answer = &answer;
    end.slot = &slot;
    end.finish = "stop";
    bl_persist_rt_end(&persist, &end);
}

/* A little waits for more, 2 s at most: one write for many events. */
static void test_persist_little_waits_for_the_timer(void **state)
{
    (void)state;
    say(s, "a");
    bl_persist_rt_note(&persist);
    say(s, "b");
    bl_persist_rt_note(&persist);
    assert_int_equal(stored(), 0);
    assert_true(timer.place > 0);
    assert_true(timer.due_ms <= bl_reactor_rt_now(reactor) + BL_PARTIAL_MS);
    bl_persist_rt_tick(&persist);
    assert_int_equal(stored(), 2);
}

/* ... and 8 KiB are written at once. */
static void test_persist_much_is_stored_at_once(void **state)
{
    (void)state;
    say_bytes(s, BL_PARTIAL_BYTES);
    bl_persist_rt_note(&persist);
    assert_int_equal(stored(), 0);
    say(s, "x");
    bl_persist_rt_note(&persist);
    assert_int_equal(stored(), 2);
    say(s, "y");
    bl_persist_rt_note(&persist);
    assert_int_equal(stored(), 2);
}

/* More than one run takes: nothing is left out between two of them. */
static void test_persist_megabytes_come_whole(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < 200; i++)
        say_bytes(s, 16 * 1024);
    bl_persist_rt_note(&persist);
    assert_int_equal(stored(), 200);
}

static void test_persist_end_stores_all_and_the_row(void **state)
{
    bl_stored_stream_t row;

    (void)state;
    put(s, BL_EV_REASONING, "think", NULL);
    say(s, "Hello");
    put(s, BL_EV_SEARCH, "", "{\"references\":[{\"title\":\"t\"}]}");
    bl_persist_attempt(&persist, 1, BL_E_UPSTREAM_CONNECT, 0, "", 7);
    bl_persist_attempt(&persist, 2, APR_SUCCESS, 200, "a\"b", 9);
    end_stream(BL_OUTCOME_COMPLETED, APR_SUCCESS);
    assert_true(bl_persist_is_done(&persist));
    assert_int_equal(stored(), 4);
    assert_int_equal(bl_store_stream(env.store, ID, &row), APR_SUCCESS);
    assert_int_equal(row.outcome, BL_OUTCOME_COMPLETED);
    assert_string_equal(row.reason, "");
    assert_int_equal(row.event_count, 4);
    assert_int_equal(row.attempts, 2);
    assert_int_equal(row.input_tokens, 3);
    assert_int_equal(row.output_tokens, -1);
    assert_int_equal(row.text_len, 5);
    assert_string_equal(row.sha256_hex, s->sha256_hex);
    assert_string_equal(
        env_sql(&env, "SELECT attempts_json FROM stream"),
        "[{\"n\":1,\"class\":\"upstream_connect\",\"status\":0,\"ms\":7},"
        "{\"n\":2,\"class\":\"ok\",\"status\":200,\"ms\":9,"
        "\"code\":\"a\\\"b\"}]");
    assert_string_equal(env_sql(&env, "SELECT content, reasoning, refs"
                                      " FROM message WHERE role = 'assistant'"),
                        "Hello|think|[{\"title\":\"t\"}]");
}

/* D01, P10: while the store takes nothing the journal keeps it; it is tried
 * again, also after the end, and nothing is stored twice. */
static void
test_persist_store_that_is_away_gets_all_when_it_is_back(void **state)
{
    bl_stored_stream_t row;
    bl_store_conf_t conf;
    bl_store_t *away;

    (void)state;
    env_settle(env.store);
    memset(&conf, 0, sizeof(conf));
    conf.path = env.path;
    conf.is_tool = 1; /* has no writer: takes nothing that is put */
    assert_int_equal(bl_store_open(&away, &conf, NULL, 0), APR_SUCCESS);
    persist.store = away;
    say_bytes(s, 2 * BL_PARTIAL_BYTES);
    bl_persist_rt_note(&persist);
    assert_int_equal(stored(), 0);
    assert_true(timer.place > 0);
    bl_reactor_rt_disarm(reactor, &timer);
    end_stream(BL_OUTCOME_LENGTH, BL_E_UPSTREAM_TOO_LARGE);
    assert_false(bl_persist_is_done(&persist));
    assert_true(timer.place > 0);
    bl_reactor_rt_disarm(reactor, &timer);
    bl_persist_rt_tick(&persist);
    assert_false(bl_persist_is_done(&persist));
    assert_true(timer.place > 0);
    persist.store = env.store;
    bl_persist_rt_tick(&persist);
    assert_true(bl_persist_is_done(&persist));
    bl_persist_rt_tick(&persist);
    assert_int_equal(stored(), 2);
    assert_int_equal(bl_store_stream(env.store, ID, &row), APR_SUCCESS);
    assert_int_equal(row.outcome, BL_OUTCOME_LENGTH);
    assert_string_equal(row.reason, "upstream_too_large");
    bl_store_close(away, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_persist_little_waits_for_the_timer,
                                        open_all, close_all),
        cmocka_unit_test_setup_teardown(test_persist_much_is_stored_at_once,
                                        open_all, close_all),
        cmocka_unit_test_setup_teardown(test_persist_megabytes_come_whole,
                                        open_all, close_all),
        cmocka_unit_test_setup_teardown(test_persist_end_stores_all_and_the_row,
                                        open_all, close_all),
        cmocka_unit_test_setup_teardown(
            test_persist_store_that_is_away_gets_all_when_it_is_back, open_all,
            close_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
