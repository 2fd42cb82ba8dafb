/* SPDX-License-Identifier: Apache-2.0 */
/* R03: what streams hold is counted, and refused before there is no more. */
#include "engine_env.h"
#include "stream_help.h"

#include "base/budget.h"
#include "base/clock.h"
#include "base/log.h"
#include "shm/directory.h"
#include "shm/stats.h"

#define KIB 1024u

static bl_held_t words[4];

static bl_budget_t budget_of(apr_uint64_t limit)
{
    bl_budget_t b = {words, 4, 0, 0};

    b.limit = limit;
    memset(words, 0, sizeof(words));
    return b;
}

/* --- counting ------------------------------------------------------------ */

static void test_budget_takes_its_limit_and_not_a_byte_more(void **state)
{
    bl_budget_t mine = budget_of(1000), other = mine;

    (void)state;
    other.mine = 3;
    assert_int_equal(bl_budget_take(&mine, 600), APR_SUCCESS);
    assert_int_equal(bl_budget_take(&other, 401), BL_E_OVERLOADED);
    assert_int_equal(bl_budget_held(&mine), 600);
    assert_int_equal(bl_budget_take(&other, 400), APR_SUCCESS);
    assert_int_equal(bl_budget_take(&mine, 1), BL_E_OVERLOADED);
    assert_false(bl_budget_is_above(&mine, 100, 0));
    assert_true(bl_budget_is_above(&mine, 100, 1));
    assert_true(bl_budget_is_above(&mine, 80, 0));
    bl_budget_give(&mine, 600);
    assert_false(bl_budget_is_above(&mine, 80, 400));
    assert_true(bl_budget_is_above(&mine, 80, 401));
    bl_budget_give(&other, 400);
    assert_int_equal(bl_budget_held(&mine), 0);
}

/* It stops new streams, and none that runs: that others end, or wait for the
 * database, is no reason to fail. */
static void test_budget_what_passes_through_takes_no_room_to_grow(void **state)
{
    bl_budget_t b = budget_of(1000);

    (void)state;
    assert_int_equal(bl_budget_take(&b, 500), APR_SUCCESS);
    bl_budget_pass(&b, 2000);
    assert_int_equal(bl_budget_held(&b), 2500);
    assert_true(bl_budget_is_above(&b, 80, 0));
    assert_int_equal(bl_budget_take(&b, 500), APR_SUCCESS);
    assert_int_equal(bl_budget_take(&b, 1), BL_E_OVERLOADED);
    bl_budget_take_anyway(&b, 10);
    bl_budget_passed(&b, 2000);
    assert_int_equal(bl_budget_held(&b), 1010);
    bl_budget_give(&b, 1010);
    assert_int_equal(bl_budget_held(&b), 0);
}

static void test_budget_without_a_limit_counts_and_refuses_nothing(void **state)
{
    bl_budget_t b = budget_of(0);

    (void)state;
    assert_int_equal(bl_budget_take(&b, (size_t)1 << 40), APR_SUCCESS);
    assert_int_equal(bl_budget_held(&b), (apr_uint64_t)1 << 40);
    assert_false(bl_budget_is_above(&b, 80, (size_t)1 << 40));
    assert_int_equal(bl_budget_take(NULL, 5), APR_SUCCESS);
    bl_budget_take_anyway(NULL, 5);
    bl_budget_give(NULL, 5);
    bl_budget_pass(NULL, 5);
    bl_budget_passed(NULL, 5);
    assert_int_equal(bl_budget_held(NULL), 0);
}

/* A thread of a child that left gives back what nobody counts any more. */
static void test_budget_of_a_child_that_left_takes_nothing_away(void **state)
{
    bl_budget_t b = budget_of(1000), other = b;

    (void)state;
    other.mine = 1;
    bl_budget_take_anyway(&b, 300);
    bl_budget_take_anyway(&other, 200);
    bl_budget_leave(&b);
    memset(words, 0, sizeof(words[0])); /* as its place was cleaned up */
    bl_budget_give(&b, 300);
    assert_int_equal(bl_budget_held(&other), 200);
    words[0].kept = (apr_uint64_t)-300; /* in the very moment in between */
    assert_int_equal(bl_budget_held(&other), 200);
}

