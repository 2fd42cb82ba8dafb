/* SPDX-License-Identifier: Apache-2.0 */
#include "live_private.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "shm/quota.h"
#include "stream/cursor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bl_ms_t bl_live_now(const bl_live_t *live)
{
    return bl_reactor_rt_now(live->engine->reactor);
}

void bl_live_count(bl_live_t *live, bl_counter_t which, apr_uint64_t n)
{
    bl_child_t *child = &live->engine->conf.shm->children[live->engine->child];

    __atomic_add_fetch(&child->counters[which], n, __ATOMIC_RELAXED);
}

void bl_live_set_phase(bl_live_t *live, bl_phase_t phase)
{
    bl_slot_set(live->slot, phase, (apr_uint32_t)phase);
}

void bl_live_mark(bl_live_t *live, bl_mark_kind_t what, apr_uint32_t n)
{
    bl_mark_add(live->slot, bl_live_now(live), what, n, APR_SUCCESS, 0);
}

/* --- the end ------------------------------------------------------------ */

static bl_counter_t outcome_counter(bl_outcome_t outcome)
{
    static const bl_counter_t of[] = {
        BL_COUNT_STREAMS_ERROR,      BL_COUNT_STREAMS_COMPLETED,
        BL_COUNT_STREAMS_LENGTH,     BL_COUNT_STREAMS_CANCELLED,
        BL_COUNT_STREAMS_TIMEOUT,    BL_COUNT_STREAMS_ERROR,
        BL_COUNT_STREAMS_INTERRUPTED};

    return of[outcome];
}

static const char *finish_name(const bl_live_t *live, bl_outcome_t outcome)
{
    if (outcome == BL_OUTCOME_LENGTH) return "length";
    if (outcome != BL_OUTCOME_COMPLETED) return NULL;
    return live->answer.finish == BL_FINISH_TOOL_CALLS ? "tool_calls" : "stop";
}

static void log_end(const bl_live_t *live, bl_outcome_t outcome,
                    apr_status_t why)
{
    const bl_answer_t *a = &live->answer;
    char code[64], id[64];
    /* What the client did, and what its own request was refused for, is no
     * reason to wake an admin. */
    int is_news = outcome == BL_OUTCOME_TIMEOUT ||
                  (outcome == BL_OUTCOME_ERROR &&
                   why != BL_E_UPSTREAM_REJECTED && why != BL_E_OVERLOADED);

    if (!is_news) {
        bl_log(BL_LOG_DEBUG, 0,
               BL_LOGNO(1303) BL_STREAM_MSG "%s after %d ms, %d attempts",
               BL_STREAM_ARGS(live->stream), bl_outcome_name(outcome),
               (int)(live->ended_ms - live->stream->started_ms), live->attempt);
        return;
    }
    bl_log(why == BL_E_UPSTREAM_TLS ? BL_LOG_ERR : BL_LOG_WARNING, 0,
           BL_LOGNO(1304) BL_STREAM_MSG
           "%s: %s, attempt %d, upstream %s http %d code %s request %s",
           BL_STREAM_ARGS(live->stream), bl_outcome_name(outcome),
           bl_error(why)->code, live->attempt, live->app->upstream->name,
           a->failure_http,
           bl_log_safe(code, sizeof(code), a->failure_code,
                       strlen(a->failure_code)),
           bl_log_safe(id, sizeof(id), a->request_id, strlen(a->request_id)));
}

static void count_answer(bl_live_t *live)
{
    const bl_answer_t *a = &live->answer;

    bl_live_count(live, BL_COUNT_DUPLICATES, a->duplicates);
    bl_live_count(live, BL_COUNT_BAD_UTF8, a->bad_utf8);
    bl_live_count(live, BL_COUNT_UNREADABLE, a->unreadable);
    if (a->input_tokens > 0) {
        bl_live_count(live, BL_COUNT_INPUT_TOKENS,
                      (apr_uint64_t)a->input_tokens);
    }
    if (a->output_tokens > 0) {
        bl_live_count(live, BL_COUNT_OUTPUT_TOKENS,
                      (apr_uint64_t)a->output_tokens);
    }
    bl_quota_add_tokens(live->engine->conf.shm, live->asker_hash,
                        (int)(bl_clock_wall() / APR_USEC_PER_SEC / 86400),
                        (a->input_tokens > 0 ? a->input_tokens : 0) +
                            (a->output_tokens > 0 ? a->output_tokens : 0));
    if (a->bad_utf8) {
        bl_log(BL_LOG_WARNING, 0,
               BL_LOGNO(1305) BL_STREAM_MSG "%u bytes of bad UTF-8 replaced",
               BL_STREAM_ARGS(live->stream), a->bad_utf8);
    }
}

