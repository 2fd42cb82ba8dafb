/* SPDX-License-Identifier: Apache-2.0 */
/* Messages of alerts, on their way to a webhook. */
#include "alerts.h"
#include "engine_private.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/secret.h"
#include "upstream/dialect_webhook.h"
#include "upstream/transfer.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define CONNECT_MS 5000
#define DELIVERY_MS 9000
#define WAIT_MS 12000

/* What who waits for a test and the reactor share. */
typedef struct result_t {
    pthread_mutex_t lock; /* guards every field below it */
    pthread_cond_t changed;
    int refs, is_known;
    apr_status_t rv;
    int status;
} result_t;

struct bl_delivery_t {
    bl_delivery_t *prev, *next; /* all of the engine, once begun */
    bl_letter_t letter;
    bl_engine_t *engine;
    bl_catalog_t *catalog; /* whose alert it is; or */
    bl_alert_t *own;       /* ... ours (a test) */
    const bl_alert_t *alert;
    result_t *result; /* of a test */
    bl_rule_t rule;
    bl_tell_t what;
    bl_target_t target;
    bl_request_t request;
    bl_answer_t answer;
    bl_transfer_t *transfer;
    bl_timer_t clock;
};

/* --- the result of a test ----------------------------------------------- */

static result_t *make_result(void)
{
    result_t *r = calloc(1, sizeof(*r));

    if (!r) return NULL;
    pthread_mutex_init(&r->lock, NULL);
    pthread_cond_init(&r->changed, NULL);
    r->refs = 2;
    return r;
}

static void unref_result(result_t *r)
{
    int refs;

    if (!r) return;
    pthread_mutex_lock(&r->lock);
    refs = --r->refs;
    pthread_mutex_unlock(&r->lock);
    if (refs) return;
    pthread_cond_destroy(&r->changed);
    pthread_mutex_destroy(&r->lock);
    free(r);
}

static void put_result(result_t *r, apr_status_t rv, int status)
{
    if (!r) return;
    pthread_mutex_lock(&r->lock);
    r->rv = rv;
    r->status = status;
    r->is_known = 1;
    pthread_cond_signal(&r->changed);
    pthread_mutex_unlock(&r->lock);
}

static apr_status_t wait_for(result_t *r, apr_status_t *prv, int *pstatus)
{
    struct timespec until;
    int code = 0;
    apr_status_t rv;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += WAIT_MS / 1000;
    pthread_mutex_lock(&r->lock);
    while (!r->is_known && code == 0)
        code = pthread_cond_timedwait(&r->changed, &r->lock, &until);
    rv = r->is_known ? APR_SUCCESS : BL_E_OVERLOADED;
    *prv = r->rv;
    *pstatus = r->status;
    pthread_mutex_unlock(&r->lock);
    return rv;
}

/* --- one delivery (reactor) --------------------------------------------- */

static void free_delivery(bl_delivery_t *d)
{
    bl_transfer_rt_destroy(d->transfer);
    bl_request_release(&d->request);
    bl_catalog_unref(d->catalog);
    bl_alert_free(d->own);
    unref_result(d->result);
    free(d);
}

static void unlink_delivery(bl_delivery_t *d)
{
    if (d->prev)
        d->prev->next = d->next;
    else
        d->engine->deliveries = d->next;
    if (d->next) d->next->prev = d->prev;
}

static void note_end(bl_delivery_t *d, apr_status_t rv, int status)
{
    bl_alert_place_t *place = bl_alert_made(d->engine->conf.shm, d->alert->id);
    apr_time_t wall = bl_clock_wall();

    if (place) bl_alert_sent(place, rv, status, wall);
    if (rv == APR_SUCCESS) {
        if (place && !d->own)
            bl_rule_told(&place->rules[d->rule], d->what, wall);
        return;
    }
    bl_log(BL_LOG_WARNING, 0,
           BL_LOGNO(1310) "a message of alert %s did not arrive: %s, http %d, "
                          "code %.32s",
           d->alert->name, bl_error(rv)->code, status,
           *d->answer.failure_code ? d->answer.failure_code : "-");
}

static void finish(bl_delivery_t *d, apr_status_t rv)
{
    int status = d->transfer ? bl_transfer_http_status(d->transfer) : 0;

    bl_reactor_rt_disarm(d->engine->reactor, &d->clock);
    note_end(d, rv, status);
    put_result(d->result, rv, status);
    unlink_delivery(d);
    free_delivery(d);
}

static void on_done(void *ctx, apr_status_t rv)
{
    finish(ctx, rv);
}

static void on_clock(void *ctx)
{
    finish(ctx, BL_E_UPSTREAM_FIRST_TIMEOUT);
}

static apr_status_t start(bl_delivery_t *d)
{
    bl_transfer_plan_t plan;

    memset(&plan, 0, sizeof(plan));
    plan.reactor = d->engine->reactor;
    plan.allowed = d->engine->conf.allowed;
    plan.dialect = &bl_dialect_webhook;
    plan.target = &d->target;
    plan.request = &d->request;
    plan.ca_file = d->alert->ca_file;
    plan.proxy = d->alert->proxy;
    plan.use_http2 = 1;
    plan.connect_ms = CONNECT_MS;
    plan.answer = &d->answer;
    plan.done = on_done;
    plan.ctx = d;
    bl_transfer_plan_no_reader(&plan);
    return bl_transfer_rt_start(&d->transfer, &plan);
}

