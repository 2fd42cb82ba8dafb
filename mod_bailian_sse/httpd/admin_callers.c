/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_callers - api/callers: caller tokens, shown once when they are made,
 * and issuers of JWTs.
 */
#include "admin_objects.h"
#include "base/json.h"
#include "base/secret.h"
#include "store/clients.h"

#include <string.h>

/* A name that is no number is nobody's. */
static int read_id(bl_admin_call_t *a, apr_int64_t *pid, int *prc)
{
    char *end;

    *pid = apr_strtoi64(a->id, &end, 10);
    if (!*end && *pid > 0) return 1;
    *prc = bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    return 0;
}

/* token NULL: not shown. */
static int send_one(bl_admin_call_t *a, int status, apr_int64_t id,
                    const char *token)
{
    json_t *caller;
    apr_status_t rv = bl_store_client(a->store, id, NULL, &caller);

    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    if (token) bl_json_set(&caller, "token", json_string(token));
    return bl_admin_send(a, status, caller);
}

/* --- read --------------------------------------------------------------- */

static int callers(bl_admin_call_t *a)
{
    const char *kind = bl_admin_param(a, "kind");
    apr_int64_t limit = 100, after = 0;
    json_t *list;
    apr_status_t rv;
    int rc;

    if (!bl_admin_number(a, "limit", 1, 500, &limit, &rc) ||
        !bl_admin_number(a, "cursor", 0, INT64_MAX, &after, &rc))
    {
        return rc;
    }
    if (kind && strcmp(kind, "token") && strcmp(kind, "jwt")) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "kind",
                                BL_SAY("must be token or jwt"));
    }
    rv = bl_store_clients(a->store, kind, bl_admin_param(a, "q"), after,
                          (int)limit, &list);
    return rv == APR_SUCCESS ? bl_admin_send(a, HTTP_OK, list)
                             : bl_admin_problem(a, rv, NULL, NULL);
}

static int caller(bl_admin_call_t *a)
{
    apr_int64_t id;
    int rc;

    return read_id(a, &id, &rc) ? send_one(a, HTTP_OK, id, NULL) : rc;
}

/* --- change ------------------------------------------------------------- */

static int add(bl_admin_call_t *a)
{
    bl_change_t change = {0};
    char token[BL_CLIENT_TOKEN_TEXT + 1];
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    rv =
        bl_store_do_client_add(a->store, &a->who, a->body, &id, token, &change);
    if (rv == BL_E_CONFLICT) return bl_admin_problem(a, rv, "name", NULL);
    if (rv != APR_SUCCESS) return bl_admin_refuse(a, rv, &change);
    rc = send_one(a, HTTP_CREATED, id, *token ? token : NULL);
    bl_secret_wipe(token, sizeof(token));
    return rc;
}

static int patch(bl_admin_call_t *a)
{
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!read_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc)) return rc;
    rv = bl_store_do_client_patch(a->store, &a->who, id, a->body, &change);
    return rv == APR_SUCCESS ? send_one(a, HTTP_OK, id, NULL)
                             : bl_admin_refuse(a, rv, &change);
}

static int do_verb(bl_admin_call_t *a, bl_client_verb_t verb)
{
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!read_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc)) return rc;
    rv = bl_store_do_client_verb(a->store, &a->who, id, verb, &change);
    if (rv != APR_SUCCESS) return bl_admin_refuse(a, rv, &change);
    return verb == BL_CLIENT_DELETE ? bl_admin_send_nothing(a)
                                    : send_one(a, HTTP_OK, id, NULL);
}

static int enable(bl_admin_call_t *a)
{
    return do_verb(a, BL_CLIENT_ENABLE);
}

static int disable(bl_admin_call_t *a)
{
    return do_verb(a, BL_CLIENT_DISABLE);
}

static int revoke_it(bl_admin_call_t *a)
{
    return do_verb(a, BL_CLIENT_REVOKE);
}

static int drop(bl_admin_call_t *a)
{
    return do_verb(a, BL_CLIENT_DELETE);
}

const bl_route_t bl_admin_caller_routes[] = {
    {"GET", "api/callers", BL_ROLE_VIEWER, callers},
    {"POST", "api/callers", BL_ROLE_ADMIN, add},
    {"GET", "api/callers/{id}", BL_ROLE_VIEWER, caller},
    {"PATCH", "api/callers/{id}", BL_ROLE_ADMIN, patch},
    {"DELETE", "api/callers/{id}", BL_ROLE_ADMIN, drop},
    {"POST", "api/callers/{id}/enable", BL_ROLE_ADMIN, enable},
    {"POST", "api/callers/{id}/disable", BL_ROLE_ADMIN, disable},
    {"POST", "api/callers/{id}/revoke", BL_ROLE_ADMIN, revoke_it},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