static void free_live(bl_live_t *live)
{
    bl_reactor_t *r = live->engine->reactor;

    bl_transfer_rt_destroy(live->transfer);
    bl_reactor_rt_disarm(r, &live->clock);
    bl_reactor_rt_disarm(r, &live->store_timer);
    bl_reactor_rt_disarm(r, &live->reader_timer);
    bl_reactor_rt_undefer(&live->look);
    if (live->prev)
        live->prev->next = live->next;
    else
        live->engine->lives = live->next;
    if (live->next) live->next->prev = live->prev;
    live->stream->changed = NULL;
    live->stream->dirty = NULL;
    live->stream->stop = NULL;
    live->stream->polled = NULL;
    live->stream->producer = NULL;
    bl_stream_unref(live->stream);
    bl_live_destroy(live);
}

void bl_live_rt_leave_if_done(bl_live_t *live)
{
    if (live->stream->state != BL_STREAM_ENDED || live->transfer ||
        !bl_persist_is_done(&live->persist))
    {
        return;
    }
    if (live->stream->is_dirty) bl_stream_rt_wake(live->stream);
    free_live(live);
}

static void store_end(bl_live_t *live)
{
    const bl_answer_t *a = &live->answer;
    bl_persist_end_t end;

    memset(&end, 0, sizeof(end));
    end.attempts = live->attempt;
    end.first_content_ms = live->first_content_ms;
    end.duration_ms = live->ended_ms - live->stream->started_ms;
    end.key_id = live->key ? live->key->id : 0;
    memcpy(end.key_last4, live->slot->key_last4, sizeof(end.key_last4));
    end.answer = a;
    end.finish = finish_name(live, live->stream->outcome);
    end.slot = live->slot;
    bl_persist_rt_end(&live->persist, &end);
}

void bl_live_rt_end(bl_live_t *live, bl_outcome_t outcome, apr_status_t why)
{
    bl_stream_t *s = live->stream;

    if (!bl_stream_rt_end(s, outcome, why, finish_name(live, outcome))) return;
    outcome = s->outcome; /* a good one is none when memory is short */
    why = s->failure;
    live->ended_ms = bl_live_now(live);
    live->is_waiting = 0;
    bl_reactor_rt_disarm(live->engine->reactor, &live->reader_timer);
    bl_reactor_rt_disarm(live->engine->reactor, &live->clock);
    bl_live_count(live, outcome_counter(outcome), 1);
    bl_count_error(live->engine->conf.shm, live->engine->child, BL_WORD_ENDS,
                   why);
    bl_live_rt_show_progress(live); /* what came in this very turn */
    bl_live_rt_show(live);
    bl_mark_add(live->slot, live->ended_ms, BL_MARK_END, outcome, why, 0);
    count_answer(live);
    log_end(live, outcome, why);
    store_end(live);
    /* The place is free again at once (R04), and so is the id: who asks for
     * it now finds the stored stream. */
    bl_slot_end(live->engine->conf.shm, live->slot);
    bl_registry_remove(live->engine->registry, s);
    bl_reactor_rt_defer(live->engine->reactor, &live->look);
}

static bl_outcome_t outcome_of(apr_status_t why)
{
    switch (why) {
    case BL_E_UPSTREAM_FIRST_TIMEOUT:
    case BL_E_UPSTREAM_STALLED:
    case BL_E_TIMEOUT:
        return BL_OUTCOME_TIMEOUT;
    case BL_E_CANCELLED:
        return BL_OUTCOME_CANCELLED;
    case BL_E_DRAINING:
    case BL_E_INTERRUPTED:
        return BL_OUTCOME_INTERRUPTED;
    default:
        return BL_OUTCOME_ERROR;
    }
}

void bl_live_rt_fail(bl_live_t *live, apr_status_t why)
{
    bl_live_rt_end(live, outcome_of(why), why);
}

/* --- readers ------------------------------------------------------------ */

static void on_reader_timer(void *ctx)
{
    bl_live_t *live = ctx;

    if (!live->stream->reader_count) bl_live_rt_fail(live, BL_E_CANCELLED);
}

static bl_phase_t phase_of(const bl_live_t *live)
{
    if (live->is_waiting) return BL_PHASE_RETRYING;
    return live->stream->state == BL_STREAM_LIVE ? BL_PHASE_STREAMING
                                                 : BL_PHASE_CONNECTING;
}

