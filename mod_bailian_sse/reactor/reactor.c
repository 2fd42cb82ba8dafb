/* SPDX-License-Identifier: Apache-2.0 */
#include "reactor.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/thread.h"
#include "warm.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EVENTS_AT_ONCE 512
#define MAILBOX_MOST 65536
#define IDLE_CONNECTIONS 256 /* kept open to upstreams; httpd-async.md 6 */
#define ROUNDS 4             /* of deferred work in one turn */
/* I9: a turn is to take 50 ms at most. What is left when it has taken so long
 * is the next one's; deferred work has its share after the descriptors. */
#define DESCRIPTORS_MS 15
#define DEFERRED_MS 30
#define LATE_MS 250 /* a defect: I9 */

/* Of a socket of curl's. */
typedef struct curl_watch_t {
    bl_watch_t watch;
    bl_reactor_t *reactor;
    struct curl_watch_t *next; /* while it is spare */
    bl_warm_t *warm;           /* NULL: spare, or there was no memory */
} curl_watch_t;

struct bl_reactor_t {
    pthread_t thread;
    int is_running;
    int must_stop; /* reactor only, set by a letter */
    bl_letter_t stop_letter;
    int epoll_fd;
    bl_mailbox_t *mailbox;
    bl_watch_t mailbox_watch;
    int is_mail_read; /* in this turn */
    bl_timers_t timers;
    bl_deferred_t *deferred; /* list */
    bl_deferred_t *running;  /* list: those of the round that runs */
    CURLM *multi;
    int easies;                  /* that multi has */
    int watches;                 /* made for its sockets, spare ones too */
    curl_watch_t *spare_watches; /* list */
    bl_timer_t curl_timer;
    int is_curl_due; /* in this turn still, or at once in the next */
    int must_read_messages;
    bl_warm_t *noted;   /* of one event a turn, or NULL */
    int is_noting;      /* what runs now is of that event */
    bl_ms_t now;        /* of this turn */
    bl_ms_t turn_began; /* atomic; 0 between turns */
    bl_ms_t longest;    /* atomic */
    struct epoll_event events[EVENTS_AT_ONCE];
    int event_at, event_count; /* the next of them */
};

/* --- descriptors -------------------------------------------------------- */

apr_status_t bl_watch_rt_set(bl_reactor_t *r, bl_watch_t *w, int fd,
                             unsigned events)
{
    struct epoll_event ev;
    int op = w->reactor && w->fd == fd ? EPOLL_CTL_MOD : EPOLL_CTL_ADD;

    if (op == EPOLL_CTL_MOD && w->events == events) return APR_SUCCESS;
    if (op == EPOLL_CTL_ADD && w->reactor) bl_watch_rt_clear(w);
    memset(&ev, 0, sizeof(ev));
    ev.events = events;
    ev.data.ptr = w;
    if (epoll_ctl(r->epoll_fd, op, fd, &ev)) return errno;
    w->fd = fd;
    w->events = events;
    w->reactor = r;
    return APR_SUCCESS;
}

/* A watch that goes away in the middle of a turn may still stand in the list
 * of events that this turn works through. */
static void forget_events(bl_reactor_t *r, const bl_watch_t *w)
{
    int i;

    for (i = 0; i < r->event_count; i++) {
        if (r->events[i].data.ptr == w) r->events[i].data.ptr = NULL;
    }
}

/* The kernel forgets a closed descriptor by itself: no error counts. That
 * another thread has opened one of that number since does no harm: nobody but
 * the reactor adds any (tests/tsan.supp names this function). */
