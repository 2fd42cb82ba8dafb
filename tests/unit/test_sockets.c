/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "shm/directory.h"
#include "shm/sockets.h"

static bl_shm_t *make_shm(void)
{
    bl_shm_t *shm = calloc(1, bl_shm_size());

    assert_non_null(shm);
    assert_int_equal(bl_shm_format(shm), APR_SUCCESS);
    return shm;
}

static apr_status_t join(bl_shm_t *shm, int child, const char *who, int all,
                         int each, int *pslot)
{
    bl_sockets_ask_t ask = {child, bl_hash(who, ""), all, each};

    return bl_sockets_join(shm, &ask, pslot);
}

/* C20: the ceiling of one caller, and the place is free again at once. */
static void test_c20_sockets_of_one_principal(void **state)
{
    bl_shm_t *shm = make_shm();
    int first, slot;

    (void)state;
    assert_int_equal(join(shm, 0, "user:li", 10, 2, &first), APR_SUCCESS);
    assert_int_equal(join(shm, 1, "user:li", 10, 2, &slot), APR_SUCCESS);
    assert_int_equal(join(shm, 2, "user:li", 10, 2, &slot), BL_E_RATE_LIMITED);
    assert_int_equal(slot, -1);
    assert_int_equal(join(shm, 2, "user:wang", 10, 2, &slot), APR_SUCCESS);
    bl_sockets_leave(shm, first);
    assert_int_equal(join(shm, 2, "user:li", 10, 2, &slot), APR_SUCCESS);
    assert_int_equal(bl_sockets_count(shm), 3);
    free(shm);
}

static void test_r04_sockets_of_all(void **state)
{
    bl_shm_t *shm = make_shm();
    int slot;

    (void)state;
    assert_int_equal(join(shm, 0, "a", 2, 9, &slot), APR_SUCCESS);
    assert_int_equal(join(shm, 0, "b", 2, 9, &slot), APR_SUCCESS);
    assert_int_equal(join(shm, 1, "c", 2, 9, &slot), BL_E_OVERLOADED);
    assert_int_equal(bl_sockets_count(shm), 2);
    free(shm);
}

/* P01: what a child held that is no longer there. */
static void test_p01_sockets_of_a_dead_child_are_free(void **state)
{
    bl_shm_t *shm = make_shm();
    int slot;

    (void)state;
    join(shm, 3, "a", 9, 9, &slot);
    join(shm, 255, "a", 9, 9, &slot);
    join(shm, 3, "b", 9, 9, &slot);
    bl_sockets_forget(shm, 3);
    assert_int_equal(bl_sockets_count(shm), 1);
    bl_sockets_forget(shm, 255);
    assert_int_equal(bl_sockets_count(shm), 0);
    free(shm);
}

/* Which children get a note for a caller's connections. */
static void test_sockets_holders_are_the_children_with_one(void **state)
{
    bl_shm_t *shm = make_shm();
    unsigned char holders[BL_SHM_CHILDREN];
    int i, first, slot, sum = 0;

    (void)state;
    join(shm, 0, "a", 9, 9, &first);
    join(shm, 255, "a", 9, 9, &slot);
    join(shm, 255, "a", 9, 9, &slot);
    join(shm, 7, "b", 9, 9, &slot);
    bl_sockets_holders(shm, bl_hash("a", ""), holders);
    for (i = 0; i < BL_SHM_CHILDREN; i++)
        sum += holders[i];
    assert_int_equal(sum, 2);
    assert_true(holders[0] && holders[255]);
    bl_sockets_leave(shm, first);
    bl_sockets_holders(shm, bl_hash("a", ""), holders);
    assert_false(holders[0]);
    free(shm);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_c20_sockets_of_one_principal),
        cmocka_unit_test(test_r04_sockets_of_all),
        cmocka_unit_test(test_sockets_holders_are_the_children_with_one),
        cmocka_unit_test(test_p01_sockets_of_a_dead_child_are_free),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
