/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words - what the libraries that are preloaded by the tests have in common: a
 * file of words, named by an environment variable, that the parent maps, all
 * children share, and env/faults.py writes; and whose thread this is.
 */
#ifndef BL_SHIM_WORDS_H
#define BL_SHIM_WORDS_H

#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

/* The function of that name in the libraries behind this one. */
#define NEXT(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

/* none: what is answered where there is no such file. */
static inline void *map_words(const char *variable, size_t size, void *none)
{
    const char *path = getenv(variable);
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *at;

    if (fd < 0) return none;
    at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return at == MAP_FAILED ? none : at;
}

/* Whose name begins so. */
static inline int is_thread(const char *name)
{
    char mine[16] = "";

    prctl(PR_GET_NAME, mine);
    return !strncmp(mine, name, strlen(name));
}

#endif
