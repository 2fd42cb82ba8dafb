/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_sync - a WebSocket whose handler's thread reads, waits and writes:
 * prefork, worker, HTTP/2 (RFC 8441), chains with a filter that may wait.
 */
#include "sink.h"
#include "ws_socket.h"
#include "base/clock.h"
#include "shm/stats.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Where the client's side cannot be polled (an HTTP/2 stream without a pipe)
 * it is looked at that often. */
#define LOOK_MS 50

typedef struct sync_t {
    bl_socket_t *socket;
    conn_rec *c;
    apr_bucket_brigade *bb;
    int fd;       /* of the client, or of the pipe of its HTTP/2 stream; -1 */
    int event_fd; /* readable: news */

    pthread_mutex_t lock; /* guards is_done */
    pthread_cond_t done;
    int is_done;
    bl_letter_t letter;
} sync_t;

static void ring(sync_t *w)
{
    static const apr_uint64_t one = 1;

    if (write(w->event_fd, &one, sizeof(one)) != sizeof(one)) {
        return; /* only a full counter refuses: it is readable already */
    }
}

static void on_news(void *ctx)
{
    ring(ctx);
}

static void wake(bl_socket_t *s)
{
    ring(s->way);
}

/* --- reactor ------------------------------------------------------------ */

static sync_t *of_letter(bl_letter_t *letter)
{
    return (sync_t *)((char *)letter - offsetof(sync_t, letter));
}

static void tell_done(sync_t *w)
{
    pthread_mutex_lock(&w->lock);
    w->is_done = 1;
    pthread_cond_signal(&w->done);
    pthread_mutex_unlock(&w->lock);
}

static void close_cursor(bl_ws_reader_t *r, void *ctx)
{
    (void)ctx;
    bl_cursor_rt_close(&r->cursor);
    r->is_open = 0;
}

/* The handler's thread waits meanwhile: the readers are the reactor's. */
static void on_look(bl_letter_t *letter)
{
    sync_t *w = of_letter(letter);
    bl_ws_reader_t *r;

    for (r = w->socket->readers; r; r = r->next) {
        if (!r->is_open) {
            r->is_open = 1;
            bl_cursor_rt_open(&r->cursor, r->stream, r->after, on_news, w);
        }
        else if (r->stream->is_paused && r->stream->changed) {
            r->stream->changed(r->stream, r->stream->producer);
        }
    }
    bl_socket_drop_readers(w->socket, w->socket->is_lost, close_cursor, NULL);
    tell_done(w);
}

/* --- the handler's thread ----------------------------------------------- */

static int needs_reactor(const bl_socket_t *s)
{
    const bl_ws_reader_t *r;

    for (r = s->readers; r; r = r->next) {
        if (!r->is_open || r->is_over || s->is_lost ||
            __atomic_load_n(&r->stream->is_paused, __ATOMIC_SEQ_CST))
        {
            return 1;
        }
    }
    return 0;
}

static void ask_reactor(sync_t *w)
{
    w->is_done = 0;
    w->letter.fn = on_look;
    bl_reactor_post(bl_engine_reactor(w->socket->engine), &w->letter);
    pthread_mutex_lock(&w->lock);
    while (!w->is_done)
        pthread_cond_wait(&w->done, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

static void write_some(sync_t *w)
{
    bl_socket_t *s = w->socket;
    size_t n = bl_socket_pending(s);
    apr_status_t rv;

    if (n > BL_PASS_BYTES) n = BL_PASS_BYTES;
    APR_BRIGADE_INSERT_TAIL(w->bb,
                            apr_bucket_transient_create(s->out.data + s->sent,
                                                        n, w->c->bucket_alloc));
    APR_BRIGADE_INSERT_TAIL(w->bb, apr_bucket_flush_create(w->c->bucket_alloc));
    rv = ap_pass_brigade(w->c->output_filters, w->bb);
    apr_brigade_cleanup(w->bb);
    if (rv == APR_SUCCESS && !w->c->aborted) {
        bl_socket_sent(s, n);
        return;
    }
    bl_socket_tick(s, bl_clock_ms()); /* it says so of a slow client */
    s->is_lost = 1;
}

static void wait_for_news(sync_t *w)
{
    bl_socket_t *s = w->socket;
    struct pollfd fds[2];
    bl_ms_t wait = bl_socket_next_tick(s) - bl_clock_ms();
    apr_uint64_t count;

    if (s->has_input || wait < 0) wait = 0;
    if (wait > 60000) wait = 60000;
    if (w->fd < 0 && wait > LOOK_MS) wait = LOOK_MS;
    fds[0].fd = w->event_fd;
    fds[0].events = POLLIN;
    fds[1].fd = bl_socket_wants_input(s) ? w->fd : -1;
    fds[1].events = POLLIN;
    if (poll(fds, 2, (int)wait) > 0 && fds[0].revents &&
        read(w->event_fd, &count, sizeof(count)) < 0)
    {
        return;
    }
}

static void serve(sync_t *w)
{
    bl_socket_t *s = w->socket;

    while (!bl_socket_is_done(s)) {
        bl_socket_read(s, w->c, w->bb);
        if (!bl_socket_tick(s, bl_clock_ms())) s->is_lost = 1;
        if (needs_reactor(s)) ask_reactor(w);
        while (!s->is_lost && bl_socket_fill(s, bl_clock_ms()))
            write_some(w);
        if (needs_reactor(s)) ask_reactor(w);
        if (!bl_socket_is_done(s)) wait_for_news(w);
    }
}

/* What tells that the client has sent something. */
static int readable_fd(conn_rec *c)
{
    apr_os_sock_t fd = -1;
    apr_pollfd_t poll_fd;
    apr_os_file_t file;

    memset(&poll_fd, 0, sizeof(poll_fd));
    if (!c->master) {
        apr_os_sock_get(&fd, ap_get_conn_socket(c));
        return fd;
    }
    if (ap_get_pollfd_from_conn(c, &poll_fd, NULL) != APR_SUCCESS) return -1;
    if (poll_fd.desc_type == APR_POLL_SOCKET) {
        apr_os_sock_get(&fd, poll_fd.desc.s);
        return fd;
    }
    return apr_os_file_get(&file, poll_fd.desc.f) == APR_SUCCESS ? file : -1;
}

int bl_ws_run_sync(request_rec *r, bl_socket_t *s)
{
    bl_engine_t *e = s->engine;
    apr_interval_time_t patience = bl_sink_set_patience(
        r->connection, apr_time_from_msec(s->conf.slow_ms));
    sync_t w;

    memset(&w, 0, sizeof(w));
    w.socket = s;
    w.c = r->connection;
    w.bb = apr_brigade_create(r->pool, w.c->bucket_alloc);
    w.fd = readable_fd(w.c);
    w.event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    pthread_mutex_init(&w.lock, NULL);
    pthread_cond_init(&w.done, NULL);
    if (w.event_fd >= 0) {
        bl_socket_set_way(s, &w, wake);
        bl_count(bl_engine_shm(e), bl_engine_child(e), READERS_SYNC, 1);
        serve(&w);
        bl_socket_set_way(s, NULL, NULL);
        s->is_lost |= s->readers != NULL;
        if (s->readers) ask_reactor(&w);
        close(w.event_fd);
    }
    if (s->is_lost) w.c->aborted = 1;
    bl_sink_set_patience(w.c, patience);
    pthread_cond_destroy(&w.done);
    pthread_mutex_destroy(&w.lock);
    bl_socket_unref(s);
    return OK;
}
