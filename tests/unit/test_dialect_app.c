/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect_run.h"

/* --- fixtures ------------------------------------------------------------ */

typedef struct fixture_t {
    const char *file;
    int is_incremental;
    bl_flow_mode_t mode;
    const char *answer_nodes;
    bl_finish_t finish;
    apr_status_t failure;
    const char *lines;
} fixture_t;

#define FX_TEA                                                                 \
    "delta|绿茶|\ndelta|适合用80℃|\ndelta|左右的水冲泡🍵，|\n" \
    "delta|水太烫会让茶汤发苦。|\n" QWEN_USAGE("61", "18")

static const fixture_t fixtures[] = {
    {"agent_incremental.sse", 1, BL_FLOW_NONE, NULL, BL_FINISH_STOP, 0, FX_TEA},
    {"agent_cumulative.sse", 0, BL_FLOW_NONE, NULL, BL_FINISH_STOP, 0, FX_TEA},
    {"agent_thinking.sse", 1, BL_FLOW_NONE, NULL, BL_FINISH_STOP, 0,
     "reasoning|嗯|\nreasoning|，用户在问|\n"
     "reasoning|三的平方，直接算。|\ndelta|3的平方|\ndelta|是9。|\n"
     "usage||{\"inputTokens\":31,\"outputTokens\":21,\"models\":[{\"model\":"
     "\"deepseek-r1\",\"inputTokens\":31,\"outputTokens\":21}]}\n"},
    {"agent_references.sse", 1, BL_FLOW_NONE, NULL, BL_FINISH_STOP, 0,
     "delta|签收后七天内|\n"
     "search||{\"references\":[{\"index\":\"1\",\"title\":\"退货政策\","
     "\"docName\":\"退货政策\",\"text\":\"【文档名】:退货政策\\n"
     "【正文】:自签收之日起七日内可以申请退货。\"}]}\n"
     "delta|可以退货<ref>[1]</|\ndelta|ref>。|\n" QWEN_USAGE("842", "19")},
    {"workflow_full_thoughts.sse", 1, BL_FLOW_FULL_THOUGHTS, NULL,
     BL_FINISH_STOP, 0,
     "status||{\"node\":\"开始\",\"nodeType\":\"Start\",\"state\":\"success\"}"
     "\n"
     "status||{\"node\":\"LLM_k3Pz\",\"nodeType\":\"LLM\",\"state\":"
     "\"executing\"}\n"
     "status||{\"node\":\"写标题\",\"nodeType\":\"LLM\",\"state\":\"success\"}"
     "\n"
     "status||{\"node\":\"LLM_q7Rt\",\"nodeType\":\"LLM\",\"state\":"
     "\"executing\"}\n"
     "status||{\"node\":\"写正文\",\"nodeType\":\"LLM\",\"state\":\"success\"}"
     "\n"
     "delta|《春日采茶》清晨，山上起了薄雾。|\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"success\"}\n"
     "usage||{\"inputTokens\":58,\"outputTokens\":20,\"models\":[{\"model\":"
     "\"qwen-max\",\"inputTokens\":25,\"outputTokens\":9},{\"model\":"
     "\"qwen-plus\",\"inputTokens\":33,\"outputTokens\":11}]}\n"},
    {"workflow_full_thoughts.sse", 1, BL_FLOW_FULL_THOUGHTS, "写标题, LLM_q7Rt",
     BL_FINISH_STOP, 0,
     "status||{\"node\":\"开始\",\"nodeType\":\"Start\",\"state\":\"success\"}"
     "\n"
     "status||{\"node\":\"LLM_k3Pz\",\"nodeType\":\"LLM\",\"state\":"
     "\"executing\"}\n"
     "delta|春日|\ndelta|采茶|\n"
     "status||{\"node\":\"写标题\",\"nodeType\":\"LLM\",\"state\":\"success\"}"
     "\n"
     "status||{\"node\":\"LLM_q7Rt\",\"nodeType\":\"LLM\",\"state\":"
     "\"executing\"}\n"
     "delta|清晨，|\ndelta|山上起了薄雾。|\n"
     "status||{\"node\":\"写正文\",\"nodeType\":\"LLM\",\"state\":\"success\"}"
     "\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"success\"}\n"
     "usage||{\"inputTokens\":58,\"outputTokens\":20,\"models\":[{\"model\":"
     "\"qwen-max\",\"inputTokens\":25,\"outputTokens\":9},{\"model\":"
     "\"qwen-plus\",\"inputTokens\":33,\"outputTokens\":11}]}\n"},
    {"workflow_message_format.sse", 0, BL_FLOW_MESSAGE, NULL, BL_FINISH_STOP, 0,
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"executing\"}"
     "\n"
     "delta|成都今天|\ndelta|多云，|\ndelta|出门不用带伞☂️。|"
     "\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"success\"}"
     "\n"},
    {"workflow_message_format.sse", 1, BL_FLOW_MESSAGE, "另一个",
     BL_FINISH_STOP, 0,
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"executing\"}"
     "\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"success\"}\n"
     "delta|成都今天多云，出门不用带伞☂️。|\n"},
    {"workflow_message_format_plus.sse", 1, BL_FLOW_MESSAGE_PLUS, NULL,
     BL_FINISH_STOP, 0,
     "status||{\"node\":\"开始\",\"nodeType\":\"Start\",\"state\":\"success\"}"
     "\n"
     "status||{\"node\":\"写诗\",\"nodeType\":\"LLM\",\"state\":\"executing\"}"
     "\n"
     "reasoning|先想一个意象。|\n"
     "status||{\"node\":\"写诗\",\"nodeType\":\"LLM\",\"state\":\"success\"}\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"executing\"}"
     "\n"
     "delta|竹影过窗来。|\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"success\"}\n"
     "usage||{\"inputTokens\":15,\"outputTokens\":12,\"models\":[{\"model\":"
     "\"qwen-plus-latest\",\"inputTokens\":15,\"outputTokens\":12}]}\n"},
    {"workflow_message_format_plus.sse", 1, BL_FLOW_MESSAGE_PLUS, "LLM_NPem",
     BL_FINISH_STOP, 0,
     "status||{\"node\":\"开始\",\"nodeType\":\"Start\",\"state\":\"success\"}"
     "\n"
     "status||{\"node\":\"写诗\",\"nodeType\":\"LLM\",\"state\":\"executing\"}"
     "\n"
     "reasoning|先想一个意象。|\ndelta|竹影|\ndelta|过窗来。|\n"
     "status||{\"node\":\"写诗\",\"nodeType\":\"LLM\",\"state\":\"success\"}\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"executing\"}"
     "\n"
     "status||{\"node\":\"结束\",\"nodeType\":\"End\",\"state\":\"success\"}\n"
     "usage||{\"inputTokens\":15,\"outputTokens\":12,\"models\":[{\"model\":"
     "\"qwen-plus-latest\",\"inputTokens\":15,\"outputTokens\":12}]}\n"},
    {"workflow_agent_format.sse", 1, BL_FLOW_AGENT, NULL, BL_FINISH_STOP, 0,
     "delta|库存还有|\ndelta|12件，|\ndelta|今天可以发货。|\n" QWEN_USAGE(
         "52", "13")},
    {"error_first.sse", 1, BL_FLOW_NONE, NULL, BL_FINISH_NONE,
     BL_E_UPSTREAM_REJECTED, ""},
    {"error_throttled.sse", 1, BL_FLOW_NONE, NULL, BL_FINISH_NONE,
     BL_E_UPSTREAM_QUOTA, ""},
    {"error_after_text.sse", 1, BL_FLOW_NONE, NULL, BL_FINISH_NONE,
     BL_E_UPSTREAM_REJECTED,
     "delta|第一步|\ndelta|，先关掉电源|\n" QWEN_USAGE("40", "8")},
    {"model_text.sse", 1, BL_FLOW_NONE, NULL, BL_FINISH_STOP, 0,
     "delta|七乘八|\ndelta|等于56|\ndelta|。|\n"
     "usage||{\"inputTokens\":16,\"outputTokens\":8,\"models\":[]}\n"},
};

