/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/utf8.h"

/* Every line is found by its status and by its wire code, and by no other. */
static void test_errors_line_is_found_by_status_and_by_code(void **state)
{
    int i;

    (void)state;
    assert_true(bl_error_count() > 30);
    for (i = 0; i < bl_error_count(); i++) {
        const bl_error_t *e = bl_error_at(i);

        assert_ptr_equal(bl_error(e->status), e);
        assert_ptr_equal(bl_error_by_code(e->code), e);
        assert_true(e->http >= 400 && e->http < 600);
        assert_true(e->status > BL_E_BASE && e->status < BL_E_END);
    }
}

static void test_errors_unknown_status_is_internal(void **state)
{
    static const apr_status_t unknown[] = {APR_SUCCESS, APR_ENOMEM, APR_EOF,
                                           BL_E_BASE,   BL_E_END,   -1};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        assert_string_equal(bl_error(unknown[i])->code, "internal");
        assert_int_equal(bl_error(unknown[i])->http, 500);
    }
    assert_null(bl_error_by_code("no_such_code"));
    assert_null(bl_error_by_code(""));
}

static void test_errors_sentences_are_text_in_both_languages(void **state)
{
    int i;

    (void)state;
    for (i = 0; i < bl_error_count(); i++) {
        const bl_error_t *e = bl_error_at(i);

        assert_true(strlen(e->en) > 10);
        assert_true((unsigned char)e->zh[0] > 0x7f);
        assert_true(bl_utf8_is_valid(e->zh, strlen(e->zh)));
        /* It is JSON as it stands, where there is no memory to escape it. */
        assert_null(strpbrk(e->en, "\"\\\n"));
        assert_null(strpbrk(e->zh, "\"\\\n"));
    }
}

/* The classes that the module answers for: HTTP status, whether the module
 * itself tries again (I12), whether the client may. */
static void test_errors_classes_are_those_of_the_protocol(void **state)
{
    static const struct {
        const char *code;
        int http;
        bl_retry_t retry;
        int client;
    } rows[] = {
        {"upstream_dns", 502, BL_RETRY_YES, 1},
        {"upstream_connect", 502, BL_RETRY_YES, 1},
        {"upstream_tls", 502, BL_RETRY_NO, 0},
        {"upstream_auth", 502, BL_RETRY_NO, 0},
        {"upstream_quota", 429, BL_RETRY_YES, 1},
        {"upstream_rejected", 400, BL_RETRY_NO, 0},
        {"upstream_unavailable", 502, BL_RETRY_YES, 1},
        {"upstream_first_timeout", 504, BL_RETRY_YES, 1},
        {"upstream_stalled", 504, BL_RETRY_NO, 1},
        {"timeout", 504, BL_RETRY_NO, 1},
        {"upstream_cut", 502, BL_RETRY_YES, 1},
        {"upstream_garbage", 502, BL_RETRY_ONCE, 0},
        {"upstream_too_large", 502, BL_RETRY_NO, 0},
        {"interrupted", 503, BL_RETRY_NO, 1},
        {"draining", 503, BL_RETRY_NO, 1},
        {"overloaded", 503, BL_RETRY_NO, 1},
        {"store_unavailable", 503, BL_RETRY_NO, 1},
        {"store_corrupt", 503, BL_RETRY_NO, 0},
        {"keyring_missing", 503, BL_RETRY_NO, 0},
        {"body_too_large", 413, BL_RETRY_NO, 0},
        {"bad_json", 400, BL_RETRY_NO, 0},
        {"bad_utf8", 400, BL_RETRY_NO, 0},
        {"too_deep", 400, BL_RETRY_NO, 0},
        {"bad_header", 400, BL_RETRY_NO, 0},
        {"bad_value", 400, BL_RETRY_NO, 0},
        {"bad_type", 415, BL_RETRY_NO, 0},
        {"bad_method", 405, BL_RETRY_NO, 0},
        {"upgrade_required", 426, BL_RETRY_NO, 0},
        {"unauthenticated", 401, BL_RETRY_NO, 0},
        {"forbidden", 403, BL_RETRY_NO, 0},
        {"origin_refused", 403, BL_RETRY_NO, 0},
        {"csrf_refused", 403, BL_RETRY_NO, 0},
        {"not_found", 404, BL_RETRY_NO, 0},
        {"version_conflict", 412, BL_RETRY_NO, 0},
        {"events_trimmed", 410, BL_RETRY_NO, 0},
        {"internal", 500, BL_RETRY_NO, 0},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const bl_error_t *e = bl_error_by_code(rows[i].code);

        assert_non_null(e);
        assert_int_equal(e->http, rows[i].http);
        assert_int_equal(e->retry, rows[i].retry);
        assert_int_equal(e->client_may_retry, rows[i].client);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_errors_line_is_found_by_status_and_by_code),
        cmocka_unit_test(test_errors_unknown_status_is_internal),
        cmocka_unit_test(test_errors_sentences_are_text_in_both_languages),
        cmocka_unit_test(test_errors_classes_are_those_of_the_protocol),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
