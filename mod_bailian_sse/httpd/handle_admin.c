/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_admin - SetHandler bailian-admin: the admin page and its JSON API,
 * for whom httpd itself has authenticated, and nobody else.
 */
#include "handlers.h"
#include "admin/overview.h"

#include <stdlib.h>
#include <string.h>

#define OUT_BYTES (4 * 1024 * 1024)

extern const bl_asset_t bl_admin_assets[]; /* made by build/embed-assets.sh */
extern const int bl_admin_assets_count;

static int answer(request_rec *r, bl_call_t *call, apr_status_t rv,
                  bl_buf_t *out)
{
    int rc = rv == APR_SUCCESS
                 ? bl_call_answer(r, HTTP_OK, "application/json; charset=utf-8",
                                  out->data, out->len)
                 : bl_call_problem(r, call, rv, NULL);

    bl_buf_release(out);
    return rc;
}

static int overview(request_rec *r, bl_call_t *call)
{
    bl_store_health_t health;
    bl_buf_t out;

    bl_store_health(bl_engine_store(call->engine), &health);
    bl_buf_init(&out, OUT_BYTES);
    return answer(r, call,
                  bl_admin_overview(bl_engine_shm(call->engine), &health, &out),
                  &out);
}

/* A number of the query from 0 to most; absent: otherwise. -1: something else
 * stands there. */
static int number(bl_call_t *call, const char *name, int most, int otherwise)
{
    const char *text = apr_table_get(call->query, name);
    char *end;
    long n;

    if (!text) return otherwise;
    n = strtol(text, &end, 10);
    return end == text || *end || n < 0 || n > most ? -1 : (int)n;
}

static int live(request_rec *r, bl_call_t *call)
{
    int from = number(call, "from", BL_DIRECTORY_SLOTS, 0);
    int limit = number(call, "limit", BL_ADMIN_LIVE_MOST, 100);
    bl_buf_t out;

    if (from < 0 || limit < 0) {
        return bl_call_problem(r, call, BL_E_BAD_VALUE,
                               "limit must be 0 to 500, from 0 or more");
    }
    bl_buf_init(&out, OUT_BYTES);
    return answer(r, call,
                  bl_admin_live(bl_engine_shm(call->engine), from, limit, &out),
                  &out);
}

/* Nobody is let in by default: the lines that let somebody in are told. */
static int refuse(request_rec *r, bl_call_t *call)
{
    return bl_call_problem(
        r, call, BL_E_FORBIDDEN,
        "Nothing authenticates callers here. Add to this Location: AuthType "
        "Basic, AuthName \"Bailian admin\", AuthUserFile "
        "/etc/bailian/admins, Require valid-user");
}

int bl_handle_admin(request_rec *r, bl_call_t *call)
{
    int rc;

    if (!r->user) return refuse(r, call);
    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    if (!strcmp(call->route, "api/overview")) return overview(r, call);
    if (!strcmp(call->route, "api/live")) return live(r, call);
    if (!*call->route && r->uri[strlen(r->uri) - 1] != '/') {
        return bl_send_below(r, "");
    }
    rc = bl_serve_asset(r, bl_admin_assets, bl_admin_assets_count, call->route);
    return rc != DECLINED ? rc : bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
}
