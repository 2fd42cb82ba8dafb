/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_private.h"
#include "alerts.h"
#include "key_check.h"
#include "live.h"
#include "notes.h"
#include "remote.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "shm/quota.h"
#include "shm/stats.h"
#include "shm/trend.h"
#include "store/clients.h"
#include "upstream/transfer.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000
#define CLOCK_JUMP_US (300 * APR_USEC_PER_SEC)
#define STUCK_MS 15000     /* P09: a reactor that late takes no new streams */
#define CLOSE_WAIT_MS 2000 /* P06: what the store gets at the end */

/* --- housekeeping (reactor) --------------------------------------------- */

/* After a burst the heap keeps its pages (httpd-async.md 6), and httpd closes
 * the last connections some time after the last stream: so at several times. */
static void give_memory_back(bl_engine_t *e)
{
    static const int at[] = {1, 5, 15, 60};
    size_t i;

    if (e->lives) {
        e->idle_ticks = 0;
        return;
    }
    e->idle_ticks++;
    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        if (e->idle_ticks == at[i]) malloc_trim(0);
    }
}

/* P15: nothing here goes by the wall clock, but what is stored does. */
static void watch_clock(bl_engine_t *e)
{
    apr_time_t ahead = bl_clock_wall() - (apr_time_t)bl_clock_ms() * 1000;
    apr_time_t jump = ahead - e->wall_ahead;

    if (e->wall_ahead &&
        (jump > CLOCK_JUMP_US || jump < -(apr_time_t)CLOCK_JUMP_US))
    {
        bl_log(BL_LOG_WARNING, 0,
               BL_LOGNO(
                   1309) "the clock of the machine jumped by %" APR_INT64_T_FMT
                         " s: stored times follow it",
               (apr_int64_t)(jump / APR_USEC_PER_SEC));
    }
    e->wall_ahead = ahead;
}

static void on_tick(void *ctx)
{
    bl_engine_t *e = ctx;
    bl_child_t *me = &e->conf.shm->children[e->child];

    bl_slot_set(me, turn_longest_ms,
                (apr_uint32_t)bl_reactor_longest(e->reactor));
    bl_shm_reclaim(e->conf.shm);
    watch_clock(e);
    bl_live_rt_show_all(e);
    if (bl_store_last(e->store) != APR_SUCCESS) {
        bl_count(e->conf.shm, e->child, STORE_FAILURES, 1);
    }
    /* Whoever writes the sample of this second looks at it, too. */
    if (bl_trend_tick(e->conf.shm, bl_reactor_rt_now(e->reactor))) {
        bl_alerts_rt_look(e);
    }
    give_memory_back(e);
    bl_reactor_rt_arm(e->reactor, &e->tick,
                      bl_reactor_rt_now(e->reactor) + TICK_MS);
}

static void on_open(bl_letter_t *letter)
{
    bl_engine_t *e =
        (bl_engine_t *)((char *)letter - offsetof(bl_engine_t, open_letter));

    on_tick(e);
}

/* --- opened and closed -------------------------------------------------- */

static void failed(char *err, size_t err_size, const char *what)
{
    if (err_size && !*err) snprintf(err, err_size, "%s", what);
}

static apr_status_t open_parts(bl_engine_t *e, char *err, size_t err_size)
{
    bl_store_conf_t store;
    bl_store_health_t health;
    apr_status_t rv;

    memset(&store, 0, sizeof(store));
    store.path = e->conf.database;
    store.keyring = e->conf.keyring;
    rv = bl_store_open(&e->store, &store, err, err_size);
    if (rv != APR_SUCCESS) return rv;
    bl_store_health(e->store, &health);
    rv = bl_shm_join(e->conf.shm, health.child_id, &e->child);
    if (rv != APR_SUCCESS) {
        failed(err, err_size, "no place is left in the shared memory");
        return rv;
    }
    rv = bl_registry_create(&e->registry);
    if (rv == APR_SUCCESS) rv = bl_reactor_create(&e->reactor);
    if (rv != APR_SUCCESS) {
        failed(err, err_size, "the reactor could not be made");
        return rv;
    }
    rv = bl_remote_listen(e);
    if (rv != APR_SUCCESS) {
        failed(err, err_size,
               "the socket for other children could not be made");
    }
    return rv;
}

