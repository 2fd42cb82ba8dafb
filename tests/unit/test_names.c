/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "store/names.h"

static void test_names_good_and_bad(void **state)
{
    char longest[BL_NAME_BYTES + 1];

    (void)state;
    assert_true(bl_name_is_valid("qa"));
    assert_true(bl_name_is_valid("_x.y-Z9"));
    assert_false(bl_name_is_valid(""));
    assert_false(bl_name_is_valid(".hidden"));
    assert_false(bl_name_is_valid("-x"));
    assert_false(bl_name_is_valid("a b"));
    assert_false(bl_name_is_valid("a/b"));
    assert_false(bl_name_is_valid("\xe5\x90\x8d"));
    memset(longest, 'a', sizeof(longest));
    longest[BL_NAME_BYTES - 1] = '\0';
    assert_true(bl_name_is_valid(longest));
    longest[BL_NAME_BYTES - 1] = 'a';
    longest[BL_NAME_BYTES] = '\0';
    assert_false(bl_name_is_valid(longest));
}

/* S-31 */
static void test_names_urls(void **state)
{
    static const char *const good[] = {
        "https://dashscope.aliyuncs.com/api/v1",
        "https://dashscope.aliyuncs.com",
        "http://127.0.0.1:8080/x",
        "HTTPS://Example.com:443",
        "https://[::1]:8443/v1",
        "https://a-b.c/d_e/~f",
    };
    static const char *const bad[] = {
        "",
        "dashscope.aliyuncs.com",
        "ftp://host",
        "file:///etc/passwd",
        "https://",
        "https:///path",
        "https://user@host",
        "https://user:pw@host/",
        "https://host?x=1",
        "https://host/#x",
        "https://host/?",
        "https://host:",
        "https://host:0",
        "https://host:65536",
        "https://host:443x",
        "https://host:99999999999",
        "https://host/",
        "https://host/a/../b",
        "https://host/a/..",
        "https://host/./a",
        "https://host//a",
        "https://ho st",
        "https://host/a b",
        "https://host\\@evil",
        "https://host/%2e%2e",
        "https://h\xc3\xb6st",
        "https://host\n",
        "https://.host",
        "https://-host",
        "https://ho_st",
        "https://[::1",
        "https://[]",
        "https://[zz]",
        "https://[::1]x",
        "https:/host",
        " https://host",
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (bl_url_complaint(good[i])) {
            fail_msg("%s: %s", good[i], bl_url_complaint(good[i]));
        }
    }
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (!bl_url_complaint(bad[i])) fail_msg("taken: %s", bad[i]);
    }
}

/* S-34: what makes another target, and what does not. */
static void test_names_same_origin(void **state)
{
    static const char base[] = "https://host.example/api";

    (void)state;
    assert_true(bl_url_same_origin(base, "https://host.example/other/path"));
    assert_true(bl_url_same_origin(base, "HTTPS://HOST.example:443"));
    assert_false(bl_url_same_origin(base, "http://host.example/api"));
    assert_false(bl_url_same_origin(base, "https://host.example:8443/api"));
    assert_false(bl_url_same_origin(base, "https://host.example.evil/api"));
    assert_false(bl_url_same_origin(base, "https://host.exampl/api"));
    assert_false(bl_url_same_origin(base, "nonsense"));
    assert_false(bl_url_same_origin("http://h:443", "https://h"));
}

static void test_names_policies(void **state)
{
    (void)state;
    assert_null(bl_policy_complaint("cancel"));
    assert_null(bl_policy_complaint("drain"));
    assert_null(bl_policy_complaint("detach 1s"));
    assert_null(bl_policy_complaint("detach 3600s"));
    assert_non_null(bl_policy_complaint("detach 0s"));
    assert_non_null(bl_policy_complaint("detach 3601s"));
    assert_non_null(bl_policy_complaint("detach 60"));
    assert_non_null(bl_policy_complaint("detach"));
    assert_non_null(bl_policy_complaint("detach -1s"));
    assert_non_null(bl_policy_complaint("keep"));
    assert_non_null(bl_policy_complaint(""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_good_and_bad),
        cmocka_unit_test(test_names_urls),
        cmocka_unit_test(test_names_same_origin),
        cmocka_unit_test(test_names_policies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
