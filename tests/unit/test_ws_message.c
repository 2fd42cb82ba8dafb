/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "wire/ws_message.h"

#define ID "0123456789abcdef0123456789abcdef"
#define NOW ((apr_time_t)1700000000123456) /* 2023-11-14T22:13:20.123Z */
#define STAMP ",\"timestamp\":\"2023-11-14T22:13:20.123Z\"}"
#define HEAD(type)                                                             \
    "{\"type\":\"" type "\",\"sessionId\":\"s\",\"userId\":\"u\",\"data\":"

static const bl_msg_peer_t peer = {"u", BL_LANG_EN};
static bl_buf_t json;

static bl_msg_answer_t new_answer(int is_streaming)
{
    bl_msg_answer_t a = {ID,           "s", "q", "tea", "bailian-app",
                         is_streaming, 0,   -1};

    return a;
}

static bl_event_t event(bl_event_kind_t kind, apr_uint64_t seq,
                        const char *text, const char *fields)
{
    bl_event_t ev = {
        seq, kind, 40, text, strlen(text), fields, fields ? strlen(fields) : 0};

    return ev;
}

static const char *put(bl_msg_answer_t *a, bl_event_kind_t kind,
                       apr_uint64_t seq, const char *text, const char *fields)
{
    bl_event_t ev = event(kind, seq, text, fields);
    bl_span_t whole = {"all of it", 9};

    bl_msg_put_event(a, &json, &peer, &ev, &whole, NOW);
    return bl_buf_str(&json);
}

/* --- what a client sends ------------------------------------------------ */

static apr_status_t parse(bl_msg_t *m, const char *text, const char **pfield)
{
    return bl_msg_parse(m, text, strlen(text), pfield);
}

static void test_ws_message_names_are_those_of_the_dialect(void **state)
{
    (void)state;
    assert_int_equal(BL_MSG_TYPES, 19);
    assert_string_equal(bl_msg_name(BL_MSG_CONNECT), "CONNECT");
    assert_string_equal(bl_msg_name(BL_MSG_CHAT_STREAM_END), "CHAT_STREAM_END");
    assert_string_equal(bl_msg_name(BL_MSG_INFO), "INFO");
    assert_string_equal(bl_msg_name(BL_MSG_TYPES), "?");
}

static void test_ws_message_session_of_data_goes_first(void **state)
{
    static const struct {
        const char *text, *session;
    } rows[] = {
        {"{\"type\":\"HEARTBEAT\"}", NULL},
        {"{\"type\":\"HEARTBEAT\",\"data\":\"ping\"}", NULL},
        {"{\"type\":\"HEARTBEAT\",\"sessionId\":\"\"}", NULL},
        {"{\"type\":\"HEARTBEAT\",\"sessionId\":\"a\"}", "a"},
        {"{\"type\":\"HEARTBEAT\",\"sessionId\":\"a\",\"data\":"
         "{\"sessionId\":\"b\"}}",
         "b"},
    };
    const char *field;
    size_t i;
    bl_msg_t m;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(&m, rows[i].text, &field), APR_SUCCESS);
        assert_int_equal(m.type, BL_MSG_HEARTBEAT);
        if (rows[i].session)
            assert_string_equal(m.session_id, rows[i].session);
        else
            assert_null(m.session_id);
        bl_msg_release(&m);
    }
}

static void test_ws_message_that_is_none_is_refused(void **state)
{
    static const struct {
        const char *text;
        apr_status_t rv;
        const char *field;
    } rows[] = {
        {"", BL_E_BAD_JSON, NULL},
        {"{\"type\":\"HEARTBEAT\"", BL_E_BAD_JSON, NULL},
        {"{\"type\":\"HEARTBEAT\",\"type\":\"INFO\"}", BL_E_BAD_JSON, NULL},
        {"[]", BL_E_BAD_VALUE, NULL},
        {"{}", BL_E_BAD_VALUE, "type"},
        {"{\"type\":3}", BL_E_BAD_VALUE, "type"},
        {"{\"type\":\"NONE\"}", BL_E_BAD_VALUE, "type"},
        {"{\"type\":\"INFO\",\"sessionId\":3}", BL_E_BAD_VALUE, "sessionId"},
    };
    const char *field;
    size_t i;
    bl_msg_t m;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(parse(&m, rows[i].text, &field), rows[i].rv);
        if (rows[i].field)
            assert_string_equal(field, rows[i].field);
        else
            assert_null(field);
        bl_msg_release(&m);
    }
}

