/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape - what one benchmark answer looks like, and its bytes on the wire.
 *
 * The app id of a request names the shape, so that one running upstream
 * serves every case:
 *
 *     b-<events>-<interval us>-<batch>-<text bytes>[-<fault>]
 *
 * "events" events with text, "batch" of them in one write, a batch every
 * "interval"; an event's text is a stamp and at most "text bytes" of filler.
 * A last event with empty text and finish_reason "stop" follows, as a Bailian
 * agent sends it. The stamp is
 *
 *     <stream>.<seq>:<CLOCK_MONOTONIC ns when the event was written><space>
 *
 * A fault makes one deliberate mistake in the middle of the answer; the self
 * test of the load client asks for each of them.
 *
 * OWNERSHIP  Plain values. Buffers are the caller's.
 * THREADS    Any.
 * ERRORS     bench_shape_parse is -1 for a text that is no shape.
 */
#ifndef BENCH_SHAPE_H
#define BENCH_SHAPE_H

#include <stddef.h>
#include <stdint.h>

#define BENCH_MAX_EVENTS 10000000
#define BENCH_MAX_BATCH 64
#define BENCH_MAX_FILLER 1024
/* The largest event: head, stamp, filler, usage and ids with room to spare. */
#define BENCH_EVENT_ROOM (512 + BENCH_MAX_FILLER)

/* X(name): the faults, spelled as in the app id. */
#define BENCH_FAULTS(X)                                                        \
    X(none)                                                                    \
    X(gap)    /* a number is left out */                                       \
    X(repeat) /* an event comes twice */                                       \
    X(mixed)  /* an event of another stream */                                 \
    X(garble) /* an event whose stamp is no stamp */                           \
    X(filler) /* one byte of an event's filler is another */                   \
    X(noend)  /* no event says "stop", the body ends properly */               \
    X(early)  /* "stop" comes in the middle */                                 \
    X(after)  /* an event follows "stop" */                                    \
    X(cut)    /* the connection closes inside a chunk */                       \
    X(chunk)  /* a chunk is longer than it says */                             \
    X(error)  /* an event named "error" */                                     \
    X(status) /* 500 with a JSON body */                                       \
    X(silent) /* nothing after the middle, connection open */                  \
    X(crumbs) /* no mistake: seven bytes a chunk; must be accepted */

#define BENCH_FAULT_ENUM(name) BENCH_FAULT_##name,
enum { BENCH_FAULTS(BENCH_FAULT_ENUM) BENCH_FAULT_MAX };

typedef struct bench_shape_t {
    uint32_t events;
    uint32_t batch;
    uint64_t interval_ns;
    uint32_t text_bytes;
    int fault;
} bench_shape_t;

int bench_shape_parse(bench_shape_t *shape, const char *text, size_t length);

/* The filler of an event, whole characters of three bytes: returns its length,
 * sets *ptext to static memory. */
size_t bench_filler(const char **ptext, uint32_t text_bytes);

/* Writes one event to `at`, which has BENCH_EVENT_ROOM bytes; returns the
 * place behind it. id is the SSE id, seq the number in the stamp. */
char *bench_event_put(char *at, const bench_shape_t *shape, uint64_t stream,
                      uint64_t id, uint64_t seq, uint64_t now_ns);

/* The same for the last event. */
char *bench_event_put_stop(char *at, uint64_t stream, uint64_t id);

/* Writes the 36 characters of the request id of a stream. */
char *bench_request_id_put(char *at, uint64_t stream);

#endif