static void mark_readers(bl_live_t *live)
{
    bl_stream_t *s = live->stream;
    apr_uint32_t n = (apr_uint32_t)s->reader_count;

    bl_slot_set(live->slot, readers, n);
    if (s->resumes != live->resumes) {
        live->resumes = s->resumes;
        bl_slot_set(live->slot, resumes, live->resumes);
        bl_live_mark(live, BL_MARK_RESUMED, n);
    }
    else if (s->reader_count != live->reader_count) {
        bl_live_mark(live,
                     s->reader_count > live->reader_count ? BL_MARK_ATTACHED
                                                          : BL_MARK_LEFT,
                     n);
    }
    live->reader_count = s->reader_count;
}

/* The last reader went: the policy. A new one came: nothing happened. */
static void look_at_readers(bl_live_t *live)
{
    bl_stream_t *s = live->stream;
    bl_reactor_t *r = live->engine->reactor;

    mark_readers(live);
    if (s->reader_count) {
        if (live->reader_timer.place) {
            bl_reactor_rt_disarm(r, &live->reader_timer);
            bl_live_set_phase(live, phase_of(live));
        }
        return;
    }
    if (!s->had_reader || s->policy == BL_POLICY_DRAIN) return;
    if (s->policy == BL_POLICY_CANCEL) {
        bl_live_rt_fail(live, BL_E_CANCELLED);
        return;
    }
    if (live->reader_timer.place) return;
    bl_live_set_phase(live, BL_PHASE_DETACHED);
    bl_live_mark(live, BL_MARK_DETACHED, (apr_uint32_t)(s->detach_ms / 1000));
    bl_reactor_rt_arm(r, &live->reader_timer, bl_live_now(live) + s->detach_ms);
}

/* What an event touches: warm.h. */
static void note_used(const bl_live_t *live)
{
    bl_reactor_t *r = live->engine->reactor;

    bl_reactor_rt_used(r, live, offsetof(bl_live_t, limits));
    bl_reactor_rt_used(r, &live->transfer,
                       offsetof(bl_live_t, persist.attempts) -
                           offsetof(bl_live_t, transfer));
    bl_reactor_rt_used(r, live->stream, offsetof(bl_stream_t, whole));
    bl_reactor_rt_used(r, live->stream->journal, BL_JOURNAL_USED_BYTES);
    bl_reactor_rt_used(r, live->slot, offsetof(bl_slot_t, key_last4));
}

/* Once at the end of a turn in which anything happened. */
static void on_look(void *ctx)
{
    bl_live_t *live = ctx;
    bl_stream_t *s = live->stream;
    int was_dirty = s->is_dirty;

    if (bl_reactor_rt_is_noting(live->engine->reactor)) note_used(live);
    if (was_dirty && s->state != BL_STREAM_ENDED) {
        bl_live_rt_show_progress(live);
        bl_persist_rt_note(&live->persist);
    }
    if (was_dirty) bl_stream_rt_wake(s);
    if (s->state != BL_STREAM_ENDED) {
        look_at_readers(live);
        if (s->state != BL_STREAM_ENDED) bl_attempt_rt_look_at_pause(live);
    }
    if (s->state == BL_STREAM_ENDED) {
        /* Cancelled, timed out, drained: closing it is the cancel (C02). */
        if (live->transfer && s->outcome != BL_OUTCOME_COMPLETED &&
            s->outcome != BL_OUTCOME_LENGTH)
        {
            bl_transfer_rt_destroy(live->transfer);
            live->transfer = NULL;
        }
        bl_live_rt_leave_if_done(live);
    }
}

static void on_dirty_or_changed(bl_stream_t *s, void *ctx)
{
    bl_live_t *live = ctx;

    (void)s;
    bl_reactor_rt_defer(live->engine->reactor, &live->look);
}

/* Who polls is no reader that could go away: what counts is when it came. */
static void on_polled(bl_stream_t *s, void *ctx)
{
    bl_live_t *live = ctx;

    if (s->policy != BL_POLICY_DETACH || s->state == BL_STREAM_ENDED) return;
    s->had_reader = 1;
    bl_reactor_rt_disarm(live->engine->reactor, &live->reader_timer);
    look_at_readers(live);
}

static void on_stop(bl_stream_t *s, void *ctx)
{
    (void)s;
    bl_live_rt_fail(ctx, BL_E_CANCELLED);
}

static void on_store_timer(void *ctx)
{
    bl_live_t *live = ctx;

    bl_persist_rt_tick(&live->persist);
    bl_live_rt_leave_if_done(live);
}

/* --- the beginning ------------------------------------------------------ */

