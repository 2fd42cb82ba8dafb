/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/errors.h"
#include "crypto/keyring.h"

#define HEX_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define HEX_B "ff0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1eff"

static char dir[64], path[96], err[512];

static int setup(void **state)
{
    (void)state;
    snprintf(dir, sizeof(dir), "/tmp/bl-keyring-XXXXXX");
    if (!mkdtemp(dir)) return -1;
    snprintf(path, sizeof(path), "%s/master.key", dir);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void write_file(const char *text, mode_t mode)
{
    FILE *f;

    unlink(path);
    f = fopen(path, "w");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
    assert_int_equal(chmod(path, mode), 0);
}

static bl_keyring_t *load(void)
{
    bl_keyring_t *k;

    err[0] = '\0';
    if (bl_keyring_load(&k, path, err, sizeof(err)) != APR_SUCCESS) {
        fail_msg("keyring: %s", err);
    }
    return k;
}

/* D13: the reason is said, and what would be right. */
static void assert_refused(const char *reason)
{
    bl_keyring_t *k = (bl_keyring_t *)1;

    err[0] = '\0';
    assert_int_equal(bl_keyring_load(&k, path, err, sizeof(err)),
                     BL_E_KEYRING_MISSING);
    assert_null(k);
    if (!strstr(err, reason)) fail_msg("\"%s\" is not in: %s", reason, err);
}

static const bl_seal_for_t row = {"api_key", "api_key", 7, 1};

static void test_keyring_create_load_seal_open(void **state)
{
    unsigned char *sealed, *clear;
    bl_keyring_t *k;
    struct stat st;
    size_t len;

    (void)state;
    assert_int_equal(bl_keyring_file_create(path, err, sizeof(err)),
                     APR_SUCCESS);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0400);
    k = load();
    assert_int_equal(bl_keyring_seal(k, &row, "sk-secret", 9, &sealed, &len),
                     APR_SUCCESS);
    assert_int_equal(len, 1 + 4 + 12 + 9 + 16);
    assert_int_equal(bl_keyring_id_of(sealed, len), bl_keyring_newest(k));
    assert_null(memmem(sealed, len, "secret", 6));
    assert_int_equal(bl_keyring_open(k, &row, sealed, len, &clear, &len),
                     APR_SUCCESS);
    assert_int_equal(len, 9);
    assert_string_equal((char *)clear, "sk-secret");
    free(clear);
    free(sealed);
    bl_keyring_close(k);
}

static void test_keyring_create_never_overwrites(void **state)
{
    (void)state;
    write_file("1 " HEX_A "\n", 0400);
    assert_int_equal(bl_keyring_file_create(path, err, sizeof(err)),
                     APR_EEXIST);
    assert_int_equal(bl_keyring_newest(load()), 1);
}

/* S-39: two sealings of one text differ, in nonce and in all that follows. */
static void test_keyring_no_nonce_twice(void **state)
{
    unsigned char nonces[2000][12], *sealed;
    bl_keyring_t *k;
    size_t len;
    int i, j;

    (void)state;
    write_file("1 " HEX_A "\n", 0400);
    k = load();
    for (i = 0; i < 2000; i++) {
        assert_int_equal(bl_keyring_seal(k, &row, "x", 1, &sealed, &len),
                         APR_SUCCESS);
        memcpy(nonces[i], sealed + 5, 12);
        free(sealed);
        for (j = 0; j < i; j++)
            assert_memory_not_equal(nonces[i], nonces[j], 12);
    }
    bl_keyring_close(k);
}

