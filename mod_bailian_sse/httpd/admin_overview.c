/* SPDX-License-Identifier: Apache-2.0 */
/* admin_overview - api/me and api/overview. */
#include "admin.h"
#include "admin/overview.h"

#define OUT_BYTES (4 * 1024 * 1024)

/* What this role may call: the page shows that and nothing else. */
static void put_routes(bl_buf_t *out, bl_role_t role)
{
    const bl_route_t *const *areas = bl_admin_areas();
    const bl_route_t *route;
    const char *comma = "";

    for (; *areas; areas++) {
        for (route = *areas; route->method; route++) {
            if (role < route->least) continue;
            bl_buf_printf(out, "%s\"%s %s\"", comma, route->method,
                          route->path);
            comma = ",";
        }
    }
}

static int me(bl_admin_call_t *a)
{
    bl_buf_t out;

    bl_buf_init(&out, OUT_BYTES);
    bl_buf_puts(&out, "{\"user\":");
    bl_json_puts(&out, a->r->user);
    bl_buf_printf(&out, ",\"role\":\"%s\",\"from\":", bl_role_name(a->role));
    bl_json_puts(&out, a->who.from);
    bl_buf_puts(&out, ",\"routes\":[");
    put_routes(&out, a->role);
    return bl_admin_answer(a, bl_buf_puts(&out, "]}\n"), HTTP_OK, &out);
}

static int overview(bl_admin_call_t *a)
{
    bl_store_health_t health;
    bl_buf_t out;

    bl_store_health(a->store, &health);
    bl_buf_init(&out, OUT_BYTES);
    return bl_admin_answer(
        a, bl_admin_overview(bl_engine_shm(a->call->engine), &health, &out),
        HTTP_OK, &out);
}

const bl_route_t bl_admin_overview_routes[] = {
    {"GET", "api/me", BL_ROLE_VIEWER, me},
    {"GET", "api/overview", BL_ROLE_VIEWER, overview},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
