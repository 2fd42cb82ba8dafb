/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "crypto/token.h"

static void test_token_hex_there_and_back(void **state)
{
    static const unsigned char bytes[4] = {0x00, 0x7f, 0xa5, 0xff};
    unsigned char back[4];
    char text[9];

    (void)state;
    bl_hex(text, bytes, sizeof(bytes));
    assert_string_equal(text, "007fa5ff");
    assert_true(bl_unhex(back, sizeof(back), "007FA5fF"));
    assert_memory_equal(back, bytes, sizeof(bytes));
}

static void test_token_unhex_takes_exactly_its_digits(void **state)
{
    unsigned char back[4];

    (void)state;
    assert_false(bl_unhex(back, sizeof(back), ""));
    assert_false(bl_unhex(back, sizeof(back), "007fa5f"));
    assert_false(bl_unhex(back, sizeof(back), "007fa5ff0"));
    assert_false(bl_unhex(back, sizeof(back), "007fa5fg"));
    assert_false(bl_unhex(back, sizeof(back), " 07fa5ff"));
    assert_true(bl_unhex(back, 0, ""));
}

static void test_token_ids_made_together_begin_alike_and_differ(void **state)
{
    const apr_time_t at = 1700000000 * APR_USEC_PER_SEC;
    unsigned char ids[3][BL_ID_BYTES];

    (void)state;
    assert_int_equal(bl_id_bytes(ids[0], BL_ID_BYTES, at), APR_SUCCESS);
    assert_int_equal(bl_id_bytes(ids[1], BL_ID_BYTES, at + 1000), APR_SUCCESS);
    assert_int_equal(bl_id_bytes(ids[2], BL_ID_BYTES, at + 125000),
                     APR_SUCCESS);
    assert_memory_equal(ids[0], ids[1], BL_ID_TIME_BYTES);
    assert_memory_not_equal(ids[0] + BL_ID_TIME_BYTES,
                            ids[1] + BL_ID_TIME_BYTES,
                            BL_ID_BYTES - BL_ID_TIME_BYTES);
    assert_int_equal(ids[2][0] * 256 + ids[2][1],
                     (ids[0][0] * 256 + ids[0][1] + 2) & 0xffff);
}

static void test_token_equal_secret(void **state)
{
    (void)state;
    assert_true(bl_equal_secret("abcd", "abcd", 4));
    assert_false(bl_equal_secret("abcd", "abce", 4));
    assert_true(bl_equal_secret("a", "b", 0));
}

/* FIPS 180-2, B.1 and B.2, and the empty text; one state used again. */
static void test_token_sha256_known_answers(void **state)
{
    static const char *const known[][2] = {
        {"abc",
         "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
        {"abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
         "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"},
        {"",
         "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"},
    };
    unsigned char digest[BL_SHA256_BYTES];
    char text[2 * BL_SHA256_BYTES + 1];
    bl_sha256_t *h;
    size_t i, k;

    (void)state;
    assert_int_equal(bl_sha256_create(&h), APR_SUCCESS);
    for (i = 0; i < 3; i++) {
        for (k = 0; k < strlen(known[i][0]); k++)
            bl_sha256_add(h, known[i][0] + k, 1);
        bl_sha256_end(h, digest);
        bl_hex(text, digest, sizeof(digest));
        assert_string_equal(text, known[i][1]);
        bl_sha256_reset(h);
    }
    bl_sha256_destroy(h);
    bl_sha256_destroy(NULL);
}

/* P14: what is random after a fork differs from what the parent has. */
static void test_token_random_differs_in_each_child(void **state)
{
    unsigned char seen[200][16];
    int pipes[2], i, k, status;

    (void)state;
    assert_int_equal(pipe(pipes), 0);
    for (i = 0; i < 200; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            unsigned char mine[16];

            if (bl_random_bytes(mine, sizeof(mine)) != APR_SUCCESS) _exit(1);
            _exit(write(pipes[1], mine, sizeof(mine)) != sizeof(mine));
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(read(pipes[0], seen[i], 16), 16);
        for (k = 0; k < i; k++)
            assert_memory_not_equal(seen[i], seen[k], 16);
    }
    close(pipes[0]);
    close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_token_hex_there_and_back),
        cmocka_unit_test(test_token_unhex_takes_exactly_its_digits),
        cmocka_unit_test(test_token_ids_made_together_begin_alike_and_differ),
        cmocka_unit_test(test_token_equal_secret),
        cmocka_unit_test(test_token_sha256_known_answers),
        cmocka_unit_test(test_token_random_differs_in_each_child),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
