/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sink_sync - a client whose handler's thread waits and writes: prefork,
 * worker, HTTP/2 streams, chains with a filter that may wait. The reactor
 * still watches the client's socket, so that one that went away is noticed
 * at once (httpd-async.md 7.19).
 */
#include "sink.h"
#include "park.h"
#include "base/clock.h"
#include "base/thread.h"
#include "shm/stats.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

/* An HTTP/2 stream has no descriptor of its own: mod_http2 says by `aborted`
 * that its client went, and that is looked for (C02). */
#define STREAM_LOOK_MS 50
#define KEEP_BYTES 4096         /* a waiting sink holds no more than this */
#define ENDED_BYTES (16 * 1024) /* of an answer that had ended */
#define ACK_GRACE_MS 5000

typedef struct waiter_t {
    bl_sink_t *sink;
    bl_reactor_t *reactor;
    int fd;                 /* of the client, -1 for an HTTP/2 stream */
    apr_bucket_brigade *bb; /* one for all writes */

    pthread_mutex_t lock; /* guards the four below */
    pthread_cond_t woken;
    int has_news;
    int is_gone;
    int must_probe;
    int is_done; /* the reactor did what the letter asked for */

    bl_letter_t letter;
    bl_watch_t watch; /* reactor */
} waiter_t;

/* --- reactor ------------------------------------------------------------ */

static void signal_it(waiter_t *w, int *what)
{
    pthread_mutex_lock(&w->lock);
    *what = 1;
    pthread_cond_signal(&w->woken);
    pthread_mutex_unlock(&w->lock);
}

static void on_wake(void *ctx)
{
    waiter_t *w = ctx;

    signal_it(w, &w->has_news);
}

static void on_client(void *ctx, unsigned events)
{
    waiter_t *w = ctx;

    if (events & (EPOLLERR | EPOLLHUP)) {
        bl_watch_rt_clear(&w->watch);
        signal_it(w, &w->is_gone);
        return;
    }
    /* Its half is closed: only a write can tell whether it still reads. */
    bl_watch_rt_set(w->reactor, &w->watch, w->fd, 0);
    signal_it(w, &w->must_probe);
}

static waiter_t *of_letter(bl_letter_t *letter)
{
    return (waiter_t *)((char *)letter - offsetof(waiter_t, letter));
}

static void on_open(bl_letter_t *letter)
{
    waiter_t *w = of_letter(letter);

    bl_cursor_rt_open(&w->sink->cursor, w->sink->plan.stream,
                      w->sink->plan.after, on_wake, w);
    if (w->fd >= 0) {
        bl_watch_rt_set(w->reactor, &w->watch, w->fd, EPOLLRDHUP);
    }
    signal_it(w, &w->is_done);
}

static void on_close(bl_letter_t *letter)
{
    waiter_t *w = of_letter(letter);

    bl_watch_rt_clear(&w->watch);
    bl_cursor_rt_close(&w->sink->cursor);
    signal_it(w, &w->is_done);
}

typedef struct tell_t {
    bl_letter_t letter;
    bl_stream_t *stream;
} tell_t;

static void on_tell(bl_letter_t *letter)
{
    tell_t *t = (tell_t *)letter;

    if (t->stream->changed) t->stream->changed(t->stream, t->stream->producer);
    bl_stream_unref(t->stream);
    free(t);
}

/* --- the handler's thread ----------------------------------------------- */

