/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect_run.h"

/* --- usage --------------------------------------------------------------- */

/* S-60: negative or overflowing usage from upstream is refused. */
static void test_app_S60_refuses_impossible_usage(void **state)
{
    static const char *const counts[] = {
        "-1", "1e300", "9223372036854775808", "1.5", "\"7\"", "null", "[]"};
    char data[256];
    size_t i;
    run_t r;

    (void)state;
    for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        snprintf(
            data, sizeof(data),
            "{\"output\":{\"finish_reason\":\"stop\",\"text\":\"a\"},"
            "\"usage\":{\"input_tokens\":%s,\"output_tokens\":2147483648}}",
            counts[i]);
        begin(&r, 1, BL_FLOW_NONE);
        assert_int_equal(event(&r, data), APR_EOF);
        assert_int_equal(r.answer.input_tokens, -1);
        assert_true(r.answer.output_tokens == APR_INT64_C(2147483648));
        assert_lines(&r, "delta|a|\n"
                         "usage||{\"outputTokens\":2147483648,\"models\":[]}"
                         "\n");
        end(&r);
    }
}

static void test_app_usage_is_the_last_total_not_a_sum(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    event(&r, "{\"output\":{\"text\":\"a\"},\"usage\":{\"models\":[{"
              "\"model_id\":\"m\",\"input_tokens\":5,\"output_tokens\":1}]}}");
    event(&r, "{\"output\":{\"text\":\"b\"},\"usage\":{\"models\":[{"
              "\"model_id\":\"m\",\"input_tokens\":5,\"output_tokens\":2},"
              "{\"model_id\":\"n\\\"\",\"input_tokens\":7}]}}");
    event(&r, "{\"output\":{\"finish_reason\":\"stop\"},\"usage\":{}}");
    assert_int_equal(r.answer.input_tokens, 12);
    assert_int_equal(r.answer.output_tokens, 2);
    assert_lines(&r, "delta|a|\ndelta|b|\n"
                     "usage||{\"inputTokens\":12,\"outputTokens\":2,\"models\":"
                     "[{\"model\":\"m\",\"inputTokens\":5,\"outputTokens\":2},"
                     "{\"model\":\"n\\\"\",\"inputTokens\":7}]}\n");
    end(&r);
}

/* --- thoughts, tools, references ----------------------------------------- */

static void test_app_thinking_is_cumulative_like_the_text(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 0, BL_FLOW_NONE);
    event(&r, "{\"output\":{\"thoughts\":[{\"action_type\":\"reasoning\","
              "\"thought\":\"嗯\"}],\"text\":\"\"}}");
    event(&r, "{\"output\":{\"thoughts\":[{\"action_type\":\"reasoning\","
              "\"thought\":\"嗯，好\"},{\"action_type\":\"reasoning\","
              "\"response\":\"再想\"}],\"text\":\"\"}}");
    event(&r, "{\"output\":{\"thoughts\":[{\"action_type\":\"reasoning\","
              "\"thought\":\"嗯，不\"}],\"text\":\"答\"}}");
    assert_lines(&r, "reasoning|嗯|\nreasoning|，好|\nreasoning|再想|\n"
                     "reasoning|不|\ndelta|答|\n");
    end(&r);
}

/* Each tool once; its name and input, never what it found (S-68). */
static void test_app_S68_tools_are_named_once_without_result(void **state)
{
    static const char data[] =
        "{\"output\":{\"thoughts\":[{\"action_type\":\"agentRag\","
        "\"action_name\":\"知识检索\",\"action\":\"rag\",\"action_input\":"
        "{\"query\":\"退货\"},\"observation\":\"SECRET\",\"thought\":\"\","
        "\"response\":\"SECRET\"},{\"action_type\":\"api\",\"action\":\"api\","
        "\"observation\":\"\"},{\"action_type\":\"response\",\"response\":"
        "\"x\"}]}}";
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(event(&r, data), APR_SUCCESS);
    assert_int_equal(event(&r, data), APR_EAGAIN);
    assert_lines(&r, "tool||{\"name\":\"知识检索\",\"toolType\":\"agentRag\","
                     "\"input\":\"{\\\"query\\\":\\\"退货\\\"}\","
                     "\"state\":\"done\"}\n"
                     "tool||{\"name\":\"api\",\"toolType\":\"api\","
                     "\"state\":\"running\"}\n");
    end(&r);
}

