/* SPDX-License-Identifier: Apache-2.0 */
/*
 * targets - which key of an upstream is used next, and whether the upstream
 * is worth asking at all: cooling and refused keys, the circuit breaker.
 *
 * Bailian's limits count per account and model, so a throttled key rests
 * (U06), a refused one is out until it is changed (U05), and an upstream that
 * fails again and again is asked by one probe every 5 s only (U30).
 *
 * THREADS  reactor. What is known here is this child's own experience.
 */
#ifndef BL_TARGETS_H
#define BL_TARGETS_H

#include "store/store.h"

#define BL_TARGETS_KEYS 512
#define BL_TARGETS_UPSTREAMS 128

typedef struct bl_key_state_t {
    apr_int64_t id;      /* 0 = free place */
    apr_int64_t version; /* another one: the key was entered anew */
    bl_ms_t cool_until;
    int is_refused;    /* has been said in the log */
    apr_uint64_t used; /* for the turn among equals */
} bl_key_state_t;

typedef struct bl_breaker_t {
    apr_int64_t id;
    int failures; /* in a row */
    int is_open;
    bl_ms_t next_probe;
} bl_breaker_t;

typedef struct bl_targets_t {
    bl_key_state_t keys[BL_TARGETS_KEYS];
    bl_breaker_t breakers[BL_TARGETS_UPSTREAMS];
    apr_uint64_t turn;
} bl_targets_t;

/* The key for the next attempt: highest priority, then whose turn it is.
 * NULL: none is usable; *pwait_ms is when the first one cools down, -1 never.
 */
const bl_key_t *bl_targets_key(bl_targets_t *t, const bl_upstream_t *u,
                               bl_ms_t now, bl_ms_t *pwait_ms);

/* May this upstream be asked now? An open breaker lets one probe pass. */
int bl_targets_may_ask(bl_targets_t *t, const bl_upstream_t *u, bl_ms_t now);

/* How an attempt went: APR_SUCCESS or its class. */
void bl_targets_tell(bl_targets_t *t, const bl_upstream_t *u,
                     const bl_key_t *key, apr_status_t rv, bl_ms_t cool_ms,
                     bl_ms_t now);

#endif
