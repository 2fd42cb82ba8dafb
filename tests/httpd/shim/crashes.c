/* SPDX-License-Identifier: Apache-2.0 */
/*
 * crashes - preloaded into httpd by the tests: where a child died. httpd's own
 * handler says only that it did; this one writes the frames, in the form of a
 * sanitizer's report, to a file of the directory BL_REPORTS (env/logs.py reads
 * them). A signal that somebody sent is none of its business.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FRAMES 40
#define OWN_FRAMES 2 /* the handler, and what the kernel called it by */

typedef int sigaction_fn(int, const struct sigaction *, struct sigaction *);

static char reports[256];
static sigaction_fn *real_sigaction;

static int is_ours(int sig)
{
    return sig == SIGSEGV || sig == SIGBUS || sig == SIGILL || sig == SIGFPE;
}

static void write_frames(int fd, int sig)
{
    void *frames[FRAMES];
    char line[512];
    int i, n = backtrace(frames, FRAMES);

    dprintf(fd, "signal %d\n", sig);
    for (i = OWN_FRAMES; i < n; i++) {
        Dl_info at;

        memset(&at, 0, sizeof(at));
        dladdr(frames[i], &at);
        snprintf(line, sizeof(line), "    #%d %p in %s (%s+%#lx)\n",
                 i - OWN_FRAMES, frames[i], at.dli_sname ? at.dli_sname : "??",
                 at.dli_fname ? at.dli_fname : "??",
                 (unsigned long)((char *)frames[i] - (char *)at.dli_fbase));
        if (write(fd, line, strlen(line)) < 0) return;
    }
}

/* The instruction is tried again when this returns, and ends the process. */
static void on_crash(int sig, siginfo_t *info, void *context)
{
    struct sigaction plain;
    char path[300];
    int fd;

    (void)context;
    memset(&plain, 0, sizeof(plain));
    plain.sa_handler = SIG_DFL;
    real_sigaction(sig, &plain, NULL);
    if (info->si_code <= 0) {
        raise(sig);
        return;
    }
    snprintf(path, sizeof(path), "%s/report.%d", reports, (int)getpid());
    fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) return;
    write_frames(fd, sig);
    close(fd);
}

int sigaction(int sig, const struct sigaction *new, struct sigaction *old)
{
    if (*reports && is_ours(sig) && new) return 0;
    if (!real_sigaction)
        real_sigaction = (sigaction_fn *)dlsym(RTLD_NEXT, "sigaction");
    return real_sigaction(sig, new, old);
}

static void __attribute__((constructor)) begin(void)
{
    static const int signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE};
    const char *dir = getenv("BL_REPORTS");
    struct sigaction action;
    void *frame;
    size_t i;

    real_sigaction = (sigaction_fn *)dlsym(RTLD_NEXT, "sigaction");
    if (!dir || strlen(dir) >= sizeof(reports)) return;
    backtrace(&frame, 1); /* loads its library now, and not in the handler */
    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO;
    for (i = 0; i < sizeof(signals) / sizeof(*signals); i++)
        real_sigaction(signals[i], &action, NULL);
    strcpy(reports, dir);
}