static void on_begin(bl_letter_t *letter)
{
    bl_live_t *live =
        (bl_live_t *)((char *)letter - offsetof(bl_live_t, begin_letter));
    bl_stream_t *s = live->stream;
    bl_event_t ev;

    live->next = live->engine->lives;
    if (live->next) live->next->prev = live;
    live->engine->lives = live;
    s->producer = live;
    s->dirty = on_dirty_or_changed;
    s->changed = on_dirty_or_changed;
    s->stop = on_stop;
    s->polled = on_polled;
    bl_live_mark(live, BL_MARK_START, 0);
    bl_persist_rt_begin(&live->persist, live->engine->reactor,
                        &live->store_timer);
    memset(&ev, 0, sizeof(ev));
    ev.kind = BL_EV_START;
    ev.text = "";
    bl_stream_rt_append(s, &ev);
    if (bl_engine_is_refusing(live->engine))
        bl_live_rt_fail(live, BL_E_DRAINING);
    else
        bl_attempt_rt_start(live);
}

static void set_target(bl_live_t *live)
{
    const bl_app_t *app = live->app;
    bl_target_t *t = &live->target;

    t->base_url = app->upstream->base_url;
    t->app_id = app->app_id;
    t->workspace = app->workspace ? app->workspace : app->upstream->workspace;
    t->is_incremental = app->is_incremental;
    t->has_thoughts = app->has_thoughts;
    t->enable_thinking = app->enable_thinking;
    t->flow_mode = app->flow_mode;
    t->answer_nodes = app->answer_nodes;
}

apr_status_t bl_live_create(bl_live_t **plive, bl_engine_t *e,
                            const bl_question_t *q, bl_catalog_t *catalog_take,
                            const bl_app_t *app, bl_stream_t *s,
                            bl_slot_t *slot)
{
    bl_live_t *live = calloc(1, sizeof(*live));
    bl_ask_t ask = q->ask;
    apr_status_t rv;

    *plive = NULL;
    if (!live) {
        bl_catalog_unref(catalog_take);
        return APR_ENOMEM;
    }
    live->engine = e;
    live->catalog = catalog_take;
    live->app = app;
    live->stream = s;
    live->slot = slot;
    live->limits = *q->limits;
    live->asker_hash = bl_hash(q->asker, "");
    live->first_content_ms = -1;
    live->clock.fn = bl_attempt_rt_on_clock;
    live->store_timer.fn = on_store_timer;
    live->reader_timer.fn = on_reader_timer;
    live->look.fn = on_look;
    live->clock.ctx = live->store_timer.ctx = live->reader_timer.ctx =
        live->look.ctx = live;
    bl_request_init(&live->request);
    bl_persist_init(&live->persist, e->store, s);
    live->dialect = bl_dialect_find(app->upstream->kind);
    set_target(live);
    ask.parameters = app->parameters;
    bl_slot_set(slot, attempts_most, (apr_uint32_t)live->limits.retries + 1);
    bl_slot_put_text(slot->app, 61, app->name);
    bl_slot_put_text(slot->transport, sizeof(slot->transport), q->transport);
    bl_slot_put_text(slot->client, sizeof(slot->client),
                     q->client ? q->client : "");
    rv = live->dialect
             ? live->dialect->request(&live->target, &ask, &live->request)
             : BL_E_NO_APP;
    if (rv != APR_SUCCESS)
        bl_live_destroy(live);
    else
        *plive = live;
    return rv;
}

void bl_live_destroy(bl_live_t *live)
{
    bl_persist_release(&live->persist);
    bl_request_release(&live->request);
    bl_catalog_unref(live->catalog);
    free(live);
}

apr_status_t bl_live_begin(bl_live_t *live)
{
    live->begin_letter.fn = on_begin;
    bl_stream_ref(live->stream);
    if (bl_reactor_offer(live->engine->reactor, &live->begin_letter) ==
        APR_SUCCESS) {
        return APR_SUCCESS;
    }
    bl_stream_unref(live->stream);
    return BL_E_OVERLOADED;
}

void bl_live_rt_end_all(bl_engine_t *e, apr_status_t why)
{
    bl_live_t *live, *next;

    for (live = e->lives; live; live = next) {
        next = live->next;
        if (live->stream->state != BL_STREAM_ENDED) bl_live_rt_fail(live, why);
    }
}

/* What the store did not take by now is lost: recovery marks those streams
 * interrupted (P01). */
void bl_live_rt_free_all(bl_engine_t *e)
{
    while (e->lives)
        free_live(e->lives);
}
