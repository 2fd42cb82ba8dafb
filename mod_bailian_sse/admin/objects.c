/* SPDX-License-Identifier: Apache-2.0 */
#include "objects.h"

#include "base/json.h"
#include "base/time_text.h"
#include "shm/targets.h"

#include <string.h>

static json_t *time_new(apr_time_t at)
{
    char text[BL_TIME_TEXT];

    return at ? json_string(bl_time_text(text, at)) : json_null();
}

static apr_int64_t number_of(const json_t *row, const char *name)
{
    return json_integer_value(json_object_get(row, name));
}

/* --- keys --------------------------------------------------------------- */

/* What is stored stands over what was learned: a key that is switched off
 * does not cool. */
static const char *state_of_key(const json_t *row, const bl_target_health_t *h)
{
    const char *stored = json_string_value(json_object_get(row, "state"));

    if (stored && strcmp(stored, "enabled") != 0) {
        return strcmp(stored, "disabled") ? "reenter" : "disabled";
    }
    if (!json_is_true(json_object_get(row, "canBeOpened"))) return "unopenable";
    if (h->state == BL_TARGET_COOLING) return "cooling";
    return h->state == BL_TARGET_REFUSED ? "refused" : "ok";
}

static void put_counts(json_t **pshown, const bl_target_health_t *h)
{
    json_t *errors = json_object();
    apr_int64_t all = bl_target_count(h, APR_SUCCESS);
    int i;

    for (i = 0; i < bl_error_count(); i++) {
        const bl_error_t *e = bl_error_at(i);
        apr_uint32_t n = bl_target_count(h, e->status);

        all += n;
        if (n && e->status != BL_E_UPSTREAM_QUOTA) {
            bl_json_set(&errors, e->code, json_integer(n));
        }
    }
    bl_json_set(pshown, "requests", json_integer(all));
    bl_json_set(pshown, "throttled",
                json_integer(bl_target_count(h, BL_E_UPSTREAM_QUOTA)));
    bl_json_set(pshown, "errors", errors);
}

apr_status_t bl_admin_show_key(json_t *row, const bl_shm_t *shm, bl_ms_t now)
{
    json_t *shown = json_incref(row);
    bl_target_health_t h;
    const char *state;
    int is_cooling;

    bl_key_health(shm, number_of(row, "id"), number_of(row, "sealVersion"), now,
                  &h);
    state = state_of_key(row, &h);
    is_cooling = !strcmp(state, "cooling");
    bl_json_set(&shown, "enabled",
                json_boolean(strcmp(state, "disabled") != 0));
    bl_json_set(&shown, "state", json_string(state));
    bl_json_set(&shown, "coolingMs", json_integer(is_cooling ? h.left_ms : 0));
    bl_json_set(&shown, "stateSinceAt", time_new(h.since));
    bl_json_set(&shown, "lastUsedAt", time_new(h.last_used));
    put_counts(&shown, &h);
    if (!shown) return APR_ENOMEM;
    json_object_del(row, "sealVersion");
    json_object_del(row, "masterKey");
    json_object_del(row, "canBeOpened");
    json_decref(shown);
    return APR_SUCCESS;
}

/* --- upstreams ---------------------------------------------------------- */

apr_status_t bl_admin_show_upstream(json_t *row, const bl_shm_t *shm,
                                    bl_ms_t now)
{
    json_t *shown = json_incref(row);
    bl_target_health_t h;
    int is_open;

    bl_upstream_health(shm, number_of(row, "id"), now, &h);
    is_open = h.state == BL_TARGET_OPEN;
    bl_json_set(&shown, "state",
                json_string(is_open      ? "open"
                            : h.failures ? "failing"
                                         : "ok"));
    bl_json_set(&shown, "failures", json_integer(h.failures));
    bl_json_set(&shown, "nextProbeMs", json_integer(is_open ? h.left_ms : 0));
    if (!shown) return APR_ENOMEM;
    json_object_del(row, "id");
    json_decref(shown);
    return APR_SUCCESS;
}
