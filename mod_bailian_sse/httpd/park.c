/* SPDX-License-Identifier: Apache-2.0 */
#include "park.h"
#include "nb.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#define FILTER_BYTES 32 /* of what a filter keeps, that a pass uses */
#define LIST_BYTES 64   /* of what gives buckets, likewise */

typedef enum { OWNER_WORKER, OWNER_REACTOR } owner_t;

/* Of a connection, in its pool. */
typedef struct conn_ctx_t {
    bl_park_t *park;     /* the request that is parked, or NULL */
    int is_nested;       /* inside our own call of the hook: step aside */
    apr_socket_t *clone; /* holds the client's descriptor while parked */
    bl_nb_t nb;
} conn_ctx_t;

struct bl_park_t {
    pthread_mutex_t lock; /* guards owner, and by it c and r */
    owner_t owner;
    conn_rec *c;
    request_rec *r;
    conn_ctx_t *ctx;
    core_net_rec *net;
    apr_socket_t *csd;      /* the MPM's: its descriptor is the eventfd */
    apr_bucket_brigade *bb; /* in r->pool */
    ap_filter_t *core;
    int needs_flush; /* a filter above holds data back until a FLUSH */
    int client_fd;
    int event_fd;
    int must_finish; /* under the lock */
    int is_clean;
    bl_ms_t rearm_ms;

    /* reactor */
    bl_reactor_t *reactor;
    bl_park_calls_t calls;
    bl_watch_t watch;
    bl_timer_t rearm;
    bl_letter_t own_letter;
    bl_letter_t release_letter;
    int is_ours; /* between the own letter and the kick */
    int is_blocked;
    int is_half_closed;
    int is_listening; /* a worker is to come when something can be read */
    int is_gone;
    int is_finishing;

    /* a worker waits here until the reactor has let go */
    bl_letter_t abandon_letter;
    pthread_cond_t let_go;
    int has_let_go;
};

static int is_closed; /* the reactor is gone: the child ends */

void bl_park_close_all(void)
{
    __atomic_store_n(&is_closed, 1, __ATOMIC_SEQ_CST);
}

static conn_ctx_t *ctx_of(conn_rec *c)
{
    return ap_get_module_config(c->conn_config, &bailian_sse_module);
}

static int pre_connection(conn_rec *c, void *csd)
{
    conn_ctx_t *ctx;

    (void)csd;
    if (c->master) return OK; /* an HTTP/2 stream: never parked */
    ctx = apr_pcalloc(c->pool, sizeof(*ctx));
    ap_set_module_config(c->conn_config, &bailian_sse_module, ctx);
    bl_nb_add(&ctx->nb, c);
    return OK;
}

/* --- may it be parked? -------------------------------------------------- */

/* Filters that are known not to wait (httpd-async.md 7.5). */
static int is_harmless(const char *name)
{
    static const char *const names[] = {"http_header",
                                        "http_outerror",
                                        "content_length",
                                        "chunk",
                                        "byterange",
                                        "old_write",
                                        "fixup_headers_out",
                                        "deflate",
                                        "log_input_output",
                                        "ssl/tls filter",
                                        "ssl/tls coalescing filter",
                                        "bailian_nb",
                                        "core",
                                        "reqtimeout"};
    size_t i;

    for (i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (!strcasecmp(names[i], name)) return 1;
    }
    return 0;
}

static ap_filter_t *core_filter(request_rec *r, int *pneeds_flush)
{
    ap_filter_t *f, *last = NULL;

    for (f = r->output_filters; f; f = f->next) {
        if (!is_harmless(f->frec->name)) {
            ap_log_rerror(APLOG_MARK, APLOG_DEBUG, 0, r,
                          BL_LOGNO(1821) "synchronous: filter %s may wait",
                          f->frec->name);
            return NULL;
        }
        if (!strncasecmp(f->frec->name, "ssl/", 4) ||
            !strcasecmp(f->frec->name, "deflate"))
        {
            *pneeds_flush = 1;
        }
        last = f;
    }
    return last && !strcasecmp(last->frec->name, "core") ? last : NULL;
}

