/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts.h"
#include "stats.h"

#include <string.h>

const char *bl_rule_name(bl_rule_t rule)
{
    static const char *const names[BL_RULES] = {"errors", "firstContent",
                                                "keys", "store"};

    return names[rule];
}

/* --- places ------------------------------------------------------------- */

const bl_alert_place_t *bl_alert_find(const bl_shm_t *shm, apr_int64_t id)
{
    int i;

    for (i = 0; i < BL_SHM_ALERTS; i++) {
        if (bl_slot_get(&shm->alerts[i], id) == id) return &shm->alerts[i];
    }
    return NULL;
}

bl_alert_place_t *bl_alert_made(bl_shm_t *shm, apr_int64_t id)
{
    bl_alert_place_t *place = (bl_alert_place_t *)bl_alert_find(shm, id);

    if (place) return place;
    place = (bl_alert_place_t *)bl_alert_find(shm, 0);
    if (!place) return NULL;
    memset(place, 0, sizeof(*place));
    bl_slot_set(place, id, id);
    return place;
}

static int is_among(apr_int64_t id, const apr_int64_t *ids, int count)
{
    int i;

    for (i = 0; i < count; i++) {
        if (ids[i] == id) return 1;
    }
    return 0;
}

void bl_alerts_keep(bl_shm_t *shm, const apr_int64_t *ids, int count)
{
    int i;

    for (i = 0; i < BL_SHM_ALERTS; i++) {
        bl_alert_place_t *place = &shm->alerts[i];

        if (!is_among(bl_slot_get(place, id), ids, count)) {
            bl_slot_set(place, id, 0);
        }
    }
}

/* --- one rule ----------------------------------------------------------- */

/* It fires at once, and is well again only after a while without a look at
 * which it fired: what comes and goes is one incident. */
static void note(bl_rule_state_t *r, int is_firing, bl_ms_t now,
                 apr_time_t wall)
{
    if (is_firing) {
        if (!r->since) bl_slot_set(r, since, wall);
        r->quiet_ms = 0;
        return;
    }
    if (!r->since) return;
    if (!r->quiet_ms) r->quiet_ms = now;
    if (now - r->quiet_ms >= BL_RULE_QUIET_MS) bl_slot_set(r, since, 0);
}

bl_tell_t bl_rule_step(bl_rule_state_t *r, int is_firing, int is_silent,
                       bl_ms_t repeat_ms, bl_ms_t now, apr_time_t wall)
{
    int is_due;

    note(r, is_firing, now, wall);
    is_due = !r->since != !bl_slot_get(r, told);
    if (r->since && repeat_ms >= 0 &&
        wall - bl_slot_get(r, told_at) >= repeat_ms * 1000)
    {
        is_due = 1;
    }
    if (!is_due || is_silent || now < r->next_ms) return BL_TELL_NOTHING;
    r->next_ms = now + BL_RULE_AGAIN_MS;
    return r->since ? BL_TELL_FIRING : BL_TELL_RESOLVED;
}

void bl_rule_told(bl_rule_state_t *r, bl_tell_t what, apr_time_t wall)
{
    bl_slot_set(r, told_at, wall);
    bl_slot_set(r, told, what == BL_TELL_FIRING);
}

void bl_alert_sent(bl_alert_place_t *place, apr_status_t rv, int status,
                   apr_time_t wall)
{
    bl_slot_set(place, sent_class, (apr_uint32_t)(bl_error_line(rv) + 1));
    bl_slot_set(place, sent_status, (apr_uint32_t)status);
    bl_slot_set(place, sent_at, wall);
}
