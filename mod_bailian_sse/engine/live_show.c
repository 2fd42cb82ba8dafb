/* SPDX-License-Identifier: Apache-2.0 */
/* What the live page shows of a stream: its slot in shared memory. */
#include "live_private.h"

#define RATE_SHARE 4 /* the newest second counts one in so many */

static void show_heartbeats(bl_live_t *live)
{
    apr_uint32_t n =
        __atomic_load_n(&live->stream->heartbeats, __ATOMIC_RELAXED);

    if (n == live->heartbeats) return;
    bl_slot_set(live->slot, heartbeats, n);
    bl_live_mark(live, BL_MARK_HEARTBEATS, n - live->heartbeats);
    live->heartbeats = n;
}

/* Sinks send heartbeats while nothing happens here, and a rate falls. */
void bl_live_rt_show(bl_live_t *live)
{
    apr_uint64_t seq = bl_journal_tail(live->stream->journal);
    apr_uint32_t now = (apr_uint32_t)(seq - live->shown_seq) * 10;
    apr_uint32_t rate = live->slot->rate;

    live->shown_seq = seq;
    /* Rounded so that it reaches both what it rises to, and zero. */
    rate = now > rate ? rate + (now - rate + RATE_SHARE - 1) / RATE_SHARE
                      : rate - (rate - now + RATE_SHARE - 1) / RATE_SHARE;
    bl_slot_set(live->slot, rate, rate);
    bl_slot_set(live->slot, queue_bytes,
                (apr_uint32_t)bl_stream_rt_lag(live->stream));
    show_heartbeats(live);
    if (live->transfer && bl_transfer_is_connected(live->transfer) &&
        bl_slot_get(live->slot, phase) == BL_PHASE_CONNECTING)
    {
        bl_live_set_phase(live, BL_PHASE_WAITING);
    }
}

void bl_live_rt_show_all(bl_engine_t *e)
{
    bl_live_t *live;

    for (live = e->lives; live; live = live->next) {
        if (live->stream->state != BL_STREAM_ENDED) bl_live_rt_show(live);
    }
}

void bl_live_rt_show_progress(bl_live_t *live)
{
    bl_stream_t *s = live->stream;
    bl_slot_t *slot = live->slot;
    apr_uint64_t seq = bl_journal_tail(s->journal);
    apr_uint64_t bytes = bl_journal_bytes(s->journal);

    bl_live_count(live, BL_COUNT_EVENTS, seq - slot->seq);
    bl_live_count(live, BL_COUNT_CONTENT_BYTES, bytes - slot->bytes);
    bl_slot_set(slot, seq, seq);
    bl_slot_set(slot, bytes, bytes);
    bl_slot_set(slot, last_event_ms, bl_live_now(live));
    bl_slot_set(slot, queue_bytes, (apr_uint32_t)bl_stream_rt_lag(s));
}
