/* SPDX-License-Identifier: Apache-2.0 */
/*
 * park - a client connection leaves its worker and comes back
 * (docs/architecture.md "A parked connection"; httpd-async.md 2). Nothing else
 * touches a descriptor or the state of the MPM.
 *
 *   handler: begin ─▶ SUSPENDED ─▶ suspend hook: the reactor owns c and r
 *     owned() ─▶ write ... writable() ... ─▶ finish() ─ kick ─▶ worker
 *     finishes the request ─▶ released(): the last call
 *     with work(): readable ─ kick ─▶ worker: work() ─▶ owned() ...
 *
 * OWNERSHIP  a park frees itself after released(). c, r and everything in
 *            their pools belong to whoever `owner` says, under the lock; only
 *            MPM threads ever free them.
 * THREADS    begin: the handler's. work(): a worker's. _rt_ and all other
 *            calls: reactor.
 */
#ifndef BL_PARK_H
#define BL_PARK_H

#include "httpd_private.h"
#include "reactor/reactor.h"

typedef struct bl_park_t bl_park_t;

typedef struct bl_park_calls_t {
    void (*owned)(void *ctx);    /* the connection can be written to (again) */
    void (*writable)(void *ctx); /* what was held back has left */
    void (*probe)(void *ctx);    /* the client closed its half: write something
                                    that does no harm, to learn whether it reads */
    void (*gone)(void *ctx);     /* no more writes; finish() is done */
    void (*released)(void *ctx); /* the park is no more */
    /* NULL, or: a worker owns the connection for a moment and reads it,
     * without waiting; the reactor touches nothing of ctx meanwhile. */
    void (*work)(void *ctx);
    void *ctx;
} bl_park_calls_t;

/* May this request's connection be parked (httpd-async.md 2.4)? On success
 * the handler must return SUSPENDED and not touch r again. APR_ENOTIMPL: go
 * the synchronous way. */
apr_status_t bl_park_begin(bl_park_t **pp, request_rec *r,
                           bl_reactor_t *reactor, const bl_park_calls_t *calls);

/* Would it be? Nothing changes. */
int bl_park_is_possible(request_rec *r);

/* Passes at most BL_PASS_BYTES on. APR_EAGAIN: nothing was taken, owned() or
 * writable() will come. APR_ECONNABORTED: the client is gone. is_last: these
 * bytes end the body, and the end of it leaves with them. */
apr_status_t bl_park_rt_write(bl_park_t *p, const char *data, size_t len,
                              int is_last);
int bl_park_rt_can_write(const bl_park_t *p);
/* Bytes that were written and that the socket has not taken yet, at most. */
size_t bl_park_rt_held(const bl_park_t *p);

/* Before any byte was written: "102 Processing", for a probe that has nothing
 * else to say. */
void bl_park_rt_interim(bl_park_t *p);
void bl_send_processing(request_rec *r); /* the same, where a worker writes */
int bl_park_rt_is_ours(const bl_park_t *p); /* no worker has it */

/* With work(): should a worker come when the client sends something, or
 * (is_now) at once? To be said anew whenever the connection is owned. */
void bl_park_rt_listen(bl_park_t *p, int is_wanted, int is_now);

/* Everything was written: a worker finishes the request. With is_clean 0 the
 * connection is cut without the end of the body. */
void bl_park_rt_finish(bl_park_t *p, int is_clean);

/* The client is not worth waiting for: as if it had gone. */
void bl_park_rt_abort(bl_park_t *p);

void bl_park_register_hooks(apr_pool_t *p);

/* The child ends: nothing is posted to the reactor any more. */
void bl_park_close_all(void);

#endif
