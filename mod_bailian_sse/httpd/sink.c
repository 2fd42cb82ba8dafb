/* SPDX-License-Identifier: Apache-2.0 */
#include "sink.h"
#include "base/clock.h"
#include "shm/stats.h"
#include "wire/json_write.h"

#include <stdlib.h>
#include <string.h>

#define READ_AT_ONCE 32
#define FIRST_BYTES 256 /* what begins a response */
/* One pass, and one event behind it: text of 16 KiB or fields of 1 MiB,
 * escaped; a REPLACE event holds the whole answer. */
#define OUT_LIMIT (6 * BL_MAX_ANSWER_BYTES + BL_PASS_BYTES)
/* An answer that is there that soon (a cache, a refusal) and is short is
 * written by the handler itself: parking costs more than it. */
#define GRACE_MS 5

static void count_reader(bl_sink_t *sink)
{
    bl_shm_t *shm = bl_engine_shm(sink->plan.engine);
    int child = bl_engine_child(sink->plan.engine);

    bl_count(shm, child, READERS_ATTACHED, 1);
    if (sink->plan.after) bl_count(shm, child, READERS_RESUMED, 1);
}

/* What a reader that begins in the middle must know of the events before. */
static void catch_up(bl_sink_t *sink)
{
    bl_event_t events[READ_AT_ONCE];
    apr_uint64_t after = 0;
    int n, i;

    while (after < sink->plan.after &&
           bl_journal_read(sink->plan.stream->journal, after, events,
                           READ_AT_ONCE, &n) == APR_SUCCESS)
    {
        for (i = 0; i < n && events[i].seq <= sink->plan.after; i++) {
            if (events[i].kind == BL_EV_DELTA) sink->has_content = 1;
            if (events[i].kind == BL_EV_USAGE) {
                sink->encoder.kind->event(&sink->encoder, &sink->out,
                                          &events[i]);
                bl_buf_clear(&sink->out);
            }
        }
        after = events[n - 1].seq;
    }
}

static apr_status_t sink_create(bl_sink_t **psink, request_rec *r,
                                const bl_sink_plan_t *plan)
{
    bl_sink_t *sink = calloc(1, sizeof(*sink));
    apr_status_t rv;

    *psink = NULL;
    if (!sink) return APR_ENOMEM;
    sink->plan = *plan;
    sink->r = r;
    bl_buf_init(&sink->out, OUT_LIMIT);
    bl_buf_room(&sink->out, FIRST_BYTES);
    bl_buf_count(&sink->out, plan->stream->budget);
    rv = bl_encoder_init(&sink->encoder, plan->kind, plan->stream, plan->lang);
    if (rv != APR_SUCCESS) {
        free(sink);
        return rv;
    }
    sink->encoder.wants_whole = plan->wants_whole;
    catch_up(sink);
    rv = plan->kind->begin(&sink->encoder, &sink->out);
    if (rv != APR_SUCCESS) {
        sink->plan.stream = NULL; /* stays the caller's */
        bl_sink_destroy(sink);
        return rv;
    }
    sink->last_out_ms = bl_clock_ms();
    *psink = sink;
    return APR_SUCCESS;
}

void bl_sink_destroy(bl_sink_t *sink)
{
    bl_encoder_release(&sink->encoder);
    bl_buf_release(&sink->out);
    if (sink->plan.stream) bl_stream_unref(sink->plan.stream);
    free(sink);
}

/* Nothing between here and the socket may hold an event back. */
static void set_headers(request_rec *r, const bl_sink_plan_t *plan)
{
    ap_set_content_type(r, plan->kind->content_type);
    apr_table_setn(r->headers_out, "Cache-Control", "no-cache, no-transform");
    apr_table_setn(r->headers_out, "X-Accel-Buffering", "no");
    apr_table_setn(r->headers_out, "X-Content-Type-Options", "nosniff");
    apr_table_set(r->headers_out, "X-Bailian-Stream", plan->stream->id);
    apr_table_setn(r->subprocess_env, "no-gzip", "1");
    apr_table_setn(r->subprocess_env, "no-brotli", "1");
}

