/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/secret.h"

void __real_free(void *p);
void __wrap_free(void *p);

static char *watched;
static size_t watched_len;
static int was_wiped;

/* Stands in for free(): what is given back must not hold the secret any more.
 */
void __wrap_free(void *p)
{
    size_t i;

    if (p && p == watched) {
        was_wiped = 1;
        for (i = 0; i < watched_len; i++) {
            if (watched[i]) was_wiped = 0;
        }
        watched = NULL;
    }
    __real_free(p);
}

/* S-43: a key leaves nothing behind in the heap. */
static void test_secret_freed_is_wiped_before(void **state)
{
    char *secret = malloc(32);

    (void)state;
    memcpy(secret, "sk-0123456789abcdef", 20);
    watched = secret;
    watched_len = 19;
    was_wiped = 0;
    bl_secret_free(secret);
    assert_null(watched);
    assert_true(was_wiped);
}

static void test_secret_wipe_clears_that_much_and_no_more(void **state)
{
    char text[] = "abcdef";

    (void)state;
    bl_secret_wipe(text + 1, 3);
    assert_memory_equal(text, "a\0\0\0ef", 6);
    bl_secret_wipe(text, 0);
    assert_int_equal(text[0], 'a');
}

static void test_secret_free_of_nothing_is_nothing(void **state)
{
    (void)state;
    bl_secret_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret_freed_is_wiped_before),
        cmocka_unit_test(test_secret_wipe_clears_that_much_and_no_more),
        cmocka_unit_test(test_secret_free_of_nothing_is_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
