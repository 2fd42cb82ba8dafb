/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect_run.h"

static apr_status_t request(bl_request_t *rq, const bl_target_t *target,
                            const bl_ask_t *ask)
{
    bl_request_init(rq);
    return bl_dialect_app.request(target, ask, rq);
}

static bl_target_t plain_target(void)
{
    bl_target_t t;

    memset(&t, 0, sizeof(t));
    t.base_url = "https://h.example/api/v1";
    t.app_id = "abc";
    t.enable_thinking = -1;
    t.is_incremental = 1;
    return t;
}

static void test_app_smallest_request_is_as_documented(void **state)
{
    bl_target_t t = plain_target();
    bl_ask_t ask = {.prompt = "绿茶用多少度的水泡？"};
    bl_request_t rq;

    (void)state;
    assert_int_equal(request(&rq, &t, &ask), APR_SUCCESS);
    assert_buf(&rq.url, "https://h.example/api/v1/apps/abc/completion");
    assert_buf(&rq.headers,
               "Content-Type: application/json\nAccept: text/event-stream\n"
               "X-DashScope-SSE: enable\nAccept-Encoding: identity\n"
               "User-Agent: mod_bailian_sse/" BL_VERSION "\n");
    assert_buf(&rq.body, "{\"input\":{\"prompt\":\"绿茶用多少度的水泡？\"},"
                         "\"parameters\":{\"incremental_output\":true},"
                         "\"debug\":{}}");
    bl_request_release(&rq);
}

static void test_app_full_request_has_every_field(void **state)
{
    bl_target_t t = plain_target();
    bl_ask_t ask = {.prompt = "a\"\n",
                    .session_id = "s",
                    .biz_params = " {\"city\":\"杭州\"} ",
                    .parameters = "{\"temperature\":0.5,\"has_thoughts\":false,"
                                  "\"model_id\":\"qwen\\\"\",\"rag_options\":"
                                  "{\"pipeline_ids\":[\"p\"]}}",
                    .image_list = "[\"u\"]",
                    .file_list = "[]",
                    .memory_id = "m"};
    bl_request_t rq;
    json_t *json;

    (void)state;
    t.workspace = "ws-1";
    t.is_incremental = 0;
    t.has_thoughts = 1;
    t.enable_thinking = 0;
    t.flow_mode = BL_FLOW_MESSAGE_PLUS;
    assert_int_equal(request(&rq, &t, &ask), APR_SUCCESS);
    assert_non_null(
        strstr(bl_buf_str(&rq.headers), "\nX-DashScope-WorkSpace: ws-1\n"));
    assert_buf(&rq.body,
               "{\"input\":{\"prompt\":\"a\\\"\\n\",\"session_id\":\"s\","
               "\"biz_params\":{\"city\":\"杭州\"},\"image_list\":[\"u\"],"
               "\"file_list\":[],\"memory_id\":\"m\"},\"parameters\":{"
               "\"incremental_output\":false,\"has_thoughts\":true,"
               "\"enable_thinking\":false,\"flow_stream_mode\":"
               "\"message_format_plus\",\"temperature\":0.5,"
               "\"model_id\":\"qwen\\\"\",\"rag_options\":"
               "{\"pipeline_ids\":[\"p\"]}},\"debug\":{}}");
    json = json_loadb(rq.body.data, rq.body.len, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(json);
    json_decref(json);
    bl_request_release(&rq);
}

/* Quirk 24: never both. */
static void test_app_messages_go_without_prompt(void **state)
{
    bl_target_t t = plain_target();
    bl_ask_t ask = {.prompt = "p",
                    .session_id = "s",
                    .messages = "[{\"role\":\"user\",\"content\":\"x\"}]"};
    bl_request_t rq;

    (void)state;
    assert_int_equal(request(&rq, &t, &ask), APR_SUCCESS);
    assert_buf(&rq.body, "{\"input\":{\"messages\":[{\"role\":\"user\","
                         "\"content\":\"x\"}]},\"parameters\":{"
                         "\"incremental_output\":true},\"debug\":{}}");
    bl_request_release(&rq);
}

static void test_app_refuses_values_that_may_not_stand(void **state)
{
    static const struct {
        bl_ask_t ask;
        apr_status_t rv;
    } asks[] = {
        {{.prompt = NULL}, BL_E_BAD_VALUE},
        {{.prompt = "\xFF"}, BL_E_BAD_UTF8},
        {{.messages = "{}"}, BL_E_BAD_VALUE},
        {{.messages = "[] []"}, BL_E_BAD_VALUE},
        {{.messages = "[\"\xC0\x80\"]"}, BL_E_BAD_UTF8},
        {{.prompt = "p", .biz_params = "[]"}, BL_E_BAD_VALUE},
        {{.prompt = "p", .biz_params = "{},\"x\":1"}, BL_E_BAD_VALUE},
        {{.prompt = "p", .image_list = "\"u\""}, BL_E_BAD_VALUE},
        {{.prompt = "p", .parameters = "{"}, BL_E_BAD_VALUE},
        {{.prompt = "p", .parameters = "{}}"}, BL_E_BAD_VALUE},
    };
    bl_target_t t = plain_target();
    bl_ask_t ask = {.prompt = "p"};
    bl_request_t rq;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(asks) / sizeof(asks[0]); i++) {
        assert_int_equal(request(&rq, &t, &asks[i].ask), asks[i].rv);
        bl_request_release(&rq);
    }
    t.workspace = "a\r\nX: y";
    assert_int_equal(request(&rq, &t, &ask), BL_E_BAD_HEADER); /* S-36 */
    bl_request_release(&rq);
}

