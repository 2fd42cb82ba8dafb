/* SPDX-License-Identifier: Apache-2.0 */
/* What an engine makes of an upstream that fails: rows U of the fault matrix.
 */
#include "engine_env.h"

#include "base/clock.h"
#include "base/log.h"
#include "shm/stats.h"
#include "shm/targets.h"

#include <sys/socket.h>

static engine_env_t ee;
static int warnings; /* atomic */

static void note_line(bl_log_level_t level, apr_status_t rv, const char *line)
{
    (void)rv;
    /* A turn that took long: of a busy machine, and no news of the answer. */
    if (level <= BL_LOG_WARNING && !strstr(line, "BL1501")) {
        __atomic_add_fetch(&warnings, 1, __ATOMIC_RELAXED);
    }
}

static int open_env(void **state)
{
    (void)state;
    bl_log_install(note_line, BL_LOG_WARNING);
    warnings = 0;
    engine_env_make(&ee);
    return 0;
}

static int close_env(void **state)
{
    (void)state;
    engine_env_close(&ee);
    return 0;
}

static apr_uint64_t counted(bl_counter_t which)
{
    return bl_stats_total(ee.shm, which);
}

/* Asks, and expects this end, in the END event and in the store; also that it
 * came after so many attempts with this much text. */
static void expect_answer(const char *outcome, const char *reason, int attempts,
                          const char *text)
{
    bl_stream_t *s = engine_env_ask(&ee);
    reader_t *r = reader_open(ee.engine, s, 0);
    bl_stored_stream_t row;

    reader_expect_end(r, outcome, reason);
    assert_string_equal(r->text, text);
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, bl_outcome_from_name(outcome));
    assert_string_equal(row.reason, reason ? reason : "");
    assert_int_equal(row.attempts, attempts);
    assert_int_equal(row.text_len, strlen(text));
    reader_close(r);
    bl_stream_unref(s);
}

/* --- it cannot be reached --------------------------------------------------
 */

/* U01, I12: four attempts, and that was it. */
static void test_live_refused_connection_is_tried_4_times_u01(void **state)
{
    (void)state;
    stub_close(&ee.stub); /* nobody listens there now */
    engine_env_open(&ee, NULL, NULL);
    expect_answer("error", "upstream_connect", 4, "");
    assert_int_equal(counted(BL_COUNT_ATTEMPTS), 4);
    assert_int_equal(counted(BL_COUNT_RETRIES), 3);
    assert_int_equal(counted(BL_COUNT_STREAMS_ERROR), 1);
    assert_int_equal(warnings, 1); /* I11 */
    stub_open(&ee.stub);
}

static void test_live_retry_can_be_switched_off(void **state)
{
    (void)state;
    stub_close(&ee.stub);
    engine_env_open(&ee, NULL, NULL);
    ee.limits.pace = BL_RETRY_OFF;
    expect_answer("error", "upstream_connect", 1, "");
    stub_open(&ee.stub);
}

static int is_up; /* atomic */

static void down_or_up(stub_conn_t *c, void *ctx)
{
    if (__atomic_load_n(&is_up, __ATOMIC_ACQUIRE))
        stub_hello(c, ctx);
    else
        stub_answer(c, 503, "", "");
}

/* The outcome of one more question. */
static bl_outcome_t ask_once(bl_stored_stream_t *row)
{
    bl_stream_t *s = engine_env_ask(&ee);

    engine_env_stored(&ee, s->id, row);
    bl_stream_unref(s);
    return row->outcome;
}

/* U30: after five failures in a row nobody is sent there any more; one probe
 * every 5 s finds out when it is back. */
static void test_live_breaker_opens_and_recovers_u30(void **state)
{
    bl_stored_stream_t row;
    int i;

    (void)state;
    is_up = 0;
    ee.limits.retries = 0;
    engine_env_open(&ee, down_or_up, NULL);
    for (i = 0; i < 5; i++)
        expect_answer("error", "upstream_unavailable", 1, "");
    for (i = 0; i < 10; i++)
        expect_answer("error", "overloaded", 1, "");
    assert_int_equal(stub_asked(&ee.stub), 5);
    __atomic_store_n(&is_up, 1, __ATOMIC_RELEASE);
    wait_until(ask_once(&row) == BL_OUTCOME_COMPLETED);
    expect_answer("completed", NULL, 1, "Hello world");
}

