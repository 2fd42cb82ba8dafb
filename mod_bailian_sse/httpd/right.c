/* SPDX-License-Identifier: Apache-2.0 */
#include "right.h"
#include "base/clock.h"

#define CATALOG_LOOK_MS 3000 /* A03: within 5 s */

bl_right_t bl_right_of(const bl_call_t *call)
{
    bl_right_t right;

    right.client_id = call->caller.client ? call->caller.client->id : 0;
    right.expires_ms = bl_call_expiry(call);
    right.look_ms = bl_clock_ms() + CATALOG_LOOK_MS;
    return right;
}

static int is_known(apr_int64_t client_id, bl_engine_t *e)
{
    bl_catalog_t *catalog = bl_store_catalog(bl_engine_store(e));
    int is_there = bl_catalog_client_by_id(catalog, client_id) != NULL;

    bl_catalog_unref(catalog);
    return is_there;
}

int bl_right_holds(bl_right_t *right, bl_engine_t *e, bl_ms_t now)
{
    if (right->expires_ms && now >= right->expires_ms) return 0;
    if (!right->client_id || now < right->look_ms) return 1;
    right->look_ms = now + CATALOG_LOOK_MS;
    return is_known(right->client_id, e);
}

bl_ms_t bl_right_next(const bl_right_t *right, bl_ms_t due)
{
    if (right->expires_ms && right->expires_ms < due) due = right->expires_ms;
    return right->client_id && right->look_ms < due ? right->look_ms : due;
}
