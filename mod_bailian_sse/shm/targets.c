/* SPDX-License-Identifier: Apache-2.0 */
#include "targets.h"
#include "base/clock.h"
#include "directory.h"

#include <string.h>

#define OPEN_AFTER 5         /* failures in a row */
#define COOL_DEFAULT_MS 5000 /* a 429 without Retry-After */
#define STRIDE (1 << 20)     /* of a key with weight 1 */
#define REFUSED_MS 300000    /* a refused key is tried again that late */

#define get(word) __atomic_load_n(&(word), __ATOMIC_RELAXED)
#define put(word, value) __atomic_store_n(&(word), (value), __ATOMIC_RELAXED)
#define swap(word, value)                                                      \
    __atomic_exchange_n(&(word), (value), __ATOMIC_ACQ_REL)

/* --- places ---------------------------------------------------------------
 * Searched from where the name belongs on: what is there is found at once, and
 * all children that make a place for one name meet at the same free one. */

static int take_place(bl_place_t *place, apr_uint64_t old, apr_uint64_t name)
{
    if (!__atomic_compare_exchange_n(&place->name, &old, name, 0,
                                     __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    {
        return old == name; /* another child made it just now */
    }
    memset((char *)place + sizeof(place->name), 0,
           sizeof(*place) - sizeof(place->name));
    return 1;
}

static unsigned begin_of(apr_uint64_t name, unsigned n)
{
    return (unsigned)((name * 0x9e3779b97f4a7c15ULL) >> 32) % n;
}

static bl_place_t *find_place(bl_place_t *places, unsigned n, apr_uint64_t name)
{
    unsigned from = begin_of(name, n), i;

    for (i = 0; i < n; i++) {
        bl_place_t *place = &places[(from + i) % n];
        apr_uint64_t there = __atomic_load_n(&place->name, __ATOMIC_ACQUIRE);

        if (there == name) return place;
        if (!there) break;
    }
    return NULL;
}

static bl_place_t *make_place(bl_place_t *places, unsigned n, apr_uint64_t name)
{
    unsigned from = begin_of(name, n), i;
    bl_place_t *oldest;
    apr_uint64_t old; /* its name when it was chosen: it may change meanwhile */

    do {
        oldest = NULL;
        old = name;
        for (i = 0; i < n && old; i++) {
            bl_place_t *place = &places[(from + i) % n];
            apr_uint64_t there =
                __atomic_load_n(&place->name, __ATOMIC_ACQUIRE);

            if (there == name) return place; /* made just now */
            if (there && oldest &&
                get(place->last_used) >= get(oldest->last_used)) {
                continue;
            }
            oldest = place;
            old = there;
        }
    } while (!take_place(oldest, old, name));
    return oldest;
}

static bl_place_t *place_of(bl_place_t *places, unsigned n, apr_uint64_t name)
{
    bl_place_t *place = find_place(places, n, name);

    return place ? place : make_place(places, n, name);
}

/* Both are small numbers that count up: exact, and never 0. */
static apr_uint64_t key_name(apr_int64_t id, apr_int64_t version)
{
    return (apr_uint64_t)id << 32 | (apr_uint32_t)version;
}

bl_place_t *bl_key_place(bl_shm_t *shm, apr_int64_t id, apr_int64_t version)
{
    return place_of(shm->keys, BL_SHM_KEYS, key_name(id, version));
}

bl_place_t *bl_upstream_place(bl_shm_t *shm, apr_int64_t id)
{
    return place_of(shm->upstreams, BL_SHM_UPSTREAMS, (apr_uint64_t)id);
}

void bl_targets_of_database(bl_shm_t *shm, const char *path)
{
    apr_uint64_t hash = bl_hash(path, "");

    if (swap(shm->targets_of, hash) == hash) return;
    memset(shm->keys, 0, sizeof(shm->keys));
    memset(shm->upstreams, 0, sizeof(shm->upstreams));
    memset(shm->alerts, 0, sizeof(shm->alerts));
}

/* --- what an attempt tells ---------------------------------------------- */

static unsigned index_of(apr_status_t rv)
{
    if (rv == APR_SUCCESS) return 0;
    if (rv <= BL_E_BASE || rv >= BL_E_END) rv = BL_E_INTERNAL;
    return (unsigned)(rv - BL_E_BASE);
}

static void count(bl_place_t *place, apr_status_t rv)
{
    unsigned i = index_of(rv);

    __atomic_add_fetch(&place->counts[i], 1, __ATOMIC_RELAXED);
    put(place->last, i);
    put(place->last_used, bl_clock_wall());
}

/* 1: it was another one before. */
static int change_state(bl_place_t *place, bl_target_state_t state)
{
    if (swap(place->state, (apr_uint32_t)state) == (apr_uint32_t)state) {
        return 0;
    }
    put(place->since, state == BL_TARGET_READY ? 0 : bl_clock_wall());
    return 1;
}

bl_ms_t bl_key_rests(const bl_place_t *key, bl_ms_t now)
{
    bl_ms_t until = get(key->until);

    return until > now ? until - now : 0;
}

int bl_key_is_refused(const bl_place_t *key)
{
    return get(key->state) == BL_TARGET_REFUSED;
}

/* Stride scheduling: a use moves the key on by a step that is the smaller the
 * greater its weight, from where the upstream's keys are now, so that a key
 * that rested, or is new, is not owed what it missed. */
void bl_key_use(bl_place_t *upstream, bl_place_t *key, int weight)
{
    /* One further, so that of two that are even the one used now is last. */
    apr_uint64_t from = get(key->turn), now = get(upstream->turn) + 1;

    if (from < now) from = now;
    put(upstream->turn, from);
    put(key->turn, from + STRIDE / (apr_uint64_t)(weight > 0 ? weight : 1));
    put(key->last_used, bl_clock_wall());
}

/* A second rest that begins when the first is over is a new one. */
static void cool(bl_place_t *key, bl_ms_t cool_ms, bl_ms_t now)
{
    if (!bl_key_rests(key, now)) change_state(key, BL_TARGET_READY);
    put(key->until, now + (cool_ms > 0 ? cool_ms : COOL_DEFAULT_MS));
    change_state(key, BL_TARGET_COOLING);
}

void bl_key_cool(bl_place_t *key, bl_ms_t cool_ms, bl_ms_t now)
{
    if (!bl_key_is_refused(key)) cool(key, cool_ms, now);
}

static int restore(bl_place_t *place)
{
    put(place->failures, 0);
    put(place->until, 0);
    return change_state(place, BL_TARGET_READY);
}

int bl_key_restore(bl_place_t *key)
{
    return restore(key);
}

int bl_upstream_restore(bl_place_t *upstream)
{
    return restore(upstream);
}

int bl_key_tell(bl_place_t *key, apr_status_t rv, bl_ms_t cool_ms, bl_ms_t now)
{
    count(key, rv);
    if (rv == BL_E_UPSTREAM_QUOTA) {
        cool(key, cool_ms, now);
    }
    else if (rv == BL_E_UPSTREAM_AUTH) {
        put(key->until, now + REFUSED_MS);
        return change_state(key, BL_TARGET_REFUSED);
    }
    else if (rv == APR_SUCCESS && !bl_key_rests(key, now)) {
        /* While it rests, that was an attempt from before. */
        change_state(key, BL_TARGET_READY);
    }
    return 0;
}

int bl_upstream_may_ask(bl_place_t *upstream, bl_ms_t now)
{
    bl_ms_t due = get(upstream->until);

    if (get(upstream->state) != BL_TARGET_OPEN) return 1;
    return now >= due && __atomic_compare_exchange_n(
                             &upstream->until, &due, now + BL_PROBE_EVERY_MS, 0,
                             __ATOMIC_ACQ_REL, __ATOMIC_RELAXED);
}

/* One that answers "no" is there: only silence and breakage count. */
static int is_upstreams_fault(apr_status_t rv)
{
    return rv == BL_E_UPSTREAM_DNS || rv == BL_E_UPSTREAM_CONNECT ||
           rv == BL_E_UPSTREAM_TLS || rv == BL_E_UPSTREAM_UNAVAILABLE ||
           rv == BL_E_UPSTREAM_FIRST_TIMEOUT;
}

bl_news_t bl_upstream_tell(bl_place_t *upstream, apr_status_t rv, bl_ms_t now)
{
    count(upstream, rv);
    if (!is_upstreams_fault(rv)) {
        put(upstream->failures, 0);
        return change_state(upstream, BL_TARGET_READY) ? BL_NEWS_CLOSED
                                                       : BL_NEWS_NONE;
    }
    if (__atomic_add_fetch(&upstream->failures, 1, __ATOMIC_RELAXED) <
        OPEN_AFTER) {
        return BL_NEWS_NONE;
    }
    if (get(upstream->state) == BL_TARGET_OPEN) return BL_NEWS_NONE;
    put(upstream->until, now + BL_PROBE_EVERY_MS);
    return change_state(upstream, BL_TARGET_OPEN) ? BL_NEWS_OPENED
                                                  : BL_NEWS_NONE;
}

/* --- for who looks ------------------------------------------------------ */

static void look(const bl_place_t *place, bl_ms_t now, bl_target_health_t *out)
{
    bl_ms_t left;
    unsigned i;

    memset(out, 0, sizeof(*out));
    if (!place) return;
    left = bl_key_rests(place, now);
    out->state = (bl_target_state_t)get(place->state);
    if (out->state == BL_TARGET_COOLING && !left) out->state = BL_TARGET_READY;
    if (out->state != BL_TARGET_READY) {
        out->since = get(place->since);
        out->left_ms = left;
    }
    out->last_used = get(place->last_used);
    out->failures = (int)get(place->failures);
    i = get(place->last);
    out->last = i && i < BL_TRIES ? BL_E_BASE + (apr_status_t)i : APR_SUCCESS;
    for (i = 0; i < BL_TRIES; i++)
        out->counts[i] = get(place->counts[i]);
}

/* Places are not moved, so the search does not write. */
void bl_key_health(const bl_shm_t *shm, apr_int64_t id, apr_int64_t version,
                   bl_ms_t now, bl_target_health_t *out)
{
    look(
        find_place(((bl_shm_t *)shm)->keys, BL_SHM_KEYS, key_name(id, version)),
        now, out);
}

void bl_upstream_health(const bl_shm_t *shm, apr_int64_t id, bl_ms_t now,
                        bl_target_health_t *out)
{
    look(find_place(((bl_shm_t *)shm)->upstreams, BL_SHM_UPSTREAMS,
                    (apr_uint64_t)id),
         now, out);
}

apr_uint32_t bl_target_count(const bl_target_health_t *h, apr_status_t rv)
{
    return h->counts[index_of(rv)];
}
