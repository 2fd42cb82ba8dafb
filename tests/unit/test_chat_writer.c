/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include <jansson.h>

#include "wire/chat_writer.h"
#include "wire/sse_writer.h"

#define HEAD(seq)                                                              \
    "id: s1:" seq "\ndata: {\"id\":\"" seq                                     \
    "\",\"conversionId\":\"c1\",\"conversionItemId\":\"m1\",\"content\":\""

typedef struct chat_t {
    bl_chat_writer_t w;
    bl_buf_t out;
} chat_t;

static void begin(chat_t *c, bl_lang_t lang)
{
    assert_int_equal(bl_chat_writer_init(&c->w, "s1", "c1", "m1", lang), 0);
    bl_buf_init(&c->out, 1024 * 1024);
}

static void end(chat_t *c)
{
    bl_chat_writer_release(&c->w);
    bl_buf_release(&c->out);
}

static bl_event_t event(apr_uint64_t seq, bl_event_kind_t kind,
                        const char *text, const char *fields)
{
    bl_event_t ev = {
        seq, kind, 0, text, strlen(text), fields, fields ? strlen(fields) : 0};

    return ev;
}

static void assert_written(bl_event_kind_t kind, const char *text,
                           const char *fields, const char *bytes)
{
    bl_event_t ev = event(7, kind, text, fields);
    chat_t c;

    begin(&c, BL_LANG_EN);
    assert_int_equal(bl_chat_write_event(&c.w, &c.out, &ev), APR_SUCCESS);
    assert_buf(&c.out, bytes);
    end(&c);
}

