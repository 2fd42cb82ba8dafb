/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_health - {base}/livez: this child answers; {base}/readyz: it can take
 * a new question. Neither tells anything else (S-72).
 */
#include "handlers.h"

#include <string.h>

static apr_status_t readiness(bl_engine_t *e)
{
    bl_store_health_t health;

    if (bl_engine_is_draining(e)) return BL_E_DRAINING;
    bl_store_health(bl_engine_store(e), &health);
    return health.last;
}

int bl_handle_health(request_rec *r, bl_call_t *call)
{
    static const char ok[] = "{\"status\":\"ok\"}\n";
    apr_status_t rv = APR_SUCCESS;
    int rc;

    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    if (!strcmp(call->route, "readyz")) rv = readiness(call->engine);
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    return bl_call_answer(r, HTTP_OK, "application/json", ok, sizeof(ok) - 1);
}