int bl_sink_serve(request_rec *r, const bl_sink_plan_t *plan)
{
    bl_sink_t *sink;
    int rc;

    if (r->header_only) {
        set_headers(r, plan);
        bl_stream_unref(plan->stream);
        return OK;
    }
    if (sink_create(&sink, r, plan) != APR_SUCCESS) {
        bl_stream_unref(plan->stream);
        return DECLINED;
    }
    set_headers(r, plan);
    count_reader(sink);
    if (plan->kind->answer && plan->answer_ms <= bl_clock_ms()) {
        return bl_sink_run_ended(r, sink);
    }
    if (!plan->pace_ms && bl_stream_wait_end(plan->stream, GRACE_MS) &&
        bl_journal_bytes(plan->stream->journal) <= BL_PASS_BYTES)
    {
        return bl_sink_run_ended(r, sink);
    }
    bl_sink_expect_acks(r->connection, plan->slow_ms);
    if (!plan->is_sync_wanted) {
        rc = bl_sink_park(r, sink);
        if (rc != DECLINED) return rc;
    }
    return bl_sink_run_sync(r, sink);
}

/* --- for the two ways --------------------------------------------------- */

static int is_content(bl_event_kind_t kind)
{
    return kind == BL_EV_DELTA || kind == BL_EV_REASONING ||
           kind == BL_EV_REPLACE;
}

static apr_status_t to_ascii(bl_sink_t *sink, size_t from)
{
    const bl_encoder_t *e = &sink->encoder;

    return sink->plan.is_ascii && (e->kind->is_json || e->failure)
               ? bl_json_to_ascii(&sink->out, from)
               : APR_SUCCESS;
}

/* ev NULL: goes on with the event before. */
static apr_status_t encode(bl_sink_t *sink, const bl_event_t *ev)
{
    bl_encoder_t *e = &sink->encoder;
    size_t from = sink->out.len;
    apr_status_t rv =
        ev ? e->kind->event(e, &sink->out, ev) : e->kind->more(e, &sink->out);

    sink->has_more = rv == APR_INCOMPLETE;
    if (rv == APR_SUCCESS || rv == APR_INCOMPLETE) rv = to_ascii(sink, from);
    if (rv != APR_SUCCESS) return rv;
    if (ev) {
        bl_cursor_advance(&sink->cursor, ev);
        if (is_content(ev->kind)) sink->has_content = 1;
        if (ev->kind == BL_EV_END) sink->is_ending = 1;
    }
    if (sink->is_ending && !sink->has_more) sink->is_over = 1;
    return APR_SUCCESS;
}

/* Who is paced gets one event, if it says anything. */
static size_t most_at_once(const bl_sink_t *sink)
{
    return sink->plan.pace_ms ? 1 : BL_PASS_BYTES;
}

static apr_status_t encode_some(bl_sink_t *sink)
{
    bl_event_t events[READ_AT_ONCE];
    apr_status_t rv;
    int n, i;

    if (sink->has_more) return encode(sink, NULL);
    rv = bl_cursor_peek(&sink->cursor, events, READ_AT_ONCE, &n);
    for (i = 0; rv == APR_SUCCESS && i < n && !sink->has_more &&
                bl_sink_pending(sink) < most_at_once(sink);
         i++)
    {
        rv = encode(sink, &events[i]);
    }
    return rv;
}

/* Of a paced reader: it is not yet time. */
static int is_held_back(bl_sink_t *sink, bl_ms_t now)
{
    if (now >= sink->paced_until) sink->paced_until = 0;
    return sink->paced_until && !bl_sink_pending(sink);
}

static apr_status_t answer(bl_sink_t *sink)
{
    size_t from = sink->out.len;
    apr_status_t rv = sink->encoder.kind->answer(&sink->encoder, &sink->out,
                                                 sink->cursor.after);

    sink->is_over = 1;
    return rv == APR_SUCCESS ? to_ascii(sink, from) : rv;
}