static int is_eligible(request_rec *r)
{
    conn_rec *c = r->connection;
    int is_async = 0, can_waitio = 0;

    if (c->master || !c->cs || c->clogging_input_filters || r->main ||
        r->prev || !ctx_of(c))
    {
        return 0;
    }
#ifndef AP_MPMQ_CAN_WAITIO
    (void)is_async;
    (void)can_waitio;
    return 0;
#else
    return ap_mpm_query(AP_MPMQ_IS_ASYNC, &is_async) == APR_SUCCESS &&
           is_async &&
           ap_mpm_query(AP_MPMQ_CAN_WAITIO, &can_waitio) == APR_SUCCESS &&
           can_waitio;
#endif
}

int bl_park_is_possible(request_rec *r)
{
    int needs_flush = 0;

    return is_eligible(r) && core_filter(r, &needs_flush) != NULL;
}

/* --- handing over and back ---------------------------------------------- */

static void set_client_socket(bl_park_t *p, apr_socket_t *socket)
{
    p->net->client_socket = socket;
    ap_set_core_module_config(p->c->conn_config, socket);
}

static void make_clone(bl_park_t *p)
{
    conn_ctx_t *ctx = p->ctx;
    apr_interval_time_t timeout;

    if (ctx->clone) return;
    apr_os_sock_put(&ctx->clone, &p->client_fd, p->c->pool);
    apr_socket_timeout_get(p->csd, &timeout);
    apr_socket_timeout_set(ctx->clone, timeout);
}

/* suspend_connection, after everybody else: the worker's last step. The MPM
 * goes on to poll what it believes to be the client's socket. */
static void hand_over(bl_park_t *p)
{
    apr_os_sock_t fd = p->event_fd;

    pthread_mutex_lock(&p->lock);
    make_clone(p);
    apr_os_sock_put(&p->ctx->clone, &p->client_fd, p->c->pool);
    set_client_socket(p, p->ctx->clone);
    apr_os_sock_put(&p->csd, &fd, p->c->pool);
    bl_nb_work(&p->ctx->nb, p->client_fd);
    p->owner = OWNER_REACTOR;
    pthread_mutex_unlock(&p->lock);
    bl_reactor_post(p->reactor, &p->own_letter);
}

/* Any MPM thread, any number of times. */
static void take_back(bl_park_t *p)
{
    apr_os_sock_t fd = -1;

    pthread_mutex_lock(&p->lock); /* at most one non-blocking write long */
    if (p->owner == OWNER_REACTOR) {
        p->owner = OWNER_WORKER;
        bl_nb_step_aside(&p->ctx->nb);
        apr_os_sock_get(&fd, p->csd);
        if (fd == p->event_fd) {
            apr_os_sock_put(&p->csd, &p->client_fd, p->c->pool);
        }
        else {
            /* The MPM could not poll the eventfd and closed it: then the
             * client's descriptor is for us to close (httpd-async.md 2.5). */
            p->event_fd = -1;
            close(p->client_fd);
        }
        set_client_socket(p, p->csd);
    }
    pthread_mutex_unlock(&p->lock);
}

static void suspend_connection(conn_rec *c, request_rec *r)
{
    conn_ctx_t *ctx = ctx_of(c);

    (void)r;
#ifdef AP_MPMQ_CAN_WAITIO
    if (c->master || !ctx || !ctx->park ||
        c->cs->state != CONN_STATE_ASYNC_WAITIO) {
        return;
    }
    hand_over(ctx->park);
#endif
}

static void resume_connection(conn_rec *c, request_rec *r)
{
    conn_ctx_t *ctx = ctx_of(c);

    (void)r;
    if (!c->master && ctx && ctx->park) take_back(ctx->park);
}

/* --- the reactor's side ------------------------------------------------- */

static void kick(bl_park_t *p)
{
    static const apr_uint64_t one = 1;

    p->is_ours = 0;
    bl_reactor_rt_disarm(p->reactor, &p->rearm);
    if (p->calls.work) {
        /* What it watches for is the worker's to see, until owned(). */
        p->is_listening = 0;
        bl_watch_rt_clear(&p->watch);
    }
    if (write(p->event_fd, &one, sizeof(one)) != sizeof(one) && errno != EBADF)
    {
        /* Only a full counter refuses: then it is readable already. At TERM
         * httpd closes what a worker holds, which can be this one: then
         * nobody is to be woken any more. */
        bl_log(BL_LOG_ERR, errno, BL_LOGNO(1822) "a worker could not be woken");
    }
}

