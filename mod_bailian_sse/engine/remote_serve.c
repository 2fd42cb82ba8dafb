/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote_serve - the running child's side: another child is a reader like any
 * other. Everything but listen and close runs on the reactor.
 */
#include "remote.h"
#include "remote_wire.h"
#include "base/errors.h"
#include "base/log.h"
#include "crypto/token.h"
#include "stream/cursor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#define BACKLOG 128
#define READ_AT_ONCE 32
#define OUT_BYTES (BL_CEIL_EVENT_BYTES + 64 * 1024)

/* One other child's connection. */
struct bl_peer_t {
    bl_peer_t *prev, *next; /* all of the engine */
    bl_engine_t *engine;
    bl_watch_t watch;
    bl_remote_ask_t ask;
    size_t asked; /* bytes of ask that have come */
    bl_cursor_t cursor;
    bl_buf_t out;
    size_t sent;
    int is_over;
};

socklen_t bl_remote_address(const bl_engine_t *e, apr_int64_t child_id,
                            struct sockaddr_un *address)
{
    char server[2 * sizeof(e->conf.shm->server_id) + 1];
    int n;

    memset(address, 0, sizeof(*address));
    address->sun_family = AF_UNIX;
    bl_hex(server, e->conf.shm->server_id, sizeof(e->conf.shm->server_id));
    /* A NUL in front: Linux's abstract namespace, unix(7). */
    n = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
                 "bailian/%s/%" APR_INT64_T_FMT, server, child_id);
    return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)n);
}

int bl_remote_is_ours(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);

    return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) &&
           peer.uid == geteuid();
}

static void close_peer(bl_peer_t *p)
{
    int fd = p->watch.fd;

    if (p->prev)
        p->prev->next = p->next;
    else
        p->engine->peers = p->next;
    if (p->next) p->next->prev = p->prev;
    bl_watch_rt_clear(&p->watch);
    close(fd);
    bl_cursor_rt_close(&p->cursor);
    bl_buf_release(&p->out);
    free(p);
}

/* --- writing ------------------------------------------------------------ */

static apr_status_t put_frame(bl_buf_t *out, const bl_event_t *ev)
{
    bl_remote_frame_t frame;
    size_t at = out->len;
    apr_status_t rv;

    memset(&frame, 0, sizeof(frame));
    frame.seq = ev->seq;
    bl_buf_append(out, &frame, sizeof(frame));
    rv = bl_event_pack(out, ev);
    if (rv != APR_SUCCESS) return rv;
    frame.len = (apr_uint32_t)(out->len - at - sizeof(frame));
    memcpy(out->data + at, &frame, sizeof(frame));
    return APR_SUCCESS;
}

static apr_status_t fill(bl_peer_t *p)
{
    bl_event_t events[READ_AT_ONCE];
    apr_status_t rv = APR_SUCCESS;
    int n, i;

    if (!p->cursor.stream) return APR_EAGAIN;
    rv = bl_cursor_peek(&p->cursor, events, READ_AT_ONCE, &n);
    for (i = 0; rv == APR_SUCCESS && i < n && p->out.len < BL_PASS_BYTES; i++) {
        rv = put_frame(&p->out, &events[i]);
        if (rv != APR_SUCCESS) break;
        bl_cursor_advance(&p->cursor, &events[i]);
        if (events[i].kind == BL_EV_END) p->is_over = 1;
    }
    return p->out.len ? APR_SUCCESS : rv;
}

/* 0: the peer is gone, and p with it. */
static int pump(bl_peer_t *p)
{
    ssize_t n;

    for (;;) {
        if (p->sent == p->out.len) {
            p->sent = 0;
            bl_buf_clear(&p->out);
            if (p->is_over || fill(p) != APR_SUCCESS) break;
        }
        n = send(p->watch.fd, p->out.data + p->sent, p->out.len - p->sent,
                 MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) break;
        if (n <= 0) {
            close_peer(p);
            return 0;
        }
        p->sent += (size_t)n;
    }
    if (p->cursor.stream) {
        bl_stream_t *s = p->cursor.stream;

        bl_cursor_set_unsent(&p->cursor, p->out.len - p->sent);
        if (s->is_paused && s->changed) s->changed(s, s->producer);
    }
    bl_watch_rt_set(p->engine->reactor, &p->watch, p->watch.fd,
                    p->sent < p->out.len ? EPOLLIN | EPOLLOUT : EPOLLIN);
    return 1;
}

static void on_wake(void *ctx)
{
    pump(ctx);
}

/* --- asked -------------------------------------------------------------- */

static void copy_text(char *dst, size_t size, const char *src)
{
    snprintf(dst, size, "%s", src);
}

