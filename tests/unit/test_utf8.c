/* SPDX-License-Identifier: Apache-2.0 */
#include "codec.h"

#include "base/utf8.h"

#define FFFD "\xEF\xBF\xBD"

/* RFC 3629 spelled out: the oracle for the fast one. */
static int slow_is_valid(const unsigned char *s, size_t len)
{
    size_t i = 0, n, k;

    while (i < len) {
        apr_uint32_t code, least;

        if (s[i] < 0x80)
            n = 1, code = s[i], least = 0;
        else if ((s[i] & 0xE0) == 0xC0)
            n = 2, code = s[i] & 0x1F, least = 0x80;
        else if ((s[i] & 0xF0) == 0xE0)
            n = 3, code = s[i] & 0x0F, least = 0x800;
        else if ((s[i] & 0xF8) == 0xF0)
            n = 4, code = s[i] & 7, least = 0x10000;
        else
            return 0;
        if (i + n > len) return 0;
        for (k = 1; k < n; k++) {
            if ((s[i + k] & 0xC0) != 0x80) return 0;
            code = code << 6 | (s[i + k] & 0x3Fu);
        }
        if (code < least || code > 0x10FFFF) return 0;
        if (code >= 0xD800 && code <= 0xDFFF) return 0;
        i += n;
    }
    return 1;
}

/* Every sequence of up to three bytes, and of four with each possible first
 * and second one, is judged as RFC 3629 says. */
static void test_utf8_agrees_with_the_rfc_on_all_short_sequences(void **state)
{
    unsigned char s[16];
    unsigned a, b, c;

    (void)state;
    for (a = 0; a < 256; a++) {
        for (b = 0; b < 256; b++) {
            for (c = 0; c < 256; c++) {
                s[0] = (unsigned char)a;
                s[1] = (unsigned char)b;
                s[2] = (unsigned char)c;
                s[3] = 0xBF;
                if (bl_utf8_is_valid((char *)s, 3) != slow_is_valid(s, 3) ||
                    bl_utf8_is_valid((char *)s, 4) != slow_is_valid(s, 4))
                {
                    fail_msg("%02x %02x %02x", a, b, c);
                }
            }
        }
    }
}

/* The fast way through ASCII and CJK sees a bad byte wherever it stands. */
static void test_utf8_finds_a_bad_byte_at_every_place(void **state)
{
    char text[64];
    size_t i, len, at;

    (void)state;
    for (len = 1; len < sizeof(text); len++) {
        for (at = 0; at < len; at++) {
            memset(text, 'x', sizeof(text));
            text[at] = '\xFF';
            assert_int_equal(bl_utf8_valid_len(text, len), at);
            for (i = 0; i + 3 <= len; i += 3)
                memcpy(text + i, "\xE4\xBD\xA0", 3);
            text[at] = '\xFF';
            assert_int_equal(bl_utf8_valid_len(text, len),
                             at < len / 3 * 3 ? at / 3 * 3 : at);
        }
    }
}

static const char *clean(bl_buf_t *b, const char *text, size_t len,
                         unsigned *pbad)
{
    size_t taken;

    bl_buf_clear(b);
    *pbad = 0;
    assert_int_equal(bl_utf8_copy(b, text, len, 1000, &taken, pbad), 0);
    assert_int_equal(taken, len);
    assert_true(bl_utf8_is_valid(b->data, b->len));
    return bl_buf_str(b);
}

/* U19: lone continuation, overlong, surrogate, above U+10FFFF, cut at the end:
 * one U+FFFD for each bad byte, the text goes on. */
static void test_utf8_U19_replaces_each_bad_byte_by_one_mark(void **state)
{
    unsigned bad;
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 1000);
    assert_string_equal(clean(&b, "a\x80z", 3, &bad), "a" FFFD "z");
    assert_int_equal(bad, 1);
    assert_string_equal(clean(&b, "\xC0\x80", 2, &bad), FFFD FFFD);
    assert_int_equal(bad, 2);
    assert_string_equal(clean(&b, "\xED\xA0\x80!", 4, &bad),
                        FFFD FFFD FFFD "!");
    assert_string_equal(clean(&b, "\xF4\x90\x80\x80", 4, &bad),
                        FFFD FFFD FFFD FFFD);
    assert_string_equal(clean(&b, "\xE6\xB0\xB4\xE6\xB0", 5, &bad),
                        "\xE6\xB0\xB4" FFFD FFFD);
    assert_int_equal(bad, 2);
    assert_string_equal(clean(&b, "\xF0\x9F\x8D\xB5", 4, &bad),
                        "\xF0\x9F\x8D\xB5");
    assert_int_equal(bad, 0);
    bl_buf_release(&b);
}

/* A text taken in small parts is the same text, and no part holds a piece of a
 * character. */
static void test_utf8_copy_in_parts_never_cuts_a_character(void **state)
{
    static const char text[] = "a\xE6\xB0\xB4\xF0\x9F\x8D\xB5\xFF\xC3\xA9z";
    bl_buf_t whole, parts, one;
    size_t most, taken;
    unsigned bad = 0;

    (void)state;
    bl_buf_init(&whole, 1000);
    bl_buf_init(&parts, 1000);
    bl_buf_init(&one, 1000);
    bl_utf8_copy(&whole, text, sizeof(text) - 1, 1000, &taken, &bad);
    for (most = 4; most < 20; most++) {
        const char *p = text, *end = text + sizeof(text) - 1;

        bl_buf_clear(&parts);
        while (p < end) {
            bl_buf_clear(&one);
            bl_utf8_copy(&one, p, (size_t)(end - p), most, &taken, &bad);
            assert_true(taken > 0 && one.len <= most);
            assert_true(bl_utf8_is_valid(one.data, one.len));
            bl_buf_append(&parts, one.data, one.len);
            p += taken;
        }
        assert_int_equal(parts.len, whole.len);
        assert_memory_equal(parts.data, whole.data, whole.len);
    }
    bl_buf_release(&whole);
    bl_buf_release(&parts);
    bl_buf_release(&one);
}

static void test_utf8_cut_stops_before_the_character_it_would_cut(void **state)
{
    static const char text[] = "a\xE6\xB0\xB4z";

    (void)state;
    assert_int_equal(bl_utf8_cut(text, 5, 5), 5);
    assert_int_equal(bl_utf8_cut(text, 5, 4), 4);
    assert_int_equal(bl_utf8_cut(text, 5, 3), 1);
    assert_int_equal(bl_utf8_cut(text, 5, 2), 1);
    assert_int_equal(bl_utf8_cut(text, 5, 1), 1);
}

/* Every code point comes back from its own bytes. */
static void test_utf8_encode_and_decode_are_inverse(void **state)
{
    apr_uint32_t code;
    size_t n, len;
    char text[4];

    (void)state;
    for (code = 0; code <= 0x10FFFF; code++) {
        if (code >= 0xD800 && code <= 0xDFFF) continue;
        n = bl_utf8_encode(text, code);
        if (bl_utf8_char_len(text, n) != n ||
            bl_utf8_decode(text, &len) != code || len != n)
        {
            fail_msg("U+%04X", code);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_utf8_agrees_with_the_rfc_on_all_short_sequences),
        cmocka_unit_test(test_utf8_finds_a_bad_byte_at_every_place),
        cmocka_unit_test(test_utf8_U19_replaces_each_bad_byte_by_one_mark),
        cmocka_unit_test(test_utf8_copy_in_parts_never_cuts_a_character),
        cmocka_unit_test(test_utf8_cut_stops_before_the_character_it_would_cut),
        cmocka_unit_test(test_utf8_encode_and_decode_are_inverse),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
