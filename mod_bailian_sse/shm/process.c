/* SPDX-License-Identifier: Apache-2.0 */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FIELDS_BEFORE 19 /* starttime is the 22nd, the name in () the 2nd */

apr_uint32_t bl_process_born(pid_t pid)
{
    char path[32], line[1024];
    const char *at;
    ssize_t n;
    int fd, i;

    snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
    fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    n = read(fd, line, sizeof(line) - 1);
    close(fd);
    if (n <= 0) return 0;
    line[n] = '\0';
    at = strrchr(line, ')'); /* a name may hold spaces and brackets */
    if (!at) return 0;
    at++;
    for (i = 0; i < FIELDS_BEFORE && at; i++)
        at = strchr(at + 1, ' ');
    return at ? (apr_uint32_t)strtoull(at, NULL, 10) : 0;
}

int bl_process_is_there(pid_t pid, apr_uint32_t born)
{
    apr_uint32_t now;

    if (kill(pid, 0) && errno == ESRCH) return 0;
    if (!born) return 1;
    now = bl_process_born(pid);
    return !now || now == born;
}
