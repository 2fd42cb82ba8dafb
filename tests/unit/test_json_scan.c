/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "base/utf8.h"
#include "wire/json_scan.h"

#define FFFD "\xEF\xBF\xBD"

/* The tokens of a text as one letter each; "!" = bad. */
static const char *tokens(const char *text, size_t len)
{
    static const char letters[] = "!E{[)ksn10-";
    static char out[256];
    bl_json_token_t t;
    bl_json_scan_t s;
    size_t n = 0;

    bl_json_scan_init(&s, text, len);
    do {
        t = bl_json_scan_next(&s);
        if (n < sizeof(out) - 1) out[n++] = letters[t];
    } while (t != BL_JSON_BAD && t != BL_JSON_END);
    assert_int_equal(bl_json_scan_next(&s), t);
    out[n] = '\0';
    return out;
}

static int is_json(const char *text)
{
    size_t len = strlen(text);
    char *exact = malloc(len + 1), last;
    const char *result;

    /* At the end of its memory, so that a sanitizer sees a read behind it. */
    memcpy(exact, text, len);
    result = tokens(exact, len);
    last = result[strlen(result) - 1];
    free(exact);
    return last == 'E';
}

static void test_json_scan_gives_the_tokens_in_order(void **state)
{
    static const char text[] =
        " {\"a\" : [1, -0, true ,false,null],\"b\":{},\"c\":\"x\",\"d\":[]} ";

    (void)state;
    assert_string_equal(tokens(text, sizeof(text) - 1), "{k[nn10-)k{)ksk[))E");
}

static void test_json_scan_takes_every_form_of_value(void **state)
{
    static const char *const good[] = {"0",
                                       "-0",
                                       "10",
                                       "1.5",
                                       "1e309",
                                       "-1E-400",
                                       "1.5e+7",
                                       "\"\"",
                                       "\"\\u0000\"",
                                       "[[],[]]",
                                       "{\"a\":{}}",
                                       "\"a\\\"b\\\\\"",
                                       "18446744073709551616",
                                       "\t\r\n 1 ",
                                       "{\"a\":1,\"a\":2}",
                                       "\"\x7F\xFF\xC0\""};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!is_json(good[i])) fail_msg("%s", good[i]);
    }
}

static void test_json_scan_refuses_what_is_no_json(void **state)
{
    static const char *const bad[] = {"",
                                      " ",
                                      "01",
                                      "1.",
                                      ".5",
                                      "1e",
                                      "1e+",
                                      "+1",
                                      "-",
                                      "- 1",
                                      "tru",
                                      "True",
                                      "nul",
                                      "nulll",
                                      "\"",
                                      "\"a",
                                      "\"\\\"",
                                      "\"\\x\"",
                                      "\"\\u12\"",
                                      "\"\\u12g4\"",
                                      "\"\n\"",
                                      "\"\x1F\"",
                                      "\"\\",
                                      "[",
                                      "[1",
                                      "[1,",
                                      "[1,]",
                                      "[,1]",
                                      "[1 2]",
                                      "]",
                                      "{",
                                      "{\"a\"",
                                      "{\"a\":",
                                      "{\"a\":1",
                                      "{\"a\":1,",
                                      "{\"a\":1,}",
                                      "{,}",
                                      "{1:2}",
                                      "{\"a\" 1}",
                                      "{\"a\":}",
                                      "{\"a\":1]",
                                      "[1}",
                                      "1 2",
                                      "{}{}",
                                      "[]x",
                                      "\xEF\xBB\xBF{}",
                                      "<html>",
                                      "NaN",
                                      "{\"a\":1,\"b\"}",
                                      "[1,,2]",
                                      "{\"a\"::1}",
                                      "}",
                                      ":",
                                      ",",
                                      "data",
                                      "\"a\tb\"",
                                      "[\"12345678\n\"]"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (is_json(bad[i])) fail_msg("%s", bad[i]);
    }
}

/* A text cut anywhere is never taken for a whole one. */
static void test_json_scan_refuses_every_beginning_of_an_object(void **state)
{
    static const char text[] = "{\"a\":[1,{\"b\":\"\\u00e9x\"}],\"c\":true}";
    char part[64];
    size_t n;

    (void)state;
    for (n = 0; n < sizeof(text) - 1; n++) {
        memcpy(part, text, n);
        part[n] = '\0';
        if (is_json(part)) fail_msg("%s", part);
    }
    assert_true(is_json(text));
}

