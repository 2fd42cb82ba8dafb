/* SPDX-License-Identifier: Apache-2.0 */
/*
 * targets - what all children together know of API keys and upstreams: which
 * key rests and which was refused, which upstream's breaker is open, how the
 * attempts went. What one child learns holds for all at once (U05, U06, U30).
 *
 * A key's place is found by its id and revision: a key that was entered anew
 * is another one, of which nothing is known. When more are in use than there
 * are places, the one that was used longest ago is forgotten.
 *
 * THREADS  any, of any child. Single words are atomic, as in layout.h.
 */
#ifndef BL_SHM_TARGETS_H
#define BL_SHM_TARGETS_H

#include "base/errors.h"
#include "layout.h"

typedef enum {
    BL_TARGET_READY,
    BL_TARGET_COOLING, /* key: throttled, rests (U06) */
    BL_TARGET_REFUSED, /* key: 401; not tried before its time (U05) */
    BL_TARGET_OPEN     /* upstream: the breaker; one probe every 5 s (U30) */
} bl_target_state_t;

/* A copy for who looks: the admin page. Nothing known: all 0, READY. */
typedef struct bl_target_health_t {
    bl_target_state_t state;
    apr_time_t since;              /* wall: the state began; 0 when READY */
    bl_ms_t left_ms;               /* until it is tried again; 0 = now */
    apr_time_t last_used;          /* wall: the newest attempt; 0 = none */
    int failures;                  /* upstream: in a row */
    apr_status_t last;             /* how the newest attempt went */
    apr_uint32_t counts[BL_TRIES]; /* attempts: see bl_target_count() */
} bl_target_health_t;

void bl_key_health(const bl_shm_t *shm, apr_int64_t id, apr_int64_t version,
                   bl_ms_t now, bl_target_health_t *out);
void bl_upstream_health(const bl_shm_t *shm, apr_int64_t id, bl_ms_t now,
                        bl_target_health_t *out);

/* Attempts that went so: APR_SUCCESS, or a class of errors.h. */
apr_uint32_t bl_target_count(const bl_target_health_t *h, apr_status_t rv);

/* --- the engine's side -------------------------------------------------- */

/* The ids of another database name other things: forgets everything when the
 * database is not the one of the last time. Parent, before the fork. */
void bl_targets_of_database(bl_shm_t *shm, const char *path);

/* Never NULL; found or made. */
bl_place_t *bl_key_place(bl_shm_t *shm, apr_int64_t id, apr_int64_t version);
bl_place_t *bl_upstream_place(bl_shm_t *shm, apr_int64_t id);

/* How long this key still rests; 0 = usable. */
bl_ms_t bl_key_rests(const bl_place_t *key, bl_ms_t now);
int bl_key_is_refused(const bl_place_t *key);

/* The key is used now: the greater its weight (1 or more), the sooner it is
 * its turn again among the keys of its upstream. */
void bl_key_use(bl_place_t *upstream, bl_place_t *key, int weight);

/* Rests without an attempt of its own: its account met a limit. One that was
 * refused stays so. */
void bl_key_cool(bl_place_t *key, bl_ms_t cool_ms, bl_ms_t now);

/* An admin's word: usable at once. 1: it was not. */
int bl_key_restore(bl_place_t *key);
int bl_upstream_restore(bl_place_t *upstream);

/* An attempt ended as rv; 1: refused, and that is news. cool_ms: what the
 * upstream said (Retry-After), or -1. */
int bl_key_tell(bl_place_t *key, apr_status_t rv, bl_ms_t cool_ms, bl_ms_t now);

/* May it be asked? An open breaker lets one probe of all children pass. */
int bl_upstream_may_ask(bl_place_t *upstream, bl_ms_t now);

typedef enum { BL_NEWS_NONE, BL_NEWS_OPENED, BL_NEWS_CLOSED } bl_news_t;
bl_news_t bl_upstream_tell(bl_place_t *upstream, apr_status_t rv, bl_ms_t now);

#define BL_PROBE_EVERY_MS 5000 /* U30 */

#endif
