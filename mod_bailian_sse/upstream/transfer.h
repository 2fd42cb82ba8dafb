/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transfer - one HTTP exchange with an upstream: easy handle, limits; bytes ->
 * SSE -> dialect -> emitter. No retry, no clock: those are its owner's
 * (engine/live.c). The only unit that makes outgoing connections (S-38).
 *
 * OWNERSHIP  made by start, ended by destroy, which closes the connection if
 *            the answer is not whole (bailian.md 10: that is the cancel).
 *            What its plan points to outlives it.
 * THREADS    reactor.
 * ERRORS     done() gets APR_SUCCESS (a whole answer) or a class of
 *            errors.h; it is called once, never from within start, and may
 *            destroy the transfer.
 */
#ifndef BL_TRANSFER_H
#define BL_TRANSFER_H

#include "address.h"
#include "dialect.h"
#include "reactor/reactor.h"

typedef struct bl_transfer_t bl_transfer_t;

typedef struct bl_transfer_plan_t {
    bl_reactor_t *reactor;
    const bl_allowed_t *allowed;
    const bl_dialect_t *dialect;
    const bl_target_t *target;
    const bl_request_t *request;
    const char *secret; /* the API key; copied into curl's own memory only */
    const char *ca_file;
    const char *proxy;
    int use_http2;
    bl_ms_t connect_ms;
    bl_emitter_t out;
    bl_answer_t *answer;
    bl_budget_t *budget; /* where what lies here is counted, or NULL */
    /* All with ctx. */
    /* 1 = hold the upstream back, for so many bytes more would be too much. */
    int (*is_blocked)(void *ctx, size_t more);
    void (*progress)(void *ctx); /* an event that the dialect knows came */
    void (*answered)(void *ctx); /* the end marker came: no event follows */
    void (*done)(void *ctx, apr_status_t rv);
    void *ctx;
} bl_transfer_plan_t;

/* Of an exchange that nobody reads, whose answer and end are all that matters:
 * its events go nowhere and hold nothing back. */
void bl_transfer_plan_no_reader(bl_transfer_plan_t *plan);

/* plan's members are copied, not what they point to. */
apr_status_t bl_transfer_rt_start(bl_transfer_t **pt,
                                  const bl_transfer_plan_t *plan);
void bl_transfer_rt_destroy(bl_transfer_t *t);

/* is_blocked() would answer 0 again. */
void bl_transfer_rt_resume(bl_transfer_t *t);
int bl_transfer_rt_is_paused(const bl_transfer_t *t);

/* What the upstream said: 0 / "" / -1 until known. */
int bl_transfer_http_status(const bl_transfer_t *t);
const char *bl_transfer_request_id(const bl_transfer_t *t); /* x-request-id */
bl_ms_t bl_transfer_retry_after_ms(const bl_transfer_t *t);
int bl_transfer_is_connected(const bl_transfer_t *t); /* request was sent */

/* Frees the easy handles kept for the next transfer: when there was none for
 * long, and at the reactor's end. */
void bl_transfer_rt_forget_spares(void);

#endif