static void watch_client(bl_park_t *p)
{
    unsigned events = 0;

    if (p->is_listening) events |= EPOLLIN | EPOLLRDHUP;
    if (!p->calls.work && !p->is_half_closed) events |= EPOLLRDHUP;
    if (p->is_blocked) events |= EPOLLOUT;
    bl_watch_rt_set(p->reactor, &p->watch, p->client_fd, events);
}

static void client_is_gone(bl_park_t *p)
{
    if (p->is_gone || p->is_finishing) return;
    p->is_gone = 1;
    bl_watch_rt_clear(&p->watch);
    p->calls.gone(p->calls.ctx);
    bl_park_rt_finish(p, 0);
}

void bl_park_rt_abort(bl_park_t *p)
{
    client_is_gone(p);
}

/* What core held back, without waiting. */
static apr_status_t flush_core(bl_park_t *p)
{
    apr_status_t rv = APR_EAGAIN;

    pthread_mutex_lock(&p->lock);
    if (p->owner == OWNER_REACTOR) {
        rv = p->core->frec->filter_func.out_func(p->core, NULL);
        if (rv == APR_SUCCESS && p->c->data_in_output_filters) rv = APR_EAGAIN;
    }
    pthread_mutex_unlock(&p->lock);
    return rv;
}

static void on_client(void *ctxv, unsigned events)
{
    bl_park_t *p = ctxv;
    apr_status_t rv;

    if (events & (EPOLLERR | EPOLLHUP)) {
        client_is_gone(p);
        return;
    }
    if (p->is_listening && p->is_ours && (events & (EPOLLIN | EPOLLRDHUP))) {
        kick(p);
        return;
    }
    if (!p->calls.work && (events & EPOLLRDHUP) && !p->is_half_closed) {
        /* A client that closed for good answers the next byte with a reset;
         * one that only closed its half reads on (C03). */
        p->is_half_closed = 1;
        watch_client(p);
        p->calls.probe(p->calls.ctx);
    }
    if ((events & EPOLLOUT) && p->is_blocked && p->is_ours) {
        rv = flush_core(p);
        if (rv == APR_EAGAIN) return;
        if (rv != APR_SUCCESS) {
            client_is_gone(p);
            return;
        }
        p->is_blocked = 0;
        watch_client(p);
        p->calls.writable(p->calls.ctx);
    }
}

static void on_rearm(void *ctxv)
{
    kick(ctxv);
}

static void on_own(bl_letter_t *letter)
{
    bl_park_t *p =
        (bl_park_t *)((char *)letter - offsetof(bl_park_t, own_letter));

    if (p->has_let_go) return;
    p->is_ours = 1;
    if (p->is_gone || p->is_finishing) {
        kick(p);
        return;
    }
    bl_reactor_rt_arm(p->reactor, &p->rearm,
                      bl_reactor_rt_now(p->reactor) + p->rearm_ms);
    watch_client(p);
    p->calls.owned(p->calls.ctx);
}

/* A pass takes three, the chunk filter's and the data's: those that a list has
 * given back are the next that it gives. */
static void note_buckets(const bl_park_t *p)
{
    apr_bucket_alloc_t *list = p->c->bucket_alloc;
    void *taken[3];
    int n;

    bl_reactor_rt_used(p->reactor, list, LIST_BYTES);
    for (n = 0; n < 3; n++) {
        taken[n] = apr_bucket_alloc(sizeof(apr_bucket), list);
        if (!taken[n]) break;
        bl_reactor_rt_used(p->reactor, taken[n], sizeof(apr_bucket));
    }
    while (n)
        apr_bucket_free(taken[--n]);
}