static void leave_epoll(int epoll_fd, int fd)
{
    epoll_ctl(epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

void bl_watch_rt_clear(bl_watch_t *w)
{
    bl_reactor_t *r = w->reactor;

    if (!r) return;
    leave_epoll(r->epoll_fd, w->fd);
    forget_events(r, w);
    w->reactor = NULL;
    w->fd = -1;
    w->events = 0;
}

/* --- curl --------------------------------------------------------------- */

static void curl_action(bl_reactor_t *r, curl_socket_t fd, int bits)
{
    int running;

    /* Without memory curl can lose a socket: its transfer is not woken any more
     * and ends by its clocks. */
    curl_multi_socket_action(r->multi, fd, bits, &running);
    r->must_read_messages = 1;
}

static void on_curl_socket(void *ctx, unsigned events)
{
    curl_watch_t *cw = ctx;
    bl_reactor_t *r = cw->reactor;
    int bits = 0;

    if (cw->warm && bl_warm_begin(cw->warm) && !r->noted) {
        bl_warm_renew(cw->warm);
        r->noted = cw->warm;
        r->is_noting = 1;
    }
    if (events & (EPOLLIN | EPOLLHUP)) bits |= CURL_CSELECT_IN;
    if (events & EPOLLOUT) bits |= CURL_CSELECT_OUT;
    if (events & EPOLLERR) bits |= CURL_CSELECT_ERR;
    curl_action(r, cw->watch.fd, bits);
    r->is_noting = 0;
}

int bl_reactor_rt_is_noting(const bl_reactor_t *r)
{
    return r->is_noting;
}

void bl_reactor_rt_used(bl_reactor_t *r, const void *from, size_t bytes)
{
    if (r->is_noting && r->noted) bl_warm_note(r->noted, from, bytes);
}

/* A socket callback that fails makes curl end every transfer of the child. So
 * what it needs is there before (R02): of each transfer, sockets for the two
 * addresses that are tried at once and for the resolver. */
#define WATCHES_EACH 3
#define SPARE_TRANSFERS 16 /* whose watches are kept for the next */

static apr_status_t make_watches(bl_reactor_t *r)
{
    while (r->watches < WATCHES_EACH * (r->easies + 1)) {
        curl_watch_t *cw = calloc(1, sizeof(*cw));

        if (!cw) return APR_ENOMEM;
        cw->next = r->spare_watches;
        r->spare_watches = cw;
        r->watches++;
    }
    return APR_SUCCESS;
}

static curl_watch_t *take_watch(bl_reactor_t *r)
{
    curl_watch_t *cw = r->spare_watches;

    if (!cw) return NULL;
    r->spare_watches = cw->next;
    cw->watch.fd = -1;
    cw->watch.fn = on_curl_socket;
    cw->watch.ctx = cw;
    cw->reactor = r;
    cw->warm = malloc(sizeof(*cw->warm));
    if (cw->warm) bl_warm_init(cw->warm);
    return cw;
}

static void give_watch(bl_reactor_t *r, curl_watch_t *cw)
{
    if (r->noted == cw->warm) r->noted = NULL;
    free(cw->warm);
    cw->warm = NULL;
    cw->next = r->spare_watches;
    r->spare_watches = cw;
}

static void drop_watches(bl_reactor_t *r, int keep)
{
    while (r->spare_watches && r->watches > keep) {
        curl_watch_t *cw = r->spare_watches;

        r->spare_watches = cw->next;
        free(cw);
        r->watches--;
    }
}

static int curl_socket_cb(CURL *easy, curl_socket_t fd, int what, void *ctx,
                          void *socketp)
{
    bl_reactor_t *r = ctx;
    curl_watch_t *cw = socketp;
    unsigned events = 0;

    (void)easy;
    if (what == CURL_POLL_REMOVE) {
        if (cw) {
            bl_watch_rt_clear(&cw->watch);
            give_watch(r, cw);
        }
        curl_multi_assign(r->multi, fd, NULL);
        return 0;
    }
    if (!cw) {
        cw = take_watch(r);
        if (!cw) return 0; /* this transfer ends by its clocks */
        curl_multi_assign(r->multi, fd, cw);
    }
    if (what & CURL_POLL_IN) events |= EPOLLIN;
    if (what & CURL_POLL_OUT) events |= EPOLLOUT;
    bl_watch_rt_set(r, &cw->watch, fd, events);
    return 0;
}

static void on_curl_timer(void *ctx)
{
    curl_action(ctx, CURL_SOCKET_TIMEOUT, 0);
}

static int curl_timer_cb(CURLM *multi, long timeout_ms, void *ctx)
{
    bl_reactor_t *r = ctx;

    (void)multi;
    r->is_curl_due = timeout_ms == 0;
    if (timeout_ms <= 0) {
        bl_timers_disarm(&r->timers, &r->curl_timer);
        return 0;
    }
    bl_timers_arm(&r->timers, &r->curl_timer, bl_clock_ms() + timeout_ms);
    return 0;
}

static void run_curl_if_due(bl_reactor_t *r)
{
    if (!r->is_curl_due) return;
    r->is_curl_due = 0; /* what it asks for now waits for the next turn */
    curl_action(r, CURL_SOCKET_TIMEOUT, 0);
}

static void read_messages(bl_reactor_t *r)
{
    CURLMsg *msg;
    int left;

    while (r->must_read_messages) {
        r->must_read_messages = 0;
        while ((msg = curl_multi_info_read(r->multi, &left))) {
            bl_exchange_t *x = NULL;
            CURLcode result = msg->data.result;

            if (msg->msg != CURLMSG_DONE) continue;
            curl_easy_getinfo(msg->easy_handle, CURLINFO_PRIVATE, (char **)&x);
            if (x) x->done(x->ctx, result); /* removes the easy handle */
        }
    }
}

apr_status_t bl_reactor_rt_add_easy(bl_reactor_t *r, CURL *easy)
{
    apr_status_t rv = make_watches(r);

    if (rv != APR_SUCCESS) return rv;
    r->must_read_messages = 1;
    if (curl_multi_add_handle(r->multi, easy) != CURLM_OK) return APR_ENOMEM;
    r->easies++;
    return APR_SUCCESS;
}

void bl_reactor_rt_remove_easy(bl_reactor_t *r, CURL *easy)
{
    curl_multi_remove_handle(r->multi, easy);
    r->easies--;
    drop_watches(r, WATCHES_EACH * (r->easies + SPARE_TRANSFERS));
}

static CURLM *make_multi(bl_reactor_t *r)
{
    CURLM *multi = curl_multi_init();

    if (!multi) return NULL;
    curl_multi_setopt(multi, CURLMOPT_SOCKETFUNCTION, curl_socket_cb);
    curl_multi_setopt(multi, CURLMOPT_SOCKETDATA, r);
    curl_multi_setopt(multi, CURLMOPT_TIMERFUNCTION, curl_timer_cb);
    curl_multi_setopt(multi, CURLMOPT_TIMERDATA, r);
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, (long)IDLE_CONNECTIONS);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, (long)CURLPIPE_MULTIPLEX);
    return multi;
}

