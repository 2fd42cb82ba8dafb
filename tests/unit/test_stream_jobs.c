/* SPDX-License-Identifier: Apache-2.0 */
/* What is written once because begin, events and end of an answer came to the
 * writer together. */
#include "store_env.h"

#include "base/clock.h"
#include "store/store_private.h"

#include <pthread.h>
#include <semaphore.h>

static const char *const words[] = {"Hello", " ", "world", NULL};
static const char *const more[] = {"!", NULL};

/* --- a writer that is held, so that what is put then is one transaction -- */

typedef struct hold_t {
    bl_store_t *store;
    pthread_t thread;
    sem_t is_held, may_go;
} hold_t;

static apr_status_t stay(bl_db_t *db, void *ctx)
{
    hold_t *h = ctx;

    (void)db;
    sem_post(&h->is_held);
    sem_wait(&h->may_go);
    return APR_SUCCESS;
}

static void *hold_main(void *ctx)
{
    hold_t *h = ctx;

    bl_store_do(h->store, stay, h);
    return NULL;
}

static void hold(hold_t *h, bl_store_t *s)
{
    h->store = s;
    sem_init(&h->is_held, 0, 0);
    sem_init(&h->may_go, 0, 0);
    assert_int_equal(pthread_create(&h->thread, NULL, hold_main, h), 0);
    sem_wait(&h->is_held);
}

static apr_uint64_t transactions(bl_store_t *s)
{
    bl_store_health_t health;

    bl_store_health(s, &health);
    return health.transactions;
}

/* All that was put since is in one transaction. */
static void let_go(hold_t *h)
{
    apr_uint64_t before = transactions(h->store);

    sem_post(&h->may_go);
    pthread_join(h->thread, NULL);
    env_settle(h->store);
    assert_int_equal(transactions(h->store), before + 2);
    sem_destroy(&h->is_held);
    sem_destroy(&h->may_go);
}

/* --- tests -------------------------------------------------------------- */

/* Every column but ids and times. */
static const char *rows_of(env_t *env, int n)
{
    static char both[2][16384];
    static int next;
    char sql[1024];
    char *out = both[next++ & 1];

    snprintf(
        sql, sizeof(sql),
        "SELECT s.outcome, s.reason, s.finish_reason, s.session_id,"
        " s.model_id, hex(s.sha256), s.text_len, s.event_count, s.trimmed_to,"
        " s.attempts, s.attempts_json, s.key_id, s.input_tokens,"
        " s.output_tokens, s.first_content_ms, s.duration_ms,"
        " s.ended_at IS NULL, s.key_last4, hex(s.timeline), s.app, s.transport,"
        " s.asker, a.role, a.content, a.reasoning, a.refs, q.role, q.content,"
        " (SELECT group_concat(first_seq || '-' || last_seq || hex(data), ',')"
        " FROM stream_event e WHERE e.stream = s.id)"
        " FROM stream s JOIN message a ON a.id = s.id"
        " JOIN message q ON q.answer_id = s.id"
        " WHERE s.stream_id = x'%s'",
        env_id(n));
    snprintf(out, sizeof(both[0]), "%s", env_sql(env, sql));
    return out;
}

static void put_whole(bl_store_t *s, int n, int is_settled)
{
    env_begin(s, n, "user:li", "c1", "How are you?");
    if (is_settled) env_settle(s);
    env_say(s, n, 1, words);
    env_say(s, n, 4, more);
    if (is_settled) env_settle(s);
    env_end(s, n, BL_OUTCOME_COMPLETED, "Hello world!", 4);
    if (is_settled) env_settle(s);
}

/* The first is written; the second is to be, at once, when the writer may. */
static void one_in_pieces_one_held(env_t *env, hold_t *h)
{
    env_open(env);
    put_whole(env->store, 1, 1);
    hold(h, env->store);
    put_whole(env->store, 2, 0);
}