static void begin(bl_delivery_t *d)
{
    bl_engine_t *e = d->engine;
    apr_status_t rv;

    d->next = e->deliveries;
    if (d->next) d->next->prev = d;
    e->deliveries = d;
    bl_reactor_rt_arm(e->reactor, &d->clock,
                      bl_reactor_rt_now(e->reactor) + DELIVERY_MS);
    rv = start(d);
    if (rv != APR_SUCCESS) finish(d, rv);
}

static void on_begin(bl_letter_t *letter)
{
    begin((bl_delivery_t *)((char *)letter - offsetof(bl_delivery_t, letter)));
}

void bl_alerts_rt_free_all(bl_engine_t *e)
{
    while (e->deliveries) {
        bl_delivery_t *d = e->deliveries;

        e->deliveries = d->next;
        put_result(d->result, BL_E_DRAINING, 0);
        free_delivery(d);
    }
}

/* --- making one --------------------------------------------------------- */

static apr_status_t put_request(bl_delivery_t *d, const bl_message_t *m)
{
    char *url;
    apr_status_t rv = bl_alert_open(d->engine->conf.keyring, d->alert, &url);

    if (rv == APR_SUCCESS) rv = bl_webhook_request(url, m, &d->request);
    bl_secret_free(url);
    return rv;
}

static bl_delivery_t *make_delivery(bl_engine_t *e, const bl_alert_t *a)
{
    bl_delivery_t *d = calloc(1, sizeof(*d));

    if (!d) return NULL;
    d->engine = e;
    d->alert = a;
    d->target.base_url = "";
    d->letter.fn = on_begin;
    d->clock.fn = on_clock;
    d->clock.ctx = d;
    bl_request_init(&d->request);
    return d;
}

void bl_alert_rt_send(bl_engine_t *e, bl_catalog_t *catalog,
                      const bl_alert_t *a, bl_rule_t rule, bl_tell_t what,
                      const bl_finding_t *f)
{
    static const char *const words[] = {"", "FIRING 告警", "RESOLVED 恢复"};
    bl_delivery_t *d = make_delivery(e, a);
    bl_message_t m;
    char text[768];
    apr_status_t rv;

    if (!d) return;
    d->catalog = catalog;
    __atomic_add_fetch(&catalog->refs, 1, __ATOMIC_RELAXED);
    d->rule = rule;
    d->what = what;
    snprintf(text, sizeof(text), "[Bailian] %s: %s (%s)\n%s", a->name,
             words[what], bl_rule_name(rule), f->text);
    m.shape = a->shape;
    m.alert = a->name;
    m.rule = bl_rule_name(rule);
    m.state = what == BL_TELL_FIRING ? "firing" : "resolved";
    m.text = text;
    m.at = bl_clock_wall();
    m.value = f->value;
    m.limit = f->limit;
    rv = put_request(d, &m);
    if (rv == APR_SUCCESS) {
        begin(d);
        return;
    }
    note_end(d, rv, 0);
    free_delivery(d);
}

/* --- a test ------------------------------------------------------------- */

static apr_status_t make_test(bl_delivery_t **pd, bl_engine_t *e,
                              apr_int64_t id)
{
    bl_delivery_t *d;
    bl_message_t m;
    bl_alert_t *a;
    char text[256];
    apr_status_t rv = bl_store_alert(e->store, id, &a);

    *pd = NULL;
    if (rv != APR_SUCCESS) return rv;
    d = make_delivery(e, a);
    if (!d) {
        bl_alert_free(a);
        return APR_ENOMEM;
    }
    d->own = a;
    snprintf(text, sizeof(text),
             "[Bailian] %s: TEST 测试\nThis is a test message.\n"
             "这是一条测试消息。",
             a->name);
    m.shape = a->shape;
    m.alert = a->name;
    m.rule = m.state = "test";
    m.text = text;
    m.at = bl_clock_wall();
    m.value = m.limit = -1;
    rv = put_request(d, &m);
    if (rv == APR_SUCCESS && !(d->result = make_result())) rv = APR_ENOMEM;
    if (rv == APR_SUCCESS)
        *pd = d;
    else
        free_delivery(d);
    return rv;
}

apr_status_t bl_engine_test_alert(bl_engine_t *e, apr_int64_t id,
                                  apr_status_t *prv, int *pstatus)
{
    bl_delivery_t *d;
    result_t *result;
    apr_status_t rv = make_test(&d, e, id);

    *prv = rv;
    *pstatus = 0;
    if (rv == BL_E_KEYRING_MISSING) return APR_SUCCESS; /* that is the result */
    if (rv != APR_SUCCESS) return rv;
    result = d->result;
    bl_reactor_post(e->reactor, &d->letter);
    rv = wait_for(result, prv, pstatus);
    unref_result(result);
    return rv;
}
