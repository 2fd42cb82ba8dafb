/* SPDX-License-Identifier: Apache-2.0 */
#include "key_check.h"
#include "engine_private.h"
#include "base/errors.h"
#include "base/secret.h"
#include "upstream/dialect_models.h"
#include "upstream/transfer.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_MS 5000
#define CHECK_MS 9000 /* A06: a result within 10 s */
#define WAIT_MS 12000

/* What who waits and the reactor share. */
typedef struct batch_t {
    pthread_mutex_t lock; /* guards every field below it */
    pthread_cond_t changed;
    int refs, left;
    bl_key_check_t checks[BL_CHECK_KEYS];
} batch_t;

struct bl_check_t {
    bl_check_t *prev, *next; /* all of the engine, once begun */
    bl_letter_t letter;
    bl_engine_t *engine;
    batch_t *batch;
    int at; /* in batch->checks */
    bl_key_target_t *where;
    bl_target_t target;
    bl_request_t request;
    bl_answer_t answer;
    bl_transfer_t *transfer;
    bl_timer_t clock;
    bl_ms_t began;
    int is_native;
};

/* --- the batch ---------------------------------------------------------- */

static batch_t *make_batch(const bl_key_check_t *checks, int count)
{
    batch_t *b = calloc(1, sizeof(*b));

    if (!b) return NULL;
    pthread_mutex_init(&b->lock, NULL);
    pthread_cond_init(&b->changed, NULL);
    b->refs = 1;
    memcpy(b->checks, checks, (size_t)count * sizeof(*checks));
    return b;
}

static void unref_batch(batch_t *b)
{
    int refs;

    pthread_mutex_lock(&b->lock);
    refs = --b->refs;
    pthread_mutex_unlock(&b->lock);
    if (refs) return;
    pthread_cond_destroy(&b->changed);
    pthread_mutex_destroy(&b->lock);
    free(b);
}