/* P14: the first nonce of each child is another one, and none the parent's. */
static void test_keyring_nonces_of_forked_children_differ(void **state)
{
    enum { CHILDREN = 200, NONCE_AT = 1 + 4, NONCE = 12 };
    unsigned char seen[CHILDREN + 1][NONCE], *sealed;
    int pipes[2], i, k, status;
    bl_keyring_t *ring;
    size_t len;

    (void)state;
    write_file("1 " HEX_A "\n", 0400);
    ring = load();
    assert_int_equal(pipe(pipes), 0);
    /* The state that the children must not go on with. */
    assert_int_equal(bl_keyring_seal(ring, &row, "x", 1, &sealed, &len), 0);
    memcpy(seen[CHILDREN], sealed + NONCE_AT, NONCE);
    free(sealed);
    for (i = 0; i < CHILDREN; i++) {
        pid_t pid = fork();

        if (!pid) {
            if (bl_keyring_seal(ring, &row, "x", 1, &sealed, &len)) _exit(1);
            _exit(write(pipes[1], sealed + NONCE_AT, NONCE) != NONCE);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_int_equal(status, 0);
        assert_int_equal(read(pipes[0], seen[i], NONCE), NONCE);
        assert_memory_not_equal(seen[i], seen[CHILDREN], NONCE);
        for (k = 0; k < i; k++)
            assert_memory_not_equal(seen[i], seen[k], NONCE);
    }
    close(pipes[0]);
    close(pipes[1]);
    bl_keyring_close(ring);
}

static void assert_closed(const bl_keyring_t *k, const bl_seal_for_t *f,
                          const unsigned char *sealed, size_t len)
{
    unsigned char *clear = (unsigned char *)1;
    size_t clear_len = 1;

    assert_int_equal(bl_keyring_open(k, f, sealed, len, &clear, &clear_len),
                     BL_E_KEYRING_MISSING);
    assert_null(clear);
    assert_int_equal(clear_len, 0);
}

/* D14: each bit flipped in turn, each shorter form, another row, purpose,
 * table, version: one error for all. */
static void test_keyring_d14_any_change_closes_it(void **state)
{
    const bl_seal_for_t others[] = {{"api_key", "api_key", 8, 1},
                                    {"api_key", "api_key", 7, 2},
                                    {"api_key", "client", 7, 1},
                                    {"token", "api_key", 7, 1},
                                    {"api_keyapi_key", "", 7, 1}};
    unsigned char *sealed;
    bl_keyring_t *k;
    size_t len, i;

    (void)state;
    write_file("1 " HEX_A "\n2 " HEX_B "\n", 0400);
    k = load();
    assert_int_equal(bl_keyring_seal(k, &row, "sk-secret", 9, &sealed, &len),
                     APR_SUCCESS);
    for (i = 0; i < len * 8; i++) {
        sealed[i / 8] ^= (unsigned char)(1 << i % 8);
        assert_closed(k, &row, sealed, len);
        sealed[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    for (i = 0; i < len; i++)
        assert_closed(k, &row, sealed, i);
    for (i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_closed(k, &others[i], sealed, len);
    free(sealed);
    bl_keyring_close(k);
}

/* D13: another master key opens nothing, not even under the same id. */
static void test_keyring_d13_wrong_master_key(void **state)
{
    unsigned char *sealed;
    bl_keyring_t *k;
    size_t len;

    (void)state;
    write_file("1 " HEX_A "\n", 0400);
    k = load();
    assert_int_equal(bl_keyring_seal(k, &row, "x", 1, &sealed, &len),
                     APR_SUCCESS);
    bl_keyring_close(k);
    write_file("1 " HEX_B "\n", 0400);
    k = load();
    assert_closed(k, &row, sealed, len);
    bl_keyring_close(k);
    write_file("2 " HEX_A "\n", 0400);
    k = load();
    assert_closed(k, &row, sealed, len);
    bl_keyring_close(k);
    free(sealed);
}

static void test_keyring_d13_file_is_refused_with_the_reason(void **state)
{
    (void)state;
    unlink(path);
    assert_refused("master-key create");
    write_file("", 0400);
    assert_refused("no key");
    write_file("# only words\n\n", 0400);
    assert_refused("no key");
    write_file("1 00ff\n", 0400);
    assert_refused("line 1");
    write_file("1 " HEX_A "00\n", 0400);
    assert_refused("64 hex digits");
    write_file("0 " HEX_A "\n", 0400);
    assert_refused("line 1");
    write_file("4294967296 " HEX_A "\n", 0400);
    assert_refused("line 1");
    write_file("1 " HEX_A "\n1 " HEX_B "\n", 0400);
    assert_refused("twice");
    write_file("1 " HEX_A "\n", 0440);
    assert_refused("chmod 0400");
    write_file("1 " HEX_A "\n", 0404);
    assert_refused("chmod 0400");
}

static void test_keyring_d13_symlink_and_directory_are_refused(void **state)
{
    char target[128];

    (void)state;
    write_file("1 " HEX_A "\n", 0400);
    snprintf(target, sizeof(target), "%s.real", path);
    assert_int_equal(rename(path, target), 0);
    assert_int_equal(symlink(target, path), 0);
    assert_refused("symbolic link");
    unlink(path);
    unlink(target);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_refused("not a regular file");
    rmdir(path);
}

static void test_keyring_belongs_to_root_or_the_reader(void **state)
{
    (void)state;
    if (geteuid() != 0) skip();
    write_file("1 " HEX_A "\n", 0400);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_refused("chown root");
}

/* D15: both keys open what they sealed; the newest seals. */
static void test_keyring_d15_added_key_seals_and_the_old_one_opens(void **state)
{
    unsigned char *sealed, *again, *clear;
    size_t len, again_len, clear_len;
    apr_uint32_t old_id;
    bl_keyring_t *k;

    (void)state;
    write_file("# a remark\n1 " HEX_A, 0400); /* no line end */
    k = load();
    old_id = bl_keyring_newest(k);
    assert_int_equal(bl_keyring_seal(k, &row, "x", 1, &sealed, &len),
                     APR_SUCCESS);
    bl_keyring_close(k);
    assert_int_equal(bl_keyring_file_add(path, err, sizeof(err)), APR_SUCCESS);
    k = load();
    assert_int_not_equal(bl_keyring_newest(k), old_id);
    assert_true(bl_keyring_has(k, old_id));
    assert_int_equal(bl_keyring_open(k, &row, sealed, len, &clear, &clear_len),
                     APR_SUCCESS);
    assert_int_equal(bl_keyring_seal(k, &row, "x", 1, &again, &again_len),
                     APR_SUCCESS);
    assert_int_equal(bl_keyring_id_of(again, again_len), bl_keyring_newest(k));
    free(clear);
    free(sealed);
    free(again);
    bl_keyring_close(k);
}

static void test_keyring_add_needs_a_good_file(void **state)
{
    (void)state;
    unlink(path);
    assert_int_equal(bl_keyring_file_add(path, err, sizeof(err)),
                     BL_E_KEYRING_MISSING);
    assert_int_not_equal(access(path, F_OK), 0);
    write_file("nonsense\n", 0400);
    assert_int_equal(bl_keyring_file_add(path, err, sizeof(err)),
                     BL_E_KEYRING_MISSING);
}

/* The ceiling: 64 keys load, one more is refused. */
static void test_keyring_ceiling(void **state)
{
    int i;

    (void)state;
    write_file("1 " HEX_A "\n", 0400);
    for (i = 1; i < BL_KEYRING_KEYS; i++)
        assert_int_equal(bl_keyring_file_add(path, err, sizeof(err)),
                         APR_SUCCESS);
    bl_keyring_close(load());
    assert_int_equal(bl_keyring_file_add(path, err, sizeof(err)),
                     BL_E_KEYRING_MISSING);
    assert_non_null(strstr(err, "full"));
}

/* The key lies in memory of its own, which leaves no trace in a core dump. */
static void test_keyring_memory_is_left_out_of_dumps(void **state)
{
    char line[512];
    int found = 0, is_ours = 0;
    bl_keyring_t *k;
    FILE *f;

    (void)state;
    write_file("1 " HEX_A "\n", 0400);
    k = load();
    f = fopen("/proc/self/smaps", "r");
    assert_non_null(f);
    while (fgets(line, sizeof(line), f)) {
        unsigned long from, to;

        if (sscanf(line, "%lx-%lx ", &from, &to) == 2) {
            is_ours = (unsigned long)k >= from && (unsigned long)k < to;
        }
        if (is_ours && !strncmp(line, "VmFlags:", 8)) {
            found = strstr(line, " dd") != NULL;
        }
    }
    fclose(f);
    bl_keyring_close(k);
    assert_true(found);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keyring_create_load_seal_open),
        cmocka_unit_test(test_keyring_create_never_overwrites),
        cmocka_unit_test(test_keyring_no_nonce_twice),
        cmocka_unit_test(test_keyring_nonces_of_forked_children_differ),
        cmocka_unit_test(test_keyring_d14_any_change_closes_it),
        cmocka_unit_test(test_keyring_d13_wrong_master_key),
        cmocka_unit_test(test_keyring_d13_file_is_refused_with_the_reason),
        cmocka_unit_test(test_keyring_d13_symlink_and_directory_are_refused),
        cmocka_unit_test(test_keyring_belongs_to_root_or_the_reader),
        cmocka_unit_test(
            test_keyring_d15_added_key_seals_and_the_old_one_opens),
        cmocka_unit_test(test_keyring_add_needs_a_good_file),
        cmocka_unit_test(test_keyring_ceiling),
        cmocka_unit_test(test_keyring_memory_is_left_out_of_dumps),
    };

    return cmocka_run_group_tests(tests, setup, teardown);
}
