/* SPDX-License-Identifier: Apache-2.0 */
#include "overview.h"
#include "live.h"
#include "trend.h"
#include "base/clock.h"
#include "base/errors.h"
#include "crypto/token.h"
#include "shm/directory.h"
#include "shm/stats.h"
#include "wire/json_write.h"

#include <stdlib.h>
#include <string.h>

static void put_text(bl_buf_t *out, const char *name, const char *text,
                     size_t most)
{
    bl_buf_printf(out, ",\"%s\":\"", name);
    bl_json_escape(out, text, strnlen(text, most), 0);
    bl_buf_puts(out, "\"");
}

/* --- overview ----------------------------------------------------------- */

static void put_counters(const bl_shm_t *shm, bl_buf_t *out)
{
    int i;

    bl_buf_puts(out, ",\"counters\":{");
    for (i = 0; i < BL_COUNTERS; i++) {
        bl_buf_printf(out, "%s\"%s\":%" APR_UINT64_T_FMT, i ? "," : "",
                      bl_counter_name((bl_counter_t)i),
                      bl_stats_total(shm, (bl_counter_t)i));
    }
    bl_buf_puts(out, "}");
}

static void put_children(const bl_shm_t *shm, bl_buf_t *out)
{
    int i, n = 0;

    bl_buf_puts(out, ",\"children\":[");
    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        const bl_child_t *child = &shm->children[i];
        apr_uint32_t pid = bl_slot_get(child, pid);

        if (!pid || (pid & BL_CHILD_CLEANER)) continue;
        bl_buf_printf(out, "%s{\"pid\":%u,\"live\":%u,\"draining\":%s",
                      n++ ? "," : "", pid, bl_slot_get(child, live),
                      bl_slot_get(child, is_draining) ? "true" : "false");
        bl_buf_printf(out, ",\"turnLongestMs\":%u}",
                      bl_slot_get(child, turn_longest_ms));
    }
    bl_buf_puts(out, "]");
}

static void put_phases(const bl_shm_t *shm, bl_buf_t *out)
{
    bl_live_query_t q;
    bl_live_found_t found;

    bl_live_query_init(&q);
    q.limit = 0;
    if (bl_live_find(shm, &q, bl_clock_ms(), &found) != APR_SUCCESS) return;
    bl_live_found_release(&found);
    bl_buf_puts(out, ",\"phases\":");
    bl_live_put_phases(found.phases, out);
}

apr_status_t bl_admin_overview(const bl_shm_t *shm,
                               const bl_store_health_t *store, bl_buf_t *out)
{
    bl_buf_printf(out, "{\"version\":\"%s\",\"live\":%d", BL_VERSION,
                  bl_slot_count(shm));
    put_counters(shm, out);
    put_children(shm, out);
    put_phases(shm, out);
    bl_buf_printf(out,
                  ",\"memory\":{\"heldBytes\":%" APR_UINT64_T_FMT
                  ",\"budgetBytes\":%" APR_UINT64_T_FMT "}",
                  bl_stats_held(shm), bl_stats_budget(shm));
    bl_admin_put_window(shm, out);
    bl_buf_printf(out, ",\"store\":{\"state\":\"%s\",\"queued\":%u",
                  store->last == APR_SUCCESS ? "ok"
                                             : bl_error(store->last)->code,
                  store->queued);
    bl_buf_printf(out, ",\"walBytes\":%" APR_UINT64_T_FMT, store->wal_bytes);
    put_text(out, "sqlite", store->sqlite_version, 64);
    return bl_buf_printf(out, ",\"guarded\":%s}}\n",
                         store->is_guarded ? "true" : "false");
}