static int nested(int depth)
{
    char *text = malloc((size_t)depth * 2);
    int ok;

    memset(text, '[', (size_t)depth);
    memset(text + depth, ']', (size_t)depth);
    {
        bl_json_scan_t s;
        bl_json_value_t v;

        bl_json_scan_init(&s, text, (size_t)depth * 2);
        ok = bl_json_scan_value(&s, &v) == BL_JSON_ARRAY &&
             bl_json_scan_next(&s) == BL_JSON_END;
    }
    free(text);
    return ok;
}

/* U24: depth 10,000. One below, at and above the ceiling. */
static void test_json_scan_U24_depth_has_a_ceiling(void **state)
{
    (void)state;
    assert_true(nested(BL_JSON_SCAN_DEPTH - 1));
    assert_true(nested(BL_JSON_SCAN_DEPTH));
    assert_false(nested(BL_JSON_SCAN_DEPTH + 1));
    assert_false(nested(10000));
}

static void test_json_scan_value_spans_the_whole_value(void **state)
{
    static const char text[] = "{\"a\": {\"b\":[1,\"]\"]} ,\"c\":-1.5e3}";
    bl_json_value_t v;
    bl_json_scan_t s;

    (void)state;
    bl_json_scan_init(&s, text, sizeof(text) - 1);
    assert_int_equal(bl_json_scan_next(&s), BL_JSON_OBJECT);
    assert_int_equal(bl_json_scan_next(&s), BL_JSON_KEY);
    assert_true(bl_json_is(&s.token, "a"));
    assert_false(bl_json_is(&s.token, "ab"));
    assert_int_equal(bl_json_scan_value(&s, &v), BL_JSON_OBJECT);
    assert_int_equal(v.len, 13);
    assert_memory_equal(v.at, "{\"b\":[1,\"]\"]}", 13);
    assert_int_equal(bl_json_scan_next(&s), BL_JSON_KEY);
    assert_int_equal(bl_json_scan_value(&s, &v), BL_JSON_NUMBER);
    assert_memory_equal(v.at, "-1.5e3", v.len);
    assert_int_equal(bl_json_scan_next(&s), BL_JSON_CLOSE);
    assert_int_equal(bl_json_scan_next(&s), BL_JSON_END);
}

static bl_json_value_t string(const char *text)
{
    bl_json_value_t v;
    bl_json_scan_t s;

    bl_json_scan_init(&s, text, strlen(text));
    assert_int_equal(bl_json_scan_value(&s, &v), BL_JSON_STRING);
    return v;
}

static const char *unescape(bl_buf_t *b, const char *text, unsigned *pbad)
{
    bl_json_value_t v = string(text);
    const char *raw = v.at;
    size_t len = v.len;

    bl_buf_clear(b);
    *pbad = 0;
    assert_int_equal(bl_json_unescape(b, &raw, &len, 1000, pbad), 0);
    assert_int_equal(len, 0);
    assert_true(bl_utf8_is_valid(b->data, b->len));
    return bl_buf_str(b);
}

static void test_json_scan_unescapes_every_escape(void **state)
{
    unsigned bad;
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 1000);
    assert_string_equal(unescape(&b, "\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", &bad),
                        "\"\\/\b\f\n\r\t");
    assert_string_equal(unescape(&b, "\"\\u0041\\u00e9\\u4F60\"", &bad),
                        "A\xC3\xA9\xE4\xBD\xA0");
    assert_string_equal(unescape(&b, "\"\\ud83c\\udf75!\"", &bad),
                        "\xF0\x9F\x8D\xB5!");
    assert_int_equal(bad, 0);
    bl_buf_release(&b);
}

/* U19, U24: lone surrogates, NUL and bad bytes become U+FFFD. */
static void test_json_scan_U19_bad_characters_become_marks(void **state)
{
    unsigned bad;
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 1000);
    assert_string_equal(unescape(&b, "\"\\ud83c\"", &bad), FFFD);
    assert_string_equal(unescape(&b, "\"\\udf75x\"", &bad), FFFD "x");
    assert_string_equal(unescape(&b, "\"\\ud83c\\u0041\"", &bad), FFFD "A");
    assert_string_equal(unescape(&b, "\"\\ud83c\\ud83c\\udf75\"", &bad),
                        FFFD "\xF0\x9F\x8D\xB5");
    assert_string_equal(unescape(&b, "\"\\ud83c\\n\"", &bad), FFFD "\n");
    assert_int_equal(bad, 1);
    assert_string_equal(unescape(&b, "\"a\\u0000b\"", &bad), "a" FFFD "b");
    assert_string_equal(unescape(&b, "\"a\xFF\\n\xE6\xB0\"", &bad),
                        "a" FFFD "\n" FFFD FFFD);
    assert_int_equal(bad, 3);
    bl_buf_release(&b);
}

