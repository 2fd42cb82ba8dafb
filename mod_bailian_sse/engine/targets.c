/* SPDX-License-Identifier: Apache-2.0 */
#include "targets.h"
#include "base/errors.h"
#include "base/log.h"

#include <string.h>

#define OPEN_AFTER 5         /* failures in a row */
#define PROBE_EVERY_MS 5000  /* U30 */
#define COOL_DEFAULT_MS 5000 /* a 429 without Retry-After */
#define REFUSED_MS 300000    /* a refused key is tried again that late */

static bl_key_state_t *state_of(bl_targets_t *t, const bl_key_t *key)
{
    bl_key_state_t *s = &t->keys[0], *oldest = s;
    int i;

    for (i = 0; i < BL_TARGETS_KEYS; i++) {
        s = &t->keys[i];
        if (s->id == key->id && s->version == key->version) return s;
        /* A free place before one that holds what was learned of a key. */
        if (oldest->id && (!s->id || s->used < oldest->used)) oldest = s;
    }
    memset(oldest, 0, sizeof(*oldest));
    oldest->id = key->id;
    oldest->version = key->version;
    return oldest;
}

static bl_breaker_t *breaker_of(bl_targets_t *t, const bl_upstream_t *u)
{
    bl_breaker_t *b;
    int i;

    for (i = 0; i < BL_TARGETS_UPSTREAMS; i++) {
        b = &t->breakers[i];
        if (b->id == u->id) return b;
        if (!b->id) {
            b->id = u->id;
            return b;
        }
    }
    b = &t->breakers[(apr_uint64_t)u->id % BL_TARGETS_UPSTREAMS];
    memset(b, 0, sizeof(*b));
    b->id = u->id;
    return b;
}

const bl_key_t *bl_targets_key(bl_targets_t *t, const bl_upstream_t *u,
                               bl_ms_t now, bl_ms_t *pwait_ms)
{
    const bl_key_t *best = NULL;
    bl_key_state_t *best_state = NULL;
    int i;

    *pwait_ms = -1;
    for (i = 0; i < u->key_count; i++) {
        const bl_key_t *key = &u->keys[i];
        bl_key_state_t *s = state_of(t, key);

        if (s->cool_until > now) {
            if (*pwait_ms < 0 || s->cool_until - now < *pwait_ms) {
                *pwait_ms = s->cool_until - now;
            }
            continue;
        }
        if (best && key->priority != best->priority) break; /* sorted */
        if (!best || s->used < best_state->used) {
            best = key;
            best_state = s;
        }
    }
    if (best) best_state->used = ++t->turn;
    return best;
}

int bl_targets_may_ask(bl_targets_t *t, const bl_upstream_t *u, bl_ms_t now)
{
    bl_breaker_t *b = breaker_of(t, u);

    if (!b->is_open) return 1;
    if (now < b->next_probe) return 0;
    b->next_probe = now + PROBE_EVERY_MS;
    return 1;
}

static int is_upstreams_fault(apr_status_t rv)
{
    return rv == BL_E_UPSTREAM_DNS || rv == BL_E_UPSTREAM_CONNECT ||
           rv == BL_E_UPSTREAM_TLS || rv == BL_E_UPSTREAM_UNAVAILABLE ||
           rv == BL_E_UPSTREAM_FIRST_TIMEOUT;
}

static void tell_breaker(bl_breaker_t *b, const bl_upstream_t *u,
                         apr_status_t rv, bl_ms_t now)
{
    if (!is_upstreams_fault(rv)) {
        if (b->is_open) {
            bl_log(BL_LOG_INFO, 0, BL_LOGNO(1651) "upstream %s answers again",
                   u->name);
        }
        b->is_open = b->failures = 0;
        return;
    }
    if (++b->failures < OPEN_AFTER || b->is_open) return;
    b->is_open = 1;
    b->next_probe = now + PROBE_EVERY_MS;
    bl_log(BL_LOG_ERR, 0,
           BL_LOGNO(1652) "upstream %s failed %d times in a row (%s): "
                          "one probe every %d s from now on",
           u->name, b->failures, bl_error(rv)->code, PROBE_EVERY_MS / 1000);
}

void bl_targets_tell(bl_targets_t *t, const bl_upstream_t *u,
                     const bl_key_t *key, apr_status_t rv, bl_ms_t cool_ms,
                     bl_ms_t now)
{
    bl_key_state_t *s = key ? state_of(t, key) : NULL;

    tell_breaker(breaker_of(t, u), u, rv, now);
    if (!s) return;
    if (rv == BL_E_UPSTREAM_QUOTA) {
        s->cool_until = now + (cool_ms > 0 ? cool_ms : COOL_DEFAULT_MS);
    }
    else if (rv == BL_E_UPSTREAM_AUTH) {
        s->cool_until = now + REFUSED_MS;
        if (!s->is_refused) {
            bl_log(BL_LOG_ERR, 0,
                   BL_LOGNO(1653) "upstream %s refused key %" APR_INT64_T_FMT
                                  " (...%s): it rests until it is changed",
                   u->name, key->id, key->last4);
        }
        s->is_refused = 1;
    }
    else if (rv == APR_SUCCESS) {
        s->is_refused = 0;
    }
}
