/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote - the asking child's side: a mirror, a stream whose producer is the
 * other child's socket. attach and stop wait on a worker; everything else
 * runs on the reactor.
 */
#include "remote.h"
#include "remote_wire.h"
#include "base/errors.h"
#include "base/log.h"
#include "stream/cursor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unistd.h>

#define WAIT_S 2 /* for the other child's answer */
#define IN_BYTES (BL_CEIL_EVENT_BYTES + 64 * 1024)
#define READ_BYTES (64 * 1024)
#define READS_AT_ONCE 16 /* of one mirror in one turn */
/* A reader that lost its connection comes back at once, finds the mirror and
 * opens its cursor within this time; C02 allows 100 ms until the policy counts.
 */
#define GRACE_MS 40

struct bl_mirror_t {
    bl_mirror_t *prev, *next; /* all of the engine */
    bl_engine_t *engine;
    bl_stream_t *stream;
    bl_watch_t watch;
    int fd;
    bl_buf_t in;
    bl_letter_t begin_letter;
    bl_deferred_t look;
    bl_timer_t alone; /* no reader: until GRACE_MS */
    int is_held;      /* its readers are full: nothing is read */
    int is_over;
};

/* --- asking (a worker's thread) ----------------------------------------- */

static int dial(bl_engine_t *e, apr_int64_t child_id)
{
    struct timeval wait = {WAIT_S, 0};
    struct sockaddr_un address;
    socklen_t len = bl_remote_address(e, child_id, &address);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait));
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
    if (connect(fd, (struct sockaddr *)&address, len) || !bl_remote_is_ours(fd))
    {
        close(fd);
        return -1;
    }
    return fd;
}

static apr_status_t exchange(int fd, const bl_remote_ask_t *ask,
                             bl_remote_answer_t *answer)
{
    ssize_t n;

    if (send(fd, ask, sizeof(*ask), MSG_NOSIGNAL) != (ssize_t)sizeof(*ask)) {
        return BL_E_OVERLOADED;
    }
    n = recv(fd, answer, sizeof(*answer), MSG_WAITALL);
    if (n != (ssize_t)sizeof(*answer) || answer->magic != BL_REMOTE_MAGIC) {
        return BL_E_OVERLOADED;
    }
    answer->conversation_id[BL_ITEM_ID_BYTES - 1] = '\0';
    answer->item_id[BL_ITEM_ID_BYTES - 1] = '\0';
    answer->app[BL_NAME_BYTES - 1] = '\0';
    return answer->status;
}

/* The descriptor stays open when the answer is APR_SUCCESS. */
static apr_status_t ask(bl_engine_t *e, const char *id, const char *owner,
                        apr_uint32_t what, int *pfd, bl_remote_answer_t *answer)
{
    bl_remote_ask_t a;
    apr_int64_t child_id;
    apr_status_t rv;
    int child;

    *pfd = -1;
    if (!bl_slot_find(e->conf.shm, id, &child, &child_id) || child == e->child)
    {
        return BL_E_NOT_FOUND;
    }
    *pfd = dial(e, child_id);
    if (*pfd < 0) return BL_E_OVERLOADED;
    memset(&a, 0, sizeof(a));
    a.magic = BL_REMOTE_MAGIC;
    a.what = what;
    snprintf(a.id, sizeof(a.id), "%s", id);
    snprintf(a.owner, sizeof(a.owner), "%s", owner);
    rv = exchange(*pfd, &a, answer);
    if (rv != APR_SUCCESS) {
        close(*pfd);
        *pfd = -1;
    }
    return rv;
}

apr_status_t bl_remote_stop(bl_engine_t *e, const char *id, const char *owner)
{
    bl_remote_answer_t answer;
    apr_status_t rv;
    int fd;

    rv = ask(e, id, owner, BL_REMOTE_STOP, &fd, &answer);
    if (fd >= 0) close(fd);
    return rv;
}

/* --- the mirror (reactor) ----------------------------------------------- */

/* Without an END event the readers are told to come back: they find the
 * stream in the store, or still running. */
