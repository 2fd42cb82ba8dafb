/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "base/machine.h"

#include <dirent.h>
#include <ftw.h>
#include <sys/stat.h>

#define MIB (1024 * 1024)

static char root[64];

static int make_root(void **state)
{
    (void)state;
    snprintf(root, sizeof(root), "/tmp/bl-machine-XXXXXX");
    return !mkdtemp(root);
}

static int remove_one(const char *path, const struct stat *st, int kind,
                      struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

static int remove_root(void **state)
{
    (void)state;
    return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A file below root, with the directories above it. */
static void write_file(const char *path, const char *text)
{
    char full[512];
    char *at;
    FILE *f;

    snprintf(full, sizeof(full), "%s%s", root, path);
    for (at = full + strlen(root) + 1; (at = strchr(at, '/')); at++) {
        *at = '\0';
        mkdir(full, 0700);
        *at = '/';
    }
    f = fopen(full, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void test_machine_has_what_its_memory_says(void **state)
{
    (void)state;
    assert_int_equal(bl_machine_memory(root), 0);
    write_file("/proc/meminfo", "MemFree:  1 kB\nMemTotal:     2048 kB\nX: 1");
    assert_int_equal(bl_machine_memory(root), 2 * MIB);
}

static void test_machine_group_has_less_than_the_machine(void **state)
{
    (void)state;
    write_file("/proc/meminfo", "MemTotal: 8192 kB\n");
    write_file("/proc/self/cgroup", "0::/system.slice/apache2.service\n");
    assert_int_equal(bl_machine_memory(root), 8 * MIB);
    write_file("/sys/fs/cgroup/system.slice/apache2.service/memory.max",
               "max\n");
    assert_int_equal(bl_machine_memory(root), 8 * MIB);
    write_file("/sys/fs/cgroup/system.slice/apache2.service/memory.max",
               "5242880\n");
    assert_int_equal(bl_machine_memory(root), 5 * MIB);
    write_file("/sys/fs/cgroup/system.slice/memory.max", "3145728\n");
    assert_int_equal(bl_machine_memory(root), 3 * MIB); /* the one above it */
    write_file("/sys/fs/cgroup/memory.max", "9437184\n");
    assert_int_equal(bl_machine_memory(root), 3 * MIB);
}

/* In a container the group is the root of what it sees. */
static void test_machine_container_has_the_limit_of_its_root(void **state)
{
    (void)state;
    write_file("/proc/meminfo", "MemTotal: 8192 kB\n");
    write_file("/proc/self/cgroup", "0::/\n");
    write_file("/sys/fs/cgroup/memory.max", "1048576\n");
    assert_int_equal(bl_machine_memory(root), MIB);
}

/* Version 1 says "no limit" with a number that is larger than any machine; a
 * container sees its own limit at the root, whatever its group's name is. */
static void test_machine_group_of_version_1_counts_as_well(void **state)
{
    (void)state;
    write_file("/proc/meminfo", "MemTotal: 8192 kB\n");
    write_file("/proc/self/cgroup", "9:name=systemd:/\n5:devices:/a\n"
                                    "4:memory:/docker/0123\n0::/\n");
    write_file("/sys/fs/cgroup/memory/memory.limit_in_bytes",
               "9223372036854771712\n");
    assert_int_equal(bl_machine_memory(root), 8 * MIB);
    write_file("/sys/fs/cgroup/memory/memory.limit_in_bytes", "2097152\n");
    assert_int_equal(bl_machine_memory(root), 2 * MIB);
    write_file("/sys/fs/cgroup/memory/docker/0123/memory.limit_in_bytes",
               "1048576\n");
    assert_int_equal(bl_machine_memory(root), MIB);
}

static void test_machine_this_one_has_some(void **state)
{
    (void)state;
    assert_true(bl_machine_memory("") > MIB);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, make_root, remove_root)
    const struct CMUnitTest tests[] = {
        TEST(test_machine_has_what_its_memory_says),
        TEST(test_machine_group_has_less_than_the_machine),
        TEST(test_machine_container_has_the_limit_of_its_root),
        TEST(test_machine_group_of_version_1_counts_as_well),
        TEST(test_machine_this_one_has_some),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