#define THREADS 4
#define TURNS 50000

static void *take_and_give(void *ctx)
{
    bl_budget_t *b = ctx;
    int i;

    for (i = 1; i <= TURNS; i++) {
        if (bl_budget_take(b, (size_t)i % 100) != APR_SUCCESS) continue;
        bl_budget_give(b, (size_t)i % 100);
    }
    return NULL;
}

static void test_budget_does_not_drift_under_threads(void **state)
{
    bl_budget_t b = budget_of(150); /* two at once are too much at times */
    pthread_t threads[THREADS];
    int i;

    (void)state;
    for (i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, take_and_give, &b);
    for (i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(bl_budget_held(&b), 0);
}

/* --- what is counted ----------------------------------------------------- */

static void test_budget_buffer_is_counted_as_large_as_it_is(void **state)
{
    bl_budget_t b = budget_of(10); /* a buffer is never refused for it */
    bl_buf_t buf, spare;

    (void)state;
    bl_buf_init(&buf, 100000);
    bl_buf_puts(&buf, "before");
    bl_buf_count(&buf, &b);
    assert_int_equal(bl_budget_held(&b), buf.size);
    assert_non_null(bl_buf_room(&buf, 5000));
    assert_true(buf.size >= 5000);
    assert_int_equal(bl_budget_held(&b), buf.size);
    bl_buf_clear(&buf);
    bl_buf_init(&spare, 100000);
    bl_buf_hand_over(&buf, &spare);
    assert_int_equal(bl_budget_held(&b), 0);
    bl_buf_hand_over(&spare, &buf);
    assert_int_equal(bl_budget_held(&b), buf.size);
    bl_buf_release(&buf);
    assert_int_equal(bl_budget_held(&b), 0);
    bl_buf_release(&spare);
}

static bl_stream_t *counted_stream(bl_budget_t *b)
{
    bl_stream_spec_t spec;
    bl_stream_t *s;

    memset(&spec, 0, sizeof(spec));
    spec.id = "0123456789abcdef0123456789abcdef";
    spec.owner = "user:li";
    spec.conversation_id = "c1";
    spec.item_id = "";
    spec.app = "qa";
    spec.queue_bytes = BL_QUEUE_BYTES;
    spec.budget = b;
    return bl_stream_create(&s, &spec) == APR_SUCCESS ? s : NULL;
}

static void test_budget_stream_is_counted_with_all_it_holds(void **state)
{
    bl_budget_t b = budget_of(0);
    bl_stream_t *s = counted_stream(&b);
    int i;

    (void)state;
    for (i = 0; i < 500; i++) {
        assert_int_equal(say(s, "some words of an answer that goes on "),
                         APR_SUCCESS);
        assert_int_equal(bl_budget_held(&b),
                         BL_STREAM_BYTES + bl_journal_memory(s->journal));
    }
    assert_true(bl_budget_held(&b) > BL_STREAM_BYTES + 500 * 37);
    assert_int_equal(bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, 0, "stop"), 1);
    assert_int_equal(bl_budget_held(&b), BL_STREAM_BYTES +
                                             bl_journal_memory(s->journal) +
                                             s->whole.size);
    bl_stream_unref(s);
    assert_int_equal(bl_budget_held(&b), 0);
}

