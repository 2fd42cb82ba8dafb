/* SPDX-License-Identifier: Apache-2.0 */
/* admin_check - api/keys/{id}/test and api/keys/test: is a key good? */
#include "admin_keys.h"
#include "base/json.h"
#include "engine/key_check.h"
#include "shm/targets.h"

#include <string.h>

#define ALL_MOST 256   /* keys of "all" */
#define LOOK_MOST 5000 /* rows that are looked at for it */

/* What was found out is kept, and a key that is good after all is used. */
static apr_status_t check(bl_admin_call_t *a, bl_key_check_t *checks, int count)
{
    apr_status_t rv = bl_engine_check_keys(a->call->engine, checks, count);

    return rv == APR_SUCCESS
               ? bl_store_do_key_checked(a->store, &a->who, checks, count)
               : rv;
}

static void forgive(bl_admin_call_t *a, const json_t *row)
{
    bl_shm_t *shm = bl_engine_shm(a->call->engine);
    bl_place_t *place =
        bl_key_place(shm, json_integer_value(json_object_get(row, "id")),
                     json_integer_value(json_object_get(row, "sealVersion")));

    if (bl_key_is_refused(place)) bl_key_restore(place);
}

static apr_status_t result_row(bl_admin_call_t *a, const bl_key_check_t *check,
                               json_t **prow)
{
    apr_status_t rv = bl_admin_key_row(a, check->key_id, prow);

    if (rv == APR_SUCCESS && check->rv == APR_SUCCESS) forgive(a, *prow);
    if (rv == APR_SUCCESS) rv = bl_admin_show(a, *prow);
    if (rv == APR_SUCCESS) return APR_SUCCESS;
    json_decref(*prow);
    *prow = NULL;
    return rv;
}

static int test_one(bl_admin_call_t *a)
{
    bl_key_check_t one;
    apr_status_t rv;
    json_t *row;
    int rc;

    memset(&one, 0, sizeof(one));
    if (!bl_admin_key_id(a, &one.key_id, &rc)) return rc;
    rv = bl_engine_check_keys(a->call->engine, &one, 1);
    if (rv == APR_SUCCESS && one.rv == BL_E_NOT_FOUND) rv = one.rv;
    if (rv == APR_SUCCESS && one.rv == BL_E_CONFLICT) {
        return bl_admin_problem(a, BL_E_CONFLICT, "secret",
                                BL_SAY("Its upstream was moved: enter the key "
                                       "again (replace) before it is used."));
    }
    if (rv == APR_SUCCESS) {
        rv = bl_store_do_key_checked(a->store, &a->who, &one, 1);
    }
    if (rv == APR_SUCCESS) rv = result_row(a, &one, &row);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    return bl_admin_send(a, HTTP_OK, row);
}

/* --- several ------------------------------------------------------------ */

static int read_ids(bl_admin_call_t *a, bl_key_check_t *checks, int *pcount,
                    int *prc)
{
    json_t *ids = json_object_get(a->body, "ids"), *id;
    size_t i;

    json_array_foreach(ids, i, id)
    {
        if (i == BL_CHECK_KEYS || !json_is_integer(id)) break;
        checks[i].key_id = json_integer_value(id);
    }
    *pcount = (int)json_array_size(ids);
    if (json_is_array(ids) && i == json_array_size(ids) && i) return 1;
    *prc = bl_admin_problem(a, BL_E_BAD_VALUE, "ids",
                            BL_SAY("must be a list of 1 to 64 numbers"));
    return 0;
}

static apr_status_t all_enabled(bl_admin_call_t *a, bl_key_check_t *checks,
                                int *pcount)
{
    bl_list_ask_t ask;
    json_t *rows, *row;
    apr_status_t rv;
    size_t i;

    memset(&ask, 0, sizeof(ask));
    ask.limit = LOOK_MOST;
    rv = bl_store_key_rows(a->store, &ask, &rows);
    json_array_foreach(rows, i, row)
    {
        const char *state = json_string_value(json_object_get(row, "state"));

        if (*pcount == ALL_MOST || strcmp(state, "enabled") != 0) continue;
        checks[(*pcount)++].key_id =
            json_integer_value(json_object_get(row, "id"));
    }
    json_decref(rows);
    return rv;
}

static int send_results(bl_admin_call_t *a, const bl_key_check_t *checks,
                        int count)
{
    json_t *found = json_array(), *row;
    apr_status_t rv;
    int i;

    for (i = 0; i < count; i++) {
        rv = result_row(a, &checks[i], &row);
        if (rv == BL_E_NOT_FOUND) continue; /* deleted meanwhile */
        if (rv != APR_SUCCESS) {
            json_decref(found);
            return bl_admin_problem(a, rv, NULL, NULL);
        }
        bl_json_append(&found, row);
    }
    return bl_admin_send_list(a, found, NULL);
}

static int test_many(bl_admin_call_t *a)
{
    bl_key_check_t *checks =
        apr_pcalloc(a->r->pool, ALL_MOST * sizeof(*checks));
    apr_status_t rv = APR_SUCCESS;
    int count = 0, from, rc;

    if (json_object_size(a->body)) {
        if (!read_ids(a, checks, &count, &rc)) return rc;
    }
    else {
        rv = all_enabled(a, checks, &count);
    }
    for (from = 0; rv == APR_SUCCESS && from < count; from += BL_CHECK_KEYS) {
        int n = count - from < BL_CHECK_KEYS ? count - from : BL_CHECK_KEYS;

        rv = check(a, checks + from, n);
    }
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    return send_results(a, checks, count);
}

const bl_route_t bl_admin_check_routes[] = {
    {"POST", "api/keys/test", BL_ROLE_OPERATOR, test_many},
    {"POST", "api/keys/{id}/test", BL_ROLE_OPERATOR, test_one},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
