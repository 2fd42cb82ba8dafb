/* SPDX-License-Identifier: Apache-2.0 */
/* R02: each allocation in turn fails, over the core's parts and a whole answer.
 * What is asked for then fails with a class or is whole; nothing is cut and
 * looks whole (I4), nothing is lost that was taken on; the next is whole. The
 * sanitizers' build tells of leaks. */
#include "dialect_run.h"
#include "engine_env.h"
#include "nomem.h"
#include "stream_help.h"

#include "admin/conversations.h"
#include "base/budget.h"
#include "base/clock.h"
#include "crypto/keyring.h"
#include "engine/replay.h"
#include "shm/stats.h"
#include "wire/chat_writer.h"

#define WORDS 60

/* Why something may fail that ran out of memory. */
static int is_told(apr_status_t rv)
{
    return rv == APR_ENOMEM || rv == BL_E_INTERNAL || rv == BL_E_OVERLOADED ||
           rv == BL_E_STORE_UNAVAILABLE || rv == BL_E_KEYRING_MISSING;
}

#define assert_told(rv)                                                        \
    do {                                                                       \
        apr_status_t rv_ = (rv);                                               \
        if (rv_ != APR_SUCCESS && !is_told(rv_)) {                             \
            fail_msg("%s: %d %s", #rv, rv_, bl_error(rv_)->code);              \
        }                                                                      \
    } while (0)

/* --- a stream ------------------------------------------------------------ */

/* The END event that every reader gets; its text is what came before. */
static void assert_ended(bl_stream_t *s, apr_status_t said)
{
    bl_cursor_t c;
    bl_event_t ev;
    size_t text = 0;
    char fields[512] = "", length[128];
    int n, is_end = 0;

    bl_cursor_over_ended(&c, s, 0);
    while (bl_cursor_peek(&c, &ev, 1, &n) == APR_SUCCESS) {
        assert_false(is_end);
        is_end = ev.kind == BL_EV_END;
        if (ev.kind == BL_EV_DELTA) text += ev.text_len;
        snprintf(fields, sizeof(fields), "%.*s", (int)ev.fields_len,
                 ev.fields ? ev.fields : "");
        bl_cursor_advance(&c, &ev);
    }
    assert_true(is_end);
    if (said != APR_SUCCESS || s->outcome != BL_OUTCOME_COMPLETED) {
        assert_null(strstr(fields, "completed"));
        assert_int_not_equal(s->outcome, BL_OUTCOME_COMPLETED);
        return;
    }
    assert_non_null(strstr(fields, "\"completed\""));
    snprintf(length, sizeof(length), "\"length\":%zu,\"sha256\":\"%s\"", text,
             s->sha256_hex);
    assert_non_null(strstr(fields, length));
    assert_int_equal(strlen(s->sha256_hex), 64);
    assert_int_equal(s->whole.len, text);
}

static void live_and_end(void *ctx)
{
    bl_stream_spec_t spec = {"0123456789abcdef0123456789abcdef",
                             "user:li",
                             "c1",
                             "i1",
                             "qa",
                             BL_POLICY_DRAIN,
                             0,
                             BL_QUEUE_BYTES,
                             NULL};
    bl_held_t held = {0, 0};
    bl_budget_t budget = {&held, 1, 0, 0};
    apr_status_t rv;
    bl_stream_t *s;
    int i;

    (void)ctx;
    spec.budget = &budget;
    rv = bl_stream_create(&s, &spec);
    assert_told(rv);
    if (rv != APR_SUCCESS) {
        assert_int_equal(bl_budget_held(&budget),
                         0); /* nothing is counted that failed (R03) */
        return;
    }
    rv = put(s, BL_EV_START, "", NULL);
    for (i = 0; i < WORDS && rv == APR_SUCCESS; i++)
        rv = say(s, "twenty bytes of text");
    assert_told(rv);
    bl_stream_rt_end(
        s, rv == APR_SUCCESS ? BL_OUTCOME_COMPLETED : BL_OUTCOME_ERROR, rv,
        rv == APR_SUCCESS ? "stop" : NULL);
    nomem_off();
    assert_ended(s, rv);
    nomem_on();
    assert_int_equal(bl_budget_held(&budget),
                     BL_STREAM_BYTES + bl_journal_memory(s->journal) +
                         s->whole.size);
    bl_stream_unref(s);
    assert_int_equal(bl_budget_held(&budget), 0);
}

static void test_nomem_stream_ends_and_says_how(void **state)
{
    (void)state;
    assert_true(nomem_each(live_and_end, NULL, 1) > 8);
}

/* --- what an upstream says, and what a client gets -------------------------
 */

static const char ANSWER[] =
    "id:1\nevent:result\n:HTTP_STATUS/200\n"
    "data:{\"output\":{\"session_id\":\"s1\",\"finish_reason\":\"null\","
    "\"text\":\"one \"}}\n\n"
    "id:2\nevent:result\n:HTTP_STATUS/200\n"
    "data:{\"output\":{\"session_id\":\"s1\",\"finish_reason\":\"null\","
    "\"text\":\"two \",\"thoughts\":[{\"action_type\":\"api\"}]}}\n\n"
    "id:3\nevent:result\n:HTTP_STATUS/200\n"
    "data:{\"output\":{\"session_id\":\"s1\",\"finish_reason\":\"stop\","
    "\"text\":\"three\"},\"usage\":{\"models\":[{\"model_id\":\"qwen-plus\","
    "\"input_tokens\":3,\"output_tokens\":4}]},\"request_id\":\"r\"}\n\n";

typedef struct told_t {
    bl_buf_t text;
    void *state;
    int is_over;
} told_t;

static apr_status_t keep_delta(void *ctx, const bl_event_t *ev)
{
    told_t *t = ctx;

    if (ev->kind != BL_EV_DELTA) return APR_SUCCESS;
    return bl_buf_append(&t->text, ev->text, ev->text_len);
}

static apr_status_t to_dialect(void *ctx, const bl_sse_event_t *ev)
{
    told_t *t = ctx;
    apr_status_t rv = bl_dialect_app.event(t->state, ev);

    if (rv == APR_EOF) t->is_over = 1;
    return rv == APR_EAGAIN ? APR_SUCCESS : rv;
}

static void read_answer(void *ctx)
{
    bl_target_t target;
    bl_emitter_t out;
    bl_answer_t answer;
    bl_sse_parser_t p;
    told_t t;
    apr_status_t rv;

    memset(&t, 0, sizeof(t));
    memset(&target, 0, sizeof(target));
    target.base_url = "https://dashscope.example/api/v1";
    target.app_id = "a1";
    target.enable_thinking = -1;
    target.is_incremental = 1;
    target.answer_nodes = "[\"LLM_1\"]";
    bl_buf_init(&t.text, 1024);
    out.emit = keep_delta;
    out.ctx = &t;
    rv = bl_dialect_app.open(&t.state, &target, &out, &answer);
    assert_told(rv);
    if (rv == APR_SUCCESS) {
        bl_sse_parser_init(&p, 0);
        rv = bl_sse_parser_feed(&p, ANSWER, sizeof(ANSWER) - 1, to_dialect, &t);
        bl_sse_parser_release(&p);
        if (t.is_over)
            assert_true(t.text.len == 13 &&
                        !memcmp(t.text.data, "one two three", 13));
        else
            assert_told(rv);
        assert_true(t.is_over || rv != APR_SUCCESS);
        bl_dialect_app.close(t.state);
    }
    bl_buf_release(&t.text);
    (void)ctx;
}

static void test_nomem_answer_is_whole_or_fails(void **state)
{
    (void)state;
    assert_true(nomem_each(read_answer, NULL, 1) > 2);
}

static void make_request(void *ctx)
{
    bl_target_t target;
    bl_request_t rq;
    bl_ask_t ask;
    apr_status_t rv;

    (void)ctx;
    memset(&target, 0, sizeof(target));
    memset(&ask, 0, sizeof(ask));
    target.base_url = "https://dashscope.example/api/v1";
    target.app_id = "a1";
    target.workspace = "ws";
    target.enable_thinking = 1;
    ask.prompt = "hi";
    ask.session_id = "s1";
    ask.parameters = "{\"temperature\":0.5}";
    bl_request_init(&rq);
    rv = bl_dialect_app.request(&target, &ask, &rq);
    assert_told(rv);
    if (rv == APR_SUCCESS) {
        nomem_off();
        assert_non_null(strstr(bl_buf_str(&rq.body), "\"session_id\":\"s1\""));
        assert_int_equal(rq.body.data[strlen(rq.body.data) - 1], '}');
        assert_non_null(strstr(bl_buf_str(&rq.url), "/apps/a1/completion"));
        nomem_on();
    }
    bl_request_release(&rq);
}

static void test_nomem_request_is_whole_or_fails(void **state)
{
    (void)state;
    assert_true(nomem_each(make_request, NULL, 1) > 2);
}

static void write_chat(void *ctx)
{
    static const char end_fields[] =
        "{\"outcome\":\"completed\",\"reason\":null,\"events\":3}";
    static const char usage[] = "{\"inputTokens\":3,\"outputTokens\":4}";
    bl_event_t ev = {0};
    bl_chat_writer_t w;
    bl_span_t whole = {"text", 4};
    bl_buf_t out;
    apr_status_t rv;

    (void)ctx;
    bl_buf_init(&out, 4096);
    rv = bl_chat_writer_init(&w, "0123456789abcdef0123456789abcdef", "c1", "i1",
                             BL_LANG_EN);
    assert_told(rv);
    ev.kind = BL_EV_DELTA;
    ev.seq = 1;
    ev.text = "text";
    ev.text_len = 4;
    if (rv == APR_SUCCESS) rv = bl_chat_write_event(&w, &out, &ev);
    ev.kind = BL_EV_USAGE;
    ev.text_len = 0;
    ev.fields = usage;
    ev.fields_len = sizeof(usage) - 1;
    if (rv == APR_SUCCESS) rv = bl_chat_write_event(&w, &out, &ev);
    ev.kind = BL_EV_END;
    ev.fields = end_fields;
    ev.fields_len = sizeof(end_fields) - 1;
    if (rv == APR_SUCCESS) rv = bl_chat_write_end(&w, &out, &ev, &whole, 1);
    assert_told(rv);
    if (rv == APR_SUCCESS) {
        nomem_off();
        assert_non_null(strstr(bl_buf_str(&out), "\"isEnd\":true"));
        assert_int_equal(bl_buf_status(&out), APR_SUCCESS);
        nomem_on();
    }
    bl_chat_writer_release(&w);
    bl_buf_release(&out);
}

static void test_nomem_client_gets_all_or_an_error(void **state)
{
    (void)state;
    assert_true(nomem_each(write_chat, NULL, 1) > 1);
}

/* --- keys ------------------------------------------------------------------
 */

static void seal_and_open(void *ctx)
{
    static const bl_seal_for_t row = {"api_key", "api_key", 7, 1};
    engine_env_t *ee = ctx;
    unsigned char *sealed = NULL, *clear = NULL;
    size_t len, clear_len;
    apr_status_t rv =
        bl_keyring_seal(ee->keyring, &row, "sk-secret", 9, &sealed, &len);

    assert_told(rv);
    if (rv != APR_SUCCESS) return;
    rv = bl_keyring_open(ee->keyring, &row, sealed, len, &clear, &clear_len);
    assert_told(rv);
    if (rv == APR_SUCCESS) assert_memory_equal(clear, "sk-secret", 9);
    free(clear);
    free(sealed);
}

/* --- the database ----------------------------------------------------------
 */

static engine_env_t ee;

static int open_env(void **state)
{
    (void)state;
    bl_log_install(log_nothing, BL_LOG_WARNING);
    engine_env_start(&ee, stub_hello, NULL);
    return 0;
}

static int close_env(void **state)
{
    (void)state;
    engine_env_close(&ee);
    return 0;
}

static void test_nomem_key_is_sealed_and_opened_or_not(void **state)
{
    (void)state;
    assert_true(nomem_each(seal_and_open, &ee, 1) > 4);
}

typedef apr_status_t list_fn(bl_store_t *s, bl_buf_t *out);

static apr_status_t conversations(bl_store_t *s, bl_buf_t *out)
{
    return bl_store_conversations(s, "user:li", "hi", 20, NULL, out);
}

static apr_status_t conversation(bl_store_t *s, bl_buf_t *out)
{
    return bl_store_conversation(s, "user:li", "c1", out);
}

static apr_status_t markdown(bl_store_t *s, bl_buf_t *out)
{
    return bl_store_conversation_markdown(s, "user:li", "c1", out);
}

typedef struct listed_t {
    list_fn *fn;
    char whole[65536]; /* when memory does not fail */
} listed_t;

static void list(void *ctx)
{
    listed_t *l = ctx;
    bl_buf_t out;
    apr_status_t rv;

    bl_buf_init(&out, sizeof(l->whole) - 1);
    rv = l->fn(bl_engine_store(ee.engine), &out);
    assert_told(rv);
    if (rv == APR_SUCCESS) {
        if (out.len != strlen(l->whole) || memcmp(out.data, l->whole, out.len))
        {
            fail_msg("%.*s\n is not\n%s", (int)out.len, out.data, l->whole);
        }
    }
    bl_buf_release(&out);
}

/* A list that was answered is the whole list. */
static void test_nomem_lists_are_whole_or_fail(void **state)
{
    static list_fn *const lists[] = {conversations, conversation,
                                     markdown,      bl_store_keys,
                                     bl_store_apps, bl_store_upstreams};
    bl_stream_t *s = engine_env_ask(&ee);
    bl_stored_stream_t row;
    listed_t l;
    bl_buf_t out;
    size_t i;

    (void)state;
    engine_env_stored(&ee, s->id, &row);
    bl_stream_unref(s);
    for (i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        l.fn = lists[i];
        bl_buf_init(&out, sizeof(l.whole) - 1);
        assert_int_equal(l.fn(bl_engine_store(ee.engine), &out), APR_SUCCESS);
        memcpy(l.whole, out.data, out.len);
        l.whole[out.len] = '\0';
        bl_buf_release(&out);
        assert_true(nomem_each(list, &l, 1) > 0);
    }
}

static int number; /* of a thing that is made */
static int added;

static void add_key(void *ctx)
{
    char name[32], sql[128];
    apr_int64_t id = 0;
    apr_status_t rv;

    (void)ctx;
    snprintf(name, sizeof(name), "key-%d", ++number);
    rv = bl_store_do_key_add(bl_engine_store(ee.engine), &env_who, "stub", name,
                             "sk-another-0002", &id);
    assert_told(rv);
    nomem_enough();
    /* All of it or nothing, with its line in the audit (S-74). */
    snprintf(sql, sizeof(sql), "SELECT count(*) FROM api_key WHERE name = '%s'",
             name);
    assert_string_equal(env_sql(&ee.env, sql), rv == APR_SUCCESS ? "1" : "0");
    if (rv == APR_SUCCESS) {
        added++;
        assert_int_equal(
            bl_store_do_key_delete(bl_engine_store(ee.engine), &env_who, id),
            APR_SUCCESS);
    }
}

static void test_nomem_key_is_added_or_not(void **state)
{
    char told[16];

    (void)state;
    assert_true(nomem_each(add_key, NULL, 1) > 4);
    assert_true(added > 0);
    snprintf(told, sizeof(told), "%d", added + 1); /* with the first of all */
    assert_string_equal(env_sql(&ee.env, "SELECT count(*) FROM audit WHERE"
                                         " action = 'key.add'"),
                        told);
}

static void rename_it(void *ctx)
{
    char title[32];
    apr_status_t rv;

    (void)ctx;
    snprintf(title, sizeof(title), "title %d", ++number);
    rv = bl_store_do_rename(bl_engine_store(ee.engine), "user:li", "c1", title);
    assert_told(rv);
    nomem_enough();
    if (rv == APR_SUCCESS) {
        assert_string_equal(env_sql(&ee.env, "SELECT title FROM conversation"),
                            title);
    }
}

static void test_nomem_conversation_is_renamed_or_not(void **state)
{
    bl_stream_t *s = engine_env_ask(&ee);
    bl_stored_stream_t row;

    (void)state;
    engine_env_stored(&ee, s->id, &row);
    bl_stream_unref(s);
    assert_true(nomem_each(rename_it, NULL, 1) > 0);
}

/* --- a whole answer --------------------------------------------------------
 */

static void assert_whole_answer(void)
{
    bl_stream_t *s = engine_env_ask(&ee);
    reader_t *r = reader_open(ee.engine, s, 0);
    bl_stored_stream_t row;

    reader_expect_end(r, "completed", NULL);
    assert_string_equal(r->text, "Hello world");
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_COMPLETED);
    reader_close(r);
    bl_stream_unref(s);
}