apr_status_t bl_engine_open(bl_engine_t **pe, const bl_engine_conf_t *conf,
                            char *err, size_t err_size)
{
    bl_engine_t *e = calloc(1, sizeof(*e));
    apr_status_t rv;

    *pe = NULL;
    if (err_size) *err = '\0';
    if (!e) return APR_ENOMEM;
    e->conf = *conf;
    e->child = -1;
    e->remote_fd = -1;
    e->tick.fn = on_tick;
    e->tick.ctx = e;
    e->open_letter.fn = on_open;
    rv = open_parts(e, err, err_size);
    if (rv == APR_SUCCESS) {
        bl_reactor_post(e->reactor, &e->open_letter);
        rv = bl_reactor_start(e->reactor);
        if (rv == APR_SUCCESS) {
            rv = bl_watchdog_start(&e->watchdog, e->reactor, BL_WATCHDOG_MS,
                                   NULL, NULL);
        }
        if (rv != APR_SUCCESS) {
            failed(err, err_size, "a thread could not be started");
        }
    }
    if (rv != APR_SUCCESS)
        bl_engine_close(e);
    else
        *pe = e;
    return rv;
}

void bl_engine_close(bl_engine_t *e)
{
    if (!e) return;
    bl_watchdog_stop(e->watchdog);
    if (e->reactor) bl_reactor_stop(e->reactor);
    /* The thread is gone: what it owned is ours now. */
    if (e->reactor) bl_live_rt_end_all(e, BL_E_DRAINING);
    bl_live_rt_free_all(e);
    bl_key_check_rt_free_all(e);
    bl_alerts_rt_free_all(e);
    bl_remote_rt_free_all(e);
    bl_remote_close(e);
    bl_notes_close(e);
    bl_transfer_rt_forget_spares();
    bl_reactor_destroy(e->reactor);
    if (e->store) bl_store_close(e->store, CLOSE_WAIT_MS);
    bl_registry_destroy(e->registry);
    if (e->child >= 0) bl_shm_leave(e->conf.shm, e->child);
    free(e);
}

/* --- asking ------------------------------------------------------------- */

static apr_status_t may_ask(bl_engine_t *e)
{
    if (__atomic_load_n(&e->is_refusing, __ATOMIC_RELAXED)) {
        return BL_E_DRAINING;
    }
    if (bl_reactor_lateness(e->reactor) > STUCK_MS) return BL_E_OVERLOADED;
    return (int)bl_slot_get(&e->conf.shm->children[e->child], live) >=
                   e->conf.streams_per_child
               ? BL_E_OVERLOADED
               : APR_SUCCESS;
}

static apr_status_t take_slot(bl_engine_t *e, const bl_question_t *q,
                              bl_slot_t **pslot, char *id)
{
    bl_slot_ask_t ask;

    memset(&ask, 0, sizeof(ask));
    ask.child = e->child;
    ask.owner = q->owner;
    ask.principal_hash = bl_hash(q->owner, "");
    ask.request_hash =
        q->idempotency_key ? bl_hash(q->owner, q->idempotency_key) : 0;
    ask.most_all = e->conf.streams_all;
    ask.most_of_child = e->conf.streams_per_child;
    ask.most_of_principal = q->limits->streams_per_principal;
    return bl_slot_take(e->conf.shm, &ask, pslot, id);
}

/* --- how much he may (S-56) --------------------------------------------- */