/* curl closes an idle connection when it is in the way of the next one, and
 * only then; so what keeps them goes. */
void bl_reactor_rt_forget_connections(bl_reactor_t *r)
{
    CURLM *before = r->multi, *fresh;

    if (r->easies || !(fresh = make_multi(r))) return;
    r->multi = fresh;
    curl_multi_cleanup(before);
    bl_timers_disarm(&r->timers, &r->curl_timer);
    r->is_curl_due = 0;
}

void bl_reactor_rt_resume_easy(bl_reactor_t *r, CURL *easy)
{
    curl_easy_pause(easy, CURLPAUSE_CONT);
    curl_action(r, CURL_SOCKET_TIMEOUT, 0);
}

/* --- deferred work ------------------------------------------------------ */

void bl_reactor_rt_defer(bl_reactor_t *r, bl_deferred_t *d)
{
    d->is_noted |= r->is_noting;
    if (d->pprev) return;
    d->next = r->deferred;
    if (d->next) d->next->pprev = &d->next;
    d->pprev = &r->deferred;
    r->deferred = d;
}

void bl_reactor_rt_undefer(bl_deferred_t *d)
{
    if (!d->pprev) return;
    *d->pprev = d->next;
    if (d->next) d->next->pprev = d->pprev;
    d->pprev = NULL;
    d->next = NULL;
}

static int has_taken(const bl_reactor_t *r, bl_ms_t ms)
{
    return bl_clock_ms() - r->now >= ms;
}

