/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/heap.h"

#include <malloc.h>

#define SIZES 60
#define EACH 7

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heap_forgets_what_a_thread_keeps),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
