/* SPDX-License-Identifier: Apache-2.0 */
/*
 * persist - what of a live stream has reached the store: runs of events at
 * least every 2 s or 8 KiB (design.md 4), the outcome at the end.
 *
 * When the store takes nothing (D01, P10) the events wait in the journal, and
 * it is tried again every 2 s, also after the end.
 *
 * OWNERSHIP  part of its live.
 * THREADS    init, release: any, not at once. _rt_: reactor.
 */
#ifndef BL_PERSIST_H
#define BL_PERSIST_H

#include "reactor/reactor.h"
#include "shm/marks.h"
#include "store/store.h"
#include "stream/stream.h"

typedef struct bl_persist_end_t {
    int attempts;
    bl_ms_t first_content_ms; /* -1 */
    bl_ms_t duration_ms;
    apr_int64_t key_id; /* 0 = none was used */
    char key_last4[8];
    const bl_answer_t *answer;
    const char *finish;
    const bl_slot_t *slot; /* its timeline; read before the end call returns */
} bl_persist_end_t;

typedef struct bl_persist_t {
    bl_store_t *store;
    bl_stream_t *stream; /* borrowed: its live holds it */
    bl_reactor_t *reactor;
    bl_timer_t *timer; /* the live's */
    apr_uint64_t stored_seq;
    size_t stored_bytes;
    bl_buf_t attempts; /* JSON array, without its closing bracket */
    bl_persist_end_t end;
    bl_answer_t answer; /* end.answer's copy */
    char timeline[BL_MARKS_PACKED];
    size_t timeline_len;
    int has_end;
    int is_done;
} bl_persist_t;

void bl_persist_init(bl_persist_t *p, bl_store_t *store, bl_stream_t *s);
void bl_persist_release(bl_persist_t *p);

void bl_persist_rt_begin(bl_persist_t *p, bl_reactor_t *r, bl_timer_t *timer);

/* Events came: stores them when they are many, else sees to it in 2 s. */
void bl_persist_rt_note(bl_persist_t *p);
void bl_persist_rt_tick(bl_persist_t *p);

/* One line of the history of attempts. */
void bl_persist_attempt(bl_persist_t *p, int n, apr_status_t why, int http,
                        const char *code, bl_ms_t took);

/* The stream has ended: its last events and its outcome. */
void bl_persist_rt_end(bl_persist_t *p, const bl_persist_end_t *end);
int bl_persist_is_done(const bl_persist_t *p);

#endif