/* What is deferred by what runs here waits for the next round. A round that
 * takes too long goes on in the next turn, before any other. */
static void run_deferred(bl_reactor_t *r)
{
    bl_deferred_t *d;

    if (!r->running && r->deferred) {
        r->running = r->deferred;
        r->running->pprev = &r->running;
        r->deferred = NULL;
    }
    while ((d = r->running)) {
        bl_reactor_rt_undefer(d);
        r->is_noting = d->is_noted;
        d->is_noted = 0;
        d->fn(d->ctx);
        r->is_noting = 0;
        if (has_taken(r, DEFERRED_MS)) return;
    }
}

static int is_unfinished(const bl_reactor_t *r)
{
    return r->must_read_messages || r->deferred || r->running;
}

/* --- the thread --------------------------------------------------------- */

bl_ms_t bl_reactor_rt_now(const bl_reactor_t *r)
{
    return r->now;
}

apr_status_t bl_reactor_rt_arm(bl_reactor_t *r, bl_timer_t *t, bl_ms_t due)
{
    /* Never in this turn again: who arms for a time that is past would keep
     * the turn going for ever. */
    return bl_timers_arm(&r->timers, t, due > r->now ? due : r->now + 1);
}

void bl_reactor_rt_disarm(bl_reactor_t *r, bl_timer_t *t)
{
    bl_timers_disarm(&r->timers, t);
}

static void on_mail(void *ctx, unsigned events)
{
    bl_reactor_t *r = ctx;
    int ran;

    (void)events;
    if (r->is_mail_read) return; /* once a turn: what comes now waits */
    r->is_mail_read = 1;
    bl_mailbox_run(r->mailbox, &ran);
}

/* Those that this turn has no time for are the first of the next one, whatever
 * else is ready then. */
static void run_descriptors(bl_reactor_t *r)
{
    while (r->event_at < r->event_count) {
        const struct epoll_event *ev = &r->events[r->event_at++];
        bl_watch_t *w = ev->data.ptr;

        if (!w) continue;
        w->fn(w->ctx, ev->events);
        if (has_taken(r, DESCRIPTORS_MS)) return;
    }
}

/* Looks for ready descriptors when those of the last time are done. */
static void poll_descriptors(bl_reactor_t *r, bl_ms_t wait)
{
    int n;

    if (r->event_at < r->event_count) return;
    n = epoll_wait(r->epoll_fd, r->events, EVENTS_AT_ONCE, (int)wait);
    r->event_at = 0;
    r->event_count = n > 0 ? n : 0;
}

static void work(bl_reactor_t *r)
{
    int i;

    run_descriptors(r);
    run_curl_if_due(r);
    read_messages(r);
    bl_timers_run(&r->timers, r->now);
    read_messages(r);
    run_deferred(r);
    /* What was deferred may have resumed a transfer, and that ended it, or
     * brought more: some rounds, so that a fast upstream and a fast reader do
     * not keep one turn going; the rest is for the next one. */
    for (i = 0; i < ROUNDS && is_unfinished(r) && !has_taken(r, DEFERRED_MS);
         i++) {
        read_messages(r);
        run_deferred(r);
    }
}

static void turn(bl_reactor_t *r)
{
    bl_ms_t wait = bl_timers_wait(&r->timers, bl_clock_ms());
    bl_ms_t took;

    if (wait < 0 || wait > BL_REACTOR_LEAVE_MS) wait = BL_REACTOR_LEAVE_MS;
    if (is_unfinished(r) || r->is_curl_due) wait = 0;
    poll_descriptors(r, wait);
    r->now = bl_clock_ms();
    __atomic_store_n(&r->turn_began, r->now, __ATOMIC_RELAXED);
    /* Before the sockets, and not when epoll gets to it: of 5,000 that are
     * ready it names 512 a turn, and a letter would wait for ten turns. */
    r->noted = NULL;
    r->is_mail_read = 0;
    if (bl_mailbox_has_mail(r->mailbox)) on_mail(r, 0);
    work(r);
    took = bl_clock_ms() - r->now;
    __atomic_store_n(&r->turn_began, 0, __ATOMIC_RELAXED);
    if (took > r->longest)
        __atomic_store_n(&r->longest, took, __ATOMIC_RELAXED);
    if (took > LATE_MS) {
        static bl_log_gate_t gate;
        unsigned times = bl_log_gate(&gate);

        if (times) {
            bl_log(BL_LOG_WARNING, 0,
                   BL_LOGNO(1501) "reactor: a turn took %d ms (%u such turns)",
                   (int)took, times);
        }
    }
}

