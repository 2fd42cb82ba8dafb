/* SPDX-License-Identifier: Apache-2.0 */
#include "engine_private.h"
#include "alerts.h"
#include "key_check.h"
#include "live.h"
#include "notes.h"
#include "remote.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/heap.h"
#include "base/log.h"
#include "shm/stats.h"
#include "shm/trend.h"
#include "upstream/transfer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TICK_MS 1000
#define STALE_TICKS 60 /* connections to upstreams live no longer: U31 */
#define REST_TICKS 14  /* before the third look at the heap */
#define CLOCK_JUMP_US (300 * APR_USEC_PER_SEC)
#define CLOSE_WAIT_MS 2000 /* P06: what the store gets at the end */

/* --- housekeeping (reactor) --------------------------------------------- */

/* After a burst the heap keeps its pages (httpd-async.md 6), and httpd closes
 * the last connections some time after the last stream: so at several times.
 * What is kept for the next transfer lies all over the heap, and each piece of
 * it holds a page or more. */
static void give_memory_back(bl_engine_t *e)
{
    static const int at[] = {1, 5, 15, STALE_TICKS};
    size_t i;

    if (e->lives) {
        e->idle_ticks = 0;
        return;
    }
    e->idle_ticks++;
    if (e->idle_ticks == STALE_TICKS) {
        bl_transfer_rt_forget_spares();
        bl_reactor_rt_forget_connections(e->reactor);
    }
    if (e->idle_ticks == REST_TICKS && e->conf.at_rest) e->conf.at_rest();
    for (i = 0; i < sizeof(at) / sizeof(at[0]); i++) {
        if (e->idle_ticks != at[i]) continue;
        bl_slots_give_back(e->conf.shm, e->child);
        bl_heap_forget();
        bl_heap_trim();
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
    bl_memory_rt_tick(e);
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
    store.budget = e->conf.budget;
    store.is_over = e->conf.is_over;
    rv = bl_store_open(&e->store, &store, err, err_size);
    if (rv != APR_SUCCESS) return rv;
    bl_store_health(e->store, &health);
    rv = bl_shm_join(e->conf.shm, health.child_id, &e->child);
    if (rv != APR_SUCCESS) {
        failed(err, err_size, "no place is left in the shared memory");
        return rv;
    }
    bl_memory_join(e);
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
    bl_budget_leave(e->conf.budget);
    if (e->child >= 0) bl_shm_leave(e->conf.shm, e->child);
    free(e);
}

/* --- streams ----------------------------------------------------------- */

bl_stream_t *bl_engine_find(bl_engine_t *e, const char *id)
{
    return bl_registry_find(e->registry, id);
}

/* --- what a producer is told -------------------------------------------- */

/* The letters are the stream's own: what a client was told has been asked for
 * is not lost for want of memory (R02). One on its way is enough. */
static void tell(bl_engine_t *e, bl_stream_t *s, bl_stream_note_t *note,
                 bl_letter_fn *fn)
{
    if (__atomic_exchange_n(&note->is_posted, 1, __ATOMIC_ACQ_REL)) return;
    note->letter.fn = fn;
    bl_stream_ref(s);
    bl_reactor_post(e->reactor, &note->letter);
}

static void on_stop(bl_letter_t *letter)
{
    bl_stream_t *s =
        (bl_stream_t *)((char *)letter - offsetof(bl_stream_t, to_stop.letter));

    __atomic_store_n(&s->to_stop.is_posted, 0, __ATOMIC_RELEASE);
    if (s->stop) s->stop(s, s->producer);
    bl_stream_unref(s);
}

static void on_polled(bl_letter_t *letter)
{
    bl_stream_t *s = (bl_stream_t *)((char *)letter -
                                     offsetof(bl_stream_t, was_polled.letter));

    __atomic_store_n(&s->was_polled.is_posted, 0, __ATOMIC_RELEASE);
    if (s->polled) s->polled(s, s->producer);
    bl_stream_unref(s);
}

void bl_engine_stop(bl_engine_t *e, bl_stream_t *s)
{
    tell(e, s, &s->to_stop, on_stop);
}

void bl_engine_polled(bl_engine_t *e, bl_stream_t *s)
{
    tell(e, s, &s->was_polled, on_polled);
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

int bl_engine_is_refusing(const bl_engine_t *e)
{
    return __atomic_load_n(&e->is_refusing, __ATOMIC_RELAXED);
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

bl_budget_t *bl_engine_budget(const bl_engine_t *e)
{
    return e->conf.budget;
}

int bl_engine_child(const bl_engine_t *e)
{
    return e->child;
}
