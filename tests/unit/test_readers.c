/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readers - the pool of connections that only read: as many as are needed at
 * once, and no longer than they are.
 */
#include "store_env.h"

#include "store/readers.h"

#include <sqlite3.h>

#define SOME 5

/* No store: what its writer does by itself would be counted, too. */
typedef struct pool_t {
    env_t env;
    bl_lock_t *lock;
    bl_db_t *writer; /* without one there is no log to read */
    bl_readers_t *readers;
    bl_db_t *taken[BL_READERS_MOST];
} pool_t;

static int open_pool(void **state)
{
    pool_t *p = calloc(1, sizeof(*p));

    assert_non_null(p);
    env_open(&p->env);
    assert_int_equal(bl_lock_open(&p->lock, p->env.path), APR_SUCCESS);
    assert_int_equal(
        bl_db_open(&p->writer, p->env.path, BL_DB_WRITE, p->lock, NULL, 0),
        APR_SUCCESS);
    bl_store_close(p->env.store, 1000);
    p->env.store = NULL;
    assert_int_equal(bl_readers_create(&p->readers, p->env.path), APR_SUCCESS);
    *state = p;
    return 0;
}

static int close_pool(void **state)
{
    pool_t *p = *state;

    bl_readers_destroy(p->readers);
    bl_db_close(p->writer);
    bl_lock_close(p->lock);
    env_close(&p->env);
    free(p);
    return 0;
}

static void take(pool_t *p, int n)
{
    sqlite3_stmt *st;
    int i;

    for (i = 0; i < n; i++) {
        assert_int_equal(bl_readers_take(p->readers, 1000, &p->taken[i]),
                         APR_SUCCESS);
        st = bl_db_stmt(p->taken[i], "SELECT count(*) FROM message");
        assert_non_null(st);
        assert_int_equal(bl_db_step(p->taken[i], st), APR_SUCCESS);
        bl_db_done(st);
    }
}

static void give(pool_t *p, int n)
{
    while (n) {
        n--;
        bl_readers_give(p->readers, p->taken[n], 0);
    }
}

/* What so many connections hold; the pool is left with that many. */
static sqlite3_int64 held_by(pool_t *p, int n)
{
    sqlite3_int64 before = sqlite3_memory_used();

    take(p, n);
    give(p, n);
    return sqlite3_memory_used() - before;
}

static void test_those_that_were_needed_stay(void **state)
{
    pool_t *p = *state;
    sqlite3_int64 held;

    held_by(p, SOME);
    held = sqlite3_memory_used();
    bl_readers_close_unneeded(p->readers); /* all of them were */
    assert_int_equal(sqlite3_memory_used(), held);
    take(p, SOME);
    bl_readers_close_unneeded(p->readers); /* all of them are */
    give(p, SOME);
    assert_int_equal(sqlite3_memory_used(), held);
}

static void test_those_that_nobody_needed_are_closed_but_one(void **state)
{
    pool_t *p = *state;
    sqlite3_int64 all = held_by(p, SOME), before = sqlite3_memory_used();

    bl_readers_close_unneeded(p->readers);
    bl_readers_close_unneeded(p->readers);
    assert_true(before - sqlite3_memory_used() > all / 2);
    bl_readers_close_unneeded(p->readers);
    before = sqlite3_memory_used();
    assert_true(held_by(p, 1) < all / SOME / 2); /* it is there */
    assert_true(sqlite3_memory_used() - before < all / SOME / 2);
}

static void test_so_many_as_before_can_be_taken_again(void **state)
{
    pool_t *p = *state;
    bl_db_t *more;

    take(p, BL_READERS_MOST);
    give(p, BL_READERS_MOST);
    bl_readers_close_unneeded(p->readers);
    take(p, 2);
    give(p, 2);
    bl_readers_close_unneeded(p->readers); /* two were needed */
    take(p, BL_READERS_MOST);
    assert_int_equal(bl_readers_take(p->readers, 0, &more),
                     BL_E_STORE_UNAVAILABLE);
    bl_readers_close_unneeded(p->readers); /* nobody is idle */
    give(p, BL_READERS_MOST);
    take(p, BL_READERS_MOST);
    give(p, BL_READERS_MOST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_those_that_were_needed_stay,
                                        open_pool, close_pool),
        cmocka_unit_test_setup_teardown(
            test_those_that_nobody_needed_are_closed_but_one, open_pool,
            close_pool),
        cmocka_unit_test_setup_teardown(
            test_so_many_as_before_can_be_taken_again, open_pool, close_pool),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
