/* SPDX-License-Identifier: Apache-2.0 */
/* The life of one answer in the database: begin, events, end, recovery. */
#include "store_env.h"

#include "base/clock.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

typedef struct seen_t {
    char text[4096]; /* "1:a 2:b " */
    apr_uint64_t last_seq;
    bl_event_kind_t last_kind;
    char last_fields[512];
    apr_status_t answer; /* of the callback */
} seen_t;

static apr_status_t see(void *ctx, const bl_event_t *ev)
{
    seen_t *seen = ctx;
    size_t n = strlen(seen->text);

    snprintf(seen->text + n, sizeof(seen->text) - n, "%lu:%.*s ",
             (unsigned long)ev->seq, (int)ev->text_len, ev->text);
    seen->last_seq = ev->seq;
    seen->last_kind = ev->kind;
    snprintf(seen->last_fields, sizeof(seen->last_fields), "%.*s",
             (int)ev->fields_len, ev->fields ? ev->fields : "");
    return seen->answer;
}

static apr_status_t events_after(bl_store_t *s, int n, apr_uint64_t after,
                                 seen_t *seen)
{
    memset(seen, 0, sizeof(*seen));
    return bl_store_events(s, env_id(n), after, see, seen);
}

static const char *const words[] = {"Hello", " ", "world", NULL};
static const char *const more[] = {"!", NULL};

/* An answer that ran to its end reads back whole. */
static void test_store_begin_events_end_reads_back(void **state)
{
    bl_stored_stream_t st;
    seen_t seen;
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "How are you?");
    env_say(env.store, 1, 1, words);
    env_say(env.store, 1, 4, more);
    env_end(env.store, 1, BL_OUTCOME_COMPLETED, "Hello world!", 4);
    env_settle(env.store);
    assert_int_equal(bl_store_stream(env.store, env_id(1), &st), APR_SUCCESS);
    assert_string_equal(st.owner, "user:li");
    assert_string_equal(st.conversation_id, "c1");
    assert_string_equal(st.item_id, "item");
    assert_string_equal(st.app, "qa");
    assert_int_equal(st.outcome, BL_OUTCOME_COMPLETED);
    assert_int_equal(st.event_count, 4);
    assert_int_equal(st.input_tokens, 7);
    assert_int_equal(st.text_len, 12);
    assert_int_equal(events_after(env.store, 1, 0, &seen), APR_SUCCESS);
    assert_string_equal(seen.text, "1:Hello 2:  3:world 4:! ");
    assert_string_equal(
        env_sql(&env, "SELECT role, content FROM message ORDER BY id"),
        "user|How are you?|assistant|Hello world!");
    assert_string_equal(env_sql(&env, "SELECT streams, failures, input_tokens,"
                                      " output_tokens FROM usage_day"),
                        "1|0|7|11");
    env_close(&env);
}

/* Events after every seq: none is repeated, none skipped, at run borders too.
 */
static void test_store_events_after_each_seq(void **state)
{
    static const char *const expected[] = {"1:Hello 2:  3:world 4:! ",
                                           "2:  3:world 4:! ",
                                           "3:world 4:! ",
                                           "4:! ",
                                           "",
                                           ""};
    apr_uint64_t after;
    seen_t seen;
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "q");
    env_say(env.store, 1, 1, words);
    env_say(env.store, 1, 4, more);
    env_settle(env.store);
    for (after = 0; after < 6; after++) {
        assert_int_equal(events_after(env.store, 1, after, &seen), APR_SUCCESS);
        assert_string_equal(seen.text, expected[after]);
    }
    assert_int_equal(events_after(env.store, 1, (apr_uint64_t)-1, &seen),
                     APR_SUCCESS);
    assert_int_equal(events_after(env.store, 2, 0, &seen), BL_E_NOT_FOUND);
    assert_int_equal(bl_store_events(env.store, "../etc", 0, see, &seen),
                     BL_E_NOT_FOUND);
    env_close(&env);
}

/* What the callback answers stops the reading and comes back, APR_EOF too. */
static void test_store_events_stop_with_the_callback(void **state)
{
    seen_t seen;
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "q");
    env_say(env.store, 1, 1, words);
    env_settle(env.store);
    memset(&seen, 0, sizeof(seen));
    seen.answer = APR_EOF;
    assert_int_equal(bl_store_events(env.store, env_id(1), 0, see, &seen),
                     APR_EOF);
    assert_string_equal(seen.text, "1:Hello ");
    env_close(&env);
}

