/* SPDX-License-Identifier: Apache-2.0 */
#include "dialect_run.h"

/* --- garbage and errors -------------------------------------------------- */

/* U24: what might have been content is never passed over in silence. */
static void test_app_U24_garbage_is_a_failure(void **state)
{
    static const char *const garbage[] = {
        "",
        "hello",
        "<html><body>login</body></html>",
        "[{\"output\":{\"text\":\"a\"}}]",
        "\"text\"",
        "{\"output\":{\"text\":\"a\"}",
        "{\"output\":{\"text\":\"a\"}}}",
        "{\"output\":[]}",
        "{\"output\":\"text\"}",
        "{\"output\":{\"text\":5}}",
        "{\"output\":{\"text\":{\"a\":1}}}",
        "{\"output\":{\"text\":\"a\nb\"}}",
        "{\"output\":{\"text\":\"a\",\"n\":01}}"};
    size_t i;
    run_t r;

    (void)state;
    for (i = 0; i < sizeof(garbage) / sizeof(garbage[0]); i++) {
        begin(&r, 1, BL_FLOW_NONE);
        if (event(&r, garbage[i]) != BL_E_UPSTREAM_GARBAGE) {
            fail_msg("%s", garbage[i]);
        }
        assert_int_equal(r.answer.failure, BL_E_UPSTREAM_GARBAGE);
        assert_int_equal(text_event(&r, "more", "stop"), BL_E_UPSTREAM_GARBAGE);
        assert_lines(&r, "");
        end(&r);
    }
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(
        event_of(&r, "", "", 0, "{\"output\":{\"text\":\"\0\"}}", 24),
        BL_E_UPSTREAM_GARBAGE);
    end(&r);
}

/* U24: odd, but readable. */
static void test_app_U24_tolerates_odd_json(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    event(&r, "{\"n\":1e309,\"m\":-0,\"k\":18446744073709551616,\"output\":"
              "{\"text\":\"x\",\"text\":\"a\"}}");
    event(&r, " { \"output\" : { \"text\" : \"b\" } } ");
    event(&r, "{\"o\\u0075tput\":{\"t\\u0065xt\":\"c\"}}");
    assert_lines(&r, "delta|a|\ndelta|b|\ndelta|c|\n");
    end(&r);
}

/* U26: class by code; nothing after the error is sent; the upstream's words
 * stay in bl_answer_t. */
static void test_app_U26_errors_in_every_shape(void **state)
{
    static const struct {
        const char *name;
        int http;
        const char *data;
        apr_status_t failure;
        const char *code;
    } shapes[] = {
        {"error", 400,
         "{\"code\":\"InvalidParameter\",\"message\":\"m\",\"request_id\":"
         "\"r\"}",
         BL_E_UPSTREAM_REJECTED, "InvalidParameter"},
        {"error", 429,
         "{\"request_id\":\"r\",\"message\":\"m\",\"code\":"
         "\"Throttling.RateQuota\"}",
         BL_E_UPSTREAM_QUOTA, "Throttling.RateQuota"},
        {"error", 500, "{\"code\":\"InternalError\",\"requestId\":\"r\"}",
         BL_E_UPSTREAM_UNAVAILABLE, "InternalError"},
        {"result", 200,
         "{\"code\":\"InternalError\",\"message\":\"m\","
         "\"request_id\":\"r\"}",
         BL_E_UPSTREAM_UNAVAILABLE, "InternalError"},
        {"", 0,
         "{\"error\":{\"message\":\"m\",\"type\":\"t\",\"param\":null,"
         "\"code\":\"invalid_api_key\"},\"request_id\":\"r\"}",
         BL_E_UPSTREAM_AUTH, "invalid_api_key"},
        {"", 401, "{\"error\":\"no\",\"request_id\":\"r\"}", BL_E_UPSTREAM_AUTH,
         ""},
        {"result", 503, "{\"output\":{},\"request_id\":\"r\"}",
         BL_E_UPSTREAM_UNAVAILABLE, ""},
        {"error", 0, "{\"code\":\"NewCode\",\"request_id\":\"r\"}",
         BL_E_UPSTREAM_UNAVAILABLE, "NewCode"},
        {"error", 404, "{\"code\":5,\"request_id\":\"r\"}",
         BL_E_UPSTREAM_REJECTED, ""},
    };
    size_t i, k;

    (void)state;
    for (i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
        for (k = 0; k < 2; k++) {
            run_t r;

            begin(&r, 1, BL_FLOW_NONE);
            if (k) text_event(&r, "a", "null");
            assert_int_equal(event_of(&r, shapes[i].name, "9", shapes[i].http,
                                      shapes[i].data, strlen(shapes[i].data)),
                             shapes[i].failure);
            assert_int_equal(r.answer.failure, shapes[i].failure);
            assert_int_equal(r.answer.failure_http, shapes[i].http);
            assert_string_equal(r.answer.failure_code, shapes[i].code);
            assert_string_equal(r.answer.request_id, "r");
            assert_int_equal(text_event(&r, "more", "stop"), shapes[i].failure);
            assert_int_equal(bl_dialect_app.finish(r.state), shapes[i].failure);
            assert_lines(&r, k ? "delta|a|\n" : "");
            end(&r);
        }
    }
}