static void test_stream_jobs_written_once_or_in_pieces_is_the_same(void **state)
{
    const char *pieces, *once;
    hold_t h;
    env_t env;

    (void)state;
    one_in_pieces_one_held(&env, &h);
    let_go(&h);
    pieces = rows_of(&env, 1);
    once = rows_of(&env, 2);
    assert_true(strstr(once, "Hello world!") != NULL);
    assert_string_equal(once, pieces);
    assert_string_equal(
        env_sql(&env, "SELECT owner, app, streams, failures, input_tokens,"
                      " output_tokens FROM usage_day"),
        "user:li|qa|2|0|14|22");
    env_close(&env);
}

static void test_stream_jobs_of_many_streams_each_go_to_their_own(void **state)
{
    char text[16];
    hold_t h;
    env_t env;
    int i;

    (void)state;
    env_open(&env);
    hold(&h, env.store);
    for (i = 1; i <= 100; i++)
        env_begin(env.store, i, "user:li", "c1", "q");
    for (i = 100; i >= 1; i--)
        env_say(env.store, i, 1, words);
    for (i = 1; i <= 100; i += 2) {
        snprintf(text, sizeof(text), "answer %02X", i);
        env_end(env.store, i, BL_OUTCOME_COMPLETED, text, 3);
    }
    let_go(&h);
    assert_string_equal(
        env_sql(&env, "SELECT outcome, count(*), count(ended_at),"
                      " sum(event_count), sum(a.content = 'answer ' ||"
                      " substr(hex(stream_id), 31)), sum(a.content = '')"
                      " FROM stream s JOIN message a ON a.id = s.id"
                      " GROUP BY outcome"),
        "0|50|0|0|0|50|1|50|50|150|50|0");
    assert_string_equal(env_sql(&env, "SELECT count(*), count(DISTINCT stream)"
                                      " FROM stream_event"),
                        "100|100");
    for (i = 2; i <= 100; i += 2)
        env_end(env.store, i, BL_OUTCOME_COMPLETED, "late", 3);
    env_settle(env.store);
    assert_string_equal(env_sql(&env, "SELECT count(*) FROM stream"
                                      " WHERE outcome = 1"),
                        "100");
    env_close(&env);
}

/* I2, I3: also where all of it comes at once. */
static void test_stream_jobs_behind_the_end_nothing_is_written(void **state)
{
    hold_t h;
    env_t env;

    (void)state;
    env_open(&env);
    hold(&h, env.store);
    put_whole(env.store, 1, 0);
    env_say(env.store, 1, 5, more);
    env_end(env.store, 1, BL_OUTCOME_CANCELLED, "other", 9);
    let_go(&h);
    assert_string_equal(
        env_sql(&env, "SELECT outcome, event_count, (SELECT max(last_seq)"
                      " FROM stream_event), (SELECT content FROM message"
                      " WHERE role = 'assistant'), (SELECT streams FROM"
                      " usage_day) FROM stream"),
        "1|4|4|Hello world!|1");
    env_close(&env);
}

/* Of a begin that is refused nothing stays, and its neighbours are whole. */
static void test_stream_jobs_of_a_refused_begin_change_no_other(void **state)
{
    hold_t h;
    env_t env;

    (void)state;
    one_in_pieces_one_held(&env, &h);
    put_whole(env.store, 1, 0); /* that id is taken */
    put_whole(env.store, 3, 0);
    let_go(&h);
    assert_string_equal(
        env_sql(&env, "SELECT (SELECT count(*) FROM stream WHERE outcome = 1),"
                      " (SELECT count(*) FROM message),"
                      " (SELECT count(*) FROM stream_event),"
                      " (SELECT streams FROM usage_day)"),
        "3|6|6|3");
    assert_string_equal(rows_of(&env, 2), rows_of(&env, 3));
    env_close(&env);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            test_stream_jobs_written_once_or_in_pieces_is_the_same),
        cmocka_unit_test(test_stream_jobs_of_many_streams_each_go_to_their_own),
        cmocka_unit_test(test_stream_jobs_behind_the_end_nothing_is_written),
        cmocka_unit_test(test_stream_jobs_of_a_refused_begin_change_no_other),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
