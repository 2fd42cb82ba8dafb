/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink - how one client is fed: a cursor, an encoder, bytes on their way, the
 * heartbeats, and the clock of a client that takes nothing.
 *
 * Behind the one interface stand two ways to the socket: parked (sink_parked:
 * the reactor writes, no thread is held) and synchronous (sink_sync: the
 * handler's thread waits and writes). What is here serves both.
 *
 * OWNERSHIP  malloc'd; holds a reference to its stream; freed by its way.
 * THREADS    parked: reactor. synchronous: the handler's thread; only the
 *            cursor's wake-up comes from the reactor.
 */
#ifndef BL_SINK_H
#define BL_SINK_H

#include "encoder.h"
#include "httpd_private.h"
#include "right.h"
#include "engine/engine.h"
#include "shm/removals.h"
#include "stream/cursor.h"

typedef struct bl_sink_plan_t {
    bl_engine_t *engine;
    bl_stream_t *stream; /* a reference, taken over */
    apr_uint64_t after;
    const bl_encoder_kind_t *kind;
    bl_lang_t lang;
    int is_sync_wanted;
    bl_ms_t heartbeat_first_ms, heartbeat_ms, slow_ms;
    bl_right_t right;
    bl_share_t share;
    bl_ms_t pace_ms;   /* one event at a time, this far apart; 0 = at once */
    bl_ms_t answer_ms; /* of a kind that answers once: when, at the latest */
    int wants_whole;   /* likewise: all of the text, not what came since */
    int is_ascii;      /* JSON without a byte above 0x7f */
    int is_session;    /* errors as the mini-program family says them */
} bl_sink_plan_t;

/* What sink_parked.c knows more of it. */
typedef struct bl_sink_parked_t {
    struct bl_sink_t *sink; /* the one it is part of */
    struct bl_park_t *park;
    bl_reactor_t *reactor;
    bl_timer_t timer;
    int is_open; /* its cursor is */
} bl_sink_parked_t;

typedef struct bl_sink_t {
    bl_sink_plan_t plan;
    request_rec *r; /* borrowed: of whoever may write to it */
    bl_encoder_t encoder;
    bl_cursor_t cursor;
    bl_buf_t out;
    size_t sent;         /* of out */
    size_t below;        /* sent, and not taken by the socket */
    int has_head;        /* of the response: it has left */
    int has_content;     /* the early heartbeat is over */
    int has_more;        /* of the event that was encoded last */
    int is_ending;       /* the end event is being encoded */
    int is_over;         /* the end was encoded: nothing follows */
    const char *refusal; /* NULL, or: said in place of all that is in out */
    bl_ms_t last_out_ms; /* something was encoded */
    bl_ms_t paced_until; /* nothing is encoded before; 0 = at any time */
    bl_ms_t stuck_since; /* the client takes too little; 0 = it does not */
    bl_sink_parked_t parked;
} bl_sink_t;

/* Answers the request by the stream: SUSPENDED, or OK when it is over;
 * DECLINED: nothing was answered, there is no memory. */
int bl_sink_serve(request_rec *r, const bl_sink_plan_t *plan);

/* --- for the two ways --------------------------------------------------- */

int bl_sink_park(request_rec *r, bl_sink_t *sink); /* DECLINED: cannot be */
int bl_sink_run_sync(request_rec *r, bl_sink_t *sink);
int bl_sink_run_ended(request_rec *r, bl_sink_t *sink);

void bl_sink_destroy(bl_sink_t *sink);

/* Encodes what came since, up to about one pass of bytes. APR_SUCCESS there
 * is something to send; APR_EAGAIN nothing now. */
apr_status_t bl_sink_fill(bl_sink_t *sink, bl_ms_t now);

size_t bl_sink_pending(const bl_sink_t *sink);
const char *bl_sink_bytes(const bl_sink_t *sink);
void bl_sink_sent(bl_sink_t *sink, size_t n);

/* A client that takes no more now keeps no larger buffer than what is for it;
 * spare (or NULL) gets the larger one if it has none. */
void bl_sink_keep_pending(bl_sink_t *sink, bl_buf_t *spare);

/* A heartbeat when it is due, or now. 1 = something was put in. */
int bl_sink_beat(bl_sink_t *sink, bl_ms_t now, int is_now);

/* When to look again. */
bl_ms_t bl_sink_next_look(const bl_sink_t *sink);

/* Has the client taken too little for too long (C05)? */
int bl_sink_is_slow(bl_sink_t *sink, bl_ms_t now);
void bl_sink_tell_slow(const bl_sink_t *sink); /* counted and logged */

/* A client that vanished without a word, in a tunnel say, acknowledges nothing
 * and would take a quarter of an hour to be missed: the kernel gives it up
 * after so long (C04; TCP_USER_TIMEOUT, RFC 5482). Somewhat later than we do,
 * since it counts a client that is there and takes nothing as well. */
void bl_sink_expect_acks(conn_rec *c, bl_ms_t ms);

/* How long a thread that writes waits for a client that takes nothing: answers
 * what it was before, -1 where a connection has no socket of its own. */
apr_interval_time_t bl_sink_set_patience(conn_rec *c, apr_interval_time_t wait);

#endif
