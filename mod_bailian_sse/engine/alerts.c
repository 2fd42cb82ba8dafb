/* SPDX-License-Identifier: Apache-2.0 */
#include "alerts.h"
#include "engine_private.h"
#include "base/clock.h"

/* A rule that was switched off, or whose alert was, is forgotten: it fires
 * anew when it comes back. */
static void look_at(bl_engine_t *e, bl_catalog_t *catalog, const bl_alert_t *a,
                    bl_alert_place_t *place)
{
    bl_ms_t now = bl_reactor_rt_now(e->reactor);
    bl_ms_t repeat_ms =
        a->repeat_minutes < 0 ? -1 : (bl_ms_t)a->repeat_minutes * 60000;
    apr_time_t wall = bl_clock_wall();
    bl_finding_t f;
    bl_tell_t what;
    int i;

    for (i = 0; i < BL_RULES; i++) {
        bl_rule_state_t *r = &place->rules[i];

        if (!a->is_enabled ||
            !bl_rule_look(e->conf.shm, catalog, a, (bl_rule_t)i, now, &f))
        {
            bl_slot_set(r, since, 0);
            bl_slot_set(r, told, 0);
            continue;
        }
        what = bl_rule_step(r, f.is_firing, a->silenced_until > wall, repeat_ms,
                            now, wall);
        if (what != BL_TELL_NOTHING) {
            bl_alert_rt_send(e, catalog, a, (bl_rule_t)i, what, &f);
        }
    }
}

void bl_alerts_rt_look(bl_engine_t *e)
{
    bl_catalog_t *catalog = bl_store_catalog(e->store);
    apr_int64_t ids[BL_ALERTS_MOST];
    int i, n = 0;

    for (i = 0; i < catalog->alert_count && n < BL_ALERTS_MOST; i++)
        ids[n++] = catalog->alerts[i].id;
    bl_alerts_keep(e->conf.shm, ids, n);
    for (i = 0; i < n; i++) {
        const bl_alert_t *a = &catalog->alerts[i];
        bl_alert_place_t *place = bl_alert_made(e->conf.shm, a->id);

        if (place) look_at(e, catalog, a, place);
    }
    bl_catalog_unref(catalog);
}