/* At the limit an event is refused whole; what is there is read, and ends. */
static void test_budget_full_refuses_events_and_not_the_end(void **state)
{
    bl_budget_t b = budget_of(BL_STREAM_BYTES + 100 * KIB);
    bl_stream_t *s = counted_stream(&b);
    bl_buf_t text;
    apr_status_t rv;
    apr_uint64_t said = 0;

    (void)state;
    while ((rv = say(s, "0123456789")) == APR_SUCCESS)
        said++;
    assert_int_equal(rv, BL_E_OVERLOADED);
    assert_true(said > 1000);
    assert_true(bl_budget_held(&b) <= b.limit);
    assert_null(counted_stream(&b)); /* nor is there room for another one */
    assert_int_equal(bl_journal_tail(s->journal), said);
    assert_int_equal(put(s, BL_EV_USAGE, "", "{\"input\":1}"), APR_SUCCESS);
    assert_int_equal(bl_stream_rt_end(s, BL_OUTCOME_COMPLETED, 0, "stop"), 1);
    assert_int_equal(s->outcome, BL_OUTCOME_COMPLETED);
    bl_buf_init(&text, 1 << 20);
    assert_int_equal(bl_stream_text(s, &text), APR_SUCCESS);
    assert_int_equal(text.len, said * 10);
    bl_buf_release(&text);
    bl_stream_unref(s);
    assert_int_equal(bl_budget_held(&b), 0);
}

/* --- an engine with a budget --------------------------------------------- */

static engine_env_t ee;
static bl_budget_t budget;
static int warnings, infos; /* atomic: BL1311, BL1312 */

static void note_line(bl_log_level_t level, apr_status_t rv, const char *line)
{
    (void)level;
    (void)rv;
    if (strstr(line, "BL1311")) __atomic_add_fetch(&warnings, 1, 0);
    if (strstr(line, "BL1312")) __atomic_add_fetch(&infos, 1, 0);
}

static int open_env(void **state)
{
    (void)state;
    bl_log_install(note_line, BL_LOG_INFO);
    warnings = infos = 0;
    memset(&budget, 0, sizeof(budget));
    budget.mine = -1;
    engine_env_make(&ee);
    ee.conf.budget = &budget;
    return 0;
}

static int close_env(void **state)
{
    (void)state;
    engine_env_close(&ee);
    bl_log_install(NULL, BL_LOG_WARNING);
    return 0;
}

static apr_uint64_t counted(bl_counter_t which)
{
    return bl_stats_total(ee.shm, which);
}

static apr_status_t ask(const char *key, bl_stream_t **ps, char *id)
{
    bl_question_t q = engine_env_question(&ee);

    q.idempotency_key = key;
    return bl_engine_ask(ee.engine, &q, ps, id);
}

static void test_budget_high_refuses_the_next_question_r03(void **state)
{
    char id[BL_ID_TEXT + 1], again[BL_ID_TEXT + 1];
    bl_stream_t *s[2], *more, *found;
    reader_t *r[2];
    int i;

    (void)state;
    budget.limit = 212 * KIB; /* two fit below 80 %, a third does not */
    engine_env_open(&ee, stub_half_then_half, NULL);
    assert_int_equal(ask("k", &s[0], id), APR_SUCCESS);
    assert_int_equal(ask(NULL, &s[1], again), APR_SUCCESS);
    for (i = 0; i < 2; i++)
        r[i] = reader_open(ee.engine, s[i], 0);
    assert_int_equal(ask(NULL, &more, again), BL_E_OVERLOADED);
    assert_null(more);
    assert_int_equal(ask(NULL, &more, again), BL_E_OVERLOADED);
    assert_int_equal(bl_slot_count(ee.shm), 2);
    assert_int_equal(counted(BL_COUNT_MEMORY_REFUSED), 2);
    assert_int_equal(counted(BL_COUNT_STREAMS_REFUSED), 2);
    assert_int_equal(__atomic_load_n(&warnings, 0), 1);
    /* A repeat is no new stream: it joins the one that runs. */
    assert_int_equal(ask("k", &more, again), APR_EEXIST);
    assert_string_equal(again, id);
    found = bl_engine_find(ee.engine, again);
    assert_ptr_equal(found, s[0]);
    bl_stream_unref(found);
    for (i = 0; i < 2; i++)
        stub_open_gate(&ee.stub);
    for (i = 0; i < 2; i++) {
        reader_expect_end(r[i], "completed", NULL);
        assert_string_equal(r[i]->text, "one two");
        reader_close(r[i]);
        bl_stream_unref(s[i]);
    }
    wait_until(bl_stats_held(ee.shm) == 0);
    assert_int_equal(ask(NULL, &s[0], id), APR_SUCCESS);
    stub_open_gate(&ee.stub);
    bl_stream_unref(s[0]);
    wait_until(bl_stats_held(ee.shm) == 0);
}

