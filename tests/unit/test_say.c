/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/say.h"
#include "base/utf8.h"

/* Which of {1} to {3} a text holds, as bits. */
static unsigned places(const char *text)
{
    unsigned found = 0;
    int i;

    for (; *text; text++) {
        for (i = 1; i <= BL_SAY_VALUES; i++) {
            if (text[0] == '{' && text[1] == '0' + i && text[2] == '}') {
                found |= 1u << i;
            }
        }
    }
    return found;
}

static int is_chinese(const char *text)
{
    for (; *text; text++) {
        if ((unsigned char)*text > 0x7f) return 1;
    }
    return 0;
}

/* English in which the name of a field is missing: for who forgets the F. */
static int goes_on(const char *en)
{
    static const char *const verbs[] = {"must ", "is ", "cannot ", "would "};
    size_t i;

    for (i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
        if (!strncmp(en, verbs[i], strlen(verbs[i]))) return 1;
    }
    return 0;
}

static void test_say_every_line_is_there_in_both_languages(void **state)
{
    int i, k;

    (void)state;
    assert_true(bl_sentence_count() > 80);
    for (i = 0; i < bl_sentence_count(); i++) {
        const bl_sentence_t *s = bl_sentence_at(i);

        if (!is_chinese(s->zh) || is_chinese(s->en)) fail_msg("%s", s->code);
        assert_true(bl_utf8_is_valid(s->zh, strlen(s->zh)));
        if (places(s->en) != places(s->zh)) fail_msg("places: %s", s->code);
        if (goes_on(s->en) != s->is_of_field) fail_msg("X or F: %s", s->code);
        assert_string_equal(bl_say_code(s->en), s->code);
        for (k = 0; k < i; k++) {
            assert_string_not_equal(bl_sentence_at(k)->code, s->code);
        }
    }
}

static void test_say_of_a_field_names_it_and_its_values(void **state)
{
    bl_complaint_t why = BL_NO_COMPLAINT;
    bl_say_number_t low, high;
    char text[BL_SAY_TEXT];

    (void)state;
    assert_int_equal(
        bl_complain(&why, "weight",
                    BL_SAY("must be a whole number from {1} to {2}"),
                    bl_say_number(low, 1), bl_say_number(high, 1000)),
        BL_E_BAD_VALUE);
    bl_complaint_text(&why, 0, text);
    assert_string_equal(text, "weight must be a whole number from 1 to 1000");
    bl_complaint_text(&why, 1, text);
    assert_string_equal(text, "weight 必须是 1 至 1000 之间的整数");
    assert_string_equal(bl_say_code(why.said.en), "number");
}

static void test_say_of_no_field_stands_alone(void **state)
{
    bl_complaint_t why = BL_NO_COMPLAINT;
    char text[BL_SAY_TEXT];

    (void)state;
    bl_complain(&why, "upstream",
                BL_SAY("There is no upstream \"{1}\": add it first."), "east");
    bl_complaint_text(&why, 0, text);
    assert_string_equal(text, "There is no upstream \"east\": add it first.");
}

static void test_say_nothing_and_what_is_not_known(void **state)
{
    bl_complaint_t why = BL_NO_COMPLAINT;
    char text[BL_SAY_TEXT] = "x";

    (void)state;
    bl_complaint_text(&why, 1, text);
    assert_string_equal(text, "");
    assert_null(bl_say_code(NULL));
    bl_say(&why.said, "at byte 12");
    bl_complaint_text(&why, 1, text);
    assert_string_equal(text, "at byte 12");
    assert_null(bl_say_code(why.said.en));
}

/* A value is the admin's own text: it is cut, and never a place itself. */
static void test_say_values_of_any_length_fit(void **state)
{
    bl_said_t said;
    char text[BL_SAY_TEXT], name[2000];

    (void)state;
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    bl_say(&said, BL_SAY("There is no upstream \"{1}\": add it first."), name);
    bl_said_text(&said, 0, NULL, text);
    assert_int_equal(strlen(said.values[0]), BL_SAY_BYTES - 1);
    assert_non_null(strstr(text, "n\": add it first."));
    bl_say(&said, BL_SAY("There is no upstream \"{1}\": add it first."), "{1}");
    bl_said_text(&said, 0, NULL, text);
    assert_string_equal(text, "There is no upstream \"{1}\": add it first.");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_say_every_line_is_there_in_both_languages),
        cmocka_unit_test(test_say_of_a_field_names_it_and_its_values),
        cmocka_unit_test(test_say_of_no_field_stands_alone),
        cmocka_unit_test(test_say_nothing_and_what_is_not_known),
        cmocka_unit_test(test_say_values_of_any_length_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