/* --- keys ------------------------------------------------------------------
 */

static const char *refused_key;

static void refuse_key(stub_conn_t *c, void *ctx)
{
    if (!refused_key || strstr(c->request, refused_key)) {
        stub_answer(c, *(int *)ctx, "", "{\"code\":\"InvalidApiKey\"}");
    }
    else {
        stub_hello(c, NULL);
    }
}

/* U05: the next key of the pool; the refused one rests. */
static void test_live_refused_key_gives_way_to_the_next_u05(void **state)
{
    int status = 401;

    (void)state;
    refused_key = "sk-first-0001";
    engine_env_add_key(&ee, "k2", "sk-second-0002");
    engine_env_add_key(&ee, "k3", "sk-third-0003");
    engine_env_open(&ee, refuse_key, &status);
    expect_answer("completed", NULL, 2, "Hello world");
    expect_answer("completed", NULL, 1, "Hello world");
    expect_answer("completed", NULL, 1, "Hello world");
    expect_answer("completed", NULL, 1, "Hello world");
    assert_int_equal(stub_asked(&ee.stub), 5);
}

/* ... also when another attempt failed for another reason before. */
static void fail_then_refuse(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    if (c->n == 0)
        stub_answer(c, 503, "", "");
    else if (c->n == 1)
        stub_answer(c, 401, "", "");
    else
        stub_hello(c, NULL);
}

static void
test_live_refused_key_after_another_failure_gives_way_u05(void **state)
{
    (void)state;
    engine_env_add_key(&ee, "k2", "sk-second-0002");
    engine_env_open(&ee, fail_then_refuse, NULL);
    expect_answer("completed", NULL, 3, "Hello world");
}

static void test_live_no_key_left_is_auth_u05(void **state)
{
    int status = 401;

    (void)state;
    refused_key = NULL;
    engine_env_add_key(&ee, "k2", "sk-second-0002");
    engine_env_open(&ee, refuse_key, &status);
    expect_answer("error", "upstream_auth", 2, "");
    assert_int_equal(stub_asked(&ee.stub), 2);
}

typedef struct limit_t {
    const char *headers;
    int times; /* 429 so often, then an answer */
} limit_t;

static void throttle(stub_conn_t *c, void *ctx)
{
    const limit_t *limit = ctx;

    if (c->n < limit->times)
        stub_answer(c, 429, limit->headers, "{\"code\":\"Throttling\"}");
    else
        stub_hello(c, NULL);
}

/* U06: the wait that was asked for, when it fits. */
static void test_live_throttled_waits_as_long_as_it_was_told_u06(void **state)
{
    static const limit_t once = {"Retry-After: 1\r\n", 1};
    bl_ms_t began = bl_clock_ms();

    (void)state;
    engine_env_open(&ee, throttle, (void *)(uintptr_t)&once);
    expect_answer("completed", NULL, 2, "Hello world");
    assert_true(bl_clock_ms() - began >= 1000);
}

/* U06: not told how long: the key rests 5 s, and the question waits for it. */
static void
test_live_throttled_without_a_time_waits_for_its_key_u06(void **state)
{
    static const limit_t once = {"", 1};

    (void)state;
    engine_env_open(&ee, throttle, (void *)(uintptr_t)&once);
    expect_answer("completed", NULL, 2, "Hello world");
}

/* U06: a wait that does not fit ends it at once. */
static void test_live_throttled_for_an_hour_is_quota_at_once_u06(void **state)
{
    static const limit_t always = {"Retry-After: 3600\r\n", 100};

    (void)state;
    engine_env_open(&ee, throttle, (void *)(uintptr_t)&always);
    expect_answer("error", "upstream_quota", 1, "");
    assert_int_equal(stub_asked(&ee.stub), 1);
    expect_answer("error", "upstream_quota", 1, ""); /* its only key rests */
    assert_int_equal(stub_asked(&ee.stub), 1);
}

/* As if another child had been told so. */
static void throttle_elsewhere(bl_ms_t cool_ms)
{
    bl_catalog_t *catalog = bl_store_catalog(bl_engine_store(ee.engine));
    const bl_key_t *key = &bl_catalog_app(catalog, NULL)->upstream->keys[0];

    bl_key_tell(bl_key_place(ee.shm, key->id, key->version),
                BL_E_UPSTREAM_QUOTA, cool_ms, bl_clock_ms());
    bl_catalog_unref(catalog);
}