/* Every outcome of write_end: the JSON of its data line. */
static json_t *written_end(const char *fields, bl_lang_t lang)
{
    static const bl_span_t whole[] = {{"an\"sw", 5}, {"", 0}, {"er\n", 3}};
    bl_event_t ev = event(9, BL_EV_END, "", fields);
    const char *text;
    json_t *json;
    chat_t c;

    begin(&c, lang);
    assert_int_equal(bl_chat_write_end(&c.w, &c.out, &ev, whole, 3), 0);
    text = bl_buf_str(&c.out);
    assert_memory_equal(text, "id: s1:9\ndata: {", 16);
    assert_memory_equal(text + c.out.len - 3, "}\n\n", 3);
    json = json_loadb(text + 15, c.out.len - 17, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    assert_string_equal(json_string_value(json_object_get(json, "content")),
                        "an\"swer\n");
    assert_true(json_is_true(json_object_get(json, "isEnd")));
    end(&c);
    return json;
}

static const char *text_of(const json_t *json, const char *key)
{
    const char *text = json_string_value(json_object_get(json, key));

    return text ? text : "(none)";
}

static void test_chat_writer_start_and_delta_are_as_documented(void **state)
{
    (void)state;
    assert_written(BL_EV_START, "", "{\"model\":\"x\"}",
                   HEAD("7") "\",\"isEnd\":false}\n\n");
    assert_written(BL_EV_DELTA, "\xE4\xBD\xA0\n\"", NULL,
                   HEAD("7") "\xE4\xBD\xA0\\n\\\"\",\"isEnd\":false}\n\n");
}

static void test_chat_writer_reasoning_stands_beside_empty_content(void **state)
{
    (void)state;
    assert_written(BL_EV_REASONING, "hm\t", NULL,
                   HEAD("7") "\",\"isEnd\":false,\"reasoning\":\"hm\\t\"}\n\n");
}

static void test_chat_writer_search_gives_the_references(void **state)
{
    (void)state;
    assert_written(BL_EV_SEARCH, "", "{\"references\":[{\"index\":\"1\"}]}",
                   HEAD("7") "\",\"isEnd\":false,\"references\":"
                             "[{\"index\":\"1\"}]}\n\n");
    assert_written(BL_EV_SEARCH, "", "{}", HEAD("7") "\",\"isEnd\":false}\n\n");
}

static void test_chat_writer_steps_become_a_status_with_their_kind(void **state)
{
    (void)state;
    assert_written(BL_EV_STATUS, "", "{\"node\":\"a\",\"state\":\"b\"}",
                   HEAD("7") "\",\"isEnd\":false,\"status\":{\"type\":"
                             "\"status\",\"node\":\"a\",\"state\":\"b\"}}\n\n");
    assert_written(BL_EV_TOOL, "", "{}",
                   HEAD("7") "\",\"isEnd\":false,\"status\":"
                             "{\"type\":\"tool\"}}\n\n");
    assert_written(BL_EV_NOTICE, "", NULL,
                   HEAD("7") "\",\"isEnd\":false,\"status\":"
                             "{\"type\":\"notice\"}}\n\n");
}

/* U32: a kind that a later version adds is passed over without harm. */
static void test_chat_writer_U32_unknown_kind_is_an_empty_event(void **state)
{
    (void)state;
    assert_written((bl_event_kind_t)99, "x", "{\"y\":1}",
                   HEAD("7") "\",\"isEnd\":false}\n\n");
}

static void test_chat_writer_replace_gives_the_whole_text_so_far(void **state)
{
    static const bl_span_t whole[] = {{"ab", 2}, {"\"c", 2}};
    bl_event_t ev = event(7, BL_EV_REPLACE, "\"c", "{\"keep\":2}");
    chat_t c;

    (void)state;
    begin(&c, BL_LANG_EN);
    bl_chat_write_replace(&c.w, &c.out, &ev, whole, 2);
    assert_buf(&c.out,
               HEAD("7") "\",\"isEnd\":false,\"replace\":\"ab\\\"c\"}\n\n");
    end(&c);
}

static void test_chat_writer_refuses_an_end_without_its_text(void **state)
{
    bl_event_t ev = event(7, BL_EV_END, "", "{}");
    chat_t c;

    (void)state;
    begin(&c, BL_LANG_EN);
    assert_int_equal(bl_chat_write_event(&c.w, &c.out, &ev), APR_EINVAL);
    ev.kind = BL_EV_REPLACE;
    assert_int_equal(bl_chat_write_event(&c.w, &c.out, &ev), APR_EINVAL);
    assert_int_equal(c.out.len, 0);
    end(&c);
}

static void test_chat_writer_normal_end_has_the_whole_answer(void **state)
{
    json_t *json = written_end("{\"outcome\":\"completed\",\"reason\":null,"
                               "\"finishReason\":\"stop\",\"events\":4,"
                               "\"length\":8,\"sha256\":\"ab12\"}",
                               BL_LANG_EN);

    (void)state;
    assert_null(json_object_get(json, "error"));
    assert_null(json_object_get(json, "code"));
    assert_string_equal(text_of(json, "finishReason"), "stop");
    assert_string_equal(text_of(json, "sha256"), "ab12");
    assert_int_equal(json_integer_value(json_object_get(json, "length")), 8);
    assert_null(json_object_get(json, "usage"));
    json_decref(json);
}

/* U23: our own limit is a normal end that says whose limit it was. */
static void test_chat_writer_U23_length_end_names_our_limit(void **state)
{
    json_t *json = written_end("{\"outcome\":\"length\",\"reason\":"
                               "\"upstream_too_large\",\"finishReason\":"
                               "\"length\"}",
                               BL_LANG_EN);

    (void)state;
    assert_null(json_object_get(json, "error"));
    assert_string_equal(text_of(json, "finishReason"), "length");
    assert_string_equal(text_of(json, "code"), "upstream_too_large");
    json_decref(json);
}

/* I4, U07, U14: whatever is not a normal outcome carries error and code and
 * nothing that looks like a normal finish, whatever its fields say. */
static void test_chat_writer_I4_no_failure_looks_like_a_normal_end(void **state)
{
    static const struct {
        const char *fields, *code, *finish;
    } ends[] = {
        {"{\"outcome\":\"error\",\"reason\":\"upstream_cut\","
         "\"finishReason\":\"stop\"}",
         "upstream_cut", "error"},
        {"{\"outcome\":\"error\",\"reason\":\"upstream_rejected\"}",
         "upstream_rejected", "error"},
        {"{\"outcome\":\"error\",\"reason\":\"no such code\"}", "internal",
         "error"},
        {"{\"outcome\":\"error\",\"reason\":null}", "internal", "error"},
        {"{\"outcome\":\"timeout\",\"reason\":\"upstream_stalled\"}",
         "upstream_stalled", "timeout"},
        {"{\"outcome\":\"timeout\"}", "timeout", "timeout"},
        {"{\"outcome\":\"cancelled\"}", "cancelled", "cancelled"},
        {"{\"outcome\":\"interrupted\"}", "interrupted", "interrupted"},
        {"{\"outcome\":\"whatever\"}", "internal", "error"},
        {"{\"outcome\":1}", "internal", "error"},
        {"{\"outcome\":\"completed\"", "internal", "error"},
        {"{}", "internal", "error"},
        {NULL, "internal", "error"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        json_t *json = written_end(ends[i].fields, BL_LANG_EN);

        assert_string_equal(text_of(json, "code"), ends[i].code);
        assert_string_equal(text_of(json, "error"),
                            bl_error_by_code(ends[i].code)->en);
        assert_string_equal(text_of(json, "finishReason"), ends[i].finish);
        json_decref(json);
    }
}

static void test_chat_writer_U07_speaks_the_language_of_the_user(void **state)
{
    json_t *json = written_end("{\"outcome\":\"error\",\"reason\":"
                               "\"upstream_rejected\"}",
                               BL_LANG_ZH);

    (void)state;
    assert_string_equal(text_of(json, "error"),
                        bl_error(BL_E_UPSTREAM_REJECTED)->zh);
    json_decref(json);
}

static void test_chat_writer_usage_waits_for_the_end(void **state)
{
    bl_event_t usage = event(8, BL_EV_USAGE, "", "{\"inputTokens\":3}");
    bl_event_t ev = event(9, BL_EV_END, "", "{\"outcome\":\"completed\"}");
    chat_t c;

    (void)state;
    begin(&c, BL_LANG_EN);
    bl_chat_write_event(&c.w, &c.out, &usage);
    assert_int_equal(c.out.len, 0);
    bl_chat_write_event(&c.w, &c.out, &usage);
    bl_chat_write_end(&c.w, &c.out, &ev, NULL, 0);
    assert_buf(&c.out, HEAD("9") "\",\"isEnd\":true,\"usage\":"
                                 "{\"inputTokens\":3}}\n\n");
    end(&c);
}

static void test_chat_writer_heartbeat_has_no_id_line(void **state)
{
    chat_t c;

    (void)state;
    begin(&c, BL_LANG_EN);
    bl_chat_write_heartbeat(&c.w, &c.out, 0);
    assert_buf(&c.out, "data: {\"id\":\"0\",\"conversionId\":\"c1\","
                       "\"conversionItemId\":\"m1\",\"content\":\"\","
                       "\"isEnd\":false}\n\n");
    end(&c);
}

static void test_chat_writer_reconnect_is_no_end(void **state)
{
    chat_t c;

    (void)state;
    begin(&c, BL_LANG_EN);
    bl_chat_write_reconnect(&c.w, &c.out, 12, "draining", 500);
    assert_buf(&c.out, "retry: 500\ndata: {\"id\":\"12\",\"conversionId\":\"c1"
                       "\",\"conversionItemId\":\"m1\",\"content\":\"\","
                       "\"isEnd\":false,\"reconnect\":true,"
                       "\"code\":\"draining\"}\n\n");
    end(&c);
}

static void test_chat_writer_a_response_may_begin_with_retry(void **state)
{
    bl_event_t ev = event(1, BL_EV_START, "", NULL);
    chat_t c;

    (void)state;
    begin(&c, BL_LANG_EN);
    bl_sse_put_retry(&c.out, 3000);
    bl_chat_write_event(&c.w, &c.out, &ev);
    assert_buf(&c.out, "retry: 3000\n" HEAD("1") "\",\"isEnd\":false}\n\n");
    end(&c);
}

/* S-48: ids of the client cannot break out of their string or line. */
static void test_chat_writer_S48_client_ids_are_escaped(void **state)
{
    bl_event_t ev = event(18446744073709551615u, BL_EV_START, "", NULL);
    bl_chat_writer_t w;
    bl_buf_t out;

    (void)state;
    bl_buf_init(&out, 1000);
    assert_int_equal(bl_chat_writer_init(&w, "s\n", "c", "m", BL_LANG_EN),
                     APR_EINVAL);
    assert_int_equal(
        bl_chat_writer_init(&w, "s", "c\"\r\n\n", NULL, BL_LANG_EN), 0);
    bl_chat_write_event(&w, &out, &ev);
    assert_buf(&out, "id: s:18446744073709551615\ndata: {\"id\":"
                     "\"18446744073709551615\",\"conversionId\":"
                     "\"c\\\"\\r\\n\\n\",\"conversionItemId\":\"\","
                     "\"content\":\"\",\"isEnd\":false}\n\n");
    bl_chat_writer_release(&w);
    bl_buf_release(&out);
}

static void test_chat_writer_says_when_the_buffer_is_full(void **state)
{
    bl_event_t ev = event(1, BL_EV_DELTA, "text", NULL);
    bl_chat_writer_t w;
    bl_buf_t out;

    (void)state;
    bl_buf_init(&out, 100);
    bl_chat_writer_init(&w, "s", "c", "m", BL_LANG_EN);
    assert_int_equal(bl_chat_write_event(&w, &out, &ev), APR_ENOSPC);
    bl_chat_writer_release(&w);
    bl_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chat_writer_start_and_delta_are_as_documented),
        cmocka_unit_test(
            test_chat_writer_reasoning_stands_beside_empty_content),
        cmocka_unit_test(test_chat_writer_search_gives_the_references),
        cmocka_unit_test(
            test_chat_writer_steps_become_a_status_with_their_kind),
        cmocka_unit_test(test_chat_writer_U32_unknown_kind_is_an_empty_event),
        cmocka_unit_test(test_chat_writer_replace_gives_the_whole_text_so_far),
        cmocka_unit_test(test_chat_writer_refuses_an_end_without_its_text),
        cmocka_unit_test(test_chat_writer_normal_end_has_the_whole_answer),
        cmocka_unit_test(test_chat_writer_U23_length_end_names_our_limit),
        cmocka_unit_test(
            test_chat_writer_I4_no_failure_looks_like_a_normal_end),
        cmocka_unit_test(test_chat_writer_U07_speaks_the_language_of_the_user),
        cmocka_unit_test(test_chat_writer_usage_waits_for_the_end),
        cmocka_unit_test(test_chat_writer_heartbeat_has_no_id_line),
        cmocka_unit_test(test_chat_writer_reconnect_is_no_end),
        cmocka_unit_test(test_chat_writer_a_response_may_begin_with_retry),
        cmocka_unit_test(test_chat_writer_S48_client_ids_are_escaped),
        cmocka_unit_test(test_chat_writer_says_when_the_buffer_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