static void test_ws_message_question_is_read(void **state)
{
    const char *field;
    bl_msg_ask_t ask;
    bl_msg_t m;

    (void)state;
    parse(&m,
          "{\"type\":\"CHAT_REQUEST\",\"sessionId\":\"s\",\"data\":{"
          "\"message\":\"茶\",\"messageId\":\"q\",\"model\":\"tea\","
          "\"streaming\":false,\"provider\":\"p\",\"parentMessageId\":\"x\"}}",
          &field);
    assert_int_equal(bl_msg_ask(&m, &ask, &field), APR_SUCCESS);
    assert_string_equal(ask.message, "茶");
    assert_string_equal(ask.request_id, "q");
    assert_string_equal(ask.model, "tea");
    assert_string_equal(ask.conversation_id, "s");
    assert_false(ask.is_streaming);
    assert_null(ask.resume);
    bl_msg_release(&m);
    parse(&m,
          "{\"type\":\"CHAT_REQUEST\",\"sessionId\":\"s\",\"data\":{"
          "\"message\":\"x\",\"requestId\":\"r\",\"messageId\":\"q\","
          "\"conversationId\":\"c\"}}",
          &field);
    assert_int_equal(bl_msg_ask(&m, &ask, &field), APR_SUCCESS);
    assert_string_equal(ask.request_id, "r");
    assert_string_equal(ask.conversation_id, "c");
    assert_true(ask.is_streaming);
    assert_null(ask.model);
    bl_msg_release(&m);
}

static void test_ws_message_resume_needs_no_message(void **state)
{
    const char *field;
    bl_msg_ask_t ask;
    bl_msg_t m;

    (void)state;
    parse(&m,
          "{\"type\":\"CHAT_REQUEST\",\"data\":{\"resume\":{\"streamId\":\"" ID
          "\",\"after\":7}}}",
          &field);
    assert_int_equal(bl_msg_ask(&m, &ask, &field), APR_SUCCESS);
    assert_string_equal(ask.resume, ID);
    assert_int_equal(ask.after, 7);
    assert_true(ask.is_streaming);
    bl_msg_release(&m);
}

/* --- what an answer becomes --------------------------------------------- */

static void test_ws_message_answer_delta_by_delta(void **state)
{
    bl_msg_answer_t a = new_answer(1);
    bl_event_t end;

    (void)state;
    assert_string_equal(
        put(&a, BL_EV_START, 1, "", NULL),
        HEAD("CHAT_STREAM_START") "{\"messageId\":\"" ID
                                  "\",\"model\":\"tea\",\"provider\":"
                                  "\"bailian-app\",\"requestId\":\"q\","
                                  "\"streamId\":\"" ID
                                  "\",\"conversationId\":\"s\"}" STAMP);
    assert_string_equal(
        put(&a, BL_EV_DELTA, 2, "a\"茶\n", NULL),
        HEAD("CHAT_STREAM_DATA") "{\"messageId\":\"" ID
                                 "\",\"content\":\"a\\\"茶\\n\""
                                 ",\"delta\":\"a\\\"茶\\n\","
                                 "\"index\":0,\"seq\":2}" STAMP);
    assert_string_equal(
        put(&a, BL_EV_USAGE, 3, "", "{\"inputTokens\":5,\"outputTokens\":7}"),
        "");
    end = event(BL_EV_END, 4, "",
                "{\"outcome\":\"completed\",\"finishReason\":\"stop\","
                "\"events\":4,\"length\":6,\"sha256\":\"ab\"}");
    assert_string_equal(put(&a, BL_EV_END, 4, "", end.fields), "");
    bl_msg_put_finish(&a, &json, &peer, &end, NOW);
    assert_buf(&json, HEAD("CHAT_STREAM_END") "{\"messageId\":\"" ID
                                              "\",\"finished\":true,"
                                              "\"totalTokens\":12,"
                                              "\"duration\":40,"
                                              "\"finishReason\":\"completed\","
                                              "\"seq\":4,\"length\":6,"
                                              "\"sha256\":\"ab\"}" STAMP);
}

/* Each kind that is no text of the answer leaves `content` empty, so that a
 * client that knows only that still puts the answer together. */
static void test_ws_message_other_events_have_no_content(void **state)
{
    static const struct {
        bl_event_kind_t kind;
        const char *text, *fields, *tail;
    } rows[] = {
        {BL_EV_REASONING, "hm", NULL, ",\"reasoning\":\"hm\"}"},
        {BL_EV_REPLACE, "x", "{\"keep\":3}", ",\"replace\":\"all of it\"}"},
        {BL_EV_SEARCH, "", "{\"references\":[1]}", ",\"references\":[1]}"},
        {BL_EV_TOOL, "", "{\"name\":\"n\"}",
         ",\"status\":{\"type\":\"tool\",\"name\":\"n\"}}"},
        {BL_EV_PLAN, "", NULL, ",\"status\":{\"type\":\"plan\"}}"},
    };
    bl_msg_answer_t a = new_answer(1);
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char expected[512];

        snprintf(expected, sizeof(expected),
                 HEAD("CHAT_STREAM_DATA") "{\"messageId\":\"" ID
                                          "\",\"content\":\"\",\"delta\":\"\","
                                          "\"index\":%d,\"seq\":%d%s" STAMP,
                 (int)i, (int)i + 2, rows[i].tail);
        assert_string_equal(
            put(&a, rows[i].kind, i + 2, rows[i].text, rows[i].fields),
            expected);
    }
}

