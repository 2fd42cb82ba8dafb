/* SPDX-License-Identifier: Apache-2.0 */
/* admin_alerts - api/alerts: who is told by a webhook when something goes
 * wrong. */
#include "admin_objects.h"
#include "base/clock.h"
#include "base/json.h"
#include "base/time_text.h"
#include "engine/alerts.h"

#include <string.h>

#define SILENCE_MOST 10080 /* minutes: a week */

/* --- rows --------------------------------------------------------------- */

static json_t *time_or_null(apr_time_t at)
{
    char text[BL_TIME_TEXT];

    return at ? json_string(bl_time_text(text, at)) : json_null();
}

/* null: nothing was sent since the server started. */
static json_t *delivery_new(const bl_alert_place_t *place)
{
    apr_time_t at = place ? bl_slot_get(place, sent_at) : 0;
    unsigned line = at ? bl_slot_get(place, sent_class) : 0;

    if (!at) return json_null();
    return json_pack("{s:o,s:b,s:s?,s:i}", "at", time_or_null(at), "ok", !line,
                     "code", line ? bl_error_at((int)line - 1)->code : NULL,
                     "status", (int)bl_slot_get(place, sent_status));
}

static apr_status_t show(bl_admin_call_t *a, json_t *row)
{
    json_t *shown = json_incref(row);
    const bl_alert_place_t *place =
        bl_alert_find(bl_engine_shm(a->call->engine),
                      json_integer_value(json_object_get(row, "id")));
    json_t *firing = json_object();
    int i;

    for (i = 0; place && i < BL_RULES; i++) {
        apr_time_t since = bl_slot_get(&place->rules[i], since);

        if (!since) continue;
        bl_json_set(&firing, bl_rule_name((bl_rule_t)i), time_or_null(since));
    }
    bl_json_set(&shown, "firing", firing);
    bl_json_set(&shown, "delivery", delivery_new(place));
    if (!shown) return APR_ENOMEM;
    json_decref(shown);
    return APR_SUCCESS;
}

static int list(bl_admin_call_t *a)
{
    json_t *rows;
    apr_status_t rv = bl_store_alert_rows(a->store, 0, &rows);
    size_t i;

    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    for (i = 0; i < json_array_size(rows) && rv == APR_SUCCESS; i++)
        rv = show(a, json_array_get(rows, i));
    if (rv == APR_SUCCESS) return bl_admin_send_list(a, rows, NULL);
    json_decref(rows);
    return bl_admin_problem(a, rv, NULL, NULL);
}

static int send_one(bl_admin_call_t *a, int status, apr_int64_t id)
{
    json_t *rows, *row;
    apr_status_t rv = bl_store_alert_rows(a->store, id, &rows);

    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    row = json_incref(json_array_get(rows, 0));
    json_decref(rows);
    if (!row) return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    rv = show(a, row);
    if (rv == APR_SUCCESS) return bl_admin_send(a, status, row);
    json_decref(row);
    return bl_admin_problem(a, rv, NULL, NULL);
}

/* A name that is no number is nobody's. */
static int read_id(bl_admin_call_t *a, apr_int64_t *pid, int *prc)
{
    char *end;

    *pid = apr_strtoi64(a->id, &end, 10);
    if (!*end && *pid > 0) return 1;
    *prc = bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    return 0;
}

static int get(bl_admin_call_t *a)
{
    apr_int64_t id;
    int rc;

    return read_id(a, &id, &rc) ? send_one(a, HTTP_OK, id) : rc;
}

/* --- changes ------------------------------------------------------------ */

static int add(bl_admin_call_t *a)
{
    const char *url = NULL;
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    memset(&change, 0, sizeof(change));
    if (!bl_admin_take_text(a, "url", &url, &rc)) return rc;
    rv = bl_store_do_alert_new(a->store, &a->who, bl_admin_fields(a), url, &id,
                               &change);
    return rv == APR_SUCCESS ? send_one(a, HTTP_CREATED, id)
                             : bl_admin_refuse(a, rv, &change);
}

static int patch(bl_admin_call_t *a)
{
    const char *url = NULL;
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!read_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc) ||
        !bl_admin_take_text(a, "url", &url, &rc))
    {
        return rc;
    }
    rv = bl_store_do_alert_change(a->store, &a->who, id, bl_admin_fields(a),
                                  url, &change);
    return rv == APR_SUCCESS ? send_one(a, HTTP_OK, id)
                             : bl_admin_refuse(a, rv, &change);
}

static int drop(bl_admin_call_t *a)
{
    bl_change_t change;
    apr_int64_t id;
    apr_status_t rv;
    int rc;

    if (!read_id(a, &id, &rc) || !bl_admin_version(a, &change, &rc)) return rc;
    rv = bl_store_do_alert_drop(a->store, &a->who, id, &change);
    return rv == APR_SUCCESS ? bl_admin_send_nothing(a)
                             : bl_admin_refuse(a, rv, &change);
}

static int silence(bl_admin_call_t *a)
{
    const json_t *minutes = json_object_get(a->body, "minutes");
    apr_int64_t id, n = json_integer_value(minutes);
    apr_status_t rv;
    int rc;

    if (!read_id(a, &id, &rc)) return rc;
    if (!json_is_integer(minutes) || json_object_size(a->body) != 1 || n < 0 ||
        n > SILENCE_MOST)
    {
        return bl_admin_problem(
            a, BL_E_BAD_VALUE, "minutes",
            BL_SAY(
                "must be a whole number from 0 (no longer silent) to 10080"));
    }
    rv = bl_store_do_alert_silence(
        a->store, &a->who, id,
        n ? bl_clock_wall() + n * 60 * APR_USEC_PER_SEC : 0);
    return rv == APR_SUCCESS ? send_one(a, HTTP_OK, id)
                             : bl_admin_problem(a, rv, NULL, NULL);
}

static int test(bl_admin_call_t *a)
{
    apr_status_t rv, result;
    apr_int64_t id;
    int rc, status;

    if (!read_id(a, &id, &rc)) return rc;
    rv = bl_store_do_alert_test(a->store, &a->who, id);
    if (rv == APR_SUCCESS) {
        rv = bl_engine_test_alert(a->call->engine, id, &result, &status);
    }
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    return bl_admin_send(
        a, HTTP_OK,
        json_pack("{s:b,s:s?,s:i}", "ok", result == APR_SUCCESS, "code",
                  result == APR_SUCCESS ? NULL : bl_error(result)->code,
                  "status", status));
}

const bl_route_t bl_admin_alert_routes[] = {
    {"GET", "api/alerts", BL_ROLE_VIEWER, list},
    {"POST", "api/alerts", BL_ROLE_ADMIN, add},
    {"GET", "api/alerts/{id}", BL_ROLE_VIEWER, get},
    {"PATCH", "api/alerts/{id}", BL_ROLE_ADMIN, patch},
    {"DELETE", "api/alerts/{id}", BL_ROLE_ADMIN, drop},
    {"POST", "api/alerts/{id}/silence", BL_ROLE_OPERATOR, silence},
    {"POST", "api/alerts/{id}/test", BL_ROLE_OPERATOR, test},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