/* U06: a key that another child was told to rest is waited for too. */
static void
test_live_key_that_rests_for_another_child_is_waited_for_u06(void **state)
{
    bl_ms_t began = bl_clock_ms();

    (void)state;
    engine_env_open(&ee, stub_hello, NULL);
    throttle_elsewhere(700);
    expect_answer("completed", NULL, 1, "Hello world");
    assert_true(bl_clock_ms() - began >= 700);
    assert_int_equal(stub_asked(&ee.stub), 1);
}

/* U06: another account's key need not wait. */
static void test_live_throttled_with_another_key_asks_at_once_u06(void **state)
{
    static const limit_t once = {"Retry-After: 3600\r\n", 1};

    (void)state;
    engine_env_add_key(&ee, "k2", "sk-second-0002");
    engine_env_open(&ee, throttle, (void *)(uintptr_t)&once);
    expect_answer("completed", NULL, 2, "Hello world");
    assert_non_null(strstr(stub_request(&ee.stub, 0), "sk-first-0001"));
    assert_non_null(strstr(stub_request(&ee.stub, 1), "sk-second-0002"));
}

/* --- statuses --------------------------------------------------------------
 */

static void status_then_hello(stub_conn_t *c, void *ctx)
{
    if (c->n == 0)
        stub_answer(c, *(int *)ctx, "", "");
    else
        stub_hello(c, NULL);
}

static void test_live_unavailable_once_is_tried_again_u08(void **state)
{
    int status = 502;

    (void)state;
    engine_env_open(&ee, status_then_hello, &status);
    expect_answer("completed", NULL, 2, "Hello world");
}

static void test_live_rejected_is_not_tried_again_u07(void **state)
{
    int status = 400;

    (void)state;
    engine_env_open(&ee, status_then_hello, &status);
    expect_answer("error", "upstream_rejected", 1, "");
    assert_int_equal(warnings, 0);
}

static void login_page(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_answer(c, 200, "Content-Type: text/html\r\n", "<html>log in</html>");
}

/* U09: once more only. */
static void test_live_garbage_is_tried_again_once_u09(void **state)
{
    (void)state;
    engine_env_open(&ee, login_page, NULL);
    expect_answer("error", "upstream_garbage", 2, "");
}

/* --- clocks ----------------------------------------------------------------
 */

static void headers_and_hang(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_hang(c);
}

static void just_hang(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_hang(c);
}

static void test_live_no_content_in_time_is_first_timeout_u10(void **state)
{
    (void)state;
    ee.limits.first_content_ms = 100;
    ee.limits.retries = 1;
    engine_env_open(&ee, headers_and_hang, NULL);
    expect_answer("timeout", "upstream_first_timeout", 2, "");
    wait_until(stub_gone(&ee.stub) == 2);
}

static void test_live_no_headers_in_time_is_first_timeout_u11(void **state)
{
    (void)state;
    ee.limits.first_content_ms = 100;
    ee.limits.retries = 0;
    engine_env_open(&ee, just_hang, NULL);
    expect_answer("timeout", "upstream_first_timeout", 1, "");
}

static int is_peer_there(stub_conn_t *c)
{
    char byte;

    return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) != 0;
}

/* Comments, or the bytes of an event that never ends, every 5 ms. */
static void say_one_then_drip(stub_conn_t *c, void *ctx)
{
    stub_begin(c);
    stub_say(c, "one");
    while (is_peer_there(c)) {
        stub_send(c, ctx);
        usleep(5000);
    }
}

/* U12: only an event that the dialect knows resets the clock. */
static void test_live_stall_is_not_hidden_by_comments_u12(void **state)
{
    (void)state;
    ee.limits.gap_ms = 200;
    engine_env_open(&ee, say_one_then_drip, (void *)(uintptr_t) ":ping\n\n");
    expect_answer("timeout", "upstream_stalled", 1, "one");
}

static void test_live_stall_is_not_hidden_by_loose_bytes_u12(void **state)
{
    (void)state;
    ee.limits.gap_ms = 200;
    engine_env_open(&ee, say_one_then_drip, (void *)(uintptr_t) "x");
    expect_answer("timeout", "upstream_stalled", 1, "one");
}

static void say_for_ever(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    while (is_peer_there(c)) {
        stub_say(c, "");
        stub_say(c, "x");
        usleep(5000);
    }
}