/* I4: nothing but a good end is "completed", and a failure is said before. */
static void test_ws_message_cut_answer_never_looks_whole(void **state)
{
    static const struct {
        const char *fields, *reason, *code;
    } rows[] = {
        {"{\"outcome\":\"completed\",\"finishReason\":\"stop\"}", "completed",
         NULL},
        {"{\"outcome\":\"completed\",\"finishReason\":\"length\"}", "length",
         NULL},
        {"{\"outcome\":\"length\",\"reason\":\"upstream_too_large\"}", "length",
         NULL},
        {"{\"outcome\":\"cancelled\",\"reason\":\"cancelled\"}", "cancelled",
         NULL},
        {"{\"outcome\":\"timeout\",\"reason\":\"upstream_stalled\"}", "timeout",
         "upstream_stalled"},
        {"{\"outcome\":\"timeout\"}", "timeout", "timeout"},
        {"{\"outcome\":\"error\",\"reason\":\"upstream_cut\"}", "error",
         "upstream_cut"},
        {"{\"outcome\":\"interrupted\"}", "error", "interrupted"},
        {"{\"outcome\":\"error\",\"reason\":\"new\"}", "error", "internal"},
        {"{}", "error", "internal"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bl_msg_answer_t a = new_answer(1);
        bl_event_t end = event(BL_EV_END, 9, "", rows[i].fields);
        char part[128];
        const char *said = put(&a, BL_EV_END, 9, "", rows[i].fields);

        snprintf(part, sizeof(part), ",\"code\":\"%s\",\"messageId\":\"" ID,
                 rows[i].code ? rows[i].code : "");
        if (rows[i].code) {
            assert_memory_equal(said, HEAD("ERROR"), strlen(HEAD("ERROR")));
            assert_non_null(strstr(said, part));
        }
        else {
            assert_string_equal(said, "");
        }
        bl_msg_put_finish(&a, &json, &peer, &end, NOW);
        snprintf(part, sizeof(part),
                 "\"totalTokens\":null,\"duration\":40,"
                 "\"finishReason\":\"%s\"",
                 rows[i].reason);
        assert_non_null(strstr(bl_buf_str(&json), part));
    }
}

static void test_ws_message_response_is_one_message(void **state)
{
    bl_msg_answer_t a = new_answer(0);
    const char *good = "{\"outcome\":\"completed\",\"length\":9}";
    const char *bad = "{\"outcome\":\"cancelled\",\"reason\":\"cancelled\"}";
    bl_event_t end = event(BL_EV_END, 3, "", good);

    (void)state;
    assert_string_equal(put(&a, BL_EV_START, 1, "", NULL), "");
    assert_string_equal(put(&a, BL_EV_DELTA, 2, "all", NULL), "");
    assert_true(bl_msg_wants_text(&a, &end));
    assert_string_equal(put(&a, BL_EV_END, 3, "", good),
                        HEAD("CHAT_RESPONSE") "{\"messageId\":\"" ID
                                              "\",\"content\":\"all of it\","
                                              "\"totalTokens\":null,"
                                              "\"duration\":40,\"requestId\":"
                                              "\"q\",\"model\":\"tea\","
                                              "\"length\":9}" STAMP);
    end = event(BL_EV_END, 3, "", bad);
    assert_false(bl_msg_wants_text(&a, &end));
    assert_memory_equal(put(&a, BL_EV_END, 3, "", bad), HEAD("ERROR"),
                        strlen(HEAD("ERROR")));
}

/* Usage as an upstream may put it (S-60): never negative, never an overflow. */
static void test_ws_message_bad_usage_is_unknown(void **state)
{
    static const char *const rows[] = {
        "{\"inputTokens\":-1}", "{\"inputTokens\":\"5\"}", "{}",
        "{\"inputTokens\":9223372036854775808,\"outputTokens\":1e300}"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        bl_msg_answer_t a = new_answer(1);

        put(&a, BL_EV_USAGE, 2, "", rows[i]);
        assert_int_equal(a.total_tokens, -1);
    }
}

static int setup(void **state)
{
    (void)state;
    bl_buf_init(&json, 1024 * 1024);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    bl_buf_release(&json);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ws_message_names_are_those_of_the_dialect),
        cmocka_unit_test(test_ws_message_session_of_data_goes_first),
        cmocka_unit_test(test_ws_message_that_is_none_is_refused),
        cmocka_unit_test(test_ws_message_question_is_read),
        cmocka_unit_test(test_ws_message_resume_needs_no_message),
        cmocka_unit_test(test_ws_message_answer_delta_by_delta),
        cmocka_unit_test(test_ws_message_other_events_have_no_content),
        cmocka_unit_test(test_ws_message_cut_answer_never_looks_whole),
        cmocka_unit_test(test_ws_message_response_is_one_message),
        cmocka_unit_test(test_ws_message_bad_usage_is_unknown),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
