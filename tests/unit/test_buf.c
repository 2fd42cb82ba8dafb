/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/buf.h"

/* The limit is exact: the byte that fills it goes in, the next one does not. */
static void test_buf_takes_its_limit_and_not_a_byte_more(void **state)
{
    char bytes[1000];
    bl_buf_t b;

    (void)state;
    memset(bytes, 'x', sizeof(bytes));
    bl_buf_init(&b, sizeof(bytes));
    assert_int_equal(bl_buf_append(&b, bytes, sizeof(bytes) - 1), APR_SUCCESS);
    assert_int_equal(bl_buf_append(&b, "y", 1), APR_SUCCESS);
    assert_int_equal(bl_buf_append(&b, "z", 1), APR_ENOSPC);
    assert_int_equal(b.len, sizeof(bytes));
    assert_true(b.size <= sizeof(bytes));
    assert_int_equal(b.data[b.len - 1], 'y');
    bl_buf_release(&b);
}

/* A writer may check once at the end: after a failure nothing is appended. */
static void test_buf_failed_stays_failed_until_it_is_cleared(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 4);
    assert_int_equal(bl_buf_puts(&b, "abc"), APR_SUCCESS);
    assert_int_equal(bl_buf_puts(&b, "de"), APR_ENOSPC);
    assert_int_equal(bl_buf_puts(&b, "d"), APR_ENOSPC);
    assert_int_equal(bl_buf_status(&b), APR_ENOSPC);
    assert_null(bl_buf_room(&b, 1));
    assert_null(bl_buf_str(&b));
    assert_int_equal(b.len, 3);
    bl_buf_clear(&b);
    assert_int_equal(bl_buf_status(&b), APR_SUCCESS);
    assert_int_equal(bl_buf_puts(&b, "de"), APR_SUCCESS);
    assert_int_equal(b.len, 2);
    bl_buf_release(&b);
}

static void test_buf_size_that_would_wrap_is_refused(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 100);
    assert_int_equal(bl_buf_puts(&b, "abc"), APR_SUCCESS);
    assert_null(bl_buf_room(&b, (size_t)-1));
    assert_int_equal(bl_buf_status(&b), APR_ENOSPC);
    assert_int_equal(b.len, 3);
    bl_buf_release(&b);
}

static void test_buf_number_is_written_in_decimal(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 100);
    bl_buf_putu(&b, 0);
    bl_buf_puts(&b, " ");
    bl_buf_putu(&b, 10);
    bl_buf_puts(&b, " ");
    bl_buf_putu(&b, UINT64_MAX);
    assert_string_equal(bl_buf_str(&b), "0 10 18446744073709551615");
    bl_buf_release(&b);
}

static void test_buf_printf_grows_with_what_it_writes(void **state)
{
    bl_buf_t b;
    int i;

    (void)state;
    bl_buf_init(&b, 100000);
    for (i = 0; i < 5000; i++)
        bl_buf_printf(&b, "%04d", i);
    assert_int_equal(bl_buf_status(&b), APR_SUCCESS);
    assert_int_equal(b.len, 20000);
    assert_memory_equal(b.data, "000000010002", 12);
    assert_memory_equal(b.data + 19996, "4999", 4);
    assert_int_equal(bl_buf_printf(&b, "%*d", 90000, 1), APR_ENOSPC);
    assert_int_equal(b.len, 20000);
    bl_buf_release(&b);
}

static void test_buf_consume_keeps_the_rest(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 100);
    bl_buf_puts(&b, "abcdef");
    bl_buf_consume(&b, 2);
    assert_string_equal(bl_buf_str(&b), "cdef");
    bl_buf_consume(&b, 0);
    assert_string_equal(bl_buf_str(&b), "cdef");
    bl_buf_consume(&b, 4);
    assert_string_equal(bl_buf_str(&b), "");
    assert_int_equal(b.len, 0);
    bl_buf_release(&b);
}

/* Its NUL is no part of the bytes: what is appended later takes its place. */
static void test_buf_str_ends_with_nul_and_adds_nothing(void **state)
{
    bl_buf_t b;

    (void)state;
    bl_buf_init(&b, 100);
    assert_string_equal(bl_buf_str(&b), "");
    bl_buf_puts(&b, "ab");
    assert_string_equal(bl_buf_str(&b), "ab");
    assert_int_equal(b.len, 2);
    bl_buf_puts(&b, "c");
    assert_string_equal(bl_buf_str(&b), "abc");
    bl_buf_release(&b);
}

static void test_buf_room_is_taken_in_by_added(void **state)
{
    bl_buf_t b;
    char *room;

    (void)state;
    bl_buf_init(&b, 1000);
    room = bl_buf_room(&b, 600);
    assert_non_null(room);
    memset(room, 'r', 600);
    bl_buf_added(&b, 3);
    assert_string_equal(bl_buf_str(&b), "rrr");
    bl_buf_release(&b);
    assert_int_equal(b.len, 0);
    assert_null(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_buf_takes_its_limit_and_not_a_byte_more),
        cmocka_unit_test(test_buf_failed_stays_failed_until_it_is_cleared),
        cmocka_unit_test(test_buf_size_that_would_wrap_is_refused),
        cmocka_unit_test(test_buf_number_is_written_in_decimal),
        cmocka_unit_test(test_buf_printf_grows_with_what_it_writes),
        cmocka_unit_test(test_buf_consume_keeps_the_rest),
        cmocka_unit_test(test_buf_str_ends_with_nul_and_adds_nothing),
        cmocka_unit_test(test_buf_room_is_taken_in_by_added),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
