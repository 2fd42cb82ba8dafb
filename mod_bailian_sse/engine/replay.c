/* SPDX-License-Identifier: Apache-2.0 */
#include "replay.h"
#include "base/clock.h"
#include "base/errors.h"
#include "wire/json_write.h"

#include <string.h>

#define SETTLE_TRIES 200 /* x 10 ms: the store is that far behind at most */
#define RECENT_TRIES 100 /* x 10 ms: another child writes it */
#define COME_TRIES 20    /* ... for a row that is not there yet */
#define SETTLE_USEC 10000

static int is_writing(bl_engine_t *e)
{
    bl_store_health_t health;

    bl_store_health(bl_engine_store(e), &health);
    return health.queued > 0;
}

apr_status_t bl_replay_find(bl_engine_t *e, const char *id,
                            bl_stored_stream_t *row)
{
    apr_int64_t child_id;
    apr_status_t rv;
    int i, child;

    for (i = 0; i < SETTLE_TRIES; i++) {
        int may_come =
            (i < COME_TRIES && is_writing(e)) ||
            (i < RECENT_TRIES && bl_slot_was_recent(bl_engine_shm(e), id));

        rv = bl_store_stream(bl_engine_store(e), id, row);
        if (rv == APR_SUCCESS && row->outcome != BL_OUTCOME_NONE) return rv;
        if (rv != APR_SUCCESS && rv != BL_E_NOT_FOUND) return rv;
        if (bl_slot_find(bl_engine_shm(e), id, &child, &child_id)) {
            return APR_EBUSY;
        }
        if (rv == BL_E_NOT_FOUND && !may_come) return rv;
        apr_sleep(SETTLE_USEC);
    }
    return BL_E_STORE_UNAVAILABLE;
}

/* --- a stored stream ---------------------------------------------------- */

static apr_status_t on_event(void *ctx, const bl_event_t *ev)
{
    return bl_stream_rt_append_copy(ctx, ev);
}

static apr_status_t load(bl_engine_t *e, const bl_stored_stream_t *row,
                         bl_stream_t **ps)
{
    bl_stream_spec_t spec;
    bl_stream_t *s;
    apr_status_t rv;

    memset(&spec, 0, sizeof(spec));
    spec.id = row->stream_id;
    spec.owner = row->owner;
    spec.conversation_id = row->conversation_id;
    spec.item_id = row->item_id;
    spec.app = row->app;
    spec.policy = BL_POLICY_DRAIN;
    spec.queue_bytes = BL_QUEUE_BYTES;
    spec.budget = bl_engine_budget(e);
    rv = bl_stream_create(&s, &spec);
    if (rv != APR_SUCCESS) return rv;
    rv = bl_store_events(bl_engine_store(e), row->stream_id, 0, on_event, s);
    if (rv == APR_SUCCESS && s->state != BL_STREAM_ENDED) {
        rv = BL_E_STORE_CORRUPT;
    }
    if (rv != APR_SUCCESS)
        bl_stream_unref(s);
    else
        *ps = s;
    return rv;
}

apr_status_t bl_replay_load(bl_engine_t *e, const bl_stored_stream_t *row,
                            apr_uint64_t after, bl_stream_t **ps,
                            apr_uint64_t *plast)
{
    bl_event_t ev;
    apr_uint64_t tail;
    apr_status_t rv;
    int n;

    *ps = NULL;
    if (row->trimmed_to) { /* all of it: retention trims whole streams (D17) */
        *plast = row->event_count;
        return after < row->trimmed_to ? BL_E_TRIMMED : APR_EOF;
    }
    rv = load(e, row, ps);
    if (rv != APR_SUCCESS) return rv;
    tail = bl_journal_tail((*ps)->journal);
    if (after >= tail)
        rv = APR_EOF;
    else
        rv = bl_journal_read((*ps)->journal, after, &ev, 1, &n);
    /* Behind what was stored, before the end that the recovery wrote: what
     * the reader saw then is lost, and it is told so. */
    if (rv == APR_SUCCESS && ev.seq == tail && ev.seq > after + 1) {
        bl_event_t before;
        apr_uint64_t last = 0;

        while (bl_journal_read((*ps)->journal, last, &before, 1, &n) ==
                   APR_SUCCESS &&
               before.seq < tail)
        {
            last = before.seq;
        }
        if (after > last) {
            *plast = last;
            rv = BL_E_TRIMMED;
        }
    }
    if (rv != APR_SUCCESS) {
        bl_stream_unref(*ps);
        *ps = NULL;
    }
    return rv;
}

