/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask - a question becomes a stream: its app, what holds for it, its place in
 * the directory, what its caller may, its row, and the reactor begins.
 */
#include "engine_private.h"
#include "live.h"
#include "base/clock.h"
#include "base/errors.h"
#include "crypto/token.h"
#include "shm/quota.h"
#include "shm/stats.h"
#include "store/clients.h"
#include "store/members.h"

#include <stdlib.h>
#include <string.h>

#define STUCK_MS 15000 /* P09: a reactor that late takes no new streams */

/* One question on its way; what of it is set is borrowed but the catalog. */
typedef struct asking_t {
    bl_engine_t *engine;
    bl_question_t q; /* filled in */
    bl_limits_t limits;
    char conversation_id[BL_ID_TEXT + 1];
    char owner[BL_PRINCIPAL_BYTES]; /* of a shared one */
    char session_id[256];
    bl_catalog_t *catalog; /* a reference */
    const bl_app_t *app;
    bl_slot_t *slot;
} asking_t;

/* --- what holds for it -------------------------------------------------- */

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

/* --- how much he may (S-56) --------------------------------------------- */

static apr_status_t check_tokens(bl_engine_t *e, const bl_question_t *q)
{
    apr_uint64_t hash = bl_hash(q->asker, "");
    int day = (int)(bl_clock_wall() / APR_USEC_PER_SEC / 86400);
    apr_int64_t used;
    apr_status_t rv;

    if (!q->limits->tokens_per_day) return APR_SUCCESS;
    used = bl_quota_tokens(e->conf.shm, hash, day);
    if (used < 0) {
        rv = bl_store_tokens_of_day(e->store, q->asker, day, &used);
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
        rv = bl_quota_start(e->conf.shm, bl_hash(q->asker, ""),
                            l->starts_per_minute, &wait_ms);
    }
    return rv;
}

/* --- its place and its row ---------------------------------------------- */

static apr_status_t take_slot(bl_engine_t *e, const bl_question_t *q,
                              bl_slot_t **pslot, char *id)
{
    bl_slot_ask_t ask;

    memset(&ask, 0, sizeof(ask));
    ask.child = e->child;
    ask.owner = q->owner;
    ask.principal_hash = bl_hash(q->asker, "");
    ask.request_hash =
        q->idempotency_key ? bl_hash(q->asker, q->idempotency_key) : 0;
    ask.most_all = e->conf.streams_all;
    ask.most_of_child = e->conf.streams_per_child;
    ask.most_of_principal = q->limits->streams_per_principal;
    return bl_slot_take(e->conf.shm, &ask, pslot, id);
}

static apr_status_t make_stream(bl_engine_t *e, bl_stream_t **ps,
                                const bl_question_t *q, const bl_app_t *app,
                                const char *id)
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
    spec.budget = e->conf.budget;
    return bl_stream_create(ps, &spec);
}

