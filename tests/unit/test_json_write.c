/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include <jansson.h>

#include "base/utf8.h"
#include "wire/json_write.h"

static const char *escape(bl_buf_t *b, const char *text, int ascii_only)
{
    bl_buf_clear(b);
    bl_json_escape(b, text, strlen(text), ascii_only);
    return bl_buf_str(b);
}

static void test_json_write_escapes_what_json_demands_and_no_more(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 1000);
    assert_string_equal(escape(&b, "\"\\/\b\f\n\r\t\x01\x0B\x1F\x7F", 0),
                        "\\\"\\\\/\\b\\f\\n\\r\\t\\u0001\\u000b\\u001f\x7F");
    assert_string_equal(escape(&b, "\xE4\xBD\xA0<&>\xE2\x80\xA8", 0),
                        "\xE4\xBD\xA0<&>\xE2\x80\xA8");
    bl_buf_release(&b);
}

static void test_json_write_ascii_only_uses_surrogate_pairs(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 1000);
    assert_string_equal(
        escape(&b, "a\xC3\xA9\xE4\xBD\xA0\xF0\x9F\x8D\xB5\xFF\n", 1),
        "a\\u00e9\\u4f60\\ud83c\\udf75\\ufffd\\n");
    bl_buf_release(&b);
}

/* A parser of somebody else gives the text back, at every length around the
 * word and chunk sizes of the fast way, a special byte at every place. */
static void test_json_write_round_trip_through_another_parser(void **state)
{
    static const char specials[] = "\"\\\n\x01/";
    char text[300];
    size_t len, at, k;
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 4000);
    for (len = 1; len < 300; len += len < 20 ? 1 : 59) {
        for (at = 0; at < len; at++) {
            for (k = 0; k < sizeof(specials) - 1; k++) {
                json_t *v;

                memset(text, 'a' + (int)(at % 26), len);
                text[at] = specials[k];
                bl_buf_clear(&b);
                bl_buf_puts(&b, "\"");
                bl_json_escape(&b, text, len, (int)(at & 1));
                bl_buf_puts(&b, "\"");
                v = json_loadb(b.data, b.len, JSON_DECODE_ANY, NULL);
                assert_non_null(v);
                assert_int_equal(json_string_length(v), len);
                assert_memory_equal(json_string_value(v), text, len);
                json_decref(v);
            }
        }
    }
    bl_buf_release(&b);
}

/* Long text of four-byte characters: no chunk of the writer cuts one. */
static void test_json_write_made_ascii_keeps_what_was_before(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 1024);
    bl_buf_puts(&b, "é{\"茶\":\"a🍵\\n\"}");
    assert_int_equal(bl_json_to_ascii(&b, 2), APR_SUCCESS);
    assert_string_equal(bl_buf_str(&b),
                        "é{\"\\u8336\":\"a\\ud83c\\udf75\\n\"}");
    assert_int_equal(bl_json_to_ascii(&b, b.len), APR_SUCCESS);
    bl_buf_release(&b);
}

static void test_json_write_ascii_only_long_text_stays_whole(void **state)
{
    bl_buf_t text, b;
    size_t i;
    json_t *v;

    (void)state;
    bl_buf_init(&text, 10000);
    bl_buf_init(&b, 100000);
    bl_buf_puts(&text, "x");
    for (i = 0; i < 1000; i++)
        bl_buf_puts(&text, "\xF0\x9F\x8D\xB5");
    bl_buf_puts(&b, "\"");
    bl_json_escape(&b, text.data, text.len, 1);
    bl_buf_puts(&b, "\"");
    assert_int_equal(b.len, 2 + 1 + 12 * 1000);
    v = json_loadb(b.data, b.len, JSON_DECODE_ANY, NULL);
    assert_non_null(v);
    assert_memory_equal(json_string_value(v), text.data, text.len);
    json_decref(v);
    bl_buf_release(&text);
    bl_buf_release(&b);
}

static void test_json_write_says_when_the_buffer_is_full(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 64);
    assert_int_equal(
        bl_json_escape(&b, "0123456789012345678901234567890123456", 37, 0),
        APR_ENOSPC);
    assert_int_equal(bl_buf_status(&b), APR_ENOSPC);
    bl_buf_release(&b);
}

static void test_json_write_puts_quotes_around_a_word(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 1000);
    bl_json_puts(&b, "a\"b");
    assert_buf(&b, "\"a\\\"b\"");
    bl_buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_json_write_escapes_what_json_demands_and_no_more),
        cmocka_unit_test(test_json_write_ascii_only_uses_surrogate_pairs),
        cmocka_unit_test(test_json_write_round_trip_through_another_parser),
        cmocka_unit_test(test_json_write_made_ascii_keeps_what_was_before),
        cmocka_unit_test(test_json_write_ascii_only_long_text_stays_whole),
        cmocka_unit_test(test_json_write_says_when_the_buffer_is_full),
        cmocka_unit_test(test_json_write_puts_quotes_around_a_word),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
