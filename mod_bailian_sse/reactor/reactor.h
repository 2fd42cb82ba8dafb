/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reactor - the one thread of a child that runs all transfers, all timers and
 * all writes to parked clients. Knows no dialect, no request_rec. It never
 * waits for anything but its own poll (I9).
 *
 * A turn: poll; letters; descriptors; curl; timers; then what was deferred to
 * the end of the turn (streams with new events wake their readers there, so
 * that several events of one upstream read leave in one write).
 *
 * OWNERSHIP  made in child_init, stopped and destroyed in the reverse order.
 * THREADS    _rt_: the reactor. post, offer, lateness: any. create, start,
 *            stop, destroy: whoever opens or closes the engine.
 */
#ifndef BL_REACTOR_H
#define BL_REACTOR_H

#include "base/bl.h"
#include "base/mailbox.h"
#include "timers.h"

#include <curl/curl.h>

/* The longest that a turn waits: left letters are found then. */
#define BL_REACTOR_LEAVE_MS 1000

typedef struct bl_watch_t bl_watch_t;
typedef void bl_watch_fn(void *ctx, unsigned events); /* EPOLL* bits */

/* A descriptor that is looked at; part of its owner, who must remove it
 * before the descriptor is closed. */
struct bl_watch_t {
    int fd; /* -1 = not watched */
    unsigned events;
    bl_watch_fn *fn;
    void *ctx;
    bl_reactor_t *reactor;
};

/* Something to do at the end of this turn, once; part of its owner. */
typedef struct bl_deferred_t bl_deferred_t;
struct bl_deferred_t {
    bl_deferred_t *next;
    bl_deferred_t **pprev; /* NULL = not queued */
    void (*fn)(void *ctx);
    void *ctx;
    int is_noted; /* it follows from an event that notes: warm.h */
};

apr_status_t bl_reactor_create(bl_reactor_t **pr);
apr_status_t bl_reactor_start(bl_reactor_t *r);
/* Ends the thread after its turn and joins it. */
void bl_reactor_stop(bl_reactor_t *r);
void bl_reactor_destroy(bl_reactor_t *r);

void bl_reactor_post(bl_reactor_t *r, bl_letter_t *letter);
/* Without a wake-up: it is run within BL_REACTOR_LEAVE_MS. */
void bl_reactor_leave(bl_reactor_t *r, bl_letter_t *letter);
apr_status_t bl_reactor_offer(bl_reactor_t *r, bl_letter_t *letter);

/* Milliseconds since the running turn began, 0 between turns (P09). */
bl_ms_t bl_reactor_lateness(const bl_reactor_t *r);

/* The longest turn so far; for the live view and tests of I9. */
bl_ms_t bl_reactor_longest(const bl_reactor_t *r);

int bl_reactor_is_here(const bl_reactor_t *r);

bl_ms_t bl_reactor_rt_now(const bl_reactor_t *r); /* of this turn */
/* A time that is past already means the next turn. */
apr_status_t bl_reactor_rt_arm(bl_reactor_t *r, bl_timer_t *t, bl_ms_t due);
void bl_reactor_rt_disarm(bl_reactor_t *r, bl_timer_t *t);
void bl_reactor_rt_defer(bl_reactor_t *r, bl_deferred_t *d);
void bl_reactor_rt_undefer(bl_deferred_t *d);

/* events: EPOLLIN, EPOLLOUT, EPOLLRDHUP; errors are always told. */
apr_status_t bl_watch_rt_set(bl_reactor_t *r, bl_watch_t *w, int fd,
                             unsigned events);
void bl_watch_rt_clear(bl_watch_t *w);

/* --- curl: one multi handle; done runs on the reactor ----------------------
 * An easy handle's CURLOPT_PRIVATE must point to a bl_exchange_t. */
typedef struct bl_exchange_t {
    void (*done)(void *ctx, CURLcode result);
    void *ctx;
} bl_exchange_t;

apr_status_t bl_reactor_rt_add_easy(bl_reactor_t *r, CURL *easy);
void bl_reactor_rt_remove_easy(bl_reactor_t *r, CURL *easy);

/* Closes the connections that are kept for the next transfer; while one runs
 * nothing happens. */
void bl_reactor_rt_forget_connections(bl_reactor_t *r);

/* What is done for an event used this memory, and the next event on its socket
 * will (warm.h). Costs nothing where nothing is noted. */
int bl_reactor_rt_is_noting(const bl_reactor_t *r);
void bl_reactor_rt_used(bl_reactor_t *r, const void *from, size_t bytes);

/* curl_easy_pause() may deliver data at once: curl's timers and descriptors
 * must be looked at afterwards. */
void bl_reactor_rt_resume_easy(bl_reactor_t *r, CURL *easy);

#endif
