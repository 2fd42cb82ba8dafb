/* SPDX-License-Identifier: Apache-2.0 */
/*
 * batch - the bytes of one write of an answer: some events in one HTTP chunk,
 * with the deliberate fault of the shape at its place in the middle.
 *
 * OWNERSHIP  Plain values. The buffer is the caller's.
 * THREADS    Any.
 * ERRORS     None.
 */
#ifndef BENCH_BATCH_H
#define BENCH_BATCH_H

#include <stddef.h>
#include <stdint.h>

#include "shape.h"

/* Room for a batch in chunks of seven bytes, two faulty events and the end. */
#define BENCH_BATCH_ROOM (2 * (BENCH_MAX_BATCH + 4) * BENCH_EVENT_ROOM)

/* How far an answer is. */
typedef struct bench_progress_t {
    uint64_t stream;
    uint64_t id;   /* of the last event written */
    uint32_t sent; /* seq of the last event with text */
    int is_ended;  /* nothing follows what was written */
    int is_cut;    /* the connection must be closed behind it */
    int is_silent; /* nothing follows, and the connection stays open */
} bench_progress_t;

/* Writes the next batch to `at`, which has BENCH_BATCH_ROOM bytes, and moves
 * the progress; returns its length. */
size_t bench_batch_put(char *at, const bench_shape_t *shape,
                       bench_progress_t *progress, uint64_t now_ns);

#endif