static void test_app_U26_unreadable_error_goes_by_its_status(void **state)
{
    run_t r;

    (void)state;
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(event_of(&r, "error", "1", 503, "<html>", 6),
                     BL_E_UPSTREAM_UNAVAILABLE);
    end(&r);
    begin(&r, 1, BL_FLOW_NONE);
    assert_int_equal(event_of(&r, "result", "1", 400, "oops", 4),
                     BL_E_UPSTREAM_REJECTED);
    end(&r);
}

/* bailian.md 7.2, line by line. */
static void test_app_U07_every_documented_code_has_its_class(void **state)
{
    enum {
        R = BL_E_UPSTREAM_REJECTED,
        A = BL_E_UPSTREAM_AUTH,
        Q = BL_E_UPSTREAM_QUOTA,
        D = BL_E_UPSTREAM_UNAVAILABLE
    };
    static const struct {
        int http;
        const char *code;
        const char *message;
        apr_status_t failure;
        int retry, is_exhausted;
    } codes[] = {
        {400, "InvalidParameter", "url error", R, BL_RETRY_NO, 0},
        {400, "invalid_request_error", "", R, BL_RETRY_NO, 0},
        {400, "InvalidParameter.NotSupportEnableThinking", "", R, BL_RETRY_NO,
         0},
        {400, "DataInspectionFailed", "", R, BL_RETRY_NO, 0},
        {400, "data_inspection_failed", "", R, BL_RETRY_NO, 0},
        {400, "FaqRuleBlocked", "", R, BL_RETRY_NO, 0},
        {400, "Arrearage", "", Q, BL_RETRY_NO, 1},
        {400, "BadRequest.TooLarge", "", R, BL_RETRY_NO, 0},
        {400, "BadRequestException", "", R, BL_RETRY_NO, 0},
        {400, "InvalidURL", "", R, BL_RETRY_NO, 0},
        {400, "InvalidURL.Timeout", "", R, BL_RETRY_ONCE, 0},
        {400, "InvalidFile.Format", "", R, BL_RETRY_NO, 0},
        {400, "FlowNotPublished", "", R, BL_RETRY_NO, 0},
        {400, "ServiceUnavailableError", "", R, BL_RETRY_NO, 0},
        {400, "Throttling.AllocationQuota", "", Q, BL_RETRY_NO, 0},
        {400, "App.InvalidAppId", "", R, BL_RETRY_NO, 0},
        {401, "InvalidApiKey", "", A, BL_RETRY_NO, 0},
        {401, "NOT AUTHORIZED", "", A, BL_RETRY_NO, 0},
        {403, "AccessDenied.Unpurchased", "", A, BL_RETRY_NO, 0},
        {403, "App.AccessDenied", "App access denied.", A, BL_RETRY_NO, 0},
        {403, "AllocationQuota.FreeTierOnly", "", Q, BL_RETRY_NO, 1},
        {404, "ModelNotFound", "", R, BL_RETRY_NO, 0},
        {404, "WorkSpaceNotFound", "", R, BL_RETRY_NO, 0},
        {408, "RequestTimeOut", "", D, BL_RETRY_ONCE, 0},
        {409, "Conflict", "", R, BL_RETRY_NO, 0},
        {429, "Throttling", "Too many requests", Q, BL_RETRY_YES, 0},
        {429, "Throttling.RateQuota", "", Q, BL_RETRY_YES, 0},
        {429, "LimitRequests", "", Q, BL_RETRY_YES, 0},
        {429, "limit_burst_rate", "", Q, BL_RETRY_YES, 0},
        {429, "Throttling.AllocationQuota", "Allocated quota exceeded", Q,
         BL_RETRY_YES, 0},
        {429, "Throttling.AllocationQuota", "Free allocated quota exceeded.", Q,
         BL_RETRY_NO, 1},
        {429, "insufficient_quota", "Free allocated quota exceeded.", Q,
         BL_RETRY_NO, 1},
        {429, "PrepaidBillOverdue", "", Q, BL_RETRY_NO, 1},
        {500, "InternalError", "", D, BL_RETRY_YES, 0},
        {500, "InternalError.Timeout", "", D, BL_RETRY_YES, 0},
        {500, "InternalError.Algo", "", D, BL_RETRY_YES, 0},
        {500, "InternalError.Algo", "list index out of range", R, BL_RETRY_NO,
         0},
        {500, "RequestTimeOut", "", D, BL_RETRY_ONCE, 0},
        {500, "RetrivalFailed", "", D, BL_RETRY_ONCE, 0},
        {503, "ModelServingError", "", D, BL_RETRY_YES, 0},
        {503, "ModelUnavailable", "", D, BL_RETRY_YES, 0},
        {429, "SomethingNew", "", Q, -1, 0},
        {403, "SomethingNew", "", A, -1, 0},
        {502, "", "", D, -1, 0},
        /* Only a whole word before a dot is a code of the table. */
        {403, "InternalErrors", "", A, -1, 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        char body[256];
        run_t r;

        snprintf(body, sizeof(body), "{\"code\":\"%s\",\"message\":\"%s\"}",
                 codes[i].code, codes[i].message);
        begin(&r, 1, BL_FLOW_NONE);
        if (bl_dialect_app.body(r.state, codes[i].http, body, strlen(body)) !=
                codes[i].failure ||
            r.answer.retry_of_code != codes[i].retry ||
            r.answer.is_quota_exhausted != codes[i].is_exhausted)
        {
            fail_msg("%d %s", codes[i].http, codes[i].code);
        }
        end(&r);
    }
}

/* --- bodies that are no SSE ---------------------------------------------- */

static apr_status_t body(run_t *r, int http, const char *data)
{
    begin(r, 1, BL_FLOW_NONE);
    return bl_dialect_app.body(r->state, http, data, strlen(data));
}

static void test_app_plain_answer_is_an_answer(void **state)
{
    run_t r;

    (void)state;
    assert_int_equal(
        body(&r, 200,
             "{\"output\":{\"finish_reason\":\"stop\",\"session_id\":\"s\","
             "\"text\":\"用80℃左右的水。\"},\"usage\":{\"models\":[{"
             "\"output_tokens\":9,\"model_id\":\"qwen-plus\","
             "\"input_tokens\":61}]},\"request_id\":\"8c1e\"}"),
        APR_EOF);
    assert_lines(&r, "delta|用80℃左右的水。|\n" QWEN_USAGE("61", "9"));
    assert_string_equal(r.answer.session_id, "s");
    assert_string_equal(r.answer.request_id, "8c1e");
    assert_string_equal(r.answer.model_id, "qwen-plus");
    assert_int_equal(bl_dialect_app.finish(r.state), APR_SUCCESS);
    end(&r);
}

static void test_app_other_bodies_go_by_status(void **state)
{
    static const struct {
        int http;
        const char *data;
        apr_status_t rv;
    } bodies[] = {
        {200, "<html>", BL_E_UPSTREAM_GARBAGE},
        {200, "", BL_E_UPSTREAM_CUT},
        {200, "{}", BL_E_UPSTREAM_GARBAGE},
        {200, "[]", BL_E_UPSTREAM_GARBAGE},
        {204, "", BL_E_UPSTREAM_GARBAGE},
        {302, "{\"output\":{\"text\":\"x\"}}", BL_E_UPSTREAM_GARBAGE},
        {400, "<html>", BL_E_UPSTREAM_REJECTED},
        {401, "", BL_E_UPSTREAM_AUTH},
        {429, "", BL_E_UPSTREAM_QUOTA},
        {500, "{\"output\":{\"text\":\"x\"}}", BL_E_UPSTREAM_UNAVAILABLE},
        {502, "<html>", BL_E_UPSTREAM_UNAVAILABLE},
        {504, "", BL_E_UPSTREAM_UNAVAILABLE}};
    size_t i;
    run_t r;

    (void)state;
    for (i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
        if (body(&r, bodies[i].http, bodies[i].data) != bodies[i].rv) {
            fail_msg("%d %s", bodies[i].http, bodies[i].data);
        }
        assert_lines(&r, "");
        end(&r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_app_U24_garbage_is_a_failure),
        cmocka_unit_test(test_app_U24_tolerates_odd_json),
        cmocka_unit_test(test_app_U26_errors_in_every_shape),
        cmocka_unit_test(test_app_U26_unreadable_error_goes_by_its_status),
        cmocka_unit_test(test_app_U07_every_documented_code_has_its_class),
        cmocka_unit_test(test_app_plain_answer_is_an_answer),
        cmocka_unit_test(test_app_other_bodies_go_by_status),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
