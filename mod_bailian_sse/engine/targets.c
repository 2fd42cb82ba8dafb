/* SPDX-License-Identifier: Apache-2.0 */
#include "targets.h"
#include "base/errors.h"
#include "base/log.h"

#include <string.h>

static bl_place_t *place_of(bl_shm_t *shm, const bl_key_t *key)
{
    return bl_key_place(shm, key->id, key->version);
}

apr_status_t bl_targets_key(bl_shm_t *shm, const bl_app_t *app, bl_ms_t now,
                            const bl_key_t **pkey, bl_ms_t *pwait_ms)
{
    const bl_upstream_t *u = app->upstream;
    apr_uint64_t turn = 0;
    bl_ms_t rest;
    int i;

    *pkey = NULL;
    *pwait_ms = -1;
    for (i = 0; i < u->key_count; i++) {
        const bl_key_t *key = &u->keys[i];
        const bl_place_t *place;

        if (!bl_key_is_for(key, app)) continue;
        place = place_of(shm, key);
        rest = bl_key_rests(place, now);
        if (rest) {
            if (!bl_key_is_refused(place) &&
                (*pwait_ms < 0 || rest < *pwait_ms)) {
                *pwait_ms = rest;
            }
            continue;
        }
        if (*pkey && key->priority != (*pkey)->priority) break; /* sorted */
        if (!*pkey || place->turn < turn) {
            *pkey = key;
            turn = place->turn;
        }
    }
    if (*pkey) return APR_SUCCESS;
    return *pwait_ms >= 0 ? BL_E_UPSTREAM_QUOTA : BL_E_UPSTREAM_AUTH;
}

apr_status_t bl_targets_take_key(bl_shm_t *shm, const bl_app_t *app,
                                 bl_ms_t now, const bl_key_t **pkey,
                                 bl_ms_t *pwait_ms)
{
    apr_status_t rv = bl_targets_key(shm, app, now, pkey, pwait_ms);

    if (rv == APR_SUCCESS) {
        bl_key_use(bl_upstream_place(shm, app->upstream->id),
                   place_of(shm, *pkey), (*pkey)->weight);
    }
    return rv;
}

int bl_targets_may_ask(bl_shm_t *shm, const bl_upstream_t *u, bl_ms_t now)
{
    return bl_upstream_may_ask(bl_upstream_place(shm, u->id), now);
}

static void tell_upstream(bl_shm_t *shm, const bl_upstream_t *u,
                          apr_status_t rv, bl_ms_t now)
{
    bl_place_t *place = bl_upstream_place(shm, u->id);

    switch (bl_upstream_tell(place, rv, now)) {
    case BL_NEWS_CLOSED:
        bl_log(BL_LOG_INFO, 0, BL_LOGNO(1651) "upstream %s answers again",
               u->name);
        break;
    case BL_NEWS_OPENED:
        bl_log(BL_LOG_ERR, 0,
               BL_LOGNO(1652) "upstream %s failed %d times in a row (%s): "
                              "one probe every %d s from now on",
               u->name, (int)place->failures, bl_error(rv)->code,
               BL_PROBE_EVERY_MS / 1000);
        break;
    default:
        break;
    }
}

/* The other keys of this key's account. */
static void cool_account(bl_shm_t *shm, const bl_catalog_t *catalog,
                         const bl_key_t *key, bl_ms_t cool_ms, bl_ms_t now)
{
    int i, k;

    for (i = 0; i < catalog->upstream_count; i++) {
        const bl_upstream_t *u = &catalog->upstreams[i];

        for (k = 0; k < u->key_count; k++) {
            const bl_key_t *other = &u->keys[k];

            if (other->id == key->id || strcmp(other->account, key->account)) {
                continue;
            }
            bl_key_cool(place_of(shm, other), cool_ms, now);
        }
    }
}

void bl_targets_tell(bl_shm_t *shm, const bl_catalog_t *catalog,
                     const bl_upstream_t *u, const bl_key_t *key,
                     apr_status_t rv, bl_ms_t cool_ms, bl_ms_t now)
{
    if (rv == APR_ENOSPC) rv = BL_E_UPSTREAM_TOO_LARGE; /* U23 */
    tell_upstream(shm, u, rv, now);
    if (rv == BL_E_UPSTREAM_QUOTA && key && catalog && *key->account) {
        cool_account(shm, catalog, key, cool_ms, now);
    }
    if (key && bl_key_tell(place_of(shm, key), rv, cool_ms, now)) {
        bl_log(BL_LOG_ERR, 0,
               BL_LOGNO(1653) "upstream %s refused key %" APR_INT64_T_FMT
                              " (...%s): it rests until it is changed",
               u->name, key->id, key->last4);
    }
}