/* Read to its end and stored as it was read. */
static void assert_fate(bl_stream_t *s)
{
    reader_t *r = reader_open(ee.engine, s, 0);
    bl_stored_stream_t row;

    wait_until(reader_is_over(r));
    assert_false(r->is_broken);
    assert_int_equal(r->last_kind, BL_EV_END);
    assert_memory_equal("Hello world", r->text, strlen(r->text));
    engine_env_stored(&ee, s->id, &row);
    if (strstr(r->fields, "\"completed\"")) {
        assert_string_equal(r->text, "Hello world");
        assert_int_equal(row.outcome, BL_OUTCOME_COMPLETED);
        assert_int_equal(row.text_len, 11);
    }
    else {
        assert_int_equal(row.outcome, BL_OUTCOME_ERROR);
        assert_null(strstr(r->fields, "\"reason\":null"));
    }
    reader_close(r);
}

static void ask_and_read(void *ctx)
{
    bl_question_t q = engine_env_question(&ee);
    char id[BL_ID_TEXT + 1];
    bl_stream_t *s;
    apr_status_t rv = bl_engine_ask(ee.engine, &q, &s, id);

    (void)ctx;
    assert_told(rv);
    nomem_off();
    if (rv == APR_SUCCESS) {
        assert_fate(s);
        bl_stream_unref(s);
    }
    nomem_on();
}

