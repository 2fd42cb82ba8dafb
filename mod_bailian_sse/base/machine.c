/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FILE_BYTES 4096
#define PATH_BYTES 2048

/* The beginning of a file, as text; 0: there is none. */
static int read_file(const char *root, const char *dir, const char *name,
                     char *text)
{
    char path[PATH_BYTES];
    int n = snprintf(path, sizeof(path), "%s%s%s", root, dir, name);
    ssize_t got;
    int fd;

    if (n < 0 || (size_t)n >= sizeof(path)) return 0;
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    got = read(fd, text, FILE_BYTES - 1);
    close(fd);
    if (got <= 0) return 0;
    text[got] = '\0';
    return 1;
}

/* The number at text, when there is one above 0 ("max" is none). */
static void lower(apr_uint64_t *pleast, const char *text, apr_uint64_t unit)
{
    apr_uint64_t n;

    while (*text == ' ')
        text++;
    if (*text < '0' || *text > '9') return;
    n = strtoull(text, NULL, 10);
    if (n > (apr_uint64_t)-1 / unit) return;
    n *= unit;
    if (n && (!*pleast || n < *pleast)) *pleast = n;
}

/* The group's own limit and those of the groups that it lies in. */
static void lower_by_group(apr_uint64_t *pleast, const char *root,
                           const char *mount, const char *group,
                           const char *name)
{
    char dir[PATH_BYTES], text[FILE_BYTES];
    size_t top = strlen(mount);
    int n = snprintf(dir, sizeof(dir), "%s%s", mount, group);
    char *slash = dir + n;

    if (n < 0 || (size_t)n >= sizeof(dir)) return;
    while (slash) {
        *slash = '\0';
        if (read_file(root, dir, name, text)) lower(pleast, text, 1);
        slash = strlen(dir) > top ? strrchr(dir, '/') : NULL;
    }
}

/* Lines "4:memory:/group" (version 1) and "0::/group" (version 2). */
static void lower_by_groups(apr_uint64_t *pleast, const char *root)
{
    char text[FILE_BYTES];
    char *line, *rest, *names, *group;

    if (!read_file(root, "", "/proc/self/cgroup", text)) return;
    for (line = strtok_r(text, "\n", &rest); line;
         line = strtok_r(NULL, "\n", &rest))
    {
        names = strchr(line, ':');
        group = names ? strchr(names + 1, ':') : NULL;
        if (!group) continue;
        *group++ = '\0';
        if (!strcmp(group, "/")) *group = '\0';
        if (!names[1])
            lower_by_group(pleast, root, "/sys/fs/cgroup", group,
                           "/memory.max");
        else if (!strcmp(names + 1, "memory"))
            lower_by_group(pleast, root, "/sys/fs/cgroup/memory", group,
                           "/memory.limit_in_bytes");
    }
}

apr_uint64_t bl_machine_memory(const char *root)
{
    static const char total[] = "MemTotal:";
    char text[FILE_BYTES];
    apr_uint64_t least = 0;
    const char *at;

    if (read_file(root, "", "/proc/meminfo", text)) {
        at = strstr(text, total);
        if (at) lower(&least, at + sizeof(total) - 1, 1024);
    }
    lower_by_groups(&least, root);
    return least;
}
