/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live - one answer while it is being produced: attempts, clocks, retry,
 * backpressure, what happens when nobody reads, and what reaches the store.
 *
 *   ask (worker)            begin (reactor)          attempt -> transfer
 *   slot, stream, store ──▶ START event ──▶ attempt 1, 2, ... ──▶ events
 *                                             │ failed before content: wait,
 *                                             │ try again (I12)
 *                                             ▼
 *                           end: once; last run and outcome to the store;
 *                           the transfer may finish its body (1 s), then gone
 *
 * OWNERSHIP  a live owns itself from begin on; it holds one reference to its
 *            stream and one to the catalog that its app stands in.
 * THREADS    create: any. Everything else: reactor.
 */
#ifndef BL_LIVE_H
#define BL_LIVE_H

#include "engine_private.h"

/* Takes over the catalog reference. The stream's reference stays the
 * caller's. */
apr_status_t bl_live_create(bl_live_t **plive, bl_engine_t *e,
                            const bl_question_t *q, bl_catalog_t *catalog_take,
                            const bl_app_t *app, bl_stream_t *s,
                            bl_slot_t *slot);

/* Before begin only: nothing was started. */
void bl_live_destroy(bl_live_t *live);

/* BL_E_OVERLOADED: the reactor's mailbox is full, nothing was started. */
apr_status_t bl_live_begin(bl_live_t *live);

/* Reactor: ends it if it has not ended yet. */
void bl_live_rt_end(bl_live_t *live, bl_outcome_t outcome, apr_status_t why);

#endif