/* U29: alive, and still at its end when its time is over. */
static void test_live_whole_time_is_bounded_u29(void **state)
{
    bl_stream_t *s;
    reader_t *r;

    (void)state;
    ee.limits.total_ms = 2000; /* long enough for a busy machine to begin */
    engine_env_open(&ee, say_for_ever, NULL);
    s = engine_env_ask(&ee);
    r = reader_open(ee.engine, s, 0);
    reader_expect_end(r, "timeout", "timeout");
    assert_true(r->text_len > 0);
    reader_close(r);
    bl_stream_unref(s);
}

/* --- ends ------------------------------------------------------------------
 */

static void hello_and_stay(stub_conn_t *c, void *ctx)
{
    stub_hello(c, ctx);
    stub_hang(c);
}

/* U13: ended by its marker; the body that goes on is closed by us. */
static void test_live_body_after_the_end_is_closed_u13(void **state)
{
    (void)state;
    engine_env_open(&ee, hello_and_stay, NULL);
    expect_answer("completed", NULL, 1, "Hello world");
    wait_until(stub_gone(&ee.stub) == 1);
    wait_until(counted(BL_COUNT_LATE_CLOSES) == 1);
    assert_int_equal(warnings, 0);
}

static void say_half(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "half");
}

/* U14, I4, I12: cut after content is never asked again, never looks whole. */
static void test_live_cut_after_content_is_not_tried_again_u14(void **state)
{
    (void)state;
    engine_env_open(&ee, say_half, NULL);
    expect_answer("error", "upstream_cut", 1, "half");
    assert_int_equal(stub_asked(&ee.stub), 1);
}

static void cut_first(stub_conn_t *c, void *ctx)
{
    if (c->n == 0)
        stub_reset(c);
    else if (c->n == 1)
        stub_begin(c);
    else
        stub_hello(c, ctx);
}

/* U14, U15: without content it is asked again. */
static void test_live_cut_before_content_is_tried_again_u15(void **state)
{
    (void)state;
    engine_env_open(&ee, cut_first, NULL);
    expect_answer("completed", NULL, 3, "Hello world");
}

static const char error_event[] =
    "event:error\n:HTTP_STATUS/500\n"
    "data:{\"code\":\"InternalError\",\"message\":\"m\"}\n\n";

static void error_then_more(stub_conn_t *c, void *ctx)
{
    stub_begin(c);
    if (ctx) stub_say(c, ctx);
    stub_send(c, error_event);
    stub_finish(c, "more");
}

/* U26: kept so far, nothing behind it, no other attempt. */
static void test_live_error_event_after_content_keeps_it_u26(void **state)
{
    (void)state;
    engine_env_open(&ee, error_then_more, (void *)(uintptr_t) "kept");
    expect_answer("error", "upstream_unavailable", 1, "kept");
    assert_string_equal(env_sql(&ee.env, "SELECT upstream_code FROM stream"),
                        "InternalError");
}

static void
test_live_error_event_before_content_is_tried_again_u26(void **state)
{
    (void)state;
    engine_env_open(&ee, error_then_more, NULL);
    expect_answer("error", "upstream_unavailable", 4, "");
}

/* --- odd answers -----------------------------------------------------------
 */

static void say_cumulative(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "\xe7\xbb\xbf");
    stub_say(c, "\xe7\xbb\xbf\xef\xbf\xbd"); /* the last character is cut */
    stub_say(c, "\xe7\xbb\xbf\xe8\x8c\xb6");
    stub_finish(c, "\xe7\xbb\xbf\xe8\x8c\xb6!");
}

/* U20: each event repeats all text; only what is new comes out. */
static void test_live_cumulative_answer_comes_in_its_new_parts_u20(void **state)
{
    (void)state;
    engine_env_set_app(&ee, "{\"incremental\":false}");
    engine_env_open(&ee, say_cumulative, NULL);
    expect_answer("completed", NULL, 1, "\xe7\xbb\xbf\xe8\x8c\xb6!");
}

static void say_twice(stub_conn_t *c, void *ctx)
{
    static const char event[] =
        "id:7\nevent:result\ndata:{\"output\":{\"text\":\"once\","
        "\"finish_reason\":\"null\"}}\n\n";

    (void)ctx;
    stub_begin(c);
    stub_send(c, event);
    stub_send(c, event);
    stub_finish(c, "!");
    stub_say(c, "after the end");
}