/* What a pass touches, of httpd's as well: warm.h. */
static void note_used(const bl_park_t *p)
{
    conn_rec *c = p->c;
    const ap_filter_t *f;

    bl_reactor_rt_used(p->reactor, p, offsetof(bl_park_t, event_fd));
    bl_reactor_rt_used(p->reactor, &p->is_ours, 1);
    bl_reactor_rt_used(p->reactor, p->ctx, sizeof(*p->ctx));
    bl_reactor_rt_used(p->reactor, &c->bucket_alloc, 1);
    bl_reactor_rt_used(p->reactor, &c->data_in_output_filters, 1);
    note_buckets(p);
    bl_reactor_rt_used(p->reactor, p->bb, sizeof(*p->bb));
    bl_reactor_rt_used(p->reactor, &p->r->bytes_sent, sizeof(apr_off_t));
    bl_reactor_rt_used(p->reactor, &p->r->output_filters, sizeof(f));
    for (f = p->r->output_filters; f && f != p->core; f = f->next) {
        bl_reactor_rt_used(p->reactor, f, sizeof(*f));
        bl_reactor_rt_used(p->reactor, f->ctx, f->ctx ? FILTER_BYTES : 0);
    }
}

/* The headers come down the chain as a brigade of their own, before the first
 * bytes of the body: they leave together. */
static apr_status_t pass(bl_park_t *p, const char *data, size_t len,
                         int is_last)
{
    conn_rec *c = p->c;
    apr_status_t rv;

    if (bl_reactor_rt_is_noting(p->reactor)) note_used(p);
    APR_BRIGADE_INSERT_TAIL(
        p->bb, apr_bucket_transient_create(data, len, c->bucket_alloc));
    if (p->needs_flush) {
        APR_BRIGADE_INSERT_TAIL(p->bb,
                                apr_bucket_flush_create(c->bucket_alloc));
    }
    if (is_last) {
        APR_BRIGADE_INSERT_TAIL(p->bb, apr_bucket_eos_create(c->bucket_alloc));
    }
    bl_nb_rt_begin(&p->ctx->nb);
    rv = ap_pass_brigade(p->r->output_filters, p->bb);
    rv = bl_nb_rt_end(&p->ctx->nb, p->core, rv);
    apr_brigade_cleanup(p->bb);
    return rv == APR_SUCCESS && c->aborted ? APR_ECONNABORTED : rv;
}

apr_status_t bl_park_rt_write(bl_park_t *p, const char *data, size_t len,
                              int is_last)
{
    apr_status_t rv = APR_EAGAIN;
    int is_held = 0;

    if (!p->is_ours || p->is_blocked || p->is_gone || p->is_finishing) {
        return p->is_gone ? APR_ECONNABORTED : APR_EAGAIN;
    }
    pthread_mutex_lock(&p->lock);
    if (p->owner == OWNER_REACTOR) {
        rv = pass(p, data, len, is_last);
        is_held = p->c->data_in_output_filters;
    }
    pthread_mutex_unlock(&p->lock);
    if (rv == APR_EAGAIN) return rv;
    if (rv != APR_SUCCESS) return APR_ECONNABORTED;
    if (is_held) {
        p->is_blocked = 1;
        watch_client(p);
    }
    return APR_SUCCESS;
}

/* RFC 9110 15.2: a client reads any number of them; HTTP/1.0 knows none. */
void bl_send_processing(request_rec *r)
{
    int status = r->status;

    r->status = HTTP_PROCESSING;
    r->status_line = ap_get_status_line(HTTP_PROCESSING);
    ap_send_interim_response(r, 0);
    r->status = status;
    r->status_line = NULL;
}

void bl_park_rt_interim(bl_park_t *p)
{
    if (!bl_park_rt_can_write(p)) return;
    pthread_mutex_lock(&p->lock);
    if (p->owner == OWNER_REACTOR) bl_send_processing(p->r);
    pthread_mutex_unlock(&p->lock);
}

int bl_park_rt_can_write(const bl_park_t *p)
{
    return p->is_ours && !p->is_blocked && !p->is_gone && !p->is_finishing;
}

size_t bl_park_rt_held(const bl_park_t *p)
{
    return p->is_blocked ? p->ctx->nb.given : 0;
}