/* A run that never arrived is told, not skipped. I3 */
static void test_store_a_gap_is_told(void **state)
{
    seen_t seen;
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "q");
    env_say(env.store, 1, 1, words);
    env_say(env.store, 1, 9, more);
    env_settle(env.store);
    assert_int_equal(events_after(env.store, 1, 0, &seen), BL_E_TRIMMED);
    assert_string_equal(seen.text, "1:Hello 2:  3:world ");
    env_close(&env);
}

/* The second end of a stream changes nothing. I2 */
static void test_store_one_end(void **state)
{
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "q");
    env_end(env.store, 1, BL_OUTCOME_CANCELLED, "first", 1);
    env_end(env.store, 1, BL_OUTCOME_COMPLETED, "second", 2);
    env_say(env.store, 1, 5, more);
    env_settle(env.store);
    assert_string_equal(env_sql(&env, "SELECT outcome, event_count, content,"
                                      " (SELECT count(*) FROM stream_event)"
                                      " FROM stream JOIN message USING (id)"),
                        "3|1|first|0");
    env_close(&env);
}

/* One bad request in a batch costs the others nothing. */
static void test_store_bad_request_spoils_no_other(void **state)
{
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    for (i = 1; i <= 20; i++) {
        env_begin(env.store, i == 13 ? 5 : i, "user:li", "c1", "q");
    }
    env_settle(env.store);
    assert_string_equal(
        env_sql(&env, "SELECT count(*), (SELECT count(*) FROM message)"
                      " FROM stream"),
        "19|38");
    env_close(&env);
}

static void test_store_refuses_what_is_no_stream(void **state)
{
    bl_store_begin_t b;
    bl_store_end_t e;
    env_t env;

    (void)state;
    env_open(&env);
    memset(&b, 0, sizeof(b));
    b.stream_id = "zz";
    b.owner = "user:li";
    b.conversation_id = b.app = b.transport = b.question = "x";
    assert_int_equal(bl_store_put_begin(env.store, &b), BL_E_BAD_VALUE);
    b.stream_id = env_id(1);
    b.owner = "";
    assert_int_equal(bl_store_put_begin(env.store, &b), BL_E_BAD_VALUE);
    memset(&e, 0, sizeof(e));
    e.stream_id = env_id(1);
    assert_int_equal(bl_store_put_end(env.store, &e), BL_E_BAD_VALUE);
    assert_int_equal(
        bl_store_put_events(env.store, env_id(1), 3, 2, NULL, 0, 0),
        BL_E_BAD_VALUE);
    env_close(&env);
}

/* The same client id under two owners is two conversations. S-04 */
static void test_store_conversations_belong_to_their_owner(void **state)
{
    char session[64];
    env_t env;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "mine");
    env_end(env.store, 1, BL_OUTCOME_COMPLETED, "a", 1);
    env_begin(env.store, 2, "user:wang", "c1", "theirs");
    env_settle(env.store);
    assert_string_equal(env_sql(&env, "SELECT owner, title FROM conversation"
                                      " ORDER BY id"),
                        "user:li|mine|user:wang|theirs");
    assert_int_equal(
        bl_store_session(env.store, "user:li", "c1", session, sizeof(session)),
        APR_SUCCESS);
    assert_string_equal(session, "session-1");
    assert_int_equal(bl_store_session(env.store, "user:wang", "c1", session,
                                      sizeof(session)),
                     APR_SUCCESS);
    assert_string_equal(session, "");
    assert_int_equal(bl_store_session(env.store, "user:zhao", "c1", session,
                                      sizeof(session)),
                     BL_E_NOT_FOUND);
    env_close(&env);
}

static void begin_with_key(bl_store_t *s, int n, const char *owner,
                           const char *key)
{
    bl_store_begin_t b;

    memset(&b, 0, sizeof(b));
    b.stream_id = env_id(n);
    b.owner = owner;
    b.idempotency_key = key;
    b.conversation_id = b.app = b.transport = b.question = "x";
    b.at = bl_clock_wall();
    assert_int_equal(bl_store_put_begin(s, &b), APR_SUCCESS);
}

/* The first stream of a key answers, and only to its owner. */
static void test_store_idempotency_key_is_per_owner(void **state)
{
    char id[BL_ID_TEXT + 1];
    env_t env;

    (void)state;
    env_open(&env);
    begin_with_key(env.store, 1, "user:li", "k");
    begin_with_key(env.store, 2, "user:wang", "k");
    begin_with_key(env.store, 3, "user:li", "k");
    env_settle(env.store);
    assert_int_equal(bl_store_by_idempotency(env.store, "user:li", "k", id),
                     APR_SUCCESS);
    assert_string_equal(id, env_id(1));
    assert_int_equal(bl_store_by_idempotency(env.store, "user:wang", "k", id),
                     APR_SUCCESS);
    assert_string_equal(id, env_id(2));
    assert_int_equal(bl_store_by_idempotency(env.store, "user:zhao", "k", id),
                     BL_E_NOT_FOUND);
    env_close(&env);
}

