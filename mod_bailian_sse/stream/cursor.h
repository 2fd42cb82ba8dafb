/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cursor - one reader's place in a journal.
 *
 * It is opened and closed on the reactor, which wakes it when events came.
 * Reading is the reader's: on the reactor for a parked client, on its own
 * thread for a synchronous one.
 *
 * OWNERSHIP  the struct is the reader's; while open it holds a reference to
 *            the stream.
 * THREADS    _rt_: reactor. read: one thread, the reader's.
 * ERRORS     as bl_journal_read().
 */
#ifndef BL_CURSOR_H
#define BL_CURSOR_H

#include "stream.h"

typedef void bl_cursor_wake_fn(void *ctx);

struct bl_cursor_t {
    bl_stream_t *stream;      /* NULL when closed */
    bl_cursor_t *prev, *next; /* reactor */
    bl_cursor_wake_fn *wake;  /* on the reactor; must not close other cursors */
    void *ctx;
    apr_uint64_t after;  /* the reader's: seq of the last event taken */
    size_t taken_bytes;  /* atomic: the journal's weight up to after */
    size_t unsent_bytes; /* atomic: taken, but not yet in the socket */
};

void bl_cursor_rt_open(bl_cursor_t *c, bl_stream_t *s, apr_uint64_t after,
                       bl_cursor_wake_fn *wake, void *ctx);
void bl_cursor_rt_close(bl_cursor_t *c);

/* For a stream that has ended: nothing wakes, the stream does not know of it,
 * the reference stays the caller's. Any thread; needs no close. */
void bl_cursor_over_ended(bl_cursor_t *c, bl_stream_t *s, apr_uint64_t after);

/* The next events; the cursor stays until it is told to advance. */
apr_status_t bl_cursor_peek(bl_cursor_t *c, bl_event_t *events, int most,
                            int *pn);
void bl_cursor_advance(bl_cursor_t *c, const bl_event_t *taken);

/* Bytes of memory that wait for this reader: events not yet taken
 * (bl_event_weight()), and what was taken and not yet sent. Any thread. */
size_t bl_cursor_lag(const bl_cursor_t *c);
void bl_cursor_set_unsent(bl_cursor_t *c, size_t bytes);

#endif
