/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kill_at - ends its process by SIGKILL at the n-th system call that changes a
 * file of the database or locks it, when the test says so (P02). Preloaded into
 * httpd, linked into tests/store/store_worker. The words lie in the file
 * BL_KILL_AT; env/faults.py writes them, and all processes count together.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#undef _FILE_OFFSET_BITS
#include "words.h"

#include <signal.h>
#include <stdarg.h>

/* The order is that of env/faults.py. */
typedef struct words_t {
    long left;      /* calls until then; 0: none */
    long of_writer; /* only those of the thread that writes count */
} words_t;

static words_t none, *words = &none;

static void __attribute__((constructor)) open_words(void)
{
    words = map_words("BL_KILL_AT", sizeof(words_t), &none);
}

/* Before the call, so that what came before it is all there is. */
static void count(void)
{
    if (words == &none || (words->of_writer && !is_thread("bl-writer"))) return;
    if (!__atomic_load_n(&words->left, __ATOMIC_SEQ_CST)) return;
    if (!__atomic_sub_fetch(&words->left, 1, __ATOMIC_SEQ_CST)) {
        kill(getpid(), SIGKILL);
    }
}

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    static __typeof__(&pwrite64) next;

    if (!next) next = NEXT(pwrite64);
    count();
    return next(fd, data, n, at);
}

ssize_t pwrite(int fd, const void *data, size_t n, off_t at)
{
    static __typeof__(&pwrite) next;

    if (!next) next = NEXT(pwrite);
    count();
    return next(fd, data, n, at);
}

int fdatasync(int fd)
{
    static __typeof__(&fdatasync) next;

    if (!next) next = NEXT(fdatasync);
    count();
    return next(fd);
}

int fsync(int fd)
{
    static __typeof__(&fsync) next;

    if (!next) next = NEXT(fsync);
    count();
    return next(fd);
}

int ftruncate64(int fd, off64_t n)
{
    static __typeof__(&ftruncate64) next;

    if (!next) next = NEXT(ftruncate64);
    count();
    return next(fd, n);
}

static int is_lock(int command)
{
    return command == F_SETLK || command == F_SETLKW || command == F_OFD_SETLK;
}

/* Of all commands the third argument is a word at most. */
#define argument_of(last)                                                      \
    ({                                                                         \
        va_list list;                                                          \
        void *found;                                                           \
        va_start(list, last);                                                  \
        found = va_arg(list, void *);                                          \
        va_end(list);                                                          \
        found;                                                                 \
    })

int fcntl(int fd, int command, ...)
{
    static __typeof__(&fcntl) next;
    void *argument = argument_of(command);

    if (!next) next = NEXT(fcntl);
    if (is_lock(command)) count();
    return next(fd, command, argument);
}

int fcntl64(int fd, int command, ...)
{
    static __typeof__(&fcntl64) next;
    void *argument = argument_of(command);

    if (!next) next = NEXT(fcntl64);
    if (is_lock(command)) count();
    return next(fd, command, argument);
}