/* Who has just got an answer finds it at once, without waiting for others. */
static void test_store_reads_see_what_was_put_before(void **state)
{
    char session[64], conv[16];
    bl_store_end_t e;
    bl_buf_t out;
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    bl_buf_init(&out, 1 << 20);
    for (i = 1; i <= 30; i++) {
        snprintf(conv, sizeof(conv), "c%d", i);
        env_begin(env.store, i, "user:li", conv, "q");
        bl_buf_clear(&out);
        assert_int_equal(
            bl_store_conversation(env.store, "user:li", conv, &out),
            APR_SUCCESS);
        memset(&e, 0, sizeof(e));
        e.stream_id = env_id(i);
        e.owner = "user:li";
        e.conversation_id = conv;
        e.outcome = BL_OUTCOME_COMPLETED;
        e.session_id = conv;
        e.at = bl_clock_wall();
        assert_int_equal(bl_store_put_end(env.store, &e), APR_SUCCESS);
        assert_int_equal(bl_store_session(env.store, "user:li", conv, session,
                                          sizeof(session)),
                         APR_SUCCESS);
        assert_string_equal(session, conv);
    }
    bl_buf_release(&out);
    env_close(&env);
}

/* --- recovery --------------------------------------------------------------
 */

/* P01: the process is killed in mid-answer. The text so far is kept, the
 * closing event stands above every seq that can have been delivered. */
static void
test_store_p01_killed_process_leaves_interrupted_streams(void **state)
{
    static const char *const thought[] = {"~hm", "Hel", "lo", NULL};
    bl_stored_stream_t st;
    seen_t seen;
    env_t env;
    pid_t pid;
    int status, n = 0;

    (void)state;
    env_make(&env);
    pid = fork();
    if (pid == 0) {
        env.store = env_second(&env);
        env_begin(env.store, 1, "user:li", "c1", "q");
        env_say(env.store, 1, 1, thought);
        env_settle(env.store);
        kill(getpid(), SIGKILL);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    env.store = env_second(&env);
    assert_int_equal(bl_store_do_recover(env.store, &n), APR_SUCCESS);
    assert_int_equal(bl_store_stream(env.store, env_id(1), &st), APR_SUCCESS);
    assert_int_equal(st.outcome, BL_OUTCOME_INTERRUPTED);
    assert_string_equal(st.reason, "interrupted");
    assert_int_equal(st.event_count, 1000003);
    assert_int_equal(events_after(env.store, 1, 2, &seen), APR_SUCCESS);
    assert_string_equal(seen.text, "3:lo 1000003: ");
    /* A reader that saw more than was stored is told. */
    assert_int_equal(events_after(env.store, 1, 5, &seen), BL_E_TRIMMED);
    assert_int_equal(events_after(env.store, 1, 3, &seen), APR_SUCCESS);
    assert_string_equal(seen.text, "1000003: ");
    assert_int_equal(events_after(env.store, 1, 2, &seen), APR_SUCCESS);
    assert_int_equal(seen.last_kind, BL_EV_END);
    assert_non_null(strstr(seen.last_fields, "\"outcome\":\"interrupted\""));
    assert_string_equal(env_sql(&env, "SELECT content, reasoning FROM message"
                                      " WHERE role = 'assistant'"),
                        "Hello|hm");
    assert_string_equal(env_sql(&env, "SELECT owner, app, streams, failures"
                                      " FROM usage_day"),
                        "user:li|qa|1|1");
    env_close(&env);
}

/* P12: two servers on one database: the living one's streams stay live. */
static void test_store_p12_streams_of_a_living_process_stay_live(void **state)
{
    bl_store_t *second;
    env_t env;
    int n = -1;

    (void)state;
    env_open(&env);
    env_begin(env.store, 1, "user:li", "c1", "q");
    env_settle(env.store);
    second = env_second(&env);
    assert_int_equal(bl_store_do_recover(second, &n), APR_SUCCESS);
    assert_int_equal(n, 0);
    assert_int_equal(bl_store_do_recover(env.store, &n), APR_SUCCESS);
    assert_int_equal(n, 0); /* nor are its own taken for dead by itself */
    assert_string_equal(env_sql(&env, "SELECT outcome FROM stream"), "0");
    bl_store_close(env.store, 1000); /* ends, and with it its streams */
    env.store = second;
    assert_int_equal(bl_store_do_recover(second, &n), APR_SUCCESS);
    assert_int_equal(n, 1);
    assert_string_equal(env_sql(&env, "SELECT outcome FROM stream"), "6");
    env_close(&env);
}

/* More dead streams than one transaction takes, of several processes. */
static void test_store_recovers_many(void **state)
{
    bl_store_t *dead[3];
    env_t env;
    int i, n = 0;

    (void)state;
    env_make(&env);
    for (i = 0; i < 3; i++)
        dead[i] = env_second(&env);
    for (i = 0; i < 330; i++)
        env_begin(dead[i % 3], i + 1, "user:li", "c1", "q");
    for (i = 0; i < 3; i++)
        bl_store_close(dead[i], 5000);
    env.store = env_second(&env);
    bl_store_do_recover(env.store, &n); /* or the writer was first */
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM stream"
                                      " WHERE outcome = 6"),
                        "330");
    env_close(&env);
}

