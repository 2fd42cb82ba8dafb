/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "base/json.h"

static apr_status_t parse_len(const char *text, size_t len, size_t *poffset)
{
    json_t *json;
    apr_status_t rv = bl_json_parse(&json, text, len, poffset);

    assert_int_equal(json != NULL, rv == APR_SUCCESS);
    json_decref(json);
    return rv;
}

static apr_status_t parse(const char *text)
{
    return parse_len(text, strlen(text), NULL);
}

static void test_json_takes_what_a_client_sends(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"message\":\"你好\",\"n\":1}"), APR_SUCCESS);
    assert_int_equal(parse(" [1,2] \r\n"), APR_SUCCESS);
    assert_int_equal(parse("{}"), APR_SUCCESS);
}

static void test_json_refuses_what_is_not_one_strict_value(void **state)
{
    static const char *const bad[] = {
        "",           "1",           "null",        "{",
        "{\"a\":1}x", "{\"a\":1}{}", "{\"a\":1,}",  "{a:1}",
        "{'a':1}",    "[1 2]",       "{\"a\":01}",  "{\"a\":NaN}",
        "[\"\t\"]",   "[\"\\x\"]",   "\"\\u0000\"", "<html>"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (parse(bad[i]) != BL_E_BAD_JSON) fail_msg("%s", bad[i]);
    }
}

static void test_json_refuses_duplicate_keys(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"a\":1,\"b\":2,\"a\":3}"), BL_E_BAD_JSON);
    assert_int_equal(parse("{\"a\":1,\"\\u0061\":3}"), BL_E_BAD_JSON);
}

static void test_json_refuses_nul_raw_and_escaped(void **state)
{
    (void)state;
    assert_int_equal(parse("{\"a\":\"x\\u0000y\"}"), BL_E_BAD_JSON);
    assert_int_equal(parse("{\"a\\u0000\":1}"), BL_E_BAD_JSON);
    assert_int_equal(parse_len("{\"a\":\"\0\"}", 9, NULL), BL_E_BAD_JSON);
    assert_int_equal(parse_len("{}\0", 3, NULL), BL_E_BAD_JSON);
    assert_int_equal(parse_len("[1\0]", 4, NULL), BL_E_BAD_JSON);
}

static void test_json_refuses_a_bom(void **state)
{
    (void)state;
    assert_int_equal(parse("\xEF\xBB\xBF{}"), BL_E_BAD_JSON);
}

static void test_json_names_the_offset_of_a_bad_byte(void **state)
{
    size_t offset;

    (void)state;
    assert_int_equal(parse_len("{\"a\":\"\xC0\x80\"}", 10, &offset),
                     BL_E_BAD_UTF8);
    assert_int_equal(offset, 6);
    assert_int_equal(parse_len("{\"a\":1,]", 8, &offset), BL_E_BAD_JSON);
    assert_int_equal(offset, 8);
}

static apr_status_t parse_nested(int depth, const char *in, const char *out)
{
    apr_status_t rv;
    bl_buf_t b;
    int i;

    bl_buf_init(&b, 1024 * 1024);
    for (i = 0; i < depth; i++)
        bl_buf_puts(&b, in);
    bl_buf_puts(&b, "1");
    for (i = 0; i < depth; i++)
        bl_buf_puts(&b, out);
    rv = parse_len(b.data, b.len, NULL);
    bl_buf_release(&b);
    return rv;
}

/* One below, at and above the limit; and far above, which must not recurse. */
static void test_json_depth_is_checked_before_the_parser_recurses(void **state)
{
    (void)state;
    assert_int_equal(parse_nested(BL_MAX_JSON_DEPTH - 1, "[", "]"), 0);
    assert_int_equal(parse_nested(BL_MAX_JSON_DEPTH, "[", "]"), 0);
    assert_int_equal(parse_nested(BL_MAX_JSON_DEPTH, "{\"a\":", "}"), 0);
    assert_int_equal(parse_nested(BL_MAX_JSON_DEPTH + 1, "[", "]"),
                     BL_E_TOO_DEEP);
    assert_int_equal(parse_nested(BL_MAX_JSON_DEPTH + 1, "{\"a\":", "}"),
                     BL_E_TOO_DEEP);
    assert_int_equal(parse_nested(100000, "[", "]"), BL_E_TOO_DEEP);
}