/* No END event stands here: the stream goes on elsewhere, or will be found in
 * the store. */
static apr_status_t send_elsewhere(bl_sink_t *sink)
{
    apr_status_t rv = sink->encoder.kind->reconnect(&sink->encoder, &sink->out,
                                                    sink->cursor.after);

    sink->is_over = 1;
    return rv == APR_SUCCESS ? to_ascii(sink, 0) : rv;
}

/* Nothing has left yet: the head can still say so. */
static void become_failure(bl_sink_t *sink)
{
    sink->r->status = sink->encoder.failure->http;
    bl_call_put_retry(sink->r, sink->encoder.failure);
    ap_set_content_type(sink->r, "application/json; charset=utf-8");
}

/* There is no memory for what comes next. An answer that has begun is cut (I4);
 * one that has not is refused, which takes only what every head takes. */
static void give_up(bl_sink_t *sink, apr_status_t rv)
{
    sink->is_over = 1;
    sink->encoder.is_clean = !sink->has_head;
    if (sink->has_head) return;
    sink->refusal = bl_call_least_problem(
        sink->r, sink->plan.is_session,
        sink->plan.is_ascii ? BL_LANG_EN : sink->plan.lang,
        bl_error(rv == APR_ENOMEM ? BL_E_OVERLOADED : rv));
    bl_count(bl_engine_shm(sink->plan.engine),
             bl_engine_child(sink->plan.engine), REQUESTS_REFUSED, 1);
}

/* APR_EOF: he may come back, and is told then whether he may go on. */
static apr_status_t check_right(bl_sink_t *sink, bl_ms_t now)
{
    bl_engine_t *e = sink->plan.engine;

    if (!bl_right_holds(&sink->plan.right, e, now))
        sink->encoder.why = BL_E_UNAUTHENTICATED;
    else if (bl_share_is_over(bl_engine_shm(e), &sink->plan.share))
        sink->encoder.why = BL_E_FORBIDDEN;
    else
        return APR_SUCCESS;
    return APR_EOF;
}

apr_status_t bl_sink_fill(bl_sink_t *sink, bl_ms_t now)
{
    apr_status_t rv = APR_SUCCESS;

    if (!sink->is_over && !sink->has_more && !bl_sink_pending(sink)) {
        rv = check_right(sink, now);
    }
    if (rv == APR_SUCCESS && is_held_back(sink, now)) return APR_EAGAIN;
    while (rv == APR_SUCCESS && !sink->is_over &&
           bl_sink_pending(sink) < most_at_once(sink))
    {
        rv = encode_some(sink);
        if (rv == APR_SUCCESS) sink->last_out_ms = now;
    }
    if (sink->plan.pace_ms && bl_sink_pending(sink)) {
        sink->paced_until = now + sink->plan.pace_ms;
    }
    if (rv == APR_EAGAIN && !sink->is_over && sink->encoder.kind->answer &&
        (sink->encoder.has_news || now >= sink->plan.answer_ms))
    {
        rv = answer(sink);
    }
    if (rv == APR_EOF && !sink->is_over) rv = send_elsewhere(sink);
    if (sink->encoder.failure) become_failure(sink);
    if (rv != APR_SUCCESS && rv != APR_EAGAIN) give_up(sink, rv);
    return bl_sink_pending(sink) ? APR_SUCCESS : APR_EAGAIN;
}

size_t bl_sink_pending(const bl_sink_t *sink)
{
    size_t n = sink->refusal ? strlen(sink->refusal) : sink->out.len;

    return n - sink->sent;
}

const char *bl_sink_bytes(const bl_sink_t *sink)
{
    return (sink->refusal ? sink->refusal : sink->out.data) + sink->sent;
}