/* --- the queue -------------------------------------------------------------
 */

static void *put_many(void *arg)
{
    bl_store_t *s = ((void **)arg)[0];
    int base = *(int *)((void **)arg)[1], i;

    for (i = 0; i < 500; i++) {
        bl_store_begin_t b;
        char id[BL_ID_TEXT + 1];

        memset(&b, 0, sizeof(b));
        snprintf(id, sizeof(id), "%032x", (unsigned)(base + i));
        b.stream_id = id;
        b.owner = "user:li";
        b.conversation_id = b.app = b.transport = b.question = "x";
        b.at = bl_clock_wall();
        while (bl_store_put_begin(s, &b) != APR_SUCCESS)
            usleep(1000);
    }
    return NULL;
}

/* Four threads put, a fifth reads the catalog: nothing is lost. */
static void test_store_many_threads_put(void **state)
{
    int bases[4] = {1000, 2000, 3000, 4000}, i;
    void *args[4][2];
    pthread_t threads[4];
    env_t env;

    (void)state;
    env_open(&env);
    for (i = 0; i < 4; i++) {
        args[i][0] = env.store;
        args[i][1] = &bases[i];
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, args[i]),
                         0);
    }
    for (i = 0; i < 100; i++)
        bl_catalog_unref(bl_store_catalog(env.store));
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    env_settle(env.store);
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM stream"), "2000");
    env_close(&env);
}

/* Closing writes what is still queued. */
static void test_store_close_drains_the_queue(void **state)
{
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    for (i = 1; i <= 1000; i++)
        env_begin(env.store, i, "user:li", "c1", "q");
    bl_store_close(env.store, 10000);
    env.store = NULL;
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM stream"), "1000");
    env_close(&env);
}

/* What SQLite keeps of the pages it wrote and read is some megabytes of each
 * child: all of it goes some seconds after the last answer. */
static void test_store_forgets_pages_when_nothing_is_written(void **state)
{
    static const char *const long_words[] = {"0123456789abcdef", NULL};
    sqlite3_int64 idle, busy;
    seen_t seen;
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    env_settle(env.store);
    idle = sqlite3_memory_used();
    for (i = 1; i <= 500; i++) {
        env_begin(env.store, i, "user:li", "c1", "q");
        env_say(env.store, i, 1, long_words);
        env_end(env.store, i, BL_OUTCOME_COMPLETED, "0123456789abcdef", 1);
    }
    env_settle(env.store);
    busy = sqlite3_memory_used();
    for (i = 1; i <= 500; i++)
        assert_int_equal(events_after(env.store, i, 0, &seen), APR_SUCCESS);
    assert_true(busy > idle + 200000);
    for (i = 0; i < 600 && sqlite3_memory_used() > (idle + busy) / 2; i++)
        usleep(100 * 1000);
    assert_true(i < 600);
    assert_int_equal(events_after(env.store, 500, 0, &seen), APR_SUCCESS);
    env_close(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_store_begin_events_end_reads_back),
        cmocka_unit_test(test_store_events_after_each_seq),
        cmocka_unit_test(test_store_events_stop_with_the_callback),
        cmocka_unit_test(test_store_a_gap_is_told),
        cmocka_unit_test(test_store_one_end),
        cmocka_unit_test(test_store_bad_request_spoils_no_other),
        cmocka_unit_test(test_store_refuses_what_is_no_stream),
        cmocka_unit_test(test_store_conversations_belong_to_their_owner),
        cmocka_unit_test(test_store_idempotency_key_is_per_owner),
        cmocka_unit_test(test_store_reads_see_what_was_put_before),
        cmocka_unit_test(
            test_store_p01_killed_process_leaves_interrupted_streams),
        cmocka_unit_test(test_store_p12_streams_of_a_living_process_stay_live),
        cmocka_unit_test(test_store_recovers_many),
        cmocka_unit_test(test_store_many_threads_put),
        cmocka_unit_test(test_store_close_drains_the_queue),
        cmocka_unit_test(test_store_forgets_pages_when_nothing_is_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
