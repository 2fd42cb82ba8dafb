/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_parked - a client whose connection the reactor writes to.
 * Everything here but bl_sink_park() runs on the reactor.
 */
#include "sink.h"
#include "park.h"
#include "shm/stats.h"

#define LOOK_AGAIN_MS 250

/* Readers are written to one after the other: they encode into one buffer, and
 * a reader that waits for events holds none. */
#define SPARE_BYTES (2 * BL_PASS_BYTES)
static bl_buf_t spare;

typedef bl_sink_parked_t parked_t;

static bl_ms_t now_of(const parked_t *p)
{
    return bl_reactor_rt_now(p->reactor);
}

static void close_cursor(parked_t *p)
{
    if (!p->is_open) return;
    p->is_open = 0;
    bl_reactor_rt_disarm(p->reactor, &p->timer);
    bl_cursor_rt_close(&p->sink->cursor);
}

static void look_later(parked_t *p)
{
    bl_ms_t due = bl_sink_next_look(p->sink);

    /* A beat that is overdue waits for the client to take what is before it. */
    if (due <= now_of(p)) due = now_of(p) + LOOK_AGAIN_MS;
    /* Lazily: an earlier alarm only looks and arms again. */
    if (p->timer.place && p->timer.due_ms <= due) return;
    bl_reactor_rt_arm(p->reactor, &p->timer, due);
}

/* One pass; 0 when no more can be written now. */
static int send_some(parked_t *p)
{
    bl_sink_t *sink = p->sink;
    size_t n = bl_sink_pending(sink);
    apr_status_t rv;
    int is_last;

    if (n > BL_PASS_BYTES) n = BL_PASS_BYTES;
    is_last =
        sink->is_over && sink->encoder.is_clean && n == bl_sink_pending(sink);
    rv = bl_park_rt_write(p->park, bl_sink_bytes(sink), n, is_last);
    if (rv == APR_SUCCESS) {
        bl_sink_sent(sink, n);
        return bl_park_rt_can_write(p->park);
    }
    if (rv != APR_EAGAIN) bl_park_rt_abort(p->park);
    return 0;
}

/* Tells a producer that waits for this reader how far it is. */
static void tell_lag(parked_t *p)
{
    bl_stream_t *s = p->sink->plan.stream;

    p->sink->below = bl_park_rt_held(p->park);
    bl_sink_is_slow(p->sink, now_of(p));
    if (s->is_paused && s->changed) s->changed(s, s->producer);
}

static void rest(bl_sink_t *sink)
{
    bl_sink_keep_pending(sink, sink->out.size <= SPARE_BYTES ? &spare : NULL);
}

static void pump_some(parked_t *p)
{
    bl_sink_t *sink = p->sink;

    while (p->is_open && bl_park_rt_can_write(p->park)) {
        if (!bl_sink_pending(sink) &&
            bl_sink_fill(sink, now_of(p)) != APR_SUCCESS) {
            break;
        }
        if (!send_some(p)) break;
    }
    if (!p->is_open) return;
    tell_lag(p);
    if (sink->is_over && !bl_sink_pending(sink)) {
        close_cursor(p);
        bl_park_rt_finish(p->park, sink->encoder.is_clean);
        return;
    }
    look_later(p);
}

static void pump(parked_t *p)
{
    bl_buf_hand_over(&spare, &p->sink->out);
    pump_some(p);
    rest(p->sink);
}

static void on_wake(void *ctx)
{
    parked_t *p = ctx;

    bl_reactor_rt_used(p->reactor, p->sink, sizeof(*p->sink));
    pump(p);
}

static void on_timer(void *ctx)
{
    parked_t *p = ctx;

    if (bl_sink_is_slow(p->sink, now_of(p))) {
        bl_sink_tell_slow(p->sink);
        bl_park_rt_abort(p->park);
        return;
    }
    bl_sink_beat(p->sink, now_of(p), 0);
    pump(p);
    /* Beats that found the client's queue full wait for the next period. */
    if (p->is_open && !p->timer.place) {
        bl_reactor_rt_arm(p->reactor, &p->timer,
                          now_of(p) + p->sink->plan.heartbeat_first_ms);
    }
}

static void on_owned(void *ctx)
{
    parked_t *p = ctx;

    if (!p->is_open) {
        p->is_open = 1;
        bl_cursor_rt_open(&p->sink->cursor, p->sink->plan.stream,
                          p->sink->plan.after, on_wake, p);
        bl_sink_fill(p->sink, now_of(p)); /* one write with what begins it */
    }
    pump(p);
}

static void on_writable(void *ctx)
{
    pump(ctx);
}

static void on_probe(void *ctx)
{
    parked_t *p = ctx;

    if (!p->is_open) return;
    if (bl_sink_beat(p->sink, now_of(p), 1))
        pump(p);
    else if (!p->sink->has_head)
        bl_park_rt_interim(p->park); /* C23 */
}

static void on_gone(void *ctx)
{
    parked_t *p = ctx;
    bl_engine_t *e = p->sink->plan.engine;

    bl_count(bl_engine_shm(e), bl_engine_child(e), READERS_GONE, 1);
    if (!p->is_open) {
        /* Gone before the reactor ever owned it: the stream must learn that
         * its reader came and went. */
        on_owned(p);
    }
    close_cursor(p);
}

static void on_released(void *ctx)
{
    parked_t *p = ctx;

    close_cursor(p);
    bl_sink_destroy(p->sink);
}

int bl_sink_park(request_rec *r, bl_sink_t *sink)
{
    bl_engine_t *e = sink->plan.engine;
    parked_t *p = &sink->parked;
    bl_park_calls_t calls = {0};

    p->sink = sink;
    p->reactor = bl_engine_reactor(e);
    p->timer.fn = on_timer;
    p->timer.ctx = p;
    calls.owned = on_owned;
    calls.writable = on_writable;
    calls.probe = on_probe;
    calls.gone = on_gone;
    calls.released = on_released;
    calls.ctx = p;
    if (bl_park_begin(&p->park, r, p->reactor, &calls) != APR_SUCCESS)
        return DECLINED;
    bl_count(bl_engine_shm(e), bl_engine_child(e), READERS_PARKED, 1);
    return SUSPENDED;
}