void bl_sink_sent(bl_sink_t *sink, size_t n)
{
    sink->sent += n;
    sink->has_head = 1;
    if (bl_sink_pending(sink)) return;
    sink->sent = 0;
    sink->refusal = NULL;
    bl_buf_clear(&sink->out);
    sink->stuck_since = 0;
}

void bl_sink_keep_pending(bl_sink_t *sink, bl_buf_t *spare)
{
    size_t n = sink->refusal ? 0 : bl_sink_pending(sink);
    bl_buf_t kept;

    if (n > sink->out.size / 2) return;
    bl_buf_init(&kept, OUT_LIMIT);
    bl_buf_count(&kept, sink->out.budget);
    if (n && bl_buf_append(&kept, bl_sink_bytes(sink), n) != APR_SUCCESS) {
        return; /* then it stays where it is */
    }
    bl_buf_clear(&sink->out);
    if (spare) bl_buf_hand_over(&sink->out, spare);
    bl_buf_release(&sink->out);
    sink->out = kept;
    sink->sent = 0;
}

int bl_sink_beat(bl_sink_t *sink, bl_ms_t now, int is_now)
{
    const bl_encoder_kind_t *kind = sink->encoder.kind;
    bl_ms_t every = sink->has_content ? sink->plan.heartbeat_ms
                                      : sink->plan.heartbeat_first_ms;

    if (!kind->has_heartbeat || sink->is_over || sink->has_more ||
        bl_sink_pending(sink))
    {
        return 0;
    }
    if (!is_now && now < sink->last_out_ms + every) return 0;
    if (kind->heartbeat(&sink->encoder, &sink->out, !sink->has_content,
                        sink->cursor.after) != APR_SUCCESS)
    {
        return 0;
    }
    to_ascii(sink, 0);
    sink->last_out_ms = now;
    __atomic_add_fetch(&sink->plan.stream->heartbeats, 1, __ATOMIC_RELAXED);
    bl_count(bl_engine_shm(sink->plan.engine),
             bl_engine_child(sink->plan.engine), HEARTBEATS, 1);
    return 1;
}

bl_ms_t bl_sink_next_look(const bl_sink_t *sink)
{
    bl_ms_t due =
        sink->last_out_ms + (sink->has_content ? sink->plan.heartbeat_ms
                                               : sink->plan.heartbeat_first_ms);
    bl_ms_t slow = sink->stuck_since + sink->plan.slow_ms;

    due = bl_right_next(&sink->plan.right, due);
    due = bl_share_next(&sink->plan.share, due);
    if (sink->paced_until && sink->paced_until < due) due = sink->paced_until;
    if (sink->encoder.kind->answer && sink->plan.answer_ms < due) {
        due = sink->plan.answer_ms;
    }
    if (!sink->stuck_since) return due;
    return !sink->encoder.kind->has_heartbeat || slow < due ||
                   bl_sink_pending(sink)
               ? slow
               : due;
}

int bl_sink_is_slow(bl_sink_t *sink, bl_ms_t now)
{
    size_t low = sink->plan.stream->queue_bytes / 100 * BL_QUEUE_LOW_PERCENT;
    size_t unsent = bl_sink_pending(sink) + sink->below;

    bl_cursor_set_unsent(&sink->cursor, unsent);
    if (!unsent || (bl_cursor_lag(&sink->cursor) <= low && !sink->is_over)) {
        sink->stuck_since = 0;
        return 0;
    }
    if (!sink->stuck_since) sink->stuck_since = now;
    return now >= sink->stuck_since + sink->plan.slow_ms;
}

void bl_sink_tell_slow(const bl_sink_t *sink)
{
    bl_count(bl_engine_shm(sink->plan.engine),
             bl_engine_child(sink->plan.engine), READERS_SLOW, 1);
    bl_log(BL_LOG_INFO, 0,
           BL_LOGNO(1831) BL_STREAM_MSG "its reader took nothing for %d ms",
           BL_STREAM_ARGS(sink->plan.stream), (int)sink->plan.slow_ms);
}
