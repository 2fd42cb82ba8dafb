/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_parked - a feed whose connection the reactor writes to, and the thread
 * that makes what it writes.
 *
 * A feed is at one of the two at a time: while is_making is set its buffer and
 * its source are the feeder's; the letter gives them back to the reactor.
 */
#include "feed.h"
#include "park.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#define STUCK_MS 60000 /* as long may a client take nothing */
#define KEEP_BYTES 4096

typedef struct parked_t {
    bl_letter_t letter;    /* the feeder's: it is made */
    struct parked_t *next; /* in the feeder's queue */
    bl_engine_t *engine;
    bl_reactor_t *reactor;
    bl_feed_source_t source;
    bl_park_t *park;
    bl_timer_t timer;
    bl_buf_t out;
    size_t sent;
    apr_status_t rv; /* of the last making */
    bl_ms_t wait_ms;
    bl_ms_t stuck_since; /* 0 = it is not */
    int is_begun, is_making;
    int is_gone;     /* nothing to write to any more */
    int is_released; /* the park is no more */
} parked_t;

/* --- the feeder --------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards these */
static pthread_cond_t has_work = PTHREAD_COND_INITIALIZER;
static pthread_t thread;
static int runs, must_stop;
static parked_t *queue, **queue_end = &queue;

static void on_made(bl_letter_t *letter);

static parked_t *take_first(void)
{
    parked_t *p;

    pthread_mutex_lock(&lock);
    while (!queue && !must_stop)
        pthread_cond_wait(&has_work, &lock);
    p = must_stop ? NULL : queue;
    if (p) {
        queue = p->next;
        if (!queue) queue_end = &queue;
    }
    pthread_mutex_unlock(&lock);
    return p;
}

static void *feeder(void *ctx)
{
    parked_t *p;

    while ((p = take_first())) {
        p->rv = bl_feed_make(p->engine, &p->source, &p->out, &p->wait_ms);
        p->letter.fn = on_made;
        bl_reactor_post(p->reactor, &p->letter);
    }
    return ctx;
}

/* Signals are the main thread's. */
static int start_feeder(void)
{
    sigset_t all, before;
    int is_up;

    pthread_mutex_lock(&lock);
    if (!runs && !must_stop) {
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        runs = !pthread_create(&thread, NULL, feeder, NULL);
        pthread_sigmask(SIG_SETMASK, &before, NULL);
    }
    is_up = runs && !must_stop;
    pthread_mutex_unlock(&lock);
    return is_up;
}

void bl_feed_close_all(void)
{
    int was_up;

    pthread_mutex_lock(&lock);
    must_stop = 1;
    was_up = runs;
    runs = 0;
    pthread_cond_signal(&has_work);
    pthread_mutex_unlock(&lock);
    if (was_up) pthread_join(thread, NULL);
}

static void ask_feeder(parked_t *p)
{
    p->is_making = 1;
    p->next = NULL;
    pthread_mutex_lock(&lock);
    *queue_end = p;
    queue_end = &p->next;
    pthread_cond_signal(&has_work);
    pthread_mutex_unlock(&lock);
}

/* --- the reactor -------------------------------------------------------- */

static size_t pending(const parked_t *p)
{
    return p->out.len - p->sent;
}

static void free_feed(parked_t *p)
{
    bl_reactor_rt_disarm(p->reactor, &p->timer);
    p->source.destroy(p->source.ctx);
    bl_buf_release(&p->out);
    bl_feed_ended(0);
    free(p);
}

static void arm(parked_t *p, bl_ms_t in_ms)
{
    bl_reactor_rt_arm(p->reactor, &p->timer,
                      bl_reactor_rt_now(p->reactor) + in_ms);
}

static void all_is_sent(parked_t *p)
{
    p->sent = 0;
    p->stuck_since = 0;
    bl_buf_clear(&p->out);
    if (p->out.size > KEEP_BYTES) bl_buf_release(&p->out);
    if (p->rv != APR_SUCCESS)
        bl_park_rt_finish(p->park, p->rv == APR_EOF);
    else
        arm(p, p->wait_ms);
}

static void pump(parked_t *p)
{
    while (!p->is_making && !p->is_gone && pending(p) &&
           bl_park_rt_can_write(p->park))
    {
        size_t n = pending(p);
        apr_status_t rv;

        if (n > BL_PASS_BYTES) n = BL_PASS_BYTES;
        rv = bl_park_rt_write(p->park, p->out.data + p->sent, n,
                              p->rv == APR_EOF && n == pending(p));
        if (rv == APR_EAGAIN) break;
        if (rv != APR_SUCCESS) {
            bl_park_rt_abort(p->park);
            return;
        }
        p->sent += n;
        p->stuck_since = 0;
        if (!pending(p)) {
            all_is_sent(p);
            return;
        }
    }
    if (p->is_making || p->is_gone || !pending(p)) return;
    if (!p->stuck_since) {
        p->stuck_since = bl_reactor_rt_now(p->reactor);
        arm(p, STUCK_MS);
    }
}

static void on_made(bl_letter_t *letter)
{
    parked_t *p = (parked_t *)letter;

    p->is_making = 0;
    if (p->is_released) {
        free_feed(p);
        return;
    }
    if (p->is_gone) return;
    if (pending(p))
        pump(p);
    else
        all_is_sent(p);
}

static void on_timer(void *ctx)
{
    parked_t *p = ctx;

    if (p->is_making || p->is_gone) return;
    if (pending(p)) {
        bl_park_rt_abort(p->park);
        return;
    }
    ask_feeder(p);
}

static void on_owned(void *ctx)
{
    parked_t *p = ctx;

    if (!p->is_begun) {
        p->is_begun = 1;
        ask_feeder(p);
    }
    pump(p);
}

static void on_writable(void *ctx)
{
    pump(ctx);
}

/* What is being made, or on its way, tells as well whether it still reads. */
static void on_probe(void *ctx)
{
    parked_t *p = ctx;

    if (p->is_making || p->is_gone || pending(p)) return;
    bl_buf_puts(&p->out, ": hb\n\n");
    pump(p);
}

static void on_gone(void *ctx)
{
    parked_t *p = ctx;

    p->is_gone = 1;
    bl_reactor_rt_disarm(p->reactor, &p->timer);
}

static void on_released(void *ctx)
{
    parked_t *p = ctx;

    on_gone(p);
    p->is_released = 1;
    if (!p->is_making) free_feed(p);
}

/* --- the request's thread ----------------------------------------------- */

int bl_feed_park(request_rec *r, bl_engine_t *e, const bl_feed_source_t *source)
{
    parked_t *p;
    bl_park_calls_t calls = {on_owned,    on_writable, on_probe, on_gone,
                             on_released, NULL,        NULL};

    if (!start_feeder()) return DECLINED;
    p = calloc(1, sizeof(*p));
    if (!p) return DECLINED;
    p->engine = e;
    p->reactor = bl_engine_reactor(e);
    p->source = *source;
    p->timer.fn = on_timer;
    p->timer.ctx = p;
    bl_buf_init(&p->out, BL_FEED_BYTES);
    calls.ctx = p;
    if (bl_park_begin(&p->park, r, p->reactor, &calls) == APR_SUCCESS) {
        return SUSPENDED;
    }
    free(p);
    return DECLINED;
}
