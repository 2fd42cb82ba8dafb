/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch - `?as=json`: what there is of a stream now, for callers that poll.
 *
 * It is complete when the END event is there; an end that is not a good one
 * is said with its sentence and code (fault-matrix.md 1.2).
 *
 * THREADS  the request's.
 */
#ifndef BL_BATCH_H
#define BL_BATCH_H

#include "engine/engine.h"
#include "request.h"

/* Waits, 1 s at most, until what another child has of its stream is here. */
void bl_batch_catch_up(bl_call_t *call, bl_stream_t *s);

/* The stream stays the caller's. */
int bl_serve_batch(request_rec *r, bl_call_t *call, bl_stream_t *s,
                   apr_uint64_t after);

/* Of a stored stream that has nothing after that number. */
int bl_serve_empty_batch(request_rec *r, bl_call_t *call,
                         const bl_stored_stream_t *row, apr_uint64_t after);

#endif
