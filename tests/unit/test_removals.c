/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "shm/directory.h"
#include "shm/removals.h"

static bl_shm_t *make_shm(void)
{
    bl_shm_t *shm = calloc(1, bl_shm_size());

    assert_non_null(shm);
    assert_int_equal(bl_shm_format(shm), APR_SUCCESS);
    return shm;
}

static int is_over(const bl_shm_t *shm, const char *owner, const char *reader,
                   apr_uint32_t since)
{
    bl_share_t share = bl_share_of(owner, reader, since);

    return bl_share_is_over(shm, &share);
}

/* Who is put out reads no more; other members and other owners' are left. */
static void test_removal_ends_the_reading_of_that_member_alone(void **state)
{
    bl_shm_t *shm = make_shm();
    apr_uint32_t before = bl_removals_now(shm);

    (void)state;
    assert_false(is_over(shm, "user:li", "user:wang", before));
    bl_removals_add(shm, "user:li", "user:wang");
    assert_true(is_over(shm, "user:li", "user:wang", before));
    assert_false(is_over(shm, "user:li", "user:chen", before));
    assert_false(is_over(shm, "user:chen", "user:wang", before));
    assert_false(is_over(shm, "user:wang", "user:wang", before));
    free(shm);
}

static void test_reader_that_was_let_in_afterwards_reads_on(void **state)
{
    bl_shm_t *shm = make_shm();

    (void)state;
    bl_removals_add(shm, "user:li", "user:wang");
    assert_false(is_over(shm, "user:li", "user:wang", bl_removals_now(shm)));
    free(shm);
}

/* What is not kept any more counts as one's own; nobody misses his. */
static void test_removals_are_a_ring_that_misses_none(void **state)
{
    bl_shm_t *shm = make_shm();
    apr_uint32_t before;
    int i;

    (void)state;
    shm->removal_count = 0xffffffff - 20; /* the number runs over */
    before = bl_removals_now(shm);
    for (i = 0; i < BL_REMOVALS; i++)
        bl_removals_add(shm, "user:li", "user:chen");
    assert_false(is_over(shm, "user:li", "user:wang", before));
    assert_true(is_over(shm, "user:li", "user:chen", before));
    bl_removals_add(shm, "user:li", "user:wang");
    assert_true(is_over(shm, "user:li", "user:chen", before));
    assert_true(is_over(shm, "user:x", "user:y", before));
    assert_true(is_over(shm, "user:li", "user:wang", before + BL_REMOVALS));
    free(shm);
}

/* Its number was taken, its name is not there yet. */
static void test_removal_that_is_being_written_counts_for_all(void **state)
{
    bl_shm_t *shm = make_shm();
    apr_uint32_t before = bl_removals_now(shm);

    (void)state;
    shm->removal_count++;
    assert_true(is_over(shm, "user:li", "user:wang", before));
    assert_false(is_over(shm, "user:li", "user:li", before));
    free(shm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_removal_ends_the_reading_of_that_member_alone),
        cmocka_unit_test(test_reader_that_was_let_in_afterwards_reads_on),
        cmocka_unit_test(test_removals_are_a_ring_that_misses_none),
        cmocka_unit_test(test_removal_that_is_being_written_counts_for_all)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