static apr_status_t check_tokens(bl_engine_t *e, const bl_question_t *q)
{
    apr_uint64_t hash = bl_hash(q->owner, "");
    int day = (int)(bl_clock_wall() / APR_USEC_PER_SEC / 86400);
    apr_int64_t used;
    apr_status_t rv;

    if (!q->limits->tokens_per_day) return APR_SUCCESS;
    used = bl_quota_tokens(e->conf.shm, hash, day);
    if (used < 0) {
        rv = bl_store_tokens_of_day(e->store, q->owner, day, &used);
        if (rv != APR_SUCCESS) return rv;
        bl_quota_seed(e->conf.shm, hash, day, used);
    }
    return used < q->limits->tokens_per_day ? APR_SUCCESS : BL_E_RATE_LIMITED;
}

static apr_status_t check_starts(bl_engine_t *e, const bl_question_t *q)
{
    const bl_limits_t *l = q->limits;
    apr_status_t rv = APR_SUCCESS;
    bl_ms_t wait_ms;

    if (l->starts_per_address && q->client) {
        rv = bl_quota_start(e->conf.shm, bl_hash(q->client, "address"),
                            l->starts_per_address, &wait_ms);
    }
    if (rv == APR_SUCCESS && l->starts_per_minute) {
        rv = bl_quota_start(e->conf.shm, bl_hash(q->owner, ""),
                            l->starts_per_minute, &wait_ms);
    }
    return rv;
}

static apr_status_t make_stream(bl_stream_t **ps, const bl_question_t *q,
                                const bl_app_t *app, const char *id)
{
    bl_stream_spec_t spec;

    memset(&spec, 0, sizeof(spec));
    spec.id = id;
    spec.owner = q->owner;
    spec.conversation_id = q->conversation_id;
    spec.item_id = q->item_id ? q->item_id : "";
    spec.app = app->name;
    spec.policy = q->limits->policy;
    spec.detach_ms = q->limits->detach_ms;
    spec.queue_bytes = q->limits->queue_bytes;
    return bl_stream_create(ps, &spec);
}

static apr_status_t put_begin(bl_engine_t *e, const bl_question_t *q,
                              const bl_stream_t *s, const char *upstream)
{
    bl_store_begin_t b;

    memset(&b, 0, sizeof(b));
    b.stream_id = s->id;
    b.owner = s->owner;
    b.conversation_id = s->conversation_id;
    b.item_id = q->item_id;
    b.app = s->app;
    b.transport = q->transport;
    b.client = q->client;
    b.request_id = q->request_id;
    b.upstream = upstream;
    b.idempotency_key = q->idempotency_key;
    b.question = q->text;
    b.at = s->started_at;
    return bl_store_put_begin(e->store, &b);
}

static void overlay_upstream(bl_limits_t *limits, const bl_upstream_t *u)
{
    if (u->connect_ms >= 0) limits->connect_ms = u->connect_ms;
    if (u->first_content_ms >= 0) {
        limits->first_content_ms = u->first_content_ms;
    }
    if (u->gap_ms >= 0) limits->gap_ms = u->gap_ms;
    if (u->total_ms >= 0) limits->total_ms = u->total_ms;
}

static void overlay_retry(bl_limits_t *limits, const bl_app_t *app)
{
    if (!strcmp(app->retry_pace, "off")) limits->pace = BL_RETRY_OFF;
    if (!strcmp(app->retry_pace, "fixed")) limits->pace = BL_RETRY_FIXED;
    if (!strcmp(app->retry_pace, "exponential")) {
        limits->pace = BL_RETRY_EXPONENTIAL;
    }
    if (app->retries >= 0) limits->retries = app->retries;
    if (app->retry_ms >= 0) limits->retry_ms = app->retry_ms;
}

/* What an app itself says stands over its upstream, and that over the
 * directives. */
