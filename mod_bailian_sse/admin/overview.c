/* SPDX-License-Identifier: Apache-2.0 */
#include "overview.h"
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

apr_status_t bl_admin_overview(const bl_shm_t *shm,
                               const bl_store_health_t *store, bl_buf_t *out)
{
    bl_buf_printf(out, "{\"version\":\"%s\",\"live\":%d", BL_VERSION,
                  bl_slot_count(shm));
    put_counters(shm, out);
    put_children(shm, out);
    bl_buf_printf(out, ",\"store\":{\"state\":\"%s\",\"queued\":%u",
                  store->last == APR_SUCCESS ? "ok"
                                             : bl_error(store->last)->code,
                  store->queued);
    bl_buf_printf(out, ",\"walBytes\":%" APR_UINT64_T_FMT, store->wal_bytes);
    put_text(out, "sqlite", store->sqlite_version, 64);
    return bl_buf_printf(out, ",\"guarded\":%s}}\n",
                         store->is_guarded ? "true" : "false");
}

/* --- live streams ------------------------------------------------------- */

typedef struct row_t {
    const bl_slot_t *slot;
    apr_int64_t started_at;
} row_t;

static int by_age(const void *a, const void *b)
{
    const row_t *x = a, *y = b;

    return (x->started_at > y->started_at) - (x->started_at < y->started_at);
}

static int collect(const bl_shm_t *shm, row_t *rows)
{
    apr_uint32_t top = __atomic_load_n(&shm->top, __ATOMIC_ACQUIRE), i;
    int n = 0;

    for (i = 0; i < top && i < BL_DIRECTORY_SLOTS; i++) {
        const bl_slot_t *slot = &shm->slots[i];
        apr_uint32_t word = __atomic_load_n(&slot->word, __ATOMIC_ACQUIRE);

        if (BL_SLOT_STATE(word) != BL_SLOT_TAKEN) continue;
        rows[n].slot = slot;
        rows[n++].started_at = slot->started_at;
    }
    return n;
}

static void put_stream(const bl_shm_t *shm, const bl_slot_t *slot,
                       bl_buf_t *out)
{
    bl_ms_t now = bl_clock_ms();
    char id[BL_ID_TEXT + 1];

    bl_hex(id, slot->id, BL_ID_BYTES);
    bl_buf_printf(out, "{\"id\":\"%s\"", id);
    put_text(out, "owner", slot->owner, sizeof(slot->owner));
    put_text(out, "app", slot->app, sizeof(slot->app));
    put_text(out, "phase", bl_phase_name((bl_phase_t)bl_slot_get(slot, phase)),
             16);
    put_text(out, "key", slot->key_last4, sizeof(slot->key_last4));
    bl_buf_printf(out, ",\"pid\":%u,\"ageMs\":%" APR_INT64_T_FMT,
                  shm->children[slot->child % BL_SHM_CHILDREN].pid,
                  now - slot->started_ms);
    bl_buf_printf(out,
                  ",\"firstContentMs\":%" APR_INT64_T_FMT
                  ",\"silentMs\":%" APR_INT64_T_FMT,
                  bl_slot_get(slot, first_content_ms),
                  now - bl_slot_get(slot, last_event_ms));
    bl_buf_printf(
        out, ",\"events\":%" APR_UINT64_T_FMT ",\"bytes\":%" APR_UINT64_T_FMT,
        bl_slot_get(slot, seq), bl_slot_get(slot, bytes));
    bl_buf_printf(
        out, ",\"heartbeats\":%" APR_UINT64_T_FMT ",\"queueBytes\":%u",
        bl_slot_get(slot, heartbeats), bl_slot_get(slot, queue_bytes));
    bl_buf_printf(out, ",\"attempt\":%u,\"attemptsMost\":%u,\"readers\":%u}",
                  bl_slot_get(slot, attempt), bl_slot_get(slot, attempts_most),
                  bl_slot_get(slot, readers));
}

apr_status_t bl_admin_live(const bl_shm_t *shm, int from, int most,
                           bl_buf_t *out)
{
    row_t *rows = malloc(BL_DIRECTORY_SLOTS * sizeof(*rows));
    int n, i;

    if (!rows) return APR_ENOMEM;
    n = collect(shm, rows);
    qsort(rows, (size_t)n, sizeof(*rows), by_age);
    bl_buf_printf(out, "{\"total\":%d,\"items\":[", n);
    for (i = from; i < n && i < from + most; i++) {
        if (i > from) bl_buf_puts(out, ",");
        put_stream(shm, rows[i].slot, out);
    }
    free(rows);
    return bl_buf_puts(out, "]}\n");
}