/* U21 */
static void test_live_repeated_event_and_late_ones_are_dropped_u21(void **state)
{
    (void)state;
    engine_env_open(&ee, say_twice, NULL);
    expect_answer("completed", NULL, 1, "once!");
    assert_int_equal(counted(BL_COUNT_DUPLICATES), 1);
}

static void say_too_much_at_once(stub_conn_t *c, void *ctx)
{
    static char text[BL_MAX_EVENT_BYTES + 1];

    (void)ctx;
    memset(text, 'x', sizeof(text) - 1);
    stub_begin(c);
    stub_say(c, "first");
    stub_finish(c, text);
}

/* U22 */
static void test_live_event_too_large_ends_with_what_came_u22(void **state)
{
    (void)state;
    engine_env_open(&ee, say_too_much_at_once, NULL);
    expect_answer("error", "upstream_too_large", 1, "first");
}

static void never_end(stub_conn_t *c, void *ctx)
{
    static char text[16 * 1024 + 1];

    (void)ctx;
    memset(text, 'x', sizeof(text) - 1);
    stub_begin(c);
    while (is_peer_there(c))
        stub_say(c, text);
}

/* U23: 8 MiB are the most of one answer: our limit, not the model's end. */
static void test_live_endless_answer_ends_at_its_ceiling_u23(void **state)
{
    bl_stored_stream_t row;
    bl_stream_t *s;

    (void)state;
    engine_env_open(&ee, never_end, NULL);
    s = engine_env_ask(&ee);
    while (!bl_stream_wait_end(s, 1000))
        ;
    assert_true(bl_journal_memory(s->journal) <=
                BL_MAX_ANSWER_BYTES + BL_MAX_ANSWER_BYTES / 8);
    engine_env_stored(&ee, s->id, &row);
    assert_int_equal(row.outcome, BL_OUTCOME_LENGTH);
    assert_string_equal(row.reason, "upstream_too_large");
    assert_true(row.text_len <= BL_MAX_ANSWER_BYTES);
    assert_true(row.text_len > BL_MAX_ANSWER_BYTES - 32 * 1024);
    wait_until(stub_gone(&ee.stub) == 1);
    bl_stream_unref(s);
}

#define with_env(test)                                                         \
    cmocka_unit_test_setup_teardown(test, open_env, close_env)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_env(test_live_refused_connection_is_tried_4_times_u01),
        with_env(test_live_retry_can_be_switched_off),
        with_env(test_live_breaker_opens_and_recovers_u30),
        with_env(test_live_refused_key_gives_way_to_the_next_u05),
        with_env(test_live_refused_key_after_another_failure_gives_way_u05),
        with_env(test_live_no_key_left_is_auth_u05),
        with_env(test_live_throttled_waits_as_long_as_it_was_told_u06),
        with_env(test_live_throttled_without_a_time_waits_for_its_key_u06),
        with_env(test_live_throttled_for_an_hour_is_quota_at_once_u06),
        with_env(test_live_key_that_rests_for_another_child_is_waited_for_u06),
        with_env(test_live_throttled_with_another_key_asks_at_once_u06),
        with_env(test_live_unavailable_once_is_tried_again_u08),
        with_env(test_live_rejected_is_not_tried_again_u07),
        with_env(test_live_garbage_is_tried_again_once_u09),
        with_env(test_live_no_content_in_time_is_first_timeout_u10),
        with_env(test_live_no_headers_in_time_is_first_timeout_u11),
        with_env(test_live_stall_is_not_hidden_by_comments_u12),
        with_env(test_live_stall_is_not_hidden_by_loose_bytes_u12),
        with_env(test_live_whole_time_is_bounded_u29),
        with_env(test_live_body_after_the_end_is_closed_u13),
        with_env(test_live_cut_after_content_is_not_tried_again_u14),
        with_env(test_live_cut_before_content_is_tried_again_u15),
        with_env(test_live_error_event_after_content_keeps_it_u26),
        with_env(test_live_error_event_before_content_is_tried_again_u26),
        with_env(test_live_cumulative_answer_comes_in_its_new_parts_u20),
        with_env(test_live_repeated_event_and_late_ones_are_dropped_u21),
        with_env(test_live_event_too_large_ends_with_what_came_u22),
        with_env(test_live_endless_answer_ends_at_its_ceiling_u23),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