static void answer(bl_peer_t *p, bl_stream_t *s, apr_status_t rv)
{
    bl_remote_answer_t a;

    memset(&a, 0, sizeof(a));
    a.magic = BL_REMOTE_MAGIC;
    a.status = rv;
    if (s && rv == APR_SUCCESS) {
        a.policy = s->policy;
        a.started_at = s->started_at;
        a.queue_bytes = s->queue_bytes;
        copy_text(a.conversation_id, sizeof(a.conversation_id),
                  s->conversation_id);
        copy_text(a.item_id, sizeof(a.item_id), s->item_id);
        copy_text(a.app, sizeof(a.app), s->app);
    }
    bl_buf_append(&p->out, &a, sizeof(a));
}

static void stop_stream(bl_stream_t *s)
{
    if (s->stop) s->stop(s, s->producer);
}

static void on_asked(bl_peer_t *p)
{
    bl_stream_t *s;
    apr_status_t rv = APR_SUCCESS;

    p->ask.id[BL_ID_TEXT] = '\0';
    p->ask.owner[BL_PRINCIPAL_BYTES - 1] = '\0';
    s = p->ask.magic == BL_REMOTE_MAGIC
            ? bl_registry_find(p->engine->registry, p->ask.id)
            : NULL;
    if (!s || strcmp(s->owner, p->ask.owner)) rv = BL_E_NOT_FOUND;
    answer(p, s, rv);
    if (rv == APR_SUCCESS && p->ask.what == BL_REMOTE_READ) {
        bl_cursor_rt_open(&p->cursor, s, 0, on_wake, p);
    }
    else {
        p->is_over = 1;
        if (rv == APR_SUCCESS) stop_stream(s);
    }
    if (s) bl_stream_unref(s);
}

/* The ask, then single bytes. 0: p is gone. */
static int take(bl_peer_t *p)
{
    char byte;
    ssize_t n;

    for (;;) {
        int is_ask = p->asked < sizeof(p->ask);

        n = is_ask ? recv(p->watch.fd, (char *)&p->ask + p->asked,
                          sizeof(p->ask) - p->asked, 0)
                   : recv(p->watch.fd, &byte, 1, 0);
        if (n < 0 && errno == EINTR) continue;
        if (n < 0 && errno == EAGAIN) return 1;
        if (n <= 0) {
            close_peer(p);
            return 0;
        }
        if (is_ask) {
            p->asked += (size_t)n;
            if (p->asked == sizeof(p->ask)) on_asked(p);
        }
        else if (byte == BL_REMOTE_STOP_BYTE && p->cursor.stream) {
            stop_stream(p->cursor.stream);
        }
    }
}

static void on_peer(void *ctx, unsigned events)
{
    bl_peer_t *p = ctx;

    if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) && !take(p)) return;
    pump(p);
}

/* --- listening ---------------------------------------------------------- */

static void add_peer(bl_engine_t *e, int fd)
{
    bl_peer_t *p = bl_remote_is_ours(fd) ? calloc(1, sizeof(*p)) : NULL;

    if (!p) {
        close(fd);
        return;
    }
    p->engine = e;
    p->watch.fd = -1;
    p->watch.fn = on_peer;
    p->watch.ctx = p;
    bl_buf_init(&p->out, OUT_BYTES);
    if (bl_watch_rt_set(e->reactor, &p->watch, fd, EPOLLIN) != APR_SUCCESS) {
        close(fd);
        free(p);
        return;
    }
    p->next = e->peers;
    if (p->next) p->next->prev = p;
    e->peers = p;
}

static void on_listen(void *ctx, unsigned events)
{
    bl_engine_t *e = ctx;
    int fd;

    (void)events;
    while ((fd = accept4(e->remote_watch.fd, NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    {
        add_peer(e, fd);
    }
}

static void on_begin(bl_letter_t *letter)
{
    bl_engine_t *e =
        (bl_engine_t *)((char *)letter - offsetof(bl_engine_t, remote_letter));

    bl_watch_rt_set(e->reactor, &e->remote_watch, e->remote_fd, EPOLLIN);
}

apr_status_t bl_remote_listen(bl_engine_t *e)
{
    struct sockaddr_un address;
    socklen_t len = bl_remote_address(
        e, e->conf.shm->children[e->child].child_id, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    e->remote_fd = fd;
    if (fd < 0) return errno;
    if (bind(fd, (struct sockaddr *)&address, len) || listen(fd, BACKLOG)) {
        return errno;
    }
    e->remote_watch.fd = -1;
    e->remote_watch.fn = on_listen;
    e->remote_watch.ctx = e;
    e->remote_letter.fn = on_begin;
    bl_reactor_post(e->reactor, &e->remote_letter);
    return APR_SUCCESS;
}

void bl_remote_close(bl_engine_t *e)
{
    if (e->remote_fd >= 0) close(e->remote_fd);
    e->remote_fd = -1;
    while (e->peers)
        close_peer(e->peers);
}