/* --- state -------------------------------------------------------------- */

static void put_string(bl_buf_t *out, const char *name, const char *value)
{
    bl_buf_printf(out, ",\"%s\":\"", name);
    bl_json_escape(out, value, strlen(value), 0);
    bl_buf_puts(out, "\"");
}

static void put_live(bl_buf_t *out, const char *id, const bl_slot_t *slot)
{
    bl_ms_t age = bl_clock_ms() - slot->started_ms;

    bl_buf_printf(out, "{\"id\":\"%s\",\"live\":true,\"outcome\":null", id);
    put_string(out, "phase",
               bl_phase_name((bl_phase_t)bl_slot_get(slot, phase)));
    put_string(out, "app", slot->app);
    bl_buf_printf(out, ",\"events\":%" APR_UINT64_T_FMT,
                  bl_slot_get(slot, seq));
    bl_buf_printf(out, ",\"attempt\":%u,\"readers\":%u",
                  bl_slot_get(slot, attempt), bl_slot_get(slot, readers));
    bl_buf_printf(out, ",\"ageMs\":%" APR_INT64_T_FMT "}\n", age);
}

static void put_stored(bl_buf_t *out, const bl_stored_stream_t *row)
{
    bl_buf_printf(out, "{\"id\":\"%s\",\"live\":false,\"outcome\":\"%s\"",
                  row->stream_id, bl_outcome_name(row->outcome));
    if (*row->reason) put_string(out, "code", row->reason);
    put_string(out, "app", row->app);
    put_string(out, "conversionId", row->conversation_id);
    put_string(out, "conversionItemId", row->item_id);
    bl_buf_printf(out, ",\"events\":%" APR_UINT64_T_FMT, row->event_count);
    bl_buf_printf(out, ",\"attempts\":%d", row->attempts);
    bl_buf_printf(out, ",\"length\":%" APR_UINT64_T_FMT, row->text_len);
    put_string(out, "sha256", row->sha256_hex);
    bl_buf_puts(out, "}\n");
}

/* Between the end and its commit a stream is still "live" to the store. */
static apr_status_t stored_state(bl_engine_t *e, const char *id,
                                 const char *owner, bl_buf_t *out)
{
    bl_stored_stream_t row;
    apr_status_t rv = bl_replay_find(e, id, &row);

    if (rv == APR_SUCCESS && strcmp(row.owner, owner)) rv = BL_E_NOT_FOUND;
    if (rv == APR_SUCCESS) put_stored(out, &row);
    return rv;
}

apr_status_t bl_replay_state(bl_engine_t *e, const char *id, const char *owner,
                             bl_buf_t *out)
{
    apr_int64_t child_id;
    bl_slot_t *slot;
    int child, i;

    for (i = 0; i < 2; i++) {
        apr_status_t rv;

        slot = bl_slot_find(bl_engine_shm(e), id, &child, &child_id);
        if (slot && !strcmp(slot->owner, owner)) {
            put_live(out, id, slot);
            return bl_buf_status(out);
        }
        if (slot) return BL_E_NOT_FOUND;
        rv = stored_state(e, id, owner, out);
        if (rv != APR_EBUSY) return rv;
    }
    return BL_E_STORE_UNAVAILABLE;
}
