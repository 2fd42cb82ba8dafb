/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_keys - api/keys: list, add, change, replace, enable, restore, test.
 * A secret comes in, is sealed, and is wiped; it never goes out (S-42).
 */
#include "admin_keys.h"
#include "admin/objects.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/secret.h"
#include "shm/targets.h"

#include <stdlib.h>
#include <string.h>

#define LOOK_MOST 5000 /* rows that one page with a state filter looks at */

/* --- what the files of keys share --------------------------------------- */

json_t *bl_admin_take_secret(json_t *object)
{
    json_t *secret = json_incref(json_object_get(object, "secret"));

    json_object_del(object, "secret");
    return secret;
}

void bl_admin_wipe_secret(json_t *secret)
{
    if (json_is_string(secret)) {
        bl_secret_wipe((char *)json_string_value(secret),
                       json_string_length(secret));
    }
    json_decref(secret);
}

apr_status_t bl_admin_key_row(bl_admin_call_t *a, apr_int64_t id, json_t **prow)
{
    bl_list_ask_t ask;
    json_t *rows;
    apr_status_t rv;

    *prow = NULL;
    memset(&ask, 0, sizeof(ask));
    ask.id = id;
    rv = bl_store_key_rows(a->store, &ask, &rows);
    if (rv != APR_SUCCESS) return rv;
    *prow = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    return *prow ? APR_SUCCESS : BL_E_NOT_FOUND;
}

apr_status_t bl_admin_show(bl_admin_call_t *a, json_t *row)
{
    return bl_admin_show_key(row, bl_engine_shm(a->call->engine),
                             bl_clock_ms());
}

int bl_admin_key_id(bl_admin_call_t *a, apr_int64_t *pid, int *prc)
{
    char *end;

    *pid = apr_strtoi64(a->id, &end, 10);
    if (!*end && *pid > 0) return 1;
    *prc = bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    return 0;
}

int bl_admin_send_key(bl_admin_call_t *a, int status, apr_int64_t id)
{
    json_t *row;
    apr_status_t rv = bl_admin_key_row(a, id, &row);

    if (rv == APR_SUCCESS) rv = bl_admin_show(a, row);
    if (rv == APR_SUCCESS) return bl_admin_send(a, status, row);
    json_decref(row);
    return bl_admin_problem(a, rv, NULL, NULL);
}

/* --- read --------------------------------------------------------------- */

/* One that is in that state, as the page has it; state NULL: any. */
static apr_status_t take_row(bl_admin_call_t *a, json_t *row, const char *state,
                             json_t *found)
{
    apr_status_t rv = bl_admin_show(a, row);
    const char *is = json_string_value(json_object_get(row, "state"));

    if (rv != APR_SUCCESS || (state && strcmp(state, is))) return rv;
    return json_array_append(found, row) == 0 ? APR_SUCCESS : APR_ENOMEM;
}

/* Rows up to one more than limit; the state is known only when it was looked
 * for, so a page with a state filter may take several looks. */
static apr_status_t gather(bl_admin_call_t *a, bl_list_ask_t *ask,
                           const char *state, size_t limit, json_t *found,
                           int *pis_end)
{
    apr_status_t rv = APR_SUCCESS;
    size_t looked = 0;

    *pis_end = 0;
    while (rv == APR_SUCCESS && !*pis_end && json_array_size(found) < limit &&
           looked < LOOK_MOST)
    {
        json_t *rows, *row;
        size_t i;

        rv = bl_store_key_rows(a->store, ask, &rows);
        *pis_end = json_array_size(rows) < (size_t)ask->limit;
        json_array_foreach(rows, i, row)
        {
            if (rv != APR_SUCCESS) break;
            if (json_array_size(found) == limit) {
                *pis_end = 0;
                break;
            }
            ask->after_id = json_integer_value(json_object_get(row, "id"));
            rv = take_row(a, row, state, found);
        }
        looked += json_array_size(rows);
        json_decref(rows);
    }
    return rv;
}

static int keys(bl_admin_call_t *a)
{
    apr_int64_t limit = 100, cursor = 0;
    bl_list_ask_t ask;
    json_t *found;
    apr_status_t rv;
    int rc, is_end;

    if (!bl_admin_number(a, "limit", 1, 500, &limit, &rc)) return rc;
    if (bl_admin_param(a, "cursor") &&
        !bl_admin_number(a, "cursor", 0, INT64_MAX, &cursor, &rc))
    {
        return rc;
    }
    memset(&ask, 0, sizeof(ask));
    ask.upstream = bl_admin_param(a, "upstream");
    ask.q = bl_admin_param(a, "q");
    ask.after_id = cursor;
    ask.limit = (int)limit + 1;
    found = json_array();
    rv = gather(a, &ask, bl_admin_param(a, "state"), (size_t)limit, found,
                &is_end);
    if (rv != APR_SUCCESS) {
        json_decref(found);
        return bl_admin_problem(a, rv, NULL, NULL);
    }
    return bl_admin_send_list(
        a, found,
        is_end ? NULL
               : apr_psprintf(a->r->pool, "%" APR_INT64_T_FMT, ask.after_id));
}

static int key(bl_admin_call_t *a)
{
    apr_int64_t id;
    int rc;

    return bl_admin_key_id(a, &id, &rc) ? bl_admin_send_key(a, HTTP_OK, id)
                                        : rc;
}

/* --- add ---------------------------------------------------------------- */

