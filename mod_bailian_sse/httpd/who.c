/* SPDX-License-Identifier: Apache-2.0 */
/*
 * who - who asks: httpd's user; else a credential (header, WebSocket
 * subprotocol, query where that is on) or a one-time ticket; else, where that
 * is configured, whoever the client says he is.
 */
#include "request.h"
#include "redact.h"
#include "base/clock.h"
#include "shm/directory.h"
#include "shm/tickets.h"

#include <string.h>
#include <strings.h>

static apr_status_t unref_catalog(void *data)
{
    bl_catalog_unref(data);
    return APR_SUCCESS;
}

/* --- where a credential stands ------------------------------------------ */

static const char *from_header(request_rec *r)
{
    const char *value = apr_table_get(r->headers_in, "Authorization");
    static const char bearer[] = "Bearer ";

    if (!value || strncasecmp(value, bearer, sizeof(bearer) - 1)) return NULL;
    value += sizeof(bearer) - 1;
    while (*value == ' ')
        value++;
    return value;
}

const char *bl_call_subprotocol(request_rec *r, const char **pcredential)
{
    const char *list = apr_table_get(r->headers_in, "Sec-WebSocket-Protocol");
    const char *first, *second;

    *pcredential = NULL;
    if (!list) return NULL;
    first = apr_pstrdup(r->pool, list);
    second = strchr(first, ',');
    if (second) {
        *(char *)second++ = '\0';
        while (*second == ' ')
            second++;
    }
    first = apr_psprintf(r->pool, "%.*s", (int)strcspn(first, " \t"), first);
    if (!strcasecmp(first, "Bearer") && second) {
        *pcredential =
            apr_psprintf(r->pool, "%.*s", (int)strcspn(second, ", \t"), second);
        return first;
    }
    if (!second && (bl_jwt_looks_like(first) ||
                    !strncmp(first, BL_CLIENT_TOKEN_PREFIX, 3)))
    {
        *pcredential = first;
        return first;
    }
    return NULL;
}

static const char *credential_of(request_rec *r, const bl_call_t *call)
{
    const char *found = from_header(r);

    if (!found) bl_call_subprotocol(r, &found);
    if (!found && call->conf.is_query_token) found = bl_redacted(r, "token");
    return found;
}

/* --- who it names ------------------------------------------------------- */

static apr_status_t by_credential(request_rec *r, bl_call_t *call,
                                  const char *credential)
{
    bl_catalog_t *catalog = bl_store_catalog(bl_engine_store(call->engine));
    const apr_array_header_t *issuers = call->conf.issuers;

    apr_pool_cleanup_register(r->pool, catalog, unref_catalog,
                              apr_pool_cleanup_null);
    return bl_caller_resolve(
        &call->caller, catalog,
        issuers ? (const bl_jwt_issuer_t *)issuers->elts : NULL,
        issuers ? issuers->nelts : 0, credential, bl_clock_wall());
}

apr_uint64_t bl_call_route_hash(const bl_call_t *call, const char *route)
{
    return bl_hash(call->base, route);
}

/* Who was disabled or has expired since it was given gets nothing for it. */
static apr_status_t by_ticket(request_rec *r, bl_call_t *call,
                              const char *ticket)
{
    bl_catalog_t *catalog;
    bl_ticket_for_t what;
    apr_status_t rv =
        bl_ticket_take(bl_engine_shm(call->engine), ticket,
                       bl_call_route_hash(call, call->route), &what);

    if (rv != APR_SUCCESS) return rv;
    if (what.expires_at && what.expires_at <= bl_clock_wall()) {
        return BL_E_UNAUTHENTICATED;
    }
    memcpy(call->caller.principal.text, what.principal, sizeof(what.principal));
    call->caller.scopes = what.scopes;
    call->caller.expires_at = what.expires_at;
    if (!what.client_id) return APR_SUCCESS;
    catalog = bl_store_catalog(bl_engine_store(call->engine));
    apr_pool_cleanup_register(r->pool, catalog, unref_catalog,
                              apr_pool_cleanup_null);
    call->caller.client = bl_catalog_client_by_id(catalog, what.client_id);
    return call->caller.client ? APR_SUCCESS : BL_E_UNAUTHENTICATED;
}

static apr_status_t by_own_word(bl_call_t *call, const char *client_id)
{
    bl_caller_plain(&call->caller);
    if (!call->conf.is_anonymous) return BL_E_UNAUTHENTICATED;
    if (!client_id) client_id = apr_table_get(call->query, "userId");
    return bl_principal_of_anonymous(&call->caller.principal, client_id);
}

static apr_status_t resolve(request_rec *r, bl_call_t *call,
                            const char *client_id)
{
    const char *credential, *ticket;
    apr_status_t rv;

    if (r->user) {
        bl_caller_plain(&call->caller);
        rv = bl_principal_of_user(&call->caller.principal, r->user);
        return rv == APR_SUCCESS ? rv : BL_E_FORBIDDEN;
    }
    /* What is shown and not good is a refusal, never an anonymous caller. */
    credential = credential_of(r, call);
    if (credential) return by_credential(r, call, credential);
    ticket = bl_redacted(r, "ticket");
    if (ticket) return by_ticket(r, call, ticket);
    return by_own_word(call, client_id);
}

apr_status_t bl_call_who(request_rec *r, bl_call_t *call, const char *client_id)
{
    apr_status_t rv;

    if (*call->principal.text) return APR_SUCCESS;
    /* A key, an app or a caller that was changed through another child, or by
       bailianctl, holds from the next request on (A02, A03). */
    bl_store_catch_up(bl_engine_store(call->engine));
    rv = resolve(r, call, client_id);
    if (rv == APR_SUCCESS) {
        call->principal = call->caller.principal;
        call->conf.client = call->caller.client;
        if (call->needs & ~call->caller.scopes) rv = BL_E_FORBIDDEN;
    }
    if (rv != APR_SUCCESS) call->principal.text[0] = '\0';
    return rv;
}

apr_status_t bl_call_let_in(request_rec *r, bl_call_t *call)
{
    if (!r->user && !credential_of(r, call) && !bl_redacted(r, "ticket") &&
        call->conf.is_anonymous)
    {
        return APR_SUCCESS; /* his body may say who he is */
    }
    return bl_call_who(r, call, NULL);
}

bl_ms_t bl_call_expiry(const bl_call_t *call)
{
    apr_time_t left;

    if (!call->caller.expires_at) return 0;
    left = call->caller.expires_at - bl_clock_wall();
    return bl_clock_ms() + (left > 0 ? (bl_ms_t)(left / 1000) : 0);
}
