/* SPDX-License-Identifier: Apache-2.0 */
/*
 * live_private - what live.c (life, readers, end) and attempt.c (transfers,
 * retry, clocks) know of one another. All of it runs on the reactor.
 */
#ifndef BL_LIVE_PRIVATE_H
#define BL_LIVE_PRIVATE_H

#include "live.h"
#include "persist.h"
#include "shm/marks.h"
#include "shm/stats.h"
#include "upstream/transfer.h"

struct bl_live_t {
    bl_live_t *prev, *next; /* all lives of the engine */
    bl_engine_t *engine;
    bl_stream_t *stream;
    bl_slot_t *slot;
    bl_catalog_t *catalog;
    const bl_app_t *app;
    const bl_dialect_t *dialect;
    bl_limits_t limits;
    apr_uint64_t asker_hash; /* for whose account it is */
    bl_target_t target;
    bl_request_t request;
    bl_letter_t begin_letter;

    /* the attempt */
    bl_transfer_t *transfer;
    bl_answer_t answer;
    const bl_key_t *key;
    int attempt;
    int used_once; /* a class that is retried once was */
    int was_paused;
    int reader_count; /* as of the last mark */
    apr_uint32_t resumes, heartbeats;
    apr_uint64_t shown_seq; /* at the last look of the engine */
    bl_ms_t attempt_began;
    bl_ms_t last_progress;

    /* clocks */
    bl_timer_t clock; /* first content, gap, total, or the pause of a retry */
    int is_waiting;   /* between two attempts */
    bl_ms_t wait_until;
    bl_timer_t store_timer;
    bl_timer_t reader_timer; /* nobody reads: until detach_ms */
    bl_deferred_t look;

    bl_persist_t persist;
    bl_ms_t first_content_ms; /* -1 */
    bl_ms_t ended_ms;
};

bl_ms_t bl_live_now(const bl_live_t *live);
void bl_live_count(bl_live_t *live, bl_counter_t which, apr_uint64_t n);
void bl_live_set_phase(bl_live_t *live, bl_phase_t phase);
/* A line of its timeline. */
void bl_live_mark(bl_live_t *live, bl_mark_kind_t what, apr_uint32_t n);

/* live_show.c: counts and shows events that came; and once a second what
 * changes by itself: rate, heartbeats, whether it waits. */
void bl_live_rt_show_progress(bl_live_t *live);
void bl_live_rt_show(bl_live_t *live);

/* Ends as this class asks for. */
void bl_live_rt_fail(bl_live_t *live, apr_status_t why);

/* Gone when the body has ended, the store has taken everything, and the
 * readers were told: live is no more then. */
void bl_live_rt_leave_if_done(bl_live_t *live);

/* attempt.c */
void bl_attempt_rt_start(bl_live_t *live);
void bl_attempt_rt_look_at_pause(bl_live_t *live);
void bl_attempt_rt_on_clock(void *live);

#endif
