/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_parked - a WebSocket whose connection the reactor owns: 10,000 idle ones
 * hold no worker. Everything here but on_work() and bl_ws_park() runs on the
 * reactor.
 */
#include "ws_socket.h"
#include "park.h"
#include "shm/stats.h"

#include <stdlib.h>

#define LOOK_AGAIN_MS 250

typedef struct parked_t {
    bl_socket_t *socket; /* a reference */
    bl_park_t *park;     /* NULL once released */
    bl_reactor_t *reactor;
    conn_rec *c;            /* the worker's, while it owns it */
    apr_bucket_brigade *in; /* in r->pool, likewise */
    bl_timer_t timer;
} parked_t;

/* A wake-up from another thread; holds a reference to the socket. */
typedef struct wake_t {
    bl_letter_t letter;
    bl_socket_t *socket;
} wake_t;

static bl_ms_t now_of(const parked_t *p)
{
    return bl_reactor_rt_now(p->reactor);
}

static void pump(parked_t *p);

static void on_news(void *ctx)
{
    pump(ctx);
}

static void close_cursor(bl_ws_reader_t *r, void *ctx)
{
    (void)ctx;
    bl_cursor_rt_close(&r->cursor);
    r->is_open = 0;
}

static void open_cursors(parked_t *p)
{
    bl_ws_reader_t *r;

    for (r = p->socket->readers; r; r = r->next) {
        if (r->is_open) continue;
        r->is_open = 1;
        bl_cursor_rt_open(&r->cursor, r->stream, r->after, on_news, p);
    }
}

/* A producer that waits for this reader hears how far it is. */
static void tell_lag(parked_t *p)
{
    bl_ws_reader_t *r;

    for (r = p->socket->readers; r; r = r->next) {
        if (r->stream->is_paused && r->stream->changed) {
            r->stream->changed(r->stream, r->stream->producer);
        }
    }
}

static void send_all(parked_t *p)
{
    bl_socket_t *s = p->socket;
    size_t n;
    apr_status_t rv;

    while (bl_park_rt_can_write(p->park)) {
        if (!bl_socket_pending(s) && !bl_socket_fill(s, now_of(p))) return;
        n = bl_socket_pending(s);
        if (n > BL_PASS_BYTES) n = BL_PASS_BYTES;
        rv = bl_park_rt_write(p->park, s->out.data + s->sent, n, 0);
        if (rv == APR_EAGAIN) return;
        if (rv != APR_SUCCESS) {
            s->is_lost = 1;
            return;
        }
        bl_socket_sent(s, n);
    }
}

/* What the filters hold has left our buffer, but not for the client. */
static void watch_stuck(parked_t *p)
{
    bl_socket_t *s = p->socket;

    if (bl_park_rt_can_write(p->park) && !bl_socket_pending(s))
        s->stuck_since = 0;
    else if (!s->stuck_since)
        s->stuck_since = now_of(p);
}

static void pump(parked_t *p)
{
    bl_socket_t *s = p->socket;
    bl_ms_t due;

    /* While a worker owns the connection it owns the socket too. */
    if (!bl_park_rt_is_ours(p->park)) return;
    open_cursors(p);
    if (!bl_socket_tick(s, now_of(p))) s->is_lost = 1;
    send_all(p);
    watch_stuck(p);
    bl_socket_drop_readers(s, 0, close_cursor, NULL);
    if (bl_socket_is_done(s)) {
        if (s->is_lost)
            bl_park_rt_abort(p->park);
        else
            bl_park_rt_finish(p->park, 1);
        return;
    }
    tell_lag(p);
    due = bl_socket_next_tick(s);
    if (due <= now_of(p)) due = now_of(p) + LOOK_AGAIN_MS;
    bl_reactor_rt_arm(p->reactor, &p->timer, due);
    bl_park_rt_listen(p->park, bl_socket_wants_input(s), s->has_input);
}

/* A worker: the only place where this connection is read. */
static void on_work(void *ctx)
{
    parked_t *p = ctx;

    bl_socket_read(p->socket, p->c, p->in);
}

static void on_gone(void *ctx)
{
    parked_t *p = ctx;
    bl_engine_t *e = p->socket->engine;

    p->socket->is_lost = 1;
    bl_reactor_rt_disarm(p->reactor, &p->timer);
    bl_count(bl_engine_shm(e), bl_engine_child(e), READERS_GONE, 1);
    /* A stream that began while a worker owned the connection learns that its
     * reader came and went. */
    open_cursors(p);
    bl_socket_drop_readers(p->socket, 1, close_cursor, NULL);
}

static void on_released(void *ctx)
{
    parked_t *p = ctx;
    bl_socket_t *s = p->socket;

    bl_reactor_rt_disarm(p->reactor, &p->timer);
    open_cursors(p);
    bl_socket_drop_readers(s, 1, close_cursor, NULL);
    bl_socket_set_way(s, NULL, NULL);
    free(p);
    bl_socket_unref(s);
}

static void on_wake(bl_letter_t *letter)
{
    wake_t *w = (wake_t *)letter;

    if (w->socket->way) pump(w->socket->way);
    bl_socket_unref(w->socket);
    free(w);
}

static void wake(bl_socket_t *s)
{
    wake_t *w = calloc(1, sizeof(*w));

    if (!w) return; /* it is seen at the next beat */
    w->letter.fn = on_wake;
    w->socket = s;
    bl_socket_ref(s);
    bl_reactor_post(bl_engine_reactor(s->engine), &w->letter);
}

int bl_ws_park(request_rec *r, bl_socket_t *s)
{
    parked_t *p = calloc(1, sizeof(*p));
    bl_park_calls_t calls = {0};

    if (!p) return DECLINED;
    p->socket = s;
    p->reactor = bl_engine_reactor(s->engine);
    p->c = r->connection;
    p->in = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    p->timer.fn = on_news;
    p->timer.ctx = p;
    calls.owned = on_news;
    calls.writable = on_news;
    calls.work = on_work;
    calls.gone = on_gone;
    calls.released = on_released;
    calls.ctx = p;
    if (bl_park_begin(&p->park, r, p->reactor, &calls) != APR_SUCCESS) {
        free(p);
        return DECLINED;
    }
    bl_socket_set_way(s, p, wake);
    on_work(p); /* the client may have sent its first frame with its head */
    return SUSPENDED;
}
