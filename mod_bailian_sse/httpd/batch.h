/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch - answers about a stream as it is now, for callers that poll.
 *
 * THREADS  the request's.
 */
#ifndef BL_BATCH_H
#define BL_BATCH_H

#include "engine/engine.h"
#include "request.h"

/* Waits, 1 s at most, until what another child has of its stream is here. */
void bl_batch_catch_up(bl_call_t *call, bl_stream_t *s);

/* Of a stored stream that has nothing after that number. */
int bl_serve_empty_batch(request_rec *r, bl_call_t *call,
                         const bl_stored_stream_t *row, apr_uint64_t after);

#endif
