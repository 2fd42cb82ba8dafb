/* SPDX-License-Identifier: Apache-2.0 */
#include "watchdog.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/log_queue.h"
#include "base/thread.h"

#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#define LOOK_MS 1000
#define FLUSH_MS 500
/* Between two looks: then the machine, or this process, stood still (P16), and
 * the reactor has to get its chance first. */
#define SLEPT_MS 10000

struct bl_watchdog_t {
    pthread_t thread;
    pthread_mutex_t lock; /* guards must_stop */
    pthread_cond_t wake;
    int must_stop;
    bl_reactor_t *reactor;
    bl_ms_t stuck_ms;
    void (*stuck)(void *ctx);
    void *ctx;
};

static void kill_child(void *ctx)
{
    (void)ctx;
    bl_log_queue_flush(FLUSH_MS); /* who reads the log must know why */
    kill(getpid(), SIGKILL);
}

/* 1 = go on. */
static int wait_a_second(bl_watchdog_t *w)
{
    struct timespec until = bl_cond_until(LOOK_MS);
    int goes_on;

    pthread_mutex_lock(&w->lock);
    while (!w->must_stop) {
        if (pthread_cond_timedwait(&w->wake, &w->lock, &until)) break;
    }
    goes_on = !w->must_stop;
    pthread_mutex_unlock(&w->lock);
    return goes_on;
}

static void *run(void *ctx)
{
    bl_watchdog_t *w = ctx;
    bl_ms_t late, looked = bl_clock_ms(), now;

    prctl(PR_SET_NAME, "bl-watchdog");
    while (wait_a_second(w)) {
        now = bl_clock_ms();
        late = bl_reactor_lateness(w->reactor);
        if (now - looked > SLEPT_MS) late = 0;
        looked = now;
        if (late < w->stuck_ms) continue;
        bl_log(BL_LOG_ERR, 0,
               BL_LOGNO(1308) "the reactor has been stuck for %d ms: this "
                              "child is ended and replaced",
               (int)late);
        w->stuck(w->ctx);
        break;
    }
    return NULL;
}

apr_status_t bl_watchdog_start(bl_watchdog_t **pw, bl_reactor_t *r,
                               bl_ms_t stuck_ms, void (*stuck)(void *ctx),
                               void *ctx)
{
    bl_watchdog_t *w = calloc(1, sizeof(*w));
    int rc;

    *pw = NULL;
    if (!w) return APR_ENOMEM;
    w->reactor = r;
    w->stuck_ms = stuck_ms;
    w->stuck = stuck ? stuck : kill_child;
    w->ctx = ctx;
    pthread_mutex_init(&w->lock, NULL);
    bl_cond_init(&w->wake);
    rc = bl_thread_start(&w->thread, run, w);
    if (rc) {
        pthread_cond_destroy(&w->wake);
        pthread_mutex_destroy(&w->lock);
        free(w);
        return rc;
    }
    *pw = w;
    return APR_SUCCESS;
}

void bl_watchdog_stop(bl_watchdog_t *w)
{
    if (!w) return;
    pthread_mutex_lock(&w->lock);
    w->must_stop = 1;
    pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
    free(w);
}