static apr_status_t put_begin(bl_engine_t *e, const bl_question_t *q,
                              const bl_stream_t *s, const char *upstream)
{
    bl_store_begin_t b;

    memset(&b, 0, sizeof(b));
    b.stream_id = s->id;
    b.owner = s->owner;
    b.asker = strcmp(q->asker, s->owner) ? q->asker : NULL;
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

/* Everything but the answer itself: from here on the stream lives. */
static apr_status_t begin(asking_t *a, bl_stream_t *s)
{
    bl_engine_t *e = a->engine;
    bl_catalog_t *catalog = a->catalog;
    bl_live_t *live;
    apr_status_t rv;

    a->catalog = NULL; /* the answer's, from here on */
    rv = bl_live_create(&live, e, &a->q, catalog, a->app, s, a->slot);
    if (rv != APR_SUCCESS) return rv;
    rv = put_begin(e, &a->q, s, a->app->upstream->name);
    if (rv == APR_SUCCESS) {
        bl_registry_add(e->registry, s);
        rv = bl_live_begin(live);
        if (rv != APR_SUCCESS) bl_registry_remove(e->registry, s);
    }
    if (rv != APR_SUCCESS) bl_live_destroy(live);
    return rv;
}

static apr_status_t start(asking_t *a, const char *id, bl_stream_t **ps)
{
    apr_status_t rv = make_stream(a->engine, ps, &a->q, a->app, id);

    if (rv != APR_SUCCESS) return rv;
    rv = begin(a, *ps);
    if (rv == APR_SUCCESS) {
        bl_count(a->engine->conf.shm, a->engine->child, STREAMS_STARTED, 1);
        return APR_SUCCESS;
    }
    bl_stream_unref(*ps);
    *ps = NULL;
    return rv;
}

/* --- asking ------------------------------------------------------------- */

static apr_status_t may_ask(bl_engine_t *e)
{
    if (bl_engine_is_refusing(e)) return BL_E_DRAINING;
    if (bl_reactor_lateness(e->reactor) > STUCK_MS) return BL_E_OVERLOADED;
    return (int)bl_slot_get(&e->conf.shm->children[e->child], live) >=
                   e->conf.streams_per_child
               ? BL_E_OVERLOADED
               : APR_SUCCESS;
}

static apr_status_t choose_app(asking_t *a)
{
    bl_engine_t *e = a->engine;

    a->catalog = bl_store_catalog(e->store);
    a->app = bl_catalog_app(a->catalog, a->q.app);
    if (!a->app) return a->q.app && *a->q.app ? BL_E_BAD_VALUE : BL_E_NO_APP;
    if (!bl_client_may_app(a->limits.client, a->app->name)) {
        return BL_E_FORBIDDEN;
    }
    overlay(&a->limits, a->app);
    if (a->q.is_polled && a->limits.policy == BL_POLICY_CANCEL) {
        a->limits.policy = BL_POLICY_DETACH;
    }
    return APR_SUCCESS;
}

/* A member asks in the owner's name, and for his own account. */
static apr_status_t enter_shared(asking_t *a)
{
    apr_status_t rv = APR_SUCCESS;

    if (a->q.conversation_id && bl_shared_id_is(a->q.conversation_id)) {
        rv = bl_store_shared_owner(a->engine->store, a->q.owner,
                                   a->q.conversation_id, a->owner);
        a->q.owner = a->owner;
    }
    return rv;
}

/* A new one, or what the upstream calls the one that goes on. */
static apr_status_t choose_conversation(asking_t *a)
{
    unsigned char bytes[BL_ID_BYTES];
    apr_status_t rv;

    if (!a->q.conversation_id) {
        rv = bl_id_bytes(bytes, sizeof(bytes), bl_clock_wall());
        if (rv != APR_SUCCESS) return BL_E_OVERLOADED;
        bl_hex(a->conversation_id, bytes, sizeof(bytes));
        a->q.conversation_id = a->conversation_id;
        return APR_SUCCESS;
    }
    if (!a->q.ask.messages &&
        bl_store_session(a->engine->store, a->q.owner, a->q.conversation_id,
                         a->session_id, sizeof(a->session_id)) == APR_SUCCESS &&
        *a->session_id)
    {
        a->q.ask.session_id = a->session_id;
    }
    return APR_SUCCESS;
}

/* A repeat is no start, and one above a ceiling neither: so first the place. */
static apr_status_t ask(asking_t *a, bl_stream_t **ps, char *id)
{
    apr_status_t rv = may_ask(a->engine);

    if (rv == APR_SUCCESS) rv = choose_app(a);
    if (rv == APR_SUCCESS) rv = enter_shared(a);
    if (rv == APR_SUCCESS) rv = choose_conversation(a);
    if (rv == APR_SUCCESS) rv = take_slot(a->engine, &a->q, &a->slot, id);
    if (rv != APR_SUCCESS) return rv;
    rv = bl_memory_may_start(a->engine);
    if (rv == APR_SUCCESS) rv = check_tokens(a->engine, &a->q);
    if (rv == APR_SUCCESS) rv = check_starts(a->engine, &a->q);
    if (rv == APR_SUCCESS) rv = start(a, id, ps);
    if (rv != APR_SUCCESS) bl_slot_release(a->engine->conf.shm, a->slot);
    return rv;
}

apr_status_t bl_engine_ask(bl_engine_t *e, const bl_question_t *q,
                           bl_stream_t **ps, char *id)
{
    asking_t a;
    apr_status_t rv;

    *ps = NULL;
    memset(&a, 0, sizeof(a));
    a.engine = e;
    a.q = *q;
    a.q.asker = q->owner;
    a.limits = *q->limits;
    a.q.limits = &a.limits;
    rv = ask(&a, ps, id);
    if (a.catalog) bl_catalog_unref(a.catalog);
    if (rv != APR_SUCCESS && rv != APR_EEXIST) {
        bl_count(e->conf.shm, e->child, STREAMS_REFUSED, 1);
    }
    return rv;
}