static void ask_reactor(waiter_t *w, bl_letter_fn *fn)
{
    w->is_done = 0;
    w->letter.fn = fn;
    bl_reactor_post(w->reactor, &w->letter);
    pthread_mutex_lock(&w->lock);
    while (!w->is_done)
        pthread_cond_wait(&w->woken, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

/* A producer that waits for its readers hears that this one caught up. */
static void tell_lag(waiter_t *w)
{
    bl_stream_t *s = w->sink->plan.stream;
    tell_t *t;

    bl_cursor_set_unsent(&w->sink->cursor, bl_sink_pending(w->sink));
    if (!__atomic_load_n(&s->is_paused, __ATOMIC_SEQ_CST)) return;
    t = calloc(1, sizeof(*t));
    if (!t) return;
    t->letter.fn = on_tell;
    t->stream = s;
    bl_stream_ref(s);
    bl_reactor_post(w->reactor, &t->letter);
}

void bl_sink_expect_acks(conn_rec *c, bl_ms_t ms)
{
    apr_socket_t *csd = ap_get_conn_socket(c->master ? c->master : c);
    unsigned limit = (unsigned)ms + ACK_GRACE_MS;
    apr_os_sock_t fd;

    if (csd && apr_os_sock_get(&fd, csd) == APR_SUCCESS) {
        setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &limit, sizeof(limit));
    }
}

apr_interval_time_t bl_sink_set_patience(conn_rec *c, apr_interval_time_t wait)
{
    apr_socket_t *csd = c->master ? NULL : ap_get_conn_socket(c);
    apr_interval_time_t before = -1;

    if (!csd || wait < 0) return -1;
    apr_socket_timeout_get(csd, &before);
    apr_socket_timeout_set(csd, wait);
    return before;
}

/* Written at once, but for the last bytes of a good end (is_last): the end of
 * the body and of the request leave with them. */
static apr_status_t write_some(request_rec *r, bl_sink_t *sink,
                               apr_bucket_brigade *bb, int is_last)
{
    conn_rec *c = r->connection;
    size_t n = bl_sink_pending(sink);
    apr_status_t rv;

    if (n > BL_PASS_BYTES) n = BL_PASS_BYTES;
    APR_BRIGADE_INSERT_TAIL(bb, apr_bucket_transient_create(
                                    bl_sink_bytes(sink), n, c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(bb, is_last
                                    ? apr_bucket_eos_create(c->bucket_alloc)
                                    : apr_bucket_flush_create(c->bucket_alloc));
    rv = ap_pass_brigade(r->output_filters, bb);
    apr_brigade_cleanup(bb);
    if (rv == APR_SUCCESS && c->aborted) rv = APR_ECONNABORTED;
    if (rv == APR_SUCCESS) bl_sink_sent(sink, n);
    return rv;
}

/* Waits for events, a beat that is due, or the client's end. */
static void wait_for_news(waiter_t *w)
{
    bl_ms_t wait = bl_sink_next_look(w->sink) - bl_clock_ms();
    struct timespec until;

    if (wait < 1) return;
    if (w->sink->out.size > KEEP_BYTES) bl_buf_release(&w->sink->out);
    if (w->fd < 0 && wait > STREAM_LOOK_MS) wait = STREAM_LOOK_MS;
    until = bl_cond_until(wait);
    pthread_mutex_lock(&w->lock);
    while (!w->has_news && !w->is_gone && !w->must_probe) {
        if (pthread_cond_timedwait(&w->woken, &w->lock, &until)) break;
    }
    pthread_mutex_unlock(&w->lock);
}

static int take_flag(waiter_t *w, int *flag)
{
    int was;

    pthread_mutex_lock(&w->lock);
    was = *flag;
    *flag = 0;
    pthread_mutex_unlock(&w->lock);
    return was;
}

/* A write that fails after so long waited for a client that takes nothing. */
static apr_status_t write_in_time(request_rec *r, waiter_t *w)
{
    bl_ms_t began = bl_clock_ms();
    apr_status_t rv = write_some(r, w->sink, w->bb, 0);

    if (rv != APR_SUCCESS && bl_clock_ms() >= began + w->sink->plan.slow_ms) {
        bl_sink_tell_slow(w->sink);
    }
    return rv;
}

/* 1 = the answer was sent to its end, 0 = the client went. */
static int feed(request_rec *r, waiter_t *w)
{
    bl_sink_t *sink = w->sink;

    for (;;) {
        take_flag(w, &w->has_news);
        if (take_flag(w, &w->is_gone) || r->connection->aborted) return 0;
        if (take_flag(w, &w->must_probe) &&
            !bl_sink_beat(sink, bl_clock_ms(), 1) && !sink->has_head)
        {
            bl_send_processing(r); /* C23 */
        }
        bl_sink_fill(sink, bl_clock_ms());
        bl_sink_beat(sink, bl_clock_ms(), 0);
        while (bl_sink_pending(sink)) {
            if (write_in_time(r, w) != APR_SUCCESS) return 0;
            tell_lag(w);
            if (!bl_sink_pending(sink)) bl_sink_fill(sink, bl_clock_ms());
        }
        if (sink->is_over) return 1;
        wait_for_news(w);
    }
}

static int client_fd(request_rec *r)
{
    apr_socket_t *csd =
        r->connection->master ? NULL : ap_get_conn_socket(r->connection);
    apr_os_sock_t fd;

    return csd && apr_os_sock_get(&fd, csd) == APR_SUCCESS ? fd : -1;
}

/* How a body ends says whether the answer is whole (I4). */
static void close_body(request_rec *r, bl_sink_t *sink, int is_whole)
{
    if (!is_whole) {
        bl_engine_t *e = sink->plan.engine;

        bl_count(bl_engine_shm(e), bl_engine_child(e), READERS_GONE, 1);
    }
    if (!is_whole || !sink->encoder.is_clean) r->connection->aborted = 1;
}

/* Nothing comes any more and nobody need be waited for. */
int bl_sink_run_ended(request_rec *r, bl_sink_t *sink)
{
    apr_bucket_brigade *bb =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t rv = APR_SUCCESS;

    bl_cursor_over_ended(&sink->cursor, sink->plan.stream, sink->plan.after);
    bl_buf_room(&sink->out, ENDED_BYTES); /* most fit, without growing */
    while (rv == APR_SUCCESS &&
           bl_sink_fill(sink, bl_clock_ms()) == APR_SUCCESS) {
        rv = write_some(r, sink, bb,
                        sink->is_over && sink->encoder.is_clean &&
                            bl_sink_pending(sink) <= BL_PASS_BYTES);
    }
    close_body(r, sink, rv == APR_SUCCESS);
    bl_sink_destroy(sink);
    return OK;
}

int bl_sink_run_sync(request_rec *r, bl_sink_t *sink)
{
    bl_engine_t *e = sink->plan.engine;
    apr_interval_time_t patience = bl_sink_set_patience(
        r->connection, apr_time_from_msec(sink->plan.slow_ms));
    waiter_t w;
    int is_whole;

    memset(&w, 0, sizeof(w));
    w.sink = sink;
    w.reactor = bl_engine_reactor(e);
    w.fd = client_fd(r);
    w.bb = apr_brigade_create(r->pool, r->connection->bucket_alloc);
    w.watch.fd = -1;
    w.watch.fn = on_client;
    w.watch.ctx = &w;
    pthread_mutex_init(&w.lock, NULL);
    bl_cond_init(&w.woken);
    bl_count(bl_engine_shm(e), bl_engine_child(e), READERS_SYNC, 1);
    ask_reactor(&w, on_open);
    is_whole = feed(r, &w);
    ask_reactor(&w, on_close);
    close_body(r, sink, is_whole);
    bl_sink_set_patience(r->connection, patience);
    pthread_cond_destroy(&w.woken);
    pthread_mutex_destroy(&w.lock);
    bl_sink_destroy(sink);
    return OK;
}