#define FIXTURES_N (sizeof(fixtures) / sizeof(fixtures[0]))

static void run_fixture(const fixture_t *fx, const bl_buf_t *data, size_t cut)
{
    run_t r;

    memset(&r, 0, sizeof(r));
    r.target.is_incremental = fx->is_incremental;
    r.target.flow_mode = fx->mode;
    r.target.answer_nodes = fx->answer_nodes;
    open_run(&r);
    feed_all(&r, data->data, data->len, cut);
    if (strcmp(bl_buf_str(&r.lines), fx->lines)) {
        fail_msg("%s cut at %u:\n%s\nexpected:\n%s", fx->file, (unsigned)cut,
                 bl_buf_str(&r.lines), fx->lines);
    }
    assert_int_equal(r.answer.finish, fx->finish);
    assert_int_equal(r.answer.failure, fx->failure);
    assert_true(*r.answer.request_id);
    assert_int_equal(r.answer.bad_utf8, 0);
    end(&r);
}

static void test_app_reads_every_recorded_answer(void **state)
{
    size_t i;
    bl_buf_t data;

    (void)state;
    for (i = 0; i < FIXTURES_N; i++) {
        codec_read_fixture(&data, fixtures[i].file);
        run_fixture(&fixtures[i], &data, data.len);
        bl_buf_release(&data);
    }
}

