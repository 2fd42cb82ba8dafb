/* SPDX-License-Identifier: Apache-2.0 */
/* Wall times as text, and back. */
#include "core.h"

#include "base/time_text.h"

static void test_time_text_there_and_back(void **state)
{
    static const struct {
        apr_time_t at;
        const char *text;
    } known[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {1, "1970-01-01T00:00:00.000Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {1763637753444000, "2025-11-20T11:22:33.444Z"},
        {1709164800000000, "2024-02-29T00:00:00.000Z"},
        {253402300799999000, "9999-12-31T23:59:59.999Z"},
    };
    char text[BL_TIME_TEXT];
    apr_time_t at;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(known) / sizeof(known[0]); i++) {
        assert_string_equal(bl_time_text(text, known[i].at), known[i].text);
        assert_true(bl_time_parse(known[i].text, &at));
        assert_true(known[i].at - at >= 0 && known[i].at - at < 1000);
    }
    assert_string_equal(bl_time_text(text, APR_INT64_MAX), "");
    assert_string_equal(bl_time_text(text, -APR_INT64_MAX), "");
}

static void test_time_parse_takes_what_people_write(void **state)
{
    apr_time_t at;

    (void)state;
    assert_true(bl_time_parse("2024-02-29T01:02:03Z", &at));
    assert_int_equal(at, 1709168523000000);
    assert_true(bl_time_parse("2024-02-29T01:02:03.5Z", &at));
    assert_int_equal(at, 1709168523500000);
    assert_true(bl_time_parse("2024-02-29T01:02:03.123456789Z", &at));
    assert_int_equal(at, 1709168523123456);
    assert_true(bl_time_parse("1709168523500", &at));
    assert_int_equal(at, 1709168523500000);
    assert_true(bl_time_parse("0", &at));
    assert_int_equal(at, 0);
}

static void test_time_parse_refuses_the_rest(void **state)
{
    static const char *const bad[] = {"",
                                      "x",
                                      "-1",
                                      "1e3",
                                      "1.5",
                                      " 1",
                                      "1 ",
                                      "2024-02-29",
                                      "2023-02-29T00:00:00Z",
                                      "2024-13-01T00:00:00Z",
                                      "2024-00-01T00:00:00Z",
                                      "2024-01-32T00:00:00Z",
                                      "2024-01-00T00:00:00Z",
                                      "2024-01-01T24:00:00Z",
                                      "2024-01-01T00:60:00Z",
                                      "2024-01-01T00:00:60Z",
                                      "2024-01-01T00:00:00",
                                      "2024-01-01T00:00:00.Z",
                                      "2024-01-01T00:00:00.1234567890Z",
                                      "2024-01-01T00:00:00+08:00",
                                      "2024-01-01T00:00:00Zx",
                                      "2024-01-01 00:00:00Z",
                                      "0000-01-01T00:00:00Z",
                                      "24-01-01T00:00:00Z",
                                      "253402300800000",
                                      "99999999999999999999999999"};
    apr_time_t at;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (bl_time_parse(bad[i], &at)) fail_msg("took \"%s\"", bad[i]);
    }
}

static void test_day_text_there_and_back(void **state)
{
    char text[BL_DAY_TEXT];
    apr_int64_t day;

    (void)state;
    assert_string_equal(bl_day_text(text, 0), "1970-01-01");
    assert_string_equal(bl_day_text(text, -1), "1969-12-31");
    assert_string_equal(bl_day_text(text, 20777), "2026-11-20");
    assert_true(bl_day_parse("2026-11-20", &day));
    assert_int_equal(day, 20777);
    assert_true(bl_day_parse("1969-12-31", &day));
    assert_int_equal(day, -1);
    assert_false(bl_day_parse("2026-11-31", &day));
    assert_false(bl_day_parse("2026-11-20T", &day));
    assert_false(bl_day_parse("2026-1-2", &day));
    assert_false(bl_day_parse("", &day));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_time_text_there_and_back),
        cmocka_unit_test(test_time_parse_takes_what_people_write),
        cmocka_unit_test(test_time_parse_refuses_the_rest),
        cmocka_unit_test(test_day_text_there_and_back),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
