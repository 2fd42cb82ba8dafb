/* SPDX-License-Identifier: Apache-2.0 */
#include "notes.h"
#include "remote_wire.h"
#include "base/errors.h"
#include "shm/sockets.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <unistd.h>

#define AT_ONCE 64 /* notes read in one turn */

typedef struct head_t {
    apr_uint32_t magic;
    char owner[BL_PRINCIPAL_BYTES];
} head_t;

struct bl_notes_t {
    bl_watch_t watch;
    bl_letter_t letter;
    bl_engine_t *engine;
    bl_note_fn *fn;
    int fd;
};

/* Beside the child's other socket: "<its name>/notes". */
static socklen_t address_of(const bl_engine_t *e, apr_int64_t child_id,
                            struct sockaddr_un *address)
{
    static const char name[] = "/notes";
    socklen_t len = bl_remote_address(e, child_id, address);

    memcpy((char *)address + len, name, sizeof(name) - 1);
    return len + (socklen_t)(sizeof(name) - 1);
}

/* --- reading (reactor) -------------------------------------------------- */

static int is_ours(struct msghdr *m)
{
    struct cmsghdr *c;
    struct ucred who;

    for (c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS) {
            continue;
        }
        memcpy(&who, CMSG_DATA(c), sizeof(who));
        return who.uid == geteuid();
    }
    return 0;
}

/* 0: there is none any more. */
static int read_one(bl_notes_t *n)
{
    char text[BL_NOTE_BYTES];
    char control[CMSG_SPACE(sizeof(struct ucred))];
    head_t head;
    struct iovec parts[2] = {{&head, sizeof(head)}, {text, sizeof(text)}};
    struct msghdr m;
    ssize_t len;

    memset(&m, 0, sizeof(m));
    m.msg_iov = parts;
    m.msg_iovlen = 2;
    m.msg_control = control;
    m.msg_controllen = sizeof(control);
    len = recvmsg(n->fd, &m, MSG_DONTWAIT);
    if (len < 0) return errno == EINTR;
    if (len < (ssize_t)sizeof(head) || (m.msg_flags & MSG_TRUNC) ||
        head.magic != BL_REMOTE_MAGIC || !is_ours(&m))
    {
        return 1;
    }
    head.owner[sizeof(head.owner) - 1] = '\0';
    n->fn(head.owner, text, (size_t)len - sizeof(head));
    return 1;
}

static void on_notes(void *ctx, unsigned events)
{
    int i;

    (void)events;
    for (i = 0; i < AT_ONCE && read_one(ctx); i++)
        ;
}

static void on_begin(bl_letter_t *letter)
{
    bl_notes_t *n =
        (bl_notes_t *)((char *)letter - offsetof(bl_notes_t, letter));

    bl_watch_rt_set(n->engine->reactor, &n->watch, n->fd, EPOLLIN);
}

/* --- opened and closed -------------------------------------------------- */

static apr_status_t open_socket(bl_notes_t *n)
{
    static const int on = 1;
    struct sockaddr_un address;
    bl_engine_t *e = n->engine;
    socklen_t len =
        address_of(e, e->conf.shm->children[e->child].child_id, &address);

    n->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (n->fd < 0 ||
        setsockopt(n->fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) ||
        bind(n->fd, (struct sockaddr *)&address, len))
    {
        return errno;
    }
    return APR_SUCCESS;
}

apr_status_t bl_notes_listen(bl_engine_t *e, bl_note_fn *fn)
{
    bl_notes_t *n = calloc(1, sizeof(*n));
    apr_status_t rv;

    if (!n) return APR_ENOMEM;
    n->engine = e;
    n->fn = fn;
    n->watch.fd = -1;
    n->watch.fn = on_notes;
    n->watch.ctx = n;
    n->letter.fn = on_begin;
    e->notes = n;
    rv = open_socket(n);
    if (rv == APR_SUCCESS) bl_reactor_post(e->reactor, &n->letter);
    return rv;
}

void bl_notes_close(bl_engine_t *e)
{
    bl_notes_t *n = e->notes;

    e->notes = NULL;
    if (n && n->fd >= 0) close(n->fd);
    free(n);
}

/* --- sending ------------------------------------------------------------ */

static void send_to(bl_engine_t *e, int child, struct iovec *parts)
{
    const bl_child_t *c = &e->conf.shm->children[child];
    struct sockaddr_un address;
    struct msghdr m;

    memset(&m, 0, sizeof(m));
    m.msg_namelen = address_of(e, c->child_id, &address);
    m.msg_name = &address;
    m.msg_iov = parts;
    m.msg_iovlen = 2;
    if (sendmsg(e->notes->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        return; /* no room, or just gone: news of the moment */
    }
}

void bl_notes_send(bl_engine_t *e, const char *owner, const char *text,
                   size_t len)
{
    unsigned char holders[BL_SHM_CHILDREN];
    head_t head;
    struct iovec parts[2] = {{&head, sizeof(head)}, {(char *)text, len}};
    int i;

    if (!e->notes || e->notes->fd < 0 || len > BL_NOTE_BYTES) return;
    memset(&head, 0, sizeof(head));
    head.magic = BL_REMOTE_MAGIC;
    snprintf(head.owner, sizeof(head.owner), "%s", owner);
    bl_sockets_holders(e->conf.shm, bl_hash(owner, ""), holders);
    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        if (i != e->child && holders[i]) send_to(e, i, parts);
    }
}
