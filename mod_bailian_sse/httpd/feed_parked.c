/* SPDX-License-Identifier: Apache-2.0 */
/*
 * feed_parked - a feed whose connection the reactor writes to, and the thread
 * that makes what it writes.
 *
 * A feed is at one of the two at a time: while is_making is set its buffer and
 * its source are the feeder's, which keeps the time as well: a turn of the
 * reactor that takes long is waited for once an event, not twice. The letter
 * gives them back to the reactor.
 */
#include "feed.h"
#include "park.h"
#include "base/clock.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

#define STUCK_MS 60000 /* as long may a client take nothing */
#define KEEP_BYTES 4096

typedef struct parked_t {
    bl_letter_t letter;    /* the feeder's: it is made */
    struct parked_t *next; /* in the feeder's queue */
    bl_ms_t due_ms;        /* when it is made */
    bl_engine_t *engine;
    bl_reactor_t *reactor;
    bl_feed_source_t source;
    bl_park_t *park;
    bl_timer_t timer;
    bl_buf_t out;
    size_t sent;
    apr_status_t rv;     /* of the last making */
    bl_ms_t stuck_since; /* 0 = it is not */
    request_rec *r;      /* borrowed: of whoever may write to it */
    int has_head;        /* of the response: it has left */
    int is_begun, is_making;
    int is_gone;     /* nothing to write to any more */
    int is_released; /* the park is no more */
} parked_t;

/* --- the feeder --------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* guards these */
static pthread_cond_t has_work; /* there is once it runs */
static pthread_t thread;
static int runs, must_stop;
static parked_t *queue; /* what is due first is first */

static void on_made(bl_letter_t *letter);

static void wait_for_work(bl_ms_t ms)
{
    struct timespec until = bl_cond_until(ms);

    pthread_cond_timedwait(&has_work, &lock, &until);
}

/* NULL: the child ends. */
static parked_t *take_due(void)
{
    parked_t *p = NULL;

    pthread_mutex_lock(&lock);
    while (!must_stop && !p) {
        bl_ms_t wait = queue ? queue->due_ms - bl_clock_ms() : 0;

        if (!queue) {
            pthread_cond_wait(&has_work, &lock);
        }
        else if (wait > 0) {
            wait_for_work(wait);
        }
        else {
            p = queue;
            queue = p->next;
        }
    }
    pthread_mutex_unlock(&lock);
    return p;
}

static void give_back(parked_t *p)
{
    p->letter.fn = on_made;
    bl_reactor_post(p->reactor, &p->letter);
}

/* The child ends: what waits is the reactor's again, which ends it. */
static void give_all_back(void)
{
    parked_t *p, *next;

    pthread_mutex_lock(&lock);
    p = queue;
    queue = NULL;
    pthread_mutex_unlock(&lock);
    for (; p; p = next) {
        next = p->next;
        give_back(p);
    }
}

static void *feeder(void *ctx)
{
    bl_ms_t wait;
    parked_t *p;

    while ((p = take_due())) {
        wait = 0;
        p->rv = bl_feed_make(p->engine, &p->source, &p->out, &wait);
        p->due_ms = bl_clock_ms() + wait;
        give_back(p);
    }
    give_all_back();
    return ctx;
}

static int start_feeder(void)
{
    int is_up;

    pthread_mutex_lock(&lock);
    if (!runs && !must_stop) {
        bl_cond_init(&has_work);
        runs = !bl_thread_start(&thread, feeder, NULL);
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
    if (was_up) pthread_cond_signal(&has_work);
    pthread_mutex_unlock(&lock);
    if (was_up) pthread_join(thread, NULL);
}

/* At due_ms; never when the child ends. */
static void ask_feeder(parked_t *p)
{
    parked_t **at = &queue;

    pthread_mutex_lock(&lock);
    p->is_making = !must_stop;
    if (p->is_making) {
        while (*at && (*at)->due_ms <= p->due_ms)
            at = &(*at)->next;
        p->next = *at;
        *at = p;
        if (p == queue) pthread_cond_signal(&has_work);
    }
    pthread_mutex_unlock(&lock);
}

/* Takes it back when it is not being made yet. */
static void withdraw(parked_t *p)
{
    parked_t **at = &queue;

    pthread_mutex_lock(&lock);
    while (*at && *at != p)
        at = &(*at)->next;
    if (*at) {
        *at = p->next;
        p->is_making = 0;
    }
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

/* Nothing was sent, and nothing can be made. A worker that has the connection
 * just now finds it cut. */
static int is_refused(parked_t *p)
{
    const char *text;

    if (p->has_head || !bl_park_rt_can_write(p->park)) return 0;
    text =
        bl_call_least_problem(p->r, 0, BL_LANG_EN, bl_error(BL_E_OVERLOADED));
    return bl_park_rt_write(p->park, text, strlen(text), 1) == APR_SUCCESS;
}

static void all_is_sent(parked_t *p)
{
    p->sent = 0;
    p->stuck_since = 0;
    bl_reactor_rt_disarm(p->reactor, &p->timer);
    bl_buf_clear(&p->out);
    if (p->out.size > KEEP_BYTES) bl_buf_release(&p->out);
    if (p->rv != APR_SUCCESS)
        bl_park_rt_finish(p->park, p->rv == APR_EOF || is_refused(p));
    else
        ask_feeder(p);
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
        p->has_head = 1;
        p->stuck_since = 0;
        if (!pending(p)) {
            all_is_sent(p);
            return;
        }
    }
    if (p->is_making || p->is_gone || !pending(p)) return;
    if (!p->stuck_since) {
        p->stuck_since = bl_reactor_rt_now(p->reactor);
        bl_reactor_rt_arm(p->reactor, &p->timer, p->stuck_since + STUCK_MS);
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

/* Its client took nothing for STUCK_MS. */
static void on_timer(void *ctx)
{
    parked_t *p = ctx;

    if (!p->is_making && !p->is_gone && pending(p)) bl_park_rt_abort(p->park);
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
    withdraw(p);
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
    p->r = r;
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