static void test_app_references_are_told_once_and_short(void **state)
{
    bl_buf_t b;
    run_t r;
    int i;

    (void)state;
    bl_buf_init(&b, 64 * 1024);
    begin(&r, 1, BL_FLOW_NONE);
    bl_buf_puts(&b, "{\"output\":{\"text\":\"a\",\"doc_references\":[{"
                    "\"index_id\":\"1\",\"doc_url\":\"javascript:alert(1)\","
                    "\"text\":\"");
    for (i = 0; i < 400; i++)
        bl_buf_puts(&b, "水");
    bl_buf_puts(&b, "\"}");
    event(&r, bl_buf_str(&b)); /* cut: not JSON, ends it */
    end(&r);

    begin(&r, 1, BL_FLOW_NONE);
    bl_buf_puts(&b, "]}}");
    event(&r, bl_buf_str(&b));
    event(&r, bl_buf_str(&b));
    b.len -= 3;
    bl_buf_puts(&b, ",{\"index_id\":\"2\",\"doc_url\":\"https://a.example/\"}"
                    "]}}");
    event(&r, bl_buf_str(&b));
    bl_buf_clear(&b);
    bl_buf_puts(&b, "search||{\"references\":[{\"index\":\"1\",\"text\":\"");
    for (i = 0; i < 300; i++)
        bl_buf_puts(&b, "水");
    bl_buf_puts(&b, "\"}]}\ndelta|a|\ndelta|a|\nsearch||{\"references\":[{"
                    "\"index\":\"2\",\"url\":\"https://a.example/\"}]}\n"
                    "delta|a|\n");
    assert_lines(&r, bl_buf_str(&b));
    end(&r);
    bl_buf_release(&b);
}

/* Many long ones are split over several events of bounded size. */
static void test_app_many_references_come_in_several_events(void **state)
{
    bl_buf_t b;
    run_t r;
    int i;

    (void)state;
    bl_buf_init(&b, 1024 * 1024);
    bl_buf_puts(&b, "{\"output\":{\"doc_references\":[");
    for (i = 0; i < 200; i++) {
        bl_buf_printf(&b, "%s{\"index_id\":\"%d\",\"text\":\"%0300d\"}",
                      i ? "," : "", i, i);
    }
    bl_buf_puts(&b, "]}}");
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(event_of(&r, "", "", 0, b.data, b.len), APR_SUCCESS);
    assert_true(r.events > 5 && r.events < 20);
    end(&r);
    bl_buf_release(&b);
}

/* Quirk 20: content may be a string, parts, an empty array or null. */
static void test_app_workflow_content_in_every_shape(void **state)
{
    static const char *const contents[] = {
        "[{\"text\":\"a\"},{\"image\":\"x\"},{\"text\":\"b\"}]", "[]", "null",
        "\"c\"", "7"};
    char data[256];
    size_t i;
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_MESSAGE);
    for (i = 0; i < sizeof(contents) / sizeof(contents[0]); i++) {
        snprintf(data, sizeof(data),
                 "{\"output\":{\"workflow_message\":{\"node_id\":\"n\","
                 "\"node_status\":\"\",\"message\":{\"content\":%s}}}}",
                 contents[i]);
        assert_int_equal(event(&r, data), APR_SUCCESS);
    }
    assert_lines(&r, "delta|a|\ndelta|b|\ndelta|c|\n");
    end(&r);
}

