/* SPDX-License-Identifier: Apache-2.0 */
/*
 * faults - preloaded into httpd by the tests: calls of the C library that fail,
 * hang or lie when the test says so. The words lie in the file BL_FAULTS.
 * Nothing of this is in the module.
 */
#define _GNU_SOURCE
#include "words.h"

#include <errno.h>
#include <execinfo.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>

/* The order is that of env/faults.py. */
typedef struct words_t {
    long wall_s;        /* the wall clock is so much ahead */
    long boot_ms;       /* the monotonic clock is */
    long stuck;         /* the reactor hangs while it is set */
    long no_random;     /* getrandom() fails */
    long no_threads;    /* threads of the module cannot be made */
    long crash_reactor; /* a signal that the next turn raises, once */
    long crash_writer;  /* ... the next write to a file */
    long crash_request; /* ... the next random number of a request */
    long files;         /* descriptors of a child; 0: as many as there were */
    long stuck_seen;    /* told by the reactor when it hangs */
    long late_ms;       /* what another child sends is read so much later */
    long silent_names;  /* nobody answers who a host is, while it is set */
} words_t;

static words_t none, *words = &none;

static void __attribute__((constructor)) open_words(void)
{
    words = map_words("BL_FAULTS", sizeof(words_t), &none);
}

/* abort() and a bad address die by different ways of the C library. */
static void crash_if(long *word)
{
    long sig = __atomic_exchange_n(word, 0, __ATOMIC_SEQ_CST);

    if (sig == SIGABRT) abort();
    if (!sig) return;
    signal(SIGSEGV, SIG_DFL); /* one that was meant needs no report */
    *(volatile int *)8 = 1;
}

/* Only root may set it for another process, and not even that everywhere. */
static void limit_files(void)
{
    static long applied;
    struct rlimit limit;
    long wanted = words->files;

    if (applied == wanted || !geteuid()) return;
    applied = wanted;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = wanted ? (rlim_t)wanted : limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

/* --- clocks --------------------------------------------------------------- */

int clock_gettime(clockid_t clock, struct timespec *ts)
{
    static __typeof__(&clock_gettime) next;
    int rc;

    if (!next) next = NEXT(clock_gettime);
    limit_files();
    rc = next(clock, ts);
    if (rc) return rc;
    if (clock == CLOCK_REALTIME) ts->tv_sec += words->wall_s;
    if (clock == CLOCK_BOOTTIME) {
        ts->tv_sec += words->boot_ms / 1000;
        ts->tv_nsec += words->boot_ms % 1000 * 1000000;
        if (ts->tv_nsec >= 1000000000) {
            ts->tv_nsec -= 1000000000;
            ts->tv_sec++;
        }
    }
    return 0;
}

int gettimeofday(struct timeval *restrict tv, void *restrict zone)
{
    static __typeof__(&gettimeofday) next;
    int rc;

    if (!next) next = NEXT(gettimeofday);
    rc = next(tv, zone);
    if (!rc) tv->tv_sec += words->wall_s;
    return rc;
}

time_t time(time_t *at)
{
    struct timeval now;

    gettimeofday(&now, NULL);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}

/* --- the reactor ---------------------------------------------------------- */

static void hang(void)
{
    struct timespec pause = {0, 10000000};

    while (words->stuck) {
        words->stuck_seen = 1;
        nanosleep(&pause, NULL);
    }
}

/* It reads its mail in a turn, and a question is mail. */
ssize_t read(int fd, void *to, size_t n)
{
    static __typeof__(&read) next;

    if (!next) next = NEXT(read);
    if ((words->stuck || words->crash_reactor) && is_thread("bl-reactor")) {
        crash_if(&words->crash_reactor);
        hang();
    }
    return next(fd, to, n);
}

/* Of the sockets that it reads itself only those to other children are local.
 */
static int is_local(int fd)
{
    int domain = 0;
    socklen_t len = sizeof(domain);

    return !getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) &&
           domain == AF_UNIX;
}

ssize_t recv(int fd, void *to, size_t n, int flags)
{
    static __typeof__(&recv) next;
    struct timespec late = {words->late_ms / 1000,
                            words->late_ms % 1000 * 1000000};

    if (!next) next = NEXT(recv);
    if (words->late_ms && is_thread("bl-reactor") && is_local(fd)) {
        nanosleep(&late, NULL);
    }
    return next(fd, to, n, flags);
}

/* --- names ---------------------------------------------------------------- */

int getaddrinfo(const char *name, const char *service,
                const struct addrinfo *hints, struct addrinfo **found)
{
    static __typeof__(&getaddrinfo) next;
    struct timespec pause = {0, 10000000};

    if (!next) next = NEXT(getaddrinfo);
    while (words->silent_names && name && strstr(name, ".invalid"))
        nanosleep(&pause, NULL);
    return next(name, service, hints, found);
}

/* --- random numbers ------------------------------------------------------- */

ssize_t getrandom(void *to, size_t n, unsigned flags)
{
    static ssize_t (*next)(void *, size_t, unsigned);

    if (!next) {
        next =
            (ssize_t(*)(void *, size_t, unsigned))dlsym(RTLD_NEXT, "getrandom");
    }
    if (words->no_random) {
        errno = EIO;
        return -1;
    }
    if (words->crash_request && !is_thread("bl-")) {
        crash_if(&words->crash_request);
    }
    return next(to, n, flags);
}

/* --- the writer ----------------------------------------------------------- */

ssize_t pwrite64(int fd, const void *data, size_t n, off64_t at)
{
    static __typeof__(&pwrite64) next;

    if (!next) next = NEXT(pwrite64);
    if (words->crash_writer && is_thread("bl-writer")) {
        crash_if(&words->crash_writer);
    }
    return next(fd, data, n, at);
}

/* --- threads -------------------------------------------------------------- */

/* Whether the module asks: by the callers, because a sanitizer puts its own
   function in front of the one that the thread is to run. */
static int is_asked_by_module(void)
{
    void *frames[32];
    int i, n = backtrace(frames, 32);
    Dl_info info;

    for (i = 0; i < n; i++) {
        if (dladdr(frames[i], &info) && info.dli_fname &&
            strstr(info.dli_fname, "mod_bailian_sse"))
        {
            return 1;
        }
    }
    return 0;
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attr,
                   void *(*run)(void *), void *ctx)
{
    static __typeof__(&pthread_create) next;

    if (!next) next = NEXT(pthread_create);
    if (words->no_threads && is_asked_by_module()) return EAGAIN;
    return next(thread, attr, run, ctx);
}
