/* SPDX-License-Identifier: Apache-2.0 */
#include "stream_help.h"

#include "stream/registry.h"

#include <pthread.h>

static const char *id_of(int n)
{
    static __thread char id[BL_ID_TEXT + 1];

    snprintf(id, sizeof(id), "%08x%024x", (unsigned)n * 2654435761u,
             (unsigned)n);
    return id;
}

static void test_registry_finds_what_was_added_by_its_id(void **state)
{
    bl_registry_t *r;
    bl_stream_t *s, *found;

    (void)state;
    assert_int_equal(bl_registry_create(&r), APR_SUCCESS);
    s = new_stream(id_of(1), 1000);
    bl_registry_add(r, s);
    assert_int_equal(bl_registry_count(r), 1);
    found = bl_registry_find(r, id_of(1));
    assert_ptr_equal(found, s);
    assert_null(bl_registry_find(r, id_of(2)));
    assert_null(bl_registry_find(r, ""));
    assert_null(bl_registry_find(r, "00000000")); /* part of an id */
    bl_stream_unref(found);
    bl_registry_remove(r, s);
    assert_null(bl_registry_find(r, id_of(1)));
    assert_int_equal(bl_registry_count(r), 0);
    bl_stream_unref(s);
    bl_registry_destroy(r);
}

/* The end, a stop and a drain may all take it out. */
static void test_registry_removed_twice_gives_one_reference_back(void **state)
{
    bl_registry_t *r;
    bl_stream_t *s = new_stream(id_of(1), 1000);

    (void)state;
    bl_registry_create(&r);
    bl_registry_add(r, s);
    assert_int_equal(s->refs, 2);
    bl_registry_remove(r, s);
    bl_registry_remove(r, s);
    assert_int_equal(s->refs, 1);
    assert_int_equal(bl_registry_count(r), 0);
    bl_stream_unref(s);
    bl_registry_destroy(r);
}

static void test_registry_found_stream_outlives_its_removal(void **state)
{
    bl_registry_t *r;
    bl_stream_t *s = new_stream(id_of(1), 1000), *found;

    (void)state;
    bl_registry_create(&r);
    bl_registry_add(r, s);
    bl_stream_unref(s);
    found = bl_registry_find(r, id_of(1));
    bl_registry_remove(r, found);
    assert_string_equal(found->id, id_of(1));
    bl_stream_unref(found);
    bl_registry_destroy(r);
}

static void test_registry_gives_back_what_is_listed_at_its_end(void **state)
{
    bl_registry_t *r;
    bl_stream_t *s;
    int i;

    (void)state;
    bl_registry_create(&r);
    for (i = 0; i < 10; i++) {
        s = new_stream(id_of(i), 1000);
        bl_registry_add(r, s);
        bl_stream_unref(s);
    }
    bl_registry_destroy(r); /* the leak check counts */
}

static void test_registry_keeps_ten_thousand_apart(void **state)
{
    bl_registry_t *r;
    bl_stream_t *s;
    int i;

    (void)state;
    bl_registry_create(&r);
    for (i = 0; i < 10000; i++) {
        s = new_stream(id_of(i), 1000);
        bl_registry_add(r, s);
        bl_stream_unref(s);
    }
    assert_int_equal(bl_registry_count(r), 10000);
    for (i = 0; i < 10000; i += 3) {
        s = bl_registry_find(r, id_of(i));
        assert_string_equal(s->id, id_of(i));
        bl_registry_remove(r, s);
        bl_stream_unref(s);
    }
    for (i = 0; i < 10000; i++) {
        s = bl_registry_find(r, id_of(i));
        assert_int_equal(!s, i % 3 == 0);
        if (s) bl_stream_unref(s);
    }
    bl_registry_destroy(r);
}

static bl_registry_t *busy;
static int wrong;

static void *come_and_go(void *ctx)
{
    int base = *(int *)ctx, i;

    for (i = 0; i < 3000; i++) {
        bl_stream_t *s = new_stream(id_of(base + i), 1000), *found;

        bl_registry_add(busy, s);
        found = bl_registry_find(busy, id_of(base + i));
        if (found != s) __atomic_add_fetch(&wrong, 1, __ATOMIC_RELAXED);
        if (found) bl_stream_unref(found);
        found = bl_registry_find(busy, id_of((base + 100000) % 400000 + i));
        if (found) bl_stream_unref(found); /* another thread's */
        bl_registry_remove(busy, s);
        bl_stream_unref(s);
    }
    return NULL;
}

static void test_registry_of_many_threads_ends_empty(void **state)
{
    pthread_t threads[4];
    int bases[4], i;

    (void)state;
    bl_registry_create(&busy);
    for (i = 0; i < 4; i++) {
        bases[i] = i * 100000;
        pthread_create(&threads[i], NULL, come_and_go, &bases[i]);
    }
    for (i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(wrong, 0);
    assert_int_equal(bl_registry_count(busy), 0);
    bl_registry_destroy(busy);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry_finds_what_was_added_by_its_id),
        cmocka_unit_test(test_registry_removed_twice_gives_one_reference_back),
        cmocka_unit_test(test_registry_found_stream_outlives_its_removal),
        cmocka_unit_test(test_registry_gives_back_what_is_listed_at_its_end),
        cmocka_unit_test(test_registry_keeps_ten_thousand_apart),
        cmocka_unit_test(test_registry_of_many_threads_ends_empty),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