int bl_park_rt_is_ours(const bl_park_t *p)
{
    return p->is_ours && !p->is_gone && !p->is_finishing;
}

void bl_park_rt_listen(bl_park_t *p, int is_wanted, int is_now)
{
    if (!bl_park_rt_is_ours(p)) return;
    if (is_wanted && is_now) {
        kick(p);
        return;
    }
    if (p->is_listening == is_wanted) return;
    p->is_listening = is_wanted;
    watch_client(p);
}

void bl_park_rt_finish(bl_park_t *p, int is_clean)
{
    if (p->is_finishing) return;
    p->is_finishing = 1;
    pthread_mutex_lock(&p->lock);
    p->must_finish = 1;
    p->is_clean = is_clean && !p->is_gone;
    pthread_mutex_unlock(&p->lock);
    /* From the kick on the descriptor may be closed at any moment. */
    bl_watch_rt_clear(&p->watch);
    if (p->is_ours) kick(p);
}

static void let_go(bl_park_t *p)
{
    bl_watch_rt_clear(&p->watch);
    bl_reactor_rt_disarm(p->reactor, &p->rearm);
    p->is_ours = 0;
    if (!p->is_gone) {
        p->is_gone = 1;
        if (!p->is_finishing) p->calls.gone(p->calls.ctx);
    }
}

static void on_abandon(bl_letter_t *letter)
{
    bl_park_t *p =
        (bl_park_t *)((char *)letter - offsetof(bl_park_t, abandon_letter));

    let_go(p);
    pthread_mutex_lock(&p->lock);
    p->has_let_go = 1;
    pthread_cond_signal(&p->let_go);
    pthread_mutex_unlock(&p->lock);
}

