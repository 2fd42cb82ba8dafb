/* SPDX-License-Identifier: Apache-2.0 */
/* admin_catalog - api/upstreams and api/apps. */
#include "admin_objects.h"
#include "admin/objects.h"
#include "base/clock.h"
#include "base/json.h"
#include "shm/targets.h"

#include <string.h>

typedef apr_status_t list_fn(bl_store_t *s, const bl_list_ask_t *ask,
                             json_t **prows);
typedef apr_status_t change_fn(bl_store_t *s, const bl_admin_who_t *who,
                               const char *name, const char *fields,
                               bl_put_mode_t mode, bl_change_t *change);
typedef apr_status_t drop_fn(bl_store_t *s, const bl_admin_who_t *who,
                             const char *name, bl_change_t *change);

/* What differs between the two. */
typedef struct kind_t {
    list_fn *list;
    change_fn *change;
    drop_fn *drop;
    const char *in_use; /* why it cannot be deleted */
} kind_t;

static const kind_t upstream = {bl_store_upstream_rows,
                                bl_store_do_upstream_change,
                                bl_store_do_upstream_drop,
                                "an app still uses it: delete its apps first, "
                                "or set them to another upstream"};
static const kind_t app = {bl_store_app_rows, bl_store_do_app_change,
                           bl_store_do_app_drop, NULL};

static apr_status_t show(bl_admin_call_t *a, const kind_t *kind, json_t *row)
{
    if (kind == &upstream) {
        return bl_admin_show_upstream(row, bl_engine_shm(a->call->engine),
                                      bl_clock_ms());
    }
    json_object_del(row, "id");
    return APR_SUCCESS;
}

/* --- read --------------------------------------------------------------- */

static int list(bl_admin_call_t *a, const kind_t *kind)
{
    apr_int64_t limit = 100;
    bl_list_ask_t ask;
    json_t *rows, *row;
    const char *next = NULL;
    apr_status_t rv;
    size_t i;
    int rc;

    if (!bl_admin_number(a, "limit", 1, 500, &limit, &rc)) return rc;
    memset(&ask, 0, sizeof(ask));
    ask.after = bl_admin_param(a, "cursor");
    ask.limit = (int)limit + 1;
    rv = kind->list(a->store, &ask, &rows);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    if (json_array_size(rows) > (size_t)limit) {
        json_array_remove(rows, (size_t)limit);
        next = json_string_value(
            json_object_get(json_array_get(rows, (size_t)limit - 1), "name"));
        next = apr_pstrdup(a->r->pool, next);
    }
    json_array_foreach(rows, i, row)
    {
        if (rv == APR_SUCCESS) rv = show(a, kind, row);
    }
    if (rv == APR_SUCCESS) return bl_admin_send_list(a, rows, next);
    json_decref(rows);
    return bl_admin_problem(a, rv, NULL, NULL);
}

static int send_one(bl_admin_call_t *a, const kind_t *kind, int status,
                    const char *name, const bl_complaint_t *notice)
{
    bl_list_ask_t ask;
    char text[BL_SAY_TEXT];
    json_t *rows, *row;
    apr_status_t rv;

    memset(&ask, 0, sizeof(ask));
    ask.name = name;
    rv = kind->list(a->store, &ask, &rows);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    row = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    if (!row) return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    rv = show(a, kind, row);
    if (rv != APR_SUCCESS) {
        json_decref(row);
        return bl_admin_problem(a, rv, NULL, NULL);
    }
    if (notice) {
        bl_complaint_text(notice, a->call->lang == BL_LANG_ZH, text);
        bl_json_set(&row, "notice", *text ? json_string(text) : json_null());
    }
    return bl_admin_send(a, status, row);
}

/* --- change ------------------------------------------------------------- */

static int create(bl_admin_call_t *a, const kind_t *kind)
{
    const char *name = NULL;
    bl_change_t change;
    apr_status_t rv;
    int rc;

    if (!bl_admin_take_text(a, "name", &name, &rc)) return rc;
    if (!name) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "name", BL_SAY("is needed"));
    }
    memset(&change, 0, sizeof(change));
    rv = kind->change(a->store, &a->who, name, bl_admin_fields(a), BL_PUT_NEW,
                      &change);
    if (rv == BL_E_CONFLICT) {
        return bl_admin_problem(a, rv, "name", NULL);
    }
    if (rv != APR_SUCCESS) return bl_admin_refuse(a, rv, &change);
    return send_one(a, kind, HTTP_CREATED, name, NULL);
}

static int patch(bl_admin_call_t *a, const kind_t *kind)
{
    bl_change_t change;
    apr_status_t rv;
    int rc;

    if (!bl_admin_version(a, &change, &rc)) return rc;
    rv = kind->change(a->store, &a->who, a->id, bl_admin_fields(a),
                      BL_PUT_EXISTING, &change);
    if (rv != APR_SUCCESS) return bl_admin_refuse(a, rv, &change);
    return send_one(a, kind, HTTP_OK, a->id,
                    kind == &upstream ? &change.why : NULL);
}