static void test_app_U17_U18_every_fixture_cut_anywhere(void **state)
{
    size_t i, cut;
    bl_buf_t data;

    (void)state;
    for (i = 0; i < FIXTURES_N; i++) {
        codec_read_fixture(&data, fixtures[i].file);
        for (cut = 0; cut <= data.len; cut++)
            run_fixture(&fixtures[i], &data, cut);
        bl_buf_release(&data);
    }
}

/* U18: cut inside an escape, a surrogate pair, a character. */
static void test_app_U18_escapes_cut_anywhere(void **state)
{
    static const char data[] =
        "id:1\nevent:result\n:HTTP_STATUS/200\ndata:{\"output\":{\"text\":"
        "\"a\\n\\ud83c\\udf75\\u4f60\xF0\x9F\x8D\xB5\xE4\xBD\xA0\xC3\xA9\","
        "\"finish_reason\":\"null\"}}\n\n"
        "id:2\ndata:{\"output\":{\"text\":\"z\",\"finish_reason\":\"stop\"}}\n";
    size_t cut;
    run_t r;

    (void)state;
    for (cut = 0; cut < sizeof(data); cut++) {
        begin(&r, 1, BL_FLOW_NONE);
        feed_all(&r, data, sizeof(data) - 1, cut < sizeof(data) - 1 ? cut : 1);
        assert_lines(&r, "delta|a\n🍵你🍵你é|\ndelta|z|\n");
        assert_int_equal(r.answer.finish, BL_FINISH_STOP);
        end(&r);
    }
}

/* The fixtures of model APIs are not ours: skipped without harm (U32). */
static void test_app_U32_skips_shapes_of_other_apis(void **state)
{
    static const char *const files[] = {
        "model_message.sse",  "model_multimodal.sse", "model_search.sse",
        "model_thinking.sse", "model_tool_call.sse",  "model_cumulative.sse"};
    size_t i;
    bl_buf_t data;
    run_t r;

    (void)state;
    for (i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
        codec_read_fixture(&data, files[i]);
        begin(&r, 1, BL_FLOW_NONE);
        feed_all(&r, data.data, data.len, data.len);
        assert_lines(&r, "");
        assert_int_equal(r.answer.failure, BL_E_UPSTREAM_CUT);
        end(&r);
        bl_buf_release(&data);
    }
}

static void test_app_U32_skips_unknown_keys_and_events(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(event_of(&r, "done", "", 0, "x", 1), APR_EAGAIN);
    assert_int_equal(event_of(&r, "ping", "", 0, "<html>", 6), APR_EAGAIN);
    assert_int_equal(event(&r, "[DONE]"), APR_EAGAIN);
    assert_int_equal(event(&r, "{\"foo\":1}"), APR_EAGAIN);
    assert_int_equal(event(&r, "{\"output\":null,\"code\":\"\"}"), APR_EAGAIN);
    assert_int_equal(event(&r, "{\"output\":{\"choices\":[]}}"), APR_EAGAIN);
    assert_int_equal(
        event(&r, "{\"output\":{\"thoughts\":null,\"doc_references\":null,"
                  "\"workflow_message\":7,\"new\":[{}],\"text\":null},"
                  "\"usage\":null,\"request_id\":5}"),
        APR_EAGAIN);
    assert_int_equal(
        event(&r, "{\"output\":{\"thoughts\":[1,[],{},{\"action_type\":5},"
                  "{\"response\":\"{\"}],\"doc_references\":[1,{}],"
                  "\"workflow_message\":{\"message\":[]}}}"),
        APR_SUCCESS);
    assert_int_equal(event(&r, "{\"x\":{\"output\":1},\"output\":{\"text\":"
                               "\"a\",\"finish_reason\":null}}"),
                     APR_SUCCESS);
    assert_int_equal(text_event(&r, "", "stop"), APR_EOF);
    assert_lines(&r, "delta|a|\n");
    assert_int_equal(r.answer.unreadable, 2);
    end(&r);
}

/* --- progress and ends --------------------------------------------------- */

