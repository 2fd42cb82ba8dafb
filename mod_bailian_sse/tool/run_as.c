/* SPDX-License-Identifier: Apache-2.0 */
#include "tool/run_as.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int directory_of(const char *database, char *dir, size_t size)
{
    const char *slash = strrchr(database, '/');

    if (!slash || (size_t)(slash - database) + 2 > size) return 0;
    snprintf(dir, size, "%.*s", slash == database ? 1 : (int)(slash - database),
             database);
    return 1;
}

int bl_become_owner(const char *database, char *err, size_t err_size)
{
    char dir[PATH_MAX];
    struct passwd *pw;
    struct stat st;
    gid_t gid;

    if (geteuid() != 0) return 1;
    /* What is wrong with the path is said by the store, in one place. */
    if (!directory_of(database, dir, sizeof(dir)) || stat(dir, &st) != 0 ||
        st.st_uid == 0)
    {
        return 1;
    }
    pw = getpwuid(st.st_uid);
    gid = pw ? pw->pw_gid : st.st_gid;
    if (setgroups(1, &gid) == 0 && setegid(gid) == 0 && seteuid(st.st_uid) == 0)
    {
        return 1;
    }
    snprintf(err, err_size, "cannot become user %lu, who owns %s: %s",
             (unsigned long)st.st_uid, dir, strerror(errno));
    return 0;
}

void bl_become_caller(void)
{
    /* From root: both succeed. Without root nothing had changed. */
    if (seteuid(getuid()) == 0 && setegid(getgid()) == 0) return;
}

void bl_actor_name(char *name, size_t size)
{
    struct passwd *pw = getpwuid(getuid());

    if (pw)
        snprintf(name, size, "cli:%s", pw->pw_name);
    else
        snprintf(name, size, "cli:%lu", (unsigned long)getuid());
}