static void test_json_brackets_in_strings_are_no_depth(void **state)
{
    char text[256];

    (void)state;
    snprintf(text, sizeof(text), "[\"\\\"%0*d\"]", 100, 0);
    memset(text + 4, '[', 100);
    assert_int_equal(parse(text), APR_SUCCESS);
}

static json_t *object(const char *text)
{
    json_t *json;

    assert_int_equal(bl_json_parse(&json, text, strlen(text), NULL), 0);
    return json;
}

static void test_json_getters_tell_absent_from_wrong(void **state)
{
    json_t *o = object("{\"s\":\"abc\",\"n\":7,\"b\":true,\"z\":null,"
                       "\"a\":[1,2],\"o\":{},\"r\":1.5}");
    const char *s;
    apr_int64_t n = 42;
    json_t *v;
    int b = 0;

    (void)state;
    assert_int_equal(bl_json_get_string(o, "s", 3, &s), APR_SUCCESS);
    assert_string_equal(s, "abc");
    assert_int_equal(bl_json_get_string(o, "s", 2, &s), BL_E_BAD_VALUE);
    assert_null(s);
    assert_int_equal(bl_json_get_string(o, "n", 9, &s), BL_E_BAD_VALUE);
    assert_int_equal(bl_json_get_string(o, "x", 9, &s), APR_SUCCESS);
    assert_null(s);
    assert_int_equal(bl_json_get_string(o, "z", 9, &s), APR_SUCCESS);
    assert_null(s);
    assert_int_equal(bl_json_get_int(o, "n", 0, 6, &n), BL_E_BAD_VALUE);
    assert_int_equal(bl_json_get_int(o, "n", 8, 9, &n), BL_E_BAD_VALUE);
    assert_int_equal(bl_json_get_int(o, "r", 0, 9, &n), BL_E_BAD_VALUE);
    assert_int_equal(bl_json_get_int(o, "x", 0, 9, &n), APR_SUCCESS);
    assert_int_equal(n, 42);
    assert_int_equal(bl_json_get_int(o, "n", 0, 7, &n), APR_SUCCESS);
    assert_int_equal(n, 7);
    assert_int_equal(bl_json_get_bool(o, "b", &b), APR_SUCCESS);
    assert_int_equal(b, 1);
    assert_int_equal(bl_json_get_bool(o, "n", &b), BL_E_BAD_VALUE);
    assert_int_equal(bl_json_get_array(o, "a", 2, &v), APR_SUCCESS);
    assert_non_null(v);
    assert_int_equal(bl_json_get_array(o, "a", 1, &v), BL_E_BAD_VALUE);
    assert_null(v);
    assert_int_equal(bl_json_get_array(o, "o", 9, &v), BL_E_BAD_VALUE);
    assert_int_equal(bl_json_get_object(o, "o", &v), APR_SUCCESS);
    assert_non_null(v);
    assert_int_equal(bl_json_get_object(o, "a", &v), BL_E_BAD_VALUE);
    assert_int_equal(bl_json_get_object(o, "x", &v), APR_SUCCESS);
    assert_null(v);
    json_decref(o);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_takes_what_a_client_sends),
        cmocka_unit_test(test_json_refuses_what_is_not_one_strict_value),
        cmocka_unit_test(test_json_refuses_duplicate_keys),
        cmocka_unit_test(test_json_refuses_nul_raw_and_escaped),
        cmocka_unit_test(test_json_refuses_a_bom),
        cmocka_unit_test(test_json_names_the_offset_of_a_bad_byte),
        cmocka_unit_test(test_json_depth_is_checked_before_the_parser_recurses),
        cmocka_unit_test(test_json_brackets_in_strings_are_no_depth),
        cmocka_unit_test(test_json_getters_tell_absent_from_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