static void overlay(bl_limits_t *limits, const bl_app_t *app)
{
    overlay_upstream(limits, app->upstream);
    overlay_retry(limits, app);
    if (app->connect_ms >= 0) limits->connect_ms = app->connect_ms;
    if (app->first_content_ms >= 0) {
        limits->first_content_ms = app->first_content_ms;
    }
    if (app->gap_ms >= 0) limits->gap_ms = app->gap_ms;
    if (app->total_ms >= 0) limits->total_ms = app->total_ms;
    if (app->streams_per_principal > 0) {
        limits->streams_per_principal = app->streams_per_principal;
    }
    if (app->queue_bytes > 0) limits->queue_bytes = (size_t)app->queue_bytes;
    if (!strncmp(app->policy, "cancel", 6)) limits->policy = BL_POLICY_CANCEL;
    if (!strncmp(app->policy, "drain", 5)) limits->policy = BL_POLICY_DRAIN;
    if (!strncmp(app->policy, "detach", 6)) {
        long seconds = strtol(app->policy + 6, NULL, 10);

        limits->policy = BL_POLICY_DETACH;
        if (seconds > 0) limits->detach_ms = (bl_ms_t)seconds * 1000;
    }
}

/* Everything but the answer itself: from here on the stream lives. */
static apr_status_t start(bl_engine_t *e, const bl_question_t *q,
                          bl_catalog_t *catalog, const bl_app_t *app,
                          bl_slot_t *slot, const char *id, bl_stream_t **ps)
{
    bl_stream_t *s;
    bl_live_t *live;
    apr_status_t rv = make_stream(&s, q, app, id);

    if (rv != APR_SUCCESS) {
        bl_catalog_unref(catalog);
        return rv;
    }
    rv = bl_live_create(&live, e, q, catalog, app, s, slot);
    if (rv != APR_SUCCESS) {
        bl_stream_unref(s);
        return rv;
    }
    rv = put_begin(e, q, s, app->upstream->name);
    if (rv == APR_SUCCESS) {
        bl_registry_add(e->registry, s);
        rv = bl_live_begin(live);
        if (rv != APR_SUCCESS) bl_registry_remove(e->registry, s);
    }
    if (rv != APR_SUCCESS) {
        bl_live_destroy(live);
        bl_stream_unref(s);
        return rv;
    }
    bl_count(e->conf.shm, e->child, STREAMS_STARTED, 1);
    *ps = s;
    return APR_SUCCESS;
}

apr_status_t bl_engine_ask(bl_engine_t *e, const bl_question_t *q,
                           bl_stream_t **ps, char *id)
{
    char session_id[256];
    bl_question_t filled = *q;
    bl_limits_t limits = *q->limits;
    bl_catalog_t *catalog;
    const bl_app_t *app;
    bl_slot_t *slot;
    apr_status_t rv;

    *ps = NULL;
    rv = may_ask(e);
    if (rv != APR_SUCCESS) goto refused;
    catalog = bl_store_catalog(e->store);
    app = bl_catalog_app(catalog, q->app);
    if (!app) {
        rv = q->app && *q->app ? BL_E_BAD_VALUE : BL_E_NO_APP;
        bl_catalog_unref(catalog);
        goto refused;
    }
    if (!bl_client_may_app(limits.client, app->name)) {
        rv = BL_E_FORBIDDEN;
        bl_catalog_unref(catalog);
        goto refused;
    }
    overlay(&limits, app);
    if (q->is_polled && limits.policy == BL_POLICY_CANCEL) {
        limits.policy = BL_POLICY_DETACH;
    }
    filled.limits = &limits;
    if (!q->ask.messages && !q->is_new_conversation &&
        bl_store_session(e->store, q->owner, q->conversation_id, session_id,
                         sizeof(session_id)) == APR_SUCCESS &&
        *session_id)
    {
        filled.ask.session_id = session_id;
    }
    rv = take_slot(e, &filled, &slot, id);
    if (rv == APR_EEXIST) {
        bl_catalog_unref(catalog);
        return rv;
    }
    if (rv != APR_SUCCESS) {
        bl_catalog_unref(catalog);
        goto refused;
    }
    /* A repeat is no start, and one above a ceiling neither. */
    rv = check_tokens(e, &filled);
    if (rv == APR_SUCCESS) rv = check_starts(e, &filled);
    if (rv == APR_SUCCESS) {
        rv = start(e, &filled, catalog, app, slot, id, ps);
        if (rv == APR_SUCCESS) return APR_SUCCESS;
    }
    else {
        bl_catalog_unref(catalog);
    }
    bl_slot_release(e->conf.shm, slot);
refused:
    bl_count(e->conf.shm, e->child, STREAMS_REFUSED, 1);
    return rv;
}