#define PIECES 60

static void long_answer(stub_conn_t *c, void *ctx)
{
    char piece[2000];
    int i;

    (void)ctx;
    memset(piece, 'x', sizeof(piece) - 1);
    piece[sizeof(piece) - 1] = '\0';
    stub_begin(c);
    for (i = 0; i < PIECES; i++)
        stub_say(c, piece);
    stub_finish(c, "last");
}

/* ... and is stored as far as it came; the next answer is whole. */
static void test_budget_used_up_ends_the_answer_that_grows_r03(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    budget.limit = BL_STREAM_BYTES + 70 * KIB;
    engine_env_open(&ee, long_answer, NULL);
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    reader_expect_end(r, "error", "overloaded");
    assert_true(r->text_len > 0 && r->text_len < PIECES * 1999);
    assert_int_equal(r->text_len % 1999, 0); /* whole events only */
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_ERROR);
    assert_int_equal(row.text_len, r->text_len);
    assert_int_equal(row.attempts, 1);
    assert_int_equal(counted(BL_COUNT_MEMORY_ENDED), 1);
    assert_int_equal(__atomic_load_n(&warnings, 0), 1);
    reader_close(r);
    bl_stream_unref(s);
    wait_until(bl_stats_held(ee.shm) == 0);
    budget.limit = 0;
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    reader_expect_end(r, "completed", NULL);
    assert_int_equal(r->text_len, PIECES * 1999 + 4);
    reader_close(r);
    bl_stream_unref(s);
    wait_until(bl_stats_held(ee.shm) == 0);
}

/* I11: once, and again only after a minute in which it was well. */
static void test_budget_short_is_said_once_until_it_is_well_r03(void **state)
{
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s;

    (void)state;
    budget.limit = 60 * KIB; /* less than one: each question is refused */
    engine_env_open(&ee, stub_hello, NULL);
    assert_int_equal(ask(NULL, &s, id), BL_E_OVERLOADED);
    assert_int_equal(ask(NULL, &s, id), BL_E_OVERLOADED);
    assert_int_equal(__atomic_load_n(&warnings, 0), 1);
    /* As if the minute were over: the next tick finds that all is well. */
    __atomic_store_n(&ee.shm->budget_told, bl_clock_ms() - 60000,
                     __ATOMIC_SEQ_CST);
    wait_until(__atomic_load_n(&infos, 0) == 1);
    assert_int_equal(__atomic_load_n(&warnings, 0), 1);
    assert_int_equal(ask(NULL, &s, id), BL_E_OVERLOADED);
    assert_int_equal(__atomic_load_n(&warnings, 0), 2);
}

int main(void)
{
#define ENGINE(name) cmocka_unit_test_setup_teardown(name, open_env, close_env)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_budget_takes_its_limit_and_not_a_byte_more),
        cmocka_unit_test(test_budget_what_passes_through_takes_no_room_to_grow),
        cmocka_unit_test(
            test_budget_without_a_limit_counts_and_refuses_nothing),
        cmocka_unit_test(test_budget_of_a_child_that_left_takes_nothing_away),
        cmocka_unit_test(test_budget_does_not_drift_under_threads),
        cmocka_unit_test(test_budget_buffer_is_counted_as_large_as_it_is),
        cmocka_unit_test(test_budget_stream_is_counted_with_all_it_holds),
        cmocka_unit_test(test_budget_full_refuses_events_and_not_the_end),
        ENGINE(test_budget_high_refuses_the_next_question_r03),
        ENGINE(test_budget_used_up_ends_the_answer_that_grows_r03),
        ENGINE(test_budget_short_is_said_once_until_it_is_well_r03),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