/* S-30: an app id is one slot of the path. */
static void test_app_S30_app_id_stays_in_its_slot(void **state)
{
    static const char *const bad[] = {"",     "a..b", "..",  "a#b",  "a?b",
                                      "a@b",  "a%2F", "a b", "a\nb", "\xC3\xA9",
                                      "a\\b", "a&b",  "a;b", "a=b"};
    bl_target_t t = plain_target();
    bl_ask_t ask = {.prompt = "p"};
    char longest[130];
    bl_request_t rq;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        t.app_id = bad[i];
        assert_int_equal(request(&rq, &t, &ask), BL_E_BAD_VALUE);
        bl_request_release(&rq);
    }
    t.app_id = "/a.b:c/d";
    assert_int_equal(request(&rq, &t, &ask), APR_SUCCESS);
    assert_buf(&rq.url,
               "https://h.example/api/v1/apps/%2Fa.b:c%2Fd/completion");
    bl_request_release(&rq);
    memset(longest, 'a', sizeof(longest));
    longest[129] = '\0';
    assert_false(bl_app_id_is_valid(longest));
    longest[128] = '\0';
    assert_true(bl_app_id_is_valid(longest));
}

static void test_dialect_is_found_by_its_name(void **state)
{
    (void)state;
    assert_ptr_equal(bl_dialect_find("bailian-app"), &bl_dialect_app);
    assert_null(bl_dialect_find("bailian"));
}

/* What the emitter answers ends the transfer. */
static apr_status_t emit_refuses(void *ctx, const bl_event_t *ev)
{
    (void)ctx;
    (void)ev;
    return BL_E_CANCELLED;
}

static void test_app_passes_on_what_the_emitter_says(void **state)
{
    static const char *const events[] = {
        "{\"output\":{\"text\":\"a\"}}",
        "{\"output\":{\"doc_references\":[{\"title\":\"x\"}]}}",
        "{\"output\":{\"thoughts\":[{\"action_type\":\"api\"}]}}",
        "{\"output\":{\"thoughts\":[{\"action_type\":\"reasoning\","
        "\"thought\":\"x\"}]}}",
        "{\"output\":{\"workflow_message\":{\"node_id\":\"n\","
        "\"node_status\":\"executing\"}}}",
        "{\"output\":{\"finish_reason\":\"stop\"},\"usage\":{"
        "\"input_tokens\":1}}"};
    size_t i;
    run_t r;

    (void)state;
    for (i = 0; i < sizeof(events) / sizeof(events[0]); i++) {
        begin(&r, (int)(i & 1), BL_FLOW_NONE);
        end(&r);
        r.emitter.emit = emit_refuses;
        assert_int_equal(
            bl_dialect_app.open(&r.state, &r.target, &r.emitter, &r.answer),
            APR_SUCCESS);
        bl_buf_init(&r.lines, 10);
        assert_int_equal(event(&r, events[i]), BL_E_CANCELLED);
        end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_smallest_request_is_as_documented),
        cmocka_unit_test(test_app_full_request_has_every_field),
        cmocka_unit_test(test_app_messages_go_without_prompt),
        cmocka_unit_test(test_app_refuses_values_that_may_not_stand),
        cmocka_unit_test(test_app_S30_app_id_stays_in_its_slot),
        cmocka_unit_test(test_dialect_is_found_by_its_name),
        cmocka_unit_test(test_app_passes_on_what_the_emitter_says),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
