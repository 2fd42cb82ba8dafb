/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/heap.h"

#include <malloc.h>
#include <pthread.h>

#define SIZES 60
#define EACH 7

#define LONG_TEXT (8 * 1024 * 1024)
#define BLOCK (60 * 1024)
#define BLOCKS 100

/* What a thread keeps counts as in use: nobody else may have it. */
static size_t in_use(void)
{
    return mallinfo2().uordblks;
}

/* Takes and frees chunks of many sizes, as the height of a load does. */
static void use_and_free(void)
{
    void *chunks[SIZES][EACH];
    int i, k;

    for (i = 0; i < SIZES; i++) {
        for (k = 0; k < EACH; k++) {
            chunks[i][k] = malloc(40 + 16 * (size_t)i);
            assert_non_null(chunks[i][k]);
        }
    }
    for (i = 0; i < SIZES; i++) {
        for (k = 0; k < EACH; k++)
            free(chunks[i][k]);
    }
}

static void test_heap_forgets_what_a_thread_keeps(void **state)
{
    size_t before, kept;

    (void)state;
    if (!in_use()) skip(); /* the C library is told of nothing: sanitizers */
    bl_heap_forget();
    before = in_use();
    use_and_free();
    kept = in_use();
    if (kept < before + 100000) skip(); /* one that keeps nothing */
    bl_heap_forget();
    assert_true(in_use() < before + 20000);
    bl_heap_trim();
    use_and_free(); /* all is well */
}

/* A thread's own heap, as that of the reactor is. */
static void *free_a_long_text(void *data)
{
    void *blocks[BLOCKS];
    void *volatile text = malloc(LONG_TEXT); /* or the compiler makes none */
    int i;

    (void)data;
    free(text);
    for (i = 0; i < BLOCKS; i++) {
        blocks[i] = malloc(BLOCK);
        assert_non_null(blocks[i]);
    }
    for (i = 0; i < BLOCKS; i++)
        free(blocks[i]);
    return NULL;
}

static void test_heap_keeps_no_long_end_behind_a_long_text(void **state)
{
    size_t before;
    pthread_t thread;

    (void)state;
    if (!in_use()) skip(); /* the C library is told of nothing: sanitizers */
    bl_heap_bound();
    before = mallinfo2().fordblks;
    assert_int_equal(pthread_create(&thread, NULL, free_a_long_text, NULL), 0);
    pthread_join(thread, NULL);
    assert_true(mallinfo2().fordblks < before + 512 * 1024);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_forgets_what_a_thread_keeps),
        cmocka_unit_test(test_heap_keeps_no_long_end_behind_a_long_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