static void put_result(batch_t *b, int at, apr_status_t rv, int status,
                       bl_ms_t latency_ms)
{
    pthread_mutex_lock(&b->lock);
    b->checks[at].rv = rv;
    b->checks[at].status = status;
    b->checks[at].latency_ms = latency_ms;
    b->left--;
    pthread_cond_broadcast(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

/* --- one check (reactor) ------------------------------------------------ */

static void free_check(bl_check_t *c)
{
    bl_transfer_rt_destroy(c->transfer);
    bl_request_release(&c->request);
    bl_key_target_free(c->where);
    unref_batch(c->batch);
    free(c);
}

static void finish(bl_check_t *c, apr_status_t rv)
{
    bl_engine_t *e = c->engine;
    int status = c->transfer ? bl_transfer_http_status(c->transfer) : 0;

    bl_reactor_rt_disarm(e->reactor, &c->clock);
    put_result(c->batch, c->at, rv, status,
               bl_reactor_rt_now(e->reactor) - c->began);
    if (c->prev)
        c->prev->next = c->next;
    else
        e->checks = c->next;
    if (c->next) c->next->prev = c->prev;
    free_check(c);
}

static apr_status_t start(bl_check_t *c);

static void on_done(void *ctx, apr_status_t rv)
{
    bl_check_t *c = ctx;

    /* No compatible list on this host (it may be so on a workspace's own
     * domain): the native one is asked. */
    if (!c->is_native && bl_transfer_http_status(c->transfer) == 404) {
        bl_transfer_rt_destroy(c->transfer);
        c->transfer = NULL;
        c->is_native = 1;
        rv = start(c);
        if (rv == APR_SUCCESS) return;
    }
    finish(c, rv);
}

static void on_clock(void *ctx)
{
    finish(ctx, BL_E_UPSTREAM_FIRST_TIMEOUT);
}

static void set_plan(bl_check_t *c, bl_transfer_plan_t *plan)
{
    memset(plan, 0, sizeof(*plan));
    plan->reactor = c->engine->reactor;
    plan->allowed = c->engine->conf.allowed;
    plan->dialect = &bl_dialect_models;
    plan->target = &c->target;
    plan->request = &c->request;
    plan->ca_file = c->where->ca_file;
    plan->proxy = c->where->proxy;
    plan->use_http2 = c->where->use_http2;
    plan->connect_ms = CONNECT_MS;
    plan->answer = &c->answer;
    plan->done = on_done;
    plan->ctx = c;
    bl_transfer_plan_no_reader(plan);
}

static apr_status_t start(bl_check_t *c)
{
    bl_transfer_plan_t plan;
    char *secret = NULL;
    apr_status_t rv;

    bl_request_release(&c->request);
    bl_request_init(&c->request);
    rv = bl_models_request(&c->target, c->is_native, &c->request);
    if (rv == APR_SUCCESS) {
        rv = bl_key_open(c->engine->conf.keyring, &c->where->key, &secret);
    }
    if (rv == APR_SUCCESS) {
        set_plan(c, &plan);
        plan.secret = secret;
        rv = bl_transfer_rt_start(&c->transfer, &plan);
    }
    bl_secret_free(secret);
    return rv;
}

static void on_begin(bl_letter_t *letter)
{
    bl_check_t *c =
        (bl_check_t *)((char *)letter - offsetof(bl_check_t, letter));
    bl_engine_t *e = c->engine;
    apr_status_t rv;

    c->next = e->checks;
    if (c->next) c->next->prev = c;
    e->checks = c;
    c->began = bl_reactor_rt_now(e->reactor);
    bl_reactor_rt_arm(e->reactor, &c->clock, c->began + CHECK_MS);
    rv = start(c);
    if (rv != APR_SUCCESS) finish(c, rv);
}

void bl_key_check_rt_free_all(bl_engine_t *e)
{
    while (e->checks) {
        bl_check_t *c = e->checks;

        e->checks = c->next;
        put_result(c->batch, c->at, BL_E_DRAINING, 0, 0);
        free_check(c);
    }
}

/* --- who waits ---------------------------------------------------------- */

static apr_status_t make_check(bl_check_t **pc, bl_engine_t *e, batch_t *b,
                               int at)
{
    bl_check_t *c = calloc(1, sizeof(*c));
    apr_status_t rv;

    *pc = NULL;
    if (!c) return APR_ENOMEM;
    rv = bl_store_key_target(e->store, b->checks[at].key_id, &c->where);
    if (rv != APR_SUCCESS) {
        free(c);
        return rv;
    }
    c->engine = e;
    c->batch = b;
    c->at = at;
    c->target.base_url = c->where->base_url;
    c->target.workspace = c->where->workspace;
    c->letter.fn = on_begin;
    c->clock.fn = on_clock;
    c->clock.ctx = c;
    bl_request_init(&c->request);
    *pc = c;
    return APR_SUCCESS;
}

static void begin(bl_engine_t *e, batch_t *b, int at)
{
    bl_check_t *c;
    apr_status_t rv = make_check(&c, e, b, at);

    pthread_mutex_lock(&b->lock);
    b->left++;
    if (rv == APR_SUCCESS) b->refs++;
    pthread_mutex_unlock(&b->lock);
    if (rv != APR_SUCCESS)
        put_result(b, at, rv, 0, 0);
    else
        bl_reactor_post(e->reactor, &c->letter);
}

static apr_status_t wait_for(batch_t *b, bl_key_check_t *checks, int count)
{
    struct timespec until;
    int code = 0;
    apr_status_t rv;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&b->lock);
    while (b->left && code == 0)
        code = pthread_cond_timedwait(&b->changed, &b->lock, &until);
    rv = b->left ? BL_E_OVERLOADED : APR_SUCCESS;
    memcpy(checks, b->checks, (size_t)count * sizeof(*checks));
    pthread_mutex_unlock(&b->lock);
    return rv;
}

apr_status_t bl_engine_check_keys(bl_engine_t *e, bl_key_check_t *checks,
                                  int count)
{
    batch_t *b = make_batch(checks, count);
    apr_status_t rv;
    int i;

    if (!b) return APR_ENOMEM;
    for (i = 0; i < count; i++)
        begin(e, b, i);
    rv = wait_for(b, checks, count);
    unref_batch(b);
    return rv;
}