static int drop(bl_admin_call_t *a, const kind_t *kind)
{
    bl_change_t change;
    apr_status_t rv;
    int rc;

    if (!bl_admin_version(a, &change, &rc)) return rc;
    rv = kind->drop(a->store, &a->who, a->id, &change);
    if (rv == BL_E_CONFLICT) {
        return bl_admin_problem(a, rv, NULL, kind->in_use);
    }
    if (rv != APR_SUCCESS) return bl_admin_refuse(a, rv, &change);
    return bl_admin_send_nothing(a);
}

/* --- upstreams ---------------------------------------------------------- */

static int upstreams(bl_admin_call_t *a)
{
    return list(a, &upstream);
}

static int upstream_one(bl_admin_call_t *a)
{
    return send_one(a, &upstream, HTTP_OK, a->id, NULL);
}

static int upstream_create(bl_admin_call_t *a)
{
    return create(a, &upstream);
}

static int upstream_patch(bl_admin_call_t *a)
{
    return patch(a, &upstream);
}

static int upstream_drop(bl_admin_call_t *a)
{
    return drop(a, &upstream);
}

/* Written down first: what cannot be audited is not done (A09). */
static int upstream_restore(bl_admin_call_t *a)
{
    bl_list_ask_t ask;
    json_t *rows;
    apr_int64_t id;
    apr_status_t rv;

    memset(&ask, 0, sizeof(ask));
    ask.name = a->id;
    rv = bl_store_upstream_rows(a->store, &ask, &rows);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    id = json_integer_value(json_object_get(json_array_get(rows, 0), "id"));
    json_decref(rows);
    if (!id) return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    rv = bl_store_do_audit(a->store, &a->who, "upstream.restore", a->id, NULL,
                           "done");
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    bl_upstream_restore(bl_upstream_place(bl_engine_shm(a->call->engine), id));
    return upstream_one(a);
}

const bl_route_t bl_admin_upstream_routes[] = {
    {"GET", "api/upstreams", BL_ROLE_VIEWER, upstreams},
    {"POST", "api/upstreams", BL_ROLE_ADMIN, upstream_create},
    {"GET", "api/upstreams/{id}", BL_ROLE_VIEWER, upstream_one},
    {"PATCH", "api/upstreams/{id}", BL_ROLE_ADMIN, upstream_patch},
    {"DELETE", "api/upstreams/{id}", BL_ROLE_ADMIN, upstream_drop},
    {"POST", "api/upstreams/{id}/restore", BL_ROLE_OPERATOR, upstream_restore},
    {NULL, NULL, BL_ROLE_NONE, NULL}};

/* --- apps --------------------------------------------------------------- */

static int apps(bl_admin_call_t *a)
{
    return list(a, &app);
}

static int app_one(bl_admin_call_t *a)
{
    return send_one(a, &app, HTTP_OK, a->id, NULL);
}

static int app_create(bl_admin_call_t *a)
{
    return create(a, &app);
}

static int app_patch(bl_admin_call_t *a)
{
    return patch(a, &app);
}

static int app_drop(bl_admin_call_t *a)
{
    return drop(a, &app);
}

/* Asked as the admin himself; stored and counted as any other answer. */
static int app_try(bl_admin_call_t *a)
{
    const char *message = NULL, *conversation = NULL;
    bl_catalog_t *catalog;
    apr_status_t rv;
    int rc, is_there;

    if (!bl_admin_take_text(a, "message", &message, &rc) ||
        !bl_admin_take_text(a, "conversationId", &conversation, &rc))
    {
        return rc;
    }
    if (!message || !*message) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "message",
                                BL_SAY("is needed"));
    }
    catalog = bl_store_catalog(a->store);
    is_there = bl_catalog_app(catalog, a->id) != NULL;
    bl_catalog_unref(catalog);
    if (!is_there) return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    rv = bl_call_who(a->r, a->call, NULL);
    if (rv == APR_SUCCESS) {
        rv = bl_store_do_audit(a->store, &a->who, "app.try", a->id, NULL,
                               "done");
    }
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    return bl_ask_app(a->r, a->call, a->id, message, conversation);
}

const bl_route_t bl_admin_app_routes[] = {
    {"GET", "api/apps", BL_ROLE_VIEWER, apps},
    {"POST", "api/apps", BL_ROLE_ADMIN, app_create},
    {"GET", "api/apps/{id}", BL_ROLE_VIEWER, app_one},
    {"PATCH", "api/apps/{id}", BL_ROLE_ADMIN, app_patch},
    {"DELETE", "api/apps/{id}", BL_ROLE_ADMIN, app_drop},
    {"POST", "api/apps/{id}/try", BL_ROLE_OPERATOR, app_try},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