/* A long string comes in parts of whole characters. */
static void test_json_scan_U22_unescapes_in_parts(void **state)
{
    bl_json_value_t v = string("\"ab\xE6\xB0\xB4\\n\\ud83c\\udf75\\u00e9zz\"");
    bl_buf_t whole, parts, one;
    size_t most;

    (void)state;
    bl_buf_init(&whole, 1000);
    bl_buf_init(&parts, 1000);
    bl_buf_init(&one, 1000);
    for (most = 4; most < 30; most++) {
        const char *raw = v.at;
        size_t len = v.len;
        unsigned bad = 0;

        bl_buf_clear(&parts);
        while (len) {
            bl_buf_clear(&one);
            assert_int_equal(bl_json_unescape(&one, &raw, &len, most, &bad), 0);
            assert_true(one.len > 0 && one.len <= most);
            assert_true(bl_utf8_is_valid(one.data, one.len));
            bl_buf_append(&parts, one.data, one.len);
        }
        assert_buf(&parts, "ab\xE6\xB0\xB4\n\xF0\x9F\x8D\xB5\xC3\xA9zz");
    }
    bl_buf_release(&whole);
    bl_buf_release(&parts);
    bl_buf_release(&one);
}

static void test_json_scan_copies_a_text_cut_at_a_character(void **state)
{
    bl_json_value_t v = string("\"a\\u4f60\xE6\xB0\xB4\"");
    char text[16];

    (void)state;
    assert_int_equal(bl_json_copy_text(text, sizeof(text), &v), 7);
    assert_string_equal(text, "a\xE4\xBD\xA0\xE6\xB0\xB4");
    assert_int_equal(bl_json_copy_text(text, 7, &v), 4);
    assert_int_equal(bl_json_copy_text(text, 1, &v), 0);
    v.kind = BL_JSON_NUMBER;
    assert_int_equal(bl_json_copy_text(text, sizeof(text), &v), 0);
    assert_string_equal(text, "");
}

static void test_json_scan_finds_a_key_that_is_spelled_in_escapes(void **state)
{
    bl_json_value_t v = string("\"\\u0074ext\"");

    (void)state;
    assert_true(bl_json_is(&v, "text"));
    assert_false(bl_json_is(&v, "test"));
}

static apr_int64_t count(const char *text)
{
    bl_json_value_t v;
    bl_json_scan_t s;

    bl_json_scan_init(&s, text, strlen(text));
    bl_json_scan_value(&s, &v);
    return bl_json_count(&v, APR_INT64_C(1000000000000));
}

/* S-60: counts from upstream. */
static void test_json_scan_S60_refuses_counts_that_are_none(void **state)
{
    (void)state;
    assert_int_equal(count("0"), 0);
    assert_int_equal(count("2147483648"), APR_INT64_C(2147483648));
    assert_int_equal(count("1000000000000"), APR_INT64_C(1000000000000));
    assert_int_equal(count("1000000000001"), -1);
    assert_int_equal(count("9223372036854775808"), -1);
    assert_int_equal(count("99999999999999999999999999"), -1);
    assert_int_equal(count("-1"), -1);
    assert_int_equal(count("-0"), -1);
    assert_int_equal(count("1.0"), -1);
    assert_int_equal(count("1e300"), -1);
    assert_int_equal(count("\"1\""), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_scan_gives_the_tokens_in_order),
        cmocka_unit_test(test_json_scan_takes_every_form_of_value),
        cmocka_unit_test(test_json_scan_refuses_what_is_no_json),
        cmocka_unit_test(test_json_scan_refuses_every_beginning_of_an_object),
        cmocka_unit_test(test_json_scan_U24_depth_has_a_ceiling),
        cmocka_unit_test(test_json_scan_value_spans_the_whole_value),
        cmocka_unit_test(test_json_scan_unescapes_every_escape),
        cmocka_unit_test(test_json_scan_U19_bad_characters_become_marks),
        cmocka_unit_test(test_json_scan_U22_unescapes_in_parts),
        cmocka_unit_test(test_json_scan_copies_a_text_cut_at_a_character),
        cmocka_unit_test(test_json_scan_finds_a_key_that_is_spelled_in_escapes),
        cmocka_unit_test(test_json_scan_S60_refuses_counts_that_are_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