/* A finished node that is repeated says nothing new. */
static void test_app_finished_node_is_not_read_again(void **state)
{
    static const char data[] =
        "{\"output\":{\"thoughts\":[{\"response\":\"{\\\"nodeId\\\":\\\"n\\\","
        "\\\"nodeType\\\":\\\"End\\\",\\\"nodeStatus\\\":\\\"success\\\","
        "\\\"nodeResult\\\":\\\"{\\\\\\\"result\\\\\\\":\\\\\\\"a\\\\\\\","
        "\\\\\\\"reasoningContent\\\\\\\":\\\\\\\"r\\\\\\\"}\\\"}\"}]}}";
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_FULL_THOUGHTS);
    event(&r, data);
    event(&r, data);
    assert_lines(&r, "reasoning|r|\ndelta|a|\nstatus||{\"node\":\"n\","
                     "\"nodeType\":\"End\",\"state\":\"success\"}\n");
    end(&r);
}

/* Text that came in output.text goes on there, whatever nodes say beside it. */
static void test_app_nodes_do_not_take_over_from_the_text(void **state)
{
#define NODE(result)                                                           \
    "\"thoughts\":[{\"response\":\"{\\\"nodeId\\\":\\\"n\\\","                 \
    "\\\"nodeType\\\":\\\"End\\\",\\\"nodeResult\\\":\\\"{"                    \
    "\\\\\\\"result\\\\\\\":\\\\\\\"" result "\\\\\\\"}\\\"}\"}]"
    static const bl_flow_mode_t modes[] = {BL_FLOW_NONE, BL_FLOW_AGENT};
    size_t i;
    run_t r;

    (void)state;
    for (i = 0; i < 2; i++) {
        begin(&r, 1, modes[i]);
        event(&r, "{\"output\":{\"text\":\"a\"}}");
        event(&r, "{\"output\":{\"text\":\"b\"," NODE("") "}}");
        event(&r, "{\"output\":{\"text\":\"c\"," NODE("abc") "}}");
        event(&r, "{\"output\":{\"text\":\"d\",\"finish_reason\":\"stop\"}}");
        assert_lines(&r, "delta|a|\ndelta|b|\ndelta|c|\ndelta|d|\n");
        end(&r);
    }
    begin(&r, 1, BL_FLOW_NONE);
    event(&r, "{\"output\":{" NODE("ab") "}}");
    event(&r, "{\"output\":{\"text\":\"abc\"," NODE("c") "}}");
    assert_lines(&r, "delta|ab|\ndelta|c|\n");
    end(&r);
#undef NODE
}

/* Default flow mode of the service is full_thoughts: an app whose mode nobody
 * set does not print its answer twice. */
static void test_app_unset_mode_prints_an_answer_once(void **state)
{
    bl_buf_t data;
    run_t r;

    (void)state;
    codec_read_fixture(&data, "workflow_full_thoughts.sse");
    begin(&r, 1, BL_FLOW_NONE);
    feed_all(&r, data.data, data.len, 1);
    assert_ptr_equal(
        strstr(strstr(bl_buf_str(&r.lines), "delta|") + 6, "delta|"), NULL);
    end(&r);
    bl_buf_release(&data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_S60_refuses_impossible_usage),
        cmocka_unit_test(test_app_usage_is_the_last_total_not_a_sum),
        cmocka_unit_test(test_app_thinking_is_cumulative_like_the_text),
        cmocka_unit_test(test_app_S68_tools_are_named_once_without_result),
        cmocka_unit_test(test_app_references_are_told_once_and_short),
        cmocka_unit_test(test_app_many_references_come_in_several_events),
        cmocka_unit_test(test_app_workflow_content_in_every_shape),
        cmocka_unit_test(test_app_finished_node_is_not_read_again),
        cmocka_unit_test(test_app_nodes_do_not_take_over_from_the_text),
        cmocka_unit_test(test_app_unset_mode_prints_an_answer_once),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