bl_stream_t *bl_engine_find(bl_engine_t *e, const char *id)
{
    return bl_registry_find(e->registry, id);
}

/* --- what a producer is told -------------------------------------------- */

typedef struct note_t {
    bl_letter_t letter;
    bl_stream_t *stream;
} note_t;

static void on_stop(bl_letter_t *letter)
{
    note_t *note = (note_t *)letter;
    bl_stream_t *s = note->stream;

    if (s->stop) s->stop(s, s->producer);
    bl_stream_unref(s);
    free(note);
}

static void on_polled(bl_letter_t *letter)
{
    note_t *note = (note_t *)letter;
    bl_stream_t *s = note->stream;

    if (s->polled) s->polled(s, s->producer);
    bl_stream_unref(s);
    free(note);
}

static void tell(bl_engine_t *e, bl_stream_t *s, bl_letter_fn *fn)
{
    note_t *note = calloc(1, sizeof(*note));

    if (!note) return;
    note->letter.fn = fn;
    note->stream = s;
    bl_stream_ref(s);
    bl_reactor_post(e->reactor, &note->letter);
}

void bl_engine_stop(bl_engine_t *e, bl_stream_t *s)
{
    tell(e, s, on_stop);
}

void bl_engine_polled(bl_engine_t *e, bl_stream_t *s)
{
    tell(e, s, on_polled);
}

/* --- draining (design.md 3) --------------------------------------------- */

static void on_drained(void *ctx)
{
    bl_engine_t *e = ctx;

    __atomic_store_n(&e->is_refusing, 1, __ATOMIC_RELAXED);
    bl_live_rt_end_all(e, BL_E_DRAINING);
    bl_remote_rt_end_all(e);
}

static void on_drain(bl_letter_t *letter)
{
    bl_engine_t *e =
        (bl_engine_t *)((char *)letter - offsetof(bl_engine_t, drain_letter));

    e->drain.fn = on_drained;
    e->drain.ctx = e;
    bl_reactor_rt_arm(e->reactor, &e->drain,
                      bl_reactor_rt_now(e->reactor) + e->conf.drain_ms);
}

void bl_engine_drain(bl_engine_t *e, int is_graceful)
{
    if (__atomic_exchange_n(&e->is_draining, 1, __ATOMIC_SEQ_CST)) return;
    if (!is_graceful) {
        e->conf.drain_ms = 0;
        __atomic_store_n(&e->is_refusing, 1, __ATOMIC_RELAXED);
    }
    bl_slot_set(&e->conf.shm->children[e->child], is_draining, 1);
    bl_log(BL_LOG_INFO, 0,
           BL_LOGNO(1307) "draining: %d streams have %d ms to finish",
           bl_registry_count(e->registry), (int)e->conf.drain_ms);
    e->drain_letter.fn = on_drain;
    bl_reactor_post(e->reactor, &e->drain_letter);
}

int bl_engine_is_draining(const bl_engine_t *e)
{
    return __atomic_load_n(&e->is_draining, __ATOMIC_RELAXED);
}

bl_reactor_t *bl_engine_reactor(bl_engine_t *e)
{
    return e->reactor;
}

bl_store_t *bl_engine_store(bl_engine_t *e)
{
    return e->store;
}

bl_shm_t *bl_engine_shm(bl_engine_t *e)
{
    return e->conf.shm;
}

int bl_engine_child(const bl_engine_t *e)
{
    return e->child;
}
