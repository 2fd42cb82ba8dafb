/* SPDX-License-Identifier: Apache-2.0 */
/*
 * targets - which key of an upstream is used next, and whether the upstream
 * is worth asking at all: cooling and refused keys, the circuit breaker.
 *
 * Bailian's limits count per account and model, so a throttled key rests
 * (U06), a refused one is out until it is changed (U05), and an upstream that
 * fails again and again is asked by one probe every 5 s only (U30). What one
 * child learns holds for all: it lies in shared memory (shm/targets.h).
 *
 * THREADS  any.
 */
#ifndef BL_TARGETS_H
#define BL_TARGETS_H

#include "shm/targets.h"
#include "store/store.h"

/* The key for the next attempt: of those that may be used for this app the
 * highest priority, then whose turn it is by weight.
 * APR_SUCCESS: *pkey; BL_E_UPSTREAM_QUOTA: a throttled one is the first to be
 * usable again, in *pwait_ms; BL_E_UPSTREAM_AUTH: there is none, or all were
 * refused. Only looks: bl_key_use() says that it is used. */
apr_status_t bl_targets_key(bl_shm_t *shm, const bl_app_t *app, bl_ms_t now,
                            const bl_key_t **pkey, bl_ms_t *pwait_ms);

/* The same, and it is used now. */
apr_status_t bl_targets_take_key(bl_shm_t *shm, const bl_app_t *app,
                                 bl_ms_t now, const bl_key_t **pkey,
                                 bl_ms_t *pwait_ms);

/* May this upstream be asked now? An open breaker lets one probe pass. */
int bl_targets_may_ask(bl_shm_t *shm, const bl_upstream_t *u, bl_ms_t now);

/* How an attempt went: APR_SUCCESS or its class. A limit is one of the whole
 * account: all its keys in the catalog (or NULL) rest. */
void bl_targets_tell(bl_shm_t *shm, const bl_catalog_t *catalog,
                     const bl_upstream_t *u, const bl_key_t *key,
                     apr_status_t rv, bl_ms_t cool_ms, bl_ms_t now);

#endif