static void end_mirror(bl_mirror_t *m)
{
    if (m->is_over) return;
    m->is_over = 1;
    bl_watch_rt_clear(&m->watch);
    close(m->fd);
    m->fd = -1;
    bl_registry_remove(m->engine->registry, m->stream);
    bl_stream_rt_lose(m->stream);
    bl_reactor_rt_defer(m->engine->reactor, &m->look);
}

static void free_mirror(bl_mirror_t *m)
{
    bl_reactor_rt_undefer(&m->look);
    bl_reactor_rt_disarm(m->engine->reactor, &m->alone);
    if (m->prev)
        m->prev->next = m->next;
    else
        m->engine->mirrors = m->next;
    if (m->next) m->next->prev = m->prev;
    m->stream->producer = NULL;
    m->stream->dirty = m->stream->changed = m->stream->stop = NULL;
    m->stream->polled = NULL;
    bl_stream_unref(m->stream);
    bl_buf_release(&m->in);
    free(m);
}

static apr_status_t take_frames(bl_mirror_t *m)
{
    bl_remote_frame_t frame;
    size_t at = 0, inner;
    bl_event_t ev;
    apr_status_t rv = APR_SUCCESS;

    while (rv == APR_SUCCESS && m->in.len - at >= sizeof(frame)) {
        memcpy(&frame, m->in.data + at, sizeof(frame));
        if (m->in.len - at - sizeof(frame) < frame.len) break;
        inner = 0;
        rv = bl_event_unpack(m->in.data + at + sizeof(frame), frame.len, &inner,
                             &ev);
        if (rv != APR_SUCCESS) break;
        ev.seq = frame.seq;
        rv = bl_stream_rt_append_copy(m->stream, &ev);
        at += sizeof(frame) + frame.len;
    }
    bl_buf_consume(&m->in, at);
    return rv;
}

static void read_on(bl_mirror_t *m)
{
    int i;

    for (i = 0; i < READS_AT_ONCE; i++) {
        char *room = bl_buf_room(&m->in, READ_BYTES);
        ssize_t n = room ? recv(m->fd, room, READ_BYTES, MSG_DONTWAIT) : -1;

        if (n < 0 && room && errno == EAGAIN) return;
        if (n <= 0) {
            end_mirror(m);
            return;
        }
        bl_buf_added(&m->in, (size_t)n);
        if (take_frames(m) != APR_SUCCESS ||
            m->stream->state == BL_STREAM_ENDED) {
            end_mirror(m);
            return;
        }
    }
}

static void on_socket(void *ctx, unsigned events)
{
    bl_mirror_t *m = ctx;

    (void)events;
    read_on(m);
}

static void look_at_queue(bl_mirror_t *m)
{
    m->is_held = bl_stream_rt_is_blocked(m->stream, m->is_held, READ_BYTES);
    __atomic_store_n(&m->stream->is_paused, m->is_held, __ATOMIC_SEQ_CST);
    bl_watch_rt_set(m->engine->reactor, &m->watch, m->fd,
                    m->is_held ? 0 : EPOLLIN);
}

static void on_look(void *ctx)
{
    bl_mirror_t *m = ctx;
    bl_stream_t *s = m->stream;

    if (s->reader_count) {
        bl_reactor_rt_disarm(m->engine->reactor, &m->alone);
    }
    if (s->is_dirty) bl_stream_rt_wake(s);
    /* Nobody reads here: the child that runs it must know soon, for its policy
     * counts from then (C01). */
    if (!m->is_over && s->had_reader && !s->reader_count && !m->alone.place) {
        bl_reactor_rt_arm(m->engine->reactor, &m->alone,
                          bl_reactor_rt_now(m->engine->reactor) + GRACE_MS);
    }
    if (!m->is_over) {
        look_at_queue(m);
        return;
    }
    if (s->is_dirty) bl_stream_rt_wake(s);
    free_mirror(m);
}

static void on_alone(void *ctx)
{
    bl_mirror_t *m = ctx;

    if (!m->stream->reader_count) end_mirror(m);
}

