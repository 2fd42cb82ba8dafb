/* SPDX-License-Identifier: Apache-2.0 */
/* Rows for spreadsheets. */
#include "core.h"

#include "wire/csv.h"

static bl_buf_t out;
static bl_csv_t csv;

static const char *row_of(const char *a, const char *b)
{
    bl_buf_init(&out, 65536);
    bl_csv_begin(&csv, &out, "a,b");
    bl_csv_text(&csv, a);
    bl_csv_text(&csv, b);
    bl_csv_end_row(&csv);
    assert_memory_equal(bl_buf_str(&out),
                        "\xef\xbb\xbf"
                        "a,b\r\n",
                        8);
    return bl_buf_str(&out) + 8;
}

#define assert_row(a, b, row)                                                  \
    do {                                                                       \
        assert_string_equal(row_of(a, b), row);                                \
        bl_buf_release(&out);                                                  \
    } while (0)

static void test_csv_plain_cells(void **state)
{
    (void)state;
    assert_row("user:li", "你好", "user:li,你好\r\n");
    assert_row("", NULL, ",\r\n");
}

static void test_csv_quotes_what_would_end_a_cell(void **state)
{
    (void)state;
    assert_row("a,b", "c\"d", "\"a,b\",\"c\"\"d\"\r\n");
    assert_row("a\nb", "\"\"", "\"a\nb\",\"\"\"\"\"\"\r\n");
    assert_row("a;b", "c\td", "\"a;b\",\"c\td\"\r\n");
}

/* S-29 */
static void test_csv_s29_formulas_are_text(void **state)
{
    static const char *const bad[] = {"=1",
                                      "+1",
                                      "-1",
                                      "@a",
                                      " =1",
                                      "  -1",
                                      "\xef\xbc\x9d"
                                      "1",
                                      "\xef\xbc\xa0"
                                      "x"};
    char want[64];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snprintf(want, sizeof(want), "'%s,x\r\n", bad[i]);
        assert_row(bad[i], "x", want);
    }
    assert_row("\t=1", "\r=1", "\"'\t=1\",\"'\r=1\"\r\n");
    assert_row("\n=1", "=\"a\",b", "\"'\n=1\",\"'=\"\"a\"\",b\"\r\n");
    assert_row("a=1", "1-2", "a=1,1-2\r\n");
}

static void test_csv_numbers_stay_numbers(void **state)
{
    (void)state;
    bl_buf_init(&out, 65536);
    bl_csv_begin(&csv, &out, "n,m");
    bl_csv_int(&csv, -5);
    bl_csv_int(&csv, APR_INT64_MAX);
    bl_csv_end_row(&csv);
    bl_csv_int(&csv, 1);
    bl_csv_end_row(&csv);
    assert_string_equal(bl_buf_str(&out) + 3,
                        "n,m\r\n-5,9223372036854775807\r\n1\r\n");
    bl_buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv_plain_cells),
        cmocka_unit_test(test_csv_quotes_what_would_end_a_cell),
        cmocka_unit_test(test_csv_s29_formulas_are_text),
        cmocka_unit_test(test_csv_numbers_stay_numbers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