apr_status_t bl_admin_read_key(bl_admin_call_t *a, json_t *object,
                               bl_new_key_t *key)
{
    json_t *enabled = json_object_get(object, "enabled");
    json_t *upstream = json_object_get(object, "upstream");
    json_t *name = json_object_get(object, "name");
    char *fields;

    memset(key, 0, sizeof(*key));
    if (enabled && !json_is_boolean(enabled)) {
        return bl_complain(&key->why, "enabled",
                           BL_SAY("must be true or false"));
    }
    key->is_disabled = enabled && !json_is_true(enabled);
    key->upstream = json_is_string(upstream)
                        ? apr_pstrdup(a->r->pool, json_string_value(upstream))
                        : "";
    key->name = json_is_string(name)
                    ? apr_pstrdup(a->r->pool, json_string_value(name))
                    : "";
    json_object_del(object, "enabled");
    json_object_del(object, "upstream");
    json_object_del(object, "name");
    fields = bl_json_dump(object, 0);
    if (!fields) return APR_ENOMEM;
    key->fields = apr_pstrdup(a->r->pool, fields);
    free(fields);
    return APR_SUCCESS;
}

static int add(bl_admin_call_t *a)
{
    json_t *secret = bl_admin_take_secret(a->body);
    bl_new_key_t new;
    bl_change_t change;
    apr_status_t rv = bl_admin_read_key(a, a->body, &new);

    if (rv == APR_SUCCESS) {
        new.secret = json_string_value(secret);
        rv = bl_store_do_keys_new(a->store, &a->who, &new, 1, 0);
    }
    bl_admin_wipe_secret(secret);
    if (rv == APR_SUCCESS) {
        return bl_admin_send_key(a, new.was_waiting ? HTTP_OK : HTTP_CREATED,
                                 new.id);
    }
    memset(&change, 0, sizeof(change));
    change.why = new.why;
    /* No such upstream is a wrong member here, not a wrong path. */
    return bl_admin_refuse(a, rv == BL_E_NOT_FOUND ? BL_E_BAD_VALUE : rv,
                           &change);
}

/* --- change ------------------------------------------------------------- */

static int patch(bl_admin_call_t *a)
{
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!bl_admin_key_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc)) {
        return rc;
    }
    rv = bl_store_do_key_change(a->store, &a->who, id, bl_admin_fields(a),
                                &change);
    return rv == APR_SUCCESS ? bl_admin_send_key(a, HTTP_OK, id)
                             : bl_admin_refuse(a, rv, &change);
}

static int replace(bl_admin_call_t *a)
{
    json_t *secret;
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!bl_admin_key_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc)) {
        return rc;
    }
    secret = bl_admin_take_secret(a->body);
    rv = bl_store_do_key_replace(a->store, &a->who, id,
                                 json_string_value(secret), &change);
    bl_admin_wipe_secret(secret);
    return rv == APR_SUCCESS ? bl_admin_send_key(a, HTTP_OK, id)
                             : bl_admin_refuse(a, rv, &change);
}

static int set_enabled(bl_admin_call_t *a, int is_enabled)
{
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!bl_admin_key_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc)) {
        return rc;
    }
    rv = bl_store_do_key_enable(a->store, &a->who, id, is_enabled, &change);
    if (rv == BL_E_CONFLICT) {
        return bl_admin_problem(a, rv, "secret",
                                BL_SAY("Its upstream was moved: enter the key "
                                       "again (replace) before it is used."));
    }
    return rv == APR_SUCCESS ? bl_admin_send_key(a, HTTP_OK, id)
                             : bl_admin_refuse(a, rv, &change);
}

static int enable(bl_admin_call_t *a)
{
    return set_enabled(a, 1);
}

static int disable(bl_admin_call_t *a)
{
    return set_enabled(a, 0);
}

static int drop(bl_admin_call_t *a)
{
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!bl_admin_key_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc)) {
        return rc;
    }
    rv = bl_store_do_key_drop(a->store, &a->who, id, &change);
    return rv == APR_SUCCESS ? bl_admin_send_nothing(a)
                             : bl_admin_refuse(a, rv, &change);
}

/* --- restore ------------------------------------------------------------ */

/* Written down first: what cannot be audited is not done (A09). */
static int restore(bl_admin_call_t *a)
{
    apr_int64_t id, version;
    apr_status_t rv;
    json_t *row;
    int rc;

    if (!bl_admin_key_id(a, &id, &rc)) return rc;
    rv = bl_admin_key_row(a, id, &row);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    version = json_integer_value(json_object_get(row, "sealVersion"));
    rv = bl_store_do_audit(
        a->store, &a->who, "key.restore",
        apr_pstrcat(a->r->pool,
                    json_string_value(json_object_get(row, "upstream")), "/",
                    json_string_value(json_object_get(row, "name")), NULL),
        NULL, "done");
    json_decref(row);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    bl_key_restore(bl_key_place(bl_engine_shm(a->call->engine), id, version));
    return bl_admin_send_key(a, HTTP_OK, id);
}

const bl_route_t bl_admin_key_routes[] = {
    {"GET", "api/keys", BL_ROLE_VIEWER, keys},
    {"POST", "api/keys", BL_ROLE_ADMIN, add},
    {"POST", "api/keys/import", BL_ROLE_ADMIN, bl_admin_import_keys},
    {"GET", "api/keys/{id}", BL_ROLE_VIEWER, key},
    {"PATCH", "api/keys/{id}", BL_ROLE_ADMIN, patch},
    {"DELETE", "api/keys/{id}", BL_ROLE_ADMIN, drop},
    {"POST", "api/keys/{id}/replace", BL_ROLE_ADMIN, replace},
    {"POST", "api/keys/{id}/enable", BL_ROLE_ADMIN, enable},
    {"POST", "api/keys/{id}/disable", BL_ROLE_ADMIN, disable},
    {"POST", "api/keys/{id}/restore", BL_ROLE_OPERATOR, restore},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
