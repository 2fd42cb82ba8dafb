/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_tickets - POST {base}/tickets: a one-time ticket for what cannot
 * send headers, EventSource and WebSocket (S-19).
 */
#include "handlers.h"
#include "shm/tickets.h"
#include "wire/json_write.h"

#include <string.h>

#define ROUTE_MOST 255

static apr_status_t read_route(const json_t *body, const char **proute)
{
    apr_status_t rv = bl_json_get_string(body, "route", ROUTE_MOST, proute);

    if (rv == APR_SUCCESS && *proute && **proute == '/') (*proute)++;
    if (rv == APR_SUCCESS &&
        (!*proute || !**proute || strpbrk(*proute, "?#% "))) {
        rv = BL_E_BAD_VALUE;
    }
    return rv;
}

static void describe(const bl_call_t *call, const char *route,
                     bl_ticket_for_t *what)
{
    memset(what, 0, sizeof(*what));
    memcpy(what->principal, call->principal.text, sizeof(what->principal));
    what->route_hash = bl_call_route_hash(call, route);
    what->scopes = call->caller.scopes;
    what->expires_at = call->caller.expires_at;
    what->client_id = call->caller.client ? call->caller.client->id : 0;
}

static int answer(request_rec *r, bl_call_t *call, const char *ticket,
                  const char *route)
{
    bl_buf_t out;

    bl_buf_init(&out, 4096);
    bl_buf_printf(&out, "{\"ticket\":\"%s\",\"route\":", ticket);
    bl_json_puts(&out, route);
    bl_buf_printf(&out, ",\"expiresInMs\":%d}\n", BL_TICKET_MS);
    return bl_call_answer_made(r, call, APR_SUCCESS, HTTP_CREATED,
                               "application/json; charset=utf-8", &out);
}

int bl_handle_tickets(request_rec *r, bl_call_t *call)
{
    const char *detail = NULL, *route;
    char ticket[BL_TICKET_TEXT + 1];
    bl_ticket_for_t what;
    json_t *body;
    apr_status_t rv;
    int rc;

    if (!bl_call_method_is(r, call, "POST", &rc)) return rc;
    rv = bl_call_who(r, call, NULL);
    if (rv == APR_SUCCESS) rv = bl_call_json(r, call, &body, &detail);
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, detail);
    rv = read_route(body, &route);
    if (rv != APR_SUCCESS) {
        return bl_call_problem_at(
            r, call, rv, "route",
            "route must be what follows the base, such as \"stream\"");
    }
    describe(call, route, &what);
    rv = bl_ticket_make(bl_engine_shm(call->engine), &what, ticket);
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    return answer(r, call, ticket, route);
}