/* U12: only what the dialect knows as progress restarts the clock. */
static void test_app_U12_only_progress_is_progress(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(text_event(&r, "", "null"), APR_EAGAIN);
    assert_int_equal(text_event(&r, "a", "null"), APR_SUCCESS);
    assert_int_equal(text_event(&r, "", "null"), APR_EAGAIN);
    /* Hidden thinking: tokens go up, nothing else is to be seen. */
    assert_int_equal(event(&r, "{\"output\":{\"text\":\"\"},\"usage\":"
                               "{\"output_tokens\":5}}"),
                     APR_SUCCESS);
    assert_int_equal(event(&r, "{\"output\":{\"text\":\"\"},\"usage\":"
                               "{\"output_tokens\":5}}"),
                     APR_EAGAIN);
    /* A node that is heard of. */
    assert_int_equal(
        event(&r, "{\"output\":{\"workflow_message\":{\"node_id\":\"n\","
                  "\"node_status\":\"executing\",\"message\":{}}}}"),
        APR_SUCCESS);
    end(&r);
}

/* U13, U21: the end marker ends; what follows is ignored. */
static void test_app_U13_U21_nothing_follows_the_end(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(text_event(&r, "a", "stop"), APR_EOF);
    assert_int_equal(text_event(&r, "b", "null"), APR_EOF);
    assert_int_equal(event(&r, "garbage"), APR_EOF);
    assert_int_equal(bl_dialect_app.body(r.state, 500, "x", 1), APR_EOF);
    assert_int_equal(bl_dialect_app.finish(r.state), APR_SUCCESS);
    assert_lines(&r, "delta|a|\n");
    end(&r);
}

/* U14: an end of the body without an end marker is a cut. */
static void test_app_U14_end_without_marker_is_a_cut(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(bl_dialect_app.finish(r.state), BL_E_UPSTREAM_CUT);
    assert_int_equal(r.answer.failure, BL_E_UPSTREAM_CUT);
    assert_int_equal(r.answer.has_content, 0);
    end(&r);
    begin(&r, 1, BL_FLOW_NONE);
    text_event(&r, "a", "null");
    event(&r, "[DONE]");
    assert_int_equal(bl_dialect_app.finish(r.state), BL_E_UPSTREAM_CUT);
    assert_int_equal(r.answer.has_content, 1);
    end(&r);
}

/* U14, U15: closed in the middle of an event, wherever that is: what came
 * before it, then a cut; never garbage, never an end. */
static void test_app_U14_cut_anywhere_is_a_cut(void **state)
{
    bl_buf_t data;
    size_t len;

    (void)state;
    codec_read_fixture(&data, "agent_incremental.sse");
    for (len = 0; len < data.len; len++) {
        int is_whole = len >= data.len - 2; /* only its line ends are missing */
        run_t r;

        begin(&r, 1, BL_FLOW_NONE);
        feed_all(&r, data.data, len, len);
        assert_int_equal(r.answer.failure, is_whole ? 0 : BL_E_UPSTREAM_CUT);
        assert_int_equal(r.answer.finish,
                         is_whole ? BL_FINISH_STOP : BL_FINISH_NONE);
        end(&r);
    }
    bl_buf_release(&data);
}

static void test_app_names_the_reason_of_its_end(void **state)
{
    static const struct {
        const char *finish;
        apr_status_t rv;
        bl_finish_t is;
    } ends[] = {{"null", APR_EAGAIN, BL_FINISH_NONE},
                {"", APR_EAGAIN, BL_FINISH_NONE},
                {"stop", APR_EOF, BL_FINISH_STOP},
                {"length", APR_EOF, BL_FINISH_LENGTH},
                {"tool_calls", APR_EOF, BL_FINISH_TOOL_CALLS},
                {"a_new_one", APR_EOF, BL_FINISH_STOP},
                {"content_filter", BL_E_UPSTREAM_REJECTED, BL_FINISH_NONE}};
    size_t i;
    run_t r;

    (void)state;
    for (i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
        begin(&r, 1, BL_FLOW_NONE);
        assert_int_equal(text_event(&r, "", ends[i].finish), ends[i].rv);
        assert_int_equal(r.answer.finish, ends[i].is);
        end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_reads_every_recorded_answer),
        cmocka_unit_test(test_app_U17_U18_every_fixture_cut_anywhere),
        cmocka_unit_test(test_app_U18_escapes_cut_anywhere),
        cmocka_unit_test(test_app_U32_skips_shapes_of_other_apis),
        cmocka_unit_test(test_app_U32_skips_unknown_keys_and_events),
        cmocka_unit_test(test_app_U12_only_progress_is_progress),
        cmocka_unit_test(test_app_U13_U21_nothing_follows_the_end),
        cmocka_unit_test(test_app_U14_end_without_marker_is_a_cut),
        cmocka_unit_test(test_app_U14_cut_anywhere_is_a_cut),
        cmocka_unit_test(test_app_names_the_reason_of_its_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