static void on_release(bl_letter_t *letter)
{
    bl_park_t *p =
        (bl_park_t *)((char *)letter - offsetof(bl_park_t, release_letter));

    let_go(p);
    p->calls.released(p->calls.ctx);
    pthread_cond_destroy(&p->let_go);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

/* --- the worker's side -------------------------------------------------- */

/* The connection is closed under us: Timeout in the MPM's queue, a failed
 * pollset, a child that ends. */
static void abandon(bl_park_t *p)
{
    p->abandon_letter.fn = on_abandon;
    bl_reactor_post(p->reactor, &p->abandon_letter);
    pthread_mutex_lock(&p->lock);
    while (!p->has_let_go)
        pthread_cond_wait(&p->let_go, &p->lock);
    pthread_mutex_unlock(&p->lock);
}

static void finish_request(bl_park_t *p, int is_clean)
{
    conn_rec *c = p->c;
    request_rec *r = p->r;

    p->ctx->park = NULL;
    if (p->event_fd >= 0) close(p->event_fd);
    /* mod_status counts from START, which this slot may never have had
     * (httpd-async.md 7.4). */
    if (ap_extended_status && c->sbh) {
        ap_time_process_request(c->sbh, START_PREQUEST);
    }
    if (is_clean) {
        ap_finalize_request_protocol(r);
    }
    else {
        c->aborted = 1; /* no last chunk: a cut answer must look cut (I4) */
    }
    ap_process_request_after_handler(r);
    if (!__atomic_load_n(&is_closed, __ATOMIC_SEQ_CST)) {
        bl_reactor_leave(p->reactor, &p->release_letter);
    }
}

static int wait_again(conn_rec *c)
{
#ifdef AP_MPMQ_CAN_WAITIO
    c->cs->state = CONN_STATE_ASYNC_WAITIO;
    c->cs->sense = CONN_SENSE_WANT_READ;
#else
    (void)c;
#endif
    return OK;
}

static int resume_process(conn_rec *c, bl_park_t *p)
{
    apr_uint64_t count;
    int must_finish, is_clean;

    take_back(p); /* an MPM may leave the resume hook out */
    pthread_mutex_lock(&p->lock);
    must_finish = p->must_finish;
    is_clean = p->is_clean;
    pthread_mutex_unlock(&p->lock);
    if (read(p->event_fd, &count, sizeof(count)) < 0 && !must_finish) {
        /* Nobody kicked: the MPM woke the connection by itself. */
        ap_log_cerror(APLOG_MARK, APLOG_TRACE1, 0, c, "woken without a kick");
    }
    else if (!must_finish && p->calls.work) {
        p->calls.work(p->calls.ctx);
    }
    if (!must_finish) return wait_again(c);
    finish_request(p, is_clean);
    return OK;
}

static int process_connection(conn_rec *c)
{
    conn_ctx_t *ctx = c->master ? NULL : ctx_of(c);
    int rc;

    if (!ctx || !c->cs || ctx->is_nested) return DECLINED;
    if (ctx->park) return resume_process(c, ctx->park);
    ctx->is_nested = 1;
    rc = ap_run_process_connection(c);
    ctx->is_nested = 0;
    if (!ctx->park) return rc;
    if (c->cs->state == CONN_STATE_SUSPENDED) return wait_again(c);
    /* Somebody changed the handler's answer after it began to park. */
    ap_log_cerror(APLOG_MARK, APLOG_ERR, 0, c,
                  BL_LOGNO(1823) "a parked request was finished by another "
                                 "module: the connection is closed");
    return rc;
}

static int pre_close_connection(conn_rec *c)
{
    conn_ctx_t *ctx = c->master ? NULL : ctx_of(c);
    bl_park_t *p = ctx ? ctx->park : NULL;

    if (!p) return OK;
    take_back(p);
    if (!__atomic_load_n(&is_closed, __ATOMIC_SEQ_CST)) abandon(p);
    ap_log_cerror(APLOG_MARK, APLOG_DEBUG, 0, c,
                  BL_LOGNO(1824) "connection closed while its stream runs");
    finish_request(p, 0);
    return OK;
}

/* --- the beginning ------------------------------------------------------ */

apr_status_t bl_park_begin(bl_park_t **pp, request_rec *r,
                           bl_reactor_t *reactor, const bl_park_calls_t *calls)
{
    conn_rec *c = r->connection;
    apr_interval_time_t timeout;
    apr_os_sock_t fd;
    ap_filter_t *core;
    int needs_flush = 0;
    bl_park_t *p;

    *pp = NULL;
    if (!is_eligible(r) || !(core = core_filter(r, &needs_flush))) {
        return APR_ENOTIMPL;
    }
    p = calloc(1, sizeof(*p));
    if (!p) return APR_ENOMEM;
    p->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (p->event_fd < 0) {
        free(p);
        return APR_EMFILE;
    }
    pthread_mutex_init(&p->lock, NULL);
    pthread_cond_init(&p->let_go, NULL);
    p->c = c;
    p->r = r;
    p->ctx = ctx_of(c);
    p->core = core;
    p->needs_flush = needs_flush;
    p->net = core->ctx;
    p->csd = ap_get_conn_socket(c);
    apr_os_sock_get(&fd, p->csd);
    p->client_fd = fd;
    p->bb = apr_brigade_create(r->pool, c->bucket_alloc);
    timeout = r->server->timeout;
    if (c->base_server && c->base_server->timeout < timeout) {
        timeout = c->base_server->timeout;
    }
    p->rearm_ms = timeout / 2000;
    p->reactor = reactor;
    p->calls = *calls;
    p->watch.fd = -1;
    p->watch.fn = on_client;
    p->watch.ctx = p;
    p->rearm.fn = on_rearm;
    p->rearm.ctx = p;
    p->own_letter.fn = on_own;
    p->release_letter.fn = on_release;
    p->ctx->park = p;
    *pp = p;
    return APR_SUCCESS;
}

void bl_park_register_hooks(apr_pool_t *p)
{
    (void)p;
    bl_nb_register();
    ap_hook_pre_connection(pre_connection, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_process_connection(process_connection, NULL, NULL,
                               APR_HOOK_REALLY_FIRST - 10);
    ap_hook_suspend_connection(suspend_connection, NULL, NULL,
                               APR_HOOK_REALLY_LAST + 10);
    ap_hook_resume_connection(resume_connection, NULL, NULL,
                              APR_HOOK_REALLY_FIRST - 10);
    ap_hook_pre_close_connection(pre_close_connection, NULL, NULL,
                                 APR_HOOK_REALLY_FIRST - 10);
}