/* Nothing drifts: what was started has ended, and the places are free. */
static void test_nomem_answer_is_told_as_it_ended(void **state)
{
    (void)state;
    ee.limits.retries = 0;
    assert_true(nomem_each(ask_and_read, NULL, 1) > 50);
    assert_whole_answer();
    wait_until(!bl_slot_count(ee.shm));
    assert_int_equal(bl_stats_total(ee.shm, BL_COUNT_STREAMS_STARTED),
                     bl_stats_total(ee.shm, BL_COUNT_STREAMS_COMPLETED) +
                         bl_stats_total(ee.shm, BL_COUNT_STREAMS_ERROR));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_nomem_stream_ends_and_says_how),
        cmocka_unit_test(test_nomem_answer_is_whole_or_fails),
        cmocka_unit_test(test_nomem_request_is_whole_or_fails),
        cmocka_unit_test(test_nomem_client_gets_all_or_an_error),
        cmocka_unit_test_setup_teardown(
            test_nomem_key_is_sealed_and_opened_or_not, open_env, close_env),
        cmocka_unit_test_setup_teardown(test_nomem_lists_are_whole_or_fail,
                                        open_env, close_env),
        cmocka_unit_test_setup_teardown(test_nomem_key_is_added_or_not,
                                        open_env, close_env),
        cmocka_unit_test_setup_teardown(
            test_nomem_conversation_is_renamed_or_not, open_env, close_env),
        cmocka_unit_test_setup_teardown(test_nomem_answer_is_told_as_it_ended,
                                        open_env, close_env),
    };

    nomem_install();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