static void *run(void *ctx)
{
    bl_reactor_t *r = ctx;

    prctl(PR_SET_NAME, "bl-reactor");
    while (!r->must_stop)
        turn(r);
    return NULL;
}

static void on_stop(bl_letter_t *letter)
{
    bl_reactor_t *r =
        (bl_reactor_t *)((char *)letter - offsetof(bl_reactor_t, stop_letter));

    r->must_stop = 1;
}

apr_status_t bl_reactor_create(bl_reactor_t **pr)
{
    bl_reactor_t *r = calloc(1, sizeof(*r));
    apr_status_t rv;

    *pr = NULL;
    if (!r) return APR_ENOMEM;
    curl_global_init(CURL_GLOBAL_ALL); /* counted, undone by destroy */
    r->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    r->multi = make_multi(r);
    r->curl_timer.fn = on_curl_timer;
    r->curl_timer.ctx = r;
    r->now = bl_clock_ms();
    rv = bl_timers_init(&r->timers);
    if (rv == APR_SUCCESS) rv = bl_mailbox_create(&r->mailbox, MAILBOX_MOST);
    if (rv == APR_SUCCESS && (r->epoll_fd < 0 || !r->multi)) rv = APR_EMFILE;
    if (rv == APR_SUCCESS) {
        r->mailbox_watch.fd = -1;
        r->mailbox_watch.fn = on_mail;
        r->mailbox_watch.ctx = r;
        rv = bl_watch_rt_set(r, &r->mailbox_watch, bl_mailbox_fd(r->mailbox),
                             EPOLLIN);
    }
    if (rv != APR_SUCCESS) {
        bl_reactor_destroy(r);
        return rv;
    }
    *pr = r;
    return APR_SUCCESS;
}

apr_status_t bl_reactor_start(bl_reactor_t *r)
{
    int rc = bl_thread_start(&r->thread, run, r);

    r->is_running = !rc;
    return rc;
}

void bl_reactor_stop(bl_reactor_t *r)
{
    if (!r->is_running) return;
    r->stop_letter.fn = on_stop;
    bl_mailbox_post(r->mailbox, &r->stop_letter);
    pthread_join(r->thread, NULL);
    r->is_running = 0;
}

void bl_reactor_destroy(bl_reactor_t *r)
{
    if (!r) return;
    if (r->multi) curl_multi_cleanup(r->multi);
    drop_watches(r, 0);
    bl_mailbox_destroy(r->mailbox);
    bl_timers_release(&r->timers);
    if (r->epoll_fd >= 0) close(r->epoll_fd);
    curl_global_cleanup();
    free(r);
}

void bl_reactor_post(bl_reactor_t *r, bl_letter_t *letter)
{
    bl_mailbox_post(r->mailbox, letter);
}

void bl_reactor_leave(bl_reactor_t *r, bl_letter_t *letter)
{
    bl_mailbox_leave(r->mailbox, letter);
}

apr_status_t bl_reactor_offer(bl_reactor_t *r, bl_letter_t *letter)
{
    return bl_mailbox_offer(r->mailbox, letter);
}

bl_ms_t bl_reactor_lateness(const bl_reactor_t *r)
{
    bl_ms_t began = __atomic_load_n(&r->turn_began, __ATOMIC_RELAXED);

    return began ? bl_clock_ms() - began : 0;
}

bl_ms_t bl_reactor_longest(const bl_reactor_t *r)
{
    return __atomic_load_n(&r->longest, __ATOMIC_RELAXED);
}

int bl_reactor_is_here(const bl_reactor_t *r)
{
    return r->is_running && pthread_equal(r->thread, pthread_self());
}