static void on_changed(bl_stream_t *s, void *ctx)
{
    bl_mirror_t *m = ctx;

    (void)s;
    bl_reactor_rt_defer(m->engine->reactor, &m->look);
}

/* The other child must learn when nobody comes any more. Where that is a
 * cancel a poll must not be one: the mirror then stays to the end. */
static void on_polled(bl_stream_t *s, void *ctx)
{
    if (s->policy != BL_POLICY_DETACH) return;
    s->had_reader = 1;
    on_changed(s, ctx);
}

static void on_stop(bl_stream_t *s, void *ctx)
{
    bl_mirror_t *m = ctx;
    char byte = BL_REMOTE_STOP_BYTE;

    (void)s;
    if (m->fd >= 0 && send(m->fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
        end_mirror(m);
    }
}

static void on_begin(bl_letter_t *letter)
{
    bl_mirror_t *m =
        (bl_mirror_t *)((char *)letter - offsetof(bl_mirror_t, begin_letter));
    bl_stream_t *s = m->stream;

    m->next = m->engine->mirrors;
    if (m->next) m->next->prev = m;
    m->engine->mirrors = m;
    s->producer = m;
    s->dirty = s->changed = on_changed;
    s->stop = on_stop;
    s->polled = on_polled;
    if (bl_engine_is_refusing(m->engine) ||
        bl_watch_rt_set(m->engine->reactor, &m->watch, m->fd, EPOLLIN) !=
            APR_SUCCESS)
    {
        end_mirror(m);
    }
}

static bl_mirror_t *make_mirror(bl_engine_t *e, bl_stream_t *s, int fd)
{
    bl_mirror_t *m = calloc(1, sizeof(*m));

    if (!m) return NULL;
    m->engine = e;
    m->stream = s;
    m->fd = fd;
    m->watch.fd = -1;
    m->watch.fn = on_socket;
    m->watch.ctx = m;
    m->look.fn = on_look;
    m->look.ctx = m;
    m->alone.fn = on_alone;
    m->alone.ctx = m;
    m->begin_letter.fn = on_begin;
    bl_buf_init(&m->in, IN_BYTES);
    return m;
}

static apr_status_t mirror(bl_engine_t *e, const char *id, const char *owner,
                           const bl_remote_answer_t *a, int fd,
                           bl_stream_t **ps)
{
    bl_stream_spec_t spec;
    bl_mirror_t *m;
    apr_status_t rv;

    memset(&spec, 0, sizeof(spec));
    spec.id = id;
    spec.owner = owner;
    spec.conversation_id = a->conversation_id;
    spec.item_id = a->item_id;
    spec.app = a->app;
    spec.policy = (bl_policy_t)a->policy;
    spec.queue_bytes = (size_t)a->queue_bytes;
    spec.budget = e->conf.budget;
    rv = bl_stream_create(ps, &spec);
    if (rv != APR_SUCCESS) return rv;
    m = make_mirror(e, *ps, fd);
    if (!m) {
        bl_stream_unref(*ps);
        *ps = NULL;
        return APR_ENOMEM;
    }
    bl_stream_ref(*ps);
    bl_registry_add(e->registry, *ps);
    bl_reactor_post(e->reactor, &m->begin_letter);
    return APR_SUCCESS;
}

apr_status_t bl_remote_attach(bl_engine_t *e, const char *id, const char *owner,
                              bl_stream_t **ps)
{
    bl_remote_answer_t answer;
    apr_status_t rv;
    int fd;

    *ps = NULL;
    rv = ask(e, id, owner, BL_REMOTE_READ, &fd, &answer);
    if (rv != APR_SUCCESS) return rv;
    rv = mirror(e, id, owner, &answer, fd, ps);
    if (rv != APR_SUCCESS) close(fd);
    return rv;
}

void bl_remote_rt_end_all(bl_engine_t *e)
{
    bl_mirror_t *m, *next;

    for (m = e->mirrors; m; m = next) {
        next = m->next;
        end_mirror(m);
    }
}

void bl_remote_rt_free_all(bl_engine_t *e)
{
    while (e->mirrors) {
        end_mirror(e->mirrors);
        free_mirror(e->mirrors);
    }
}
