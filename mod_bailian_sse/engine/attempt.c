/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attempt - the transfers of one live stream: which key, which clock, what a
 * failure means, whether and when it is tried again (I12), and the pause when
 * its readers are full.
 */
#include "live_private.h"
#include "base/errors.h"
#include "base/log.h"
#include "base/secret.h"
#include "crypto/token.h"

#include <string.h>

#define LINGER_MS 1000 /* U13: how long a body may go on after the end */
#define FACTOR 2       /* exponential back-off: dialects.md 1 */
#define BACKOFF_MOST_MS 30000

/* --- retry (I12) -------------------------------------------------------- */

static bl_retry_t retry_of(const bl_live_t *live, apr_status_t why)
{
    if (live->answer.is_quota_exhausted) return BL_RETRY_NO;
    if (why == live->answer.failure && live->answer.retry_of_code >= 0) {
        return (bl_retry_t)live->answer.retry_of_code;
    }
    return bl_error(why)->retry;
}

static int dice(void)
{
    unsigned char byte = 128;

    return bl_random_bytes(&byte, 1) == APR_SUCCESS ? byte : 128;
}

static bl_ms_t pause_before_next(const bl_live_t *live)
{
    bl_ms_t ms = live->limits.retry_ms;
    int i;

    if (live->limits.pace != BL_RETRY_EXPONENTIAL) return ms;
    for (i = 1; i < live->attempt && ms < BACKOFF_MOST_MS; i++)
        ms *= FACTOR;
    if (ms > BACKOFF_MOST_MS) ms = BACKOFF_MOST_MS;
    /* Half fixed, half by chance: callers that failed together do not come
     * back together. */
    return ms / 2 + ms * dice() / 510;
}

/* How long to wait before the next attempt, or -1: there is none. */
static bl_ms_t retry_in(bl_live_t *live, apr_status_t why)
{
    bl_ms_t now = bl_live_now(live), wait, cool;
    bl_retry_t retry = retry_of(live, why);
    const bl_key_t *next;

    if (live->stream->state != BL_STREAM_OPENING) return -1;
    if (live->attempt > live->limits.retries) return -1;
    if (why == BL_E_UPSTREAM_AUTH) {
        /* Another key, at once: nothing is gained by waiting. A key that was
         * refused rests; 403 is said of the app, for any of them. */
        if (live->answer.failure_http == 403) {
            return live->app->upstream->key_count > live->attempt ? 0 : -1;
        }
        return bl_targets_key(live->engine->conf.shm, live->app, now, &next,
                              &cool) == APR_SUCCESS
                   ? 0
                   : -1;
    }
    if (live->limits.pace == BL_RETRY_OFF || retry == BL_RETRY_NO) return -1;
    if (retry == BL_RETRY_ONCE && live->used_once++) return -1;
    wait = pause_before_next(live);
    if (why == BL_E_UPSTREAM_QUOTA) {
        /* Another account's key is fresh, or else the first one to be: this
         * one rests as long as the upstream said. */
        if (bl_targets_key(live->engine->conf.shm, live->app, now, &next,
                           &cool) == APR_SUCCESS)
        {
            wait = 0;
        }
        else if (cool > wait) {
            wait = cool;
        }
        if (wait > live->limits.first_content_ms) return -1;
    }
    if (now + wait >= live->stream->started_ms + live->limits.total_ms) {
        return -1;
    }
    return wait;
}

static void arm_clock(bl_live_t *live);

static void wait_before_next(bl_live_t *live, bl_ms_t wait)
{
    bl_live_set_phase(live, BL_PHASE_RETRYING);
    bl_live_mark(live, BL_MARK_RETRY, (apr_uint32_t)wait);
    live->is_waiting = 1;
    live->wait_until = bl_live_now(live) + wait;
    arm_clock(live);
}

/* What its end means for the key and the upstream. */
static void tell_targets(bl_live_t *live, apr_status_t why)
{
    bl_targets_tell(
        live->engine->conf.shm, live->catalog, live->app->upstream,
        why == BL_E_UPSTREAM_AUTH && live->answer.failure_http == 403
            ? NULL /* this app, not this key */
            : live->key,
        why, bl_transfer_retry_after_ms(live->transfer), bl_live_now(live));
}

/* The attempt is over, and so is the transfer. */
static void settle(bl_live_t *live, apr_status_t why)
{
    bl_ms_t wait;

    if (why != APR_SUCCESS) tell_targets(live, why); /* else it was told */
    bl_transfer_rt_destroy(live->transfer);
    live->transfer = NULL;
    if (live->stream->state == BL_STREAM_ENDED) return;
    bl_persist_attempt(&live->persist, live->attempt, why,
                       live->answer.failure_http, live->answer.failure_code,
                       bl_live_now(live) - live->attempt_began);
    bl_count_error(live->engine->conf.shm, live->engine->child,
                   BL_WORD_ATTEMPTS, why);
    bl_mark_add(live->slot, bl_live_now(live), BL_MARK_FAILED,
                (apr_uint32_t)live->attempt, why, live->answer.failure_http);
    if (why == APR_ENOSPC) {
        /* U23: the ceiling of one answer is ours, not the model's. */
        bl_live_rt_end(live, BL_OUTCOME_LENGTH, BL_E_UPSTREAM_TOO_LARGE);
        return;
    }
    wait = retry_in(live, why);
    if (wait < 0) {
        bl_live_rt_fail(live, why);
        return;
    }
    bl_log(BL_LOG_DEBUG, 0,
           BL_LOGNO(1306) BL_STREAM_MSG
           "attempt %d failed as %s, next in %d ms",
           BL_STREAM_ARGS(live->stream), live->attempt, bl_error(why)->code,
           (int)wait);
    bl_live_count(live, BL_COUNT_RETRIES, 1);
    wait_before_next(live, wait);
}

/* --- the clocks --------------------------------------------------------- */

static bl_ms_t next_deadline(const bl_live_t *live, apr_status_t *pwhy)
{
    bl_ms_t total = live->stream->started_ms + live->limits.total_ms;
    bl_ms_t due;

    *pwhy = BL_E_TIMEOUT;
    if (live->is_waiting) {
        *pwhy = APR_SUCCESS;
        return live->wait_until;
    }
    if (live->was_paused) return total; /* the silence is ours */
    if (live->stream->state == BL_STREAM_OPENING) {
        due = live->last_progress + live->limits.first_content_ms;
        if (due >= total) return total;
        *pwhy = BL_E_UPSTREAM_FIRST_TIMEOUT;
        return due;
    }
    due = live->last_progress + live->limits.gap_ms;
    if (due >= total) return total;
    *pwhy = BL_E_UPSTREAM_STALLED;
    return due;
}

static void arm_clock(bl_live_t *live)
{
    apr_status_t why;

    bl_reactor_rt_arm(live->engine->reactor, &live->clock,
                      next_deadline(live, &why));
}

/* An event only notes the time; the clock looks when it rings. */
void bl_attempt_rt_on_clock(void *ctx)
{
    bl_live_t *live = ctx;
    apr_status_t why;
    bl_ms_t due;

    if (live->stream->state == BL_STREAM_ENDED) { /* the body never ended */
        if (live->transfer) bl_live_count(live, BL_COUNT_LATE_CLOSES, 1);
        bl_transfer_rt_destroy(live->transfer);
        live->transfer = NULL;
        bl_live_rt_leave_if_done(live);
        return;
    }
    due = next_deadline(live, &why);
    if (due > bl_live_now(live)) {
        arm_clock(live);
        return;
    }
    if (why == APR_SUCCESS) {
        live->is_waiting = 0;
        bl_attempt_rt_start(live);
        return;
    }
    if (why == BL_E_TIMEOUT)
        bl_live_rt_fail(live, why);
    else
        settle(live, why);
}

/* --- the transfer's calls ----------------------------------------------- */

/* From here on the gap is what counts, and it can be the shorter one. */
static void note_first_content(bl_live_t *live)
{
    live->first_content_ms = bl_live_now(live) - live->stream->started_ms;
    live->last_progress = bl_live_now(live);
    bl_slot_set(live->slot, first_content_ms, live->first_content_ms);
    bl_live_mark(live, BL_MARK_FIRST_CONTENT, 0);
    bl_count_first_content(live->engine->conf.shm, live->engine->child,
                           live->first_content_ms);
    bl_live_set_phase(live, BL_PHASE_STREAMING);
    arm_clock(live);
}

static apr_status_t on_emit(void *ctx, const bl_event_t *ev)
{
    bl_live_t *live = ctx;
    bl_event_t copy = *ev;
    apr_status_t rv = bl_stream_rt_append(live->stream, &copy);

    if (rv == BL_E_OVERLOADED) { /* R03: no memory is left for more of it */
        bl_live_count(live, BL_COUNT_MEMORY_ENDED, 1);
        bl_memory_tell(live->engine);
    }
    if (rv != APR_SUCCESS) return rv;
    if (live->first_content_ms < 0 && live->stream->state == BL_STREAM_LIVE) {
        note_first_content(live);
    }
    return APR_SUCCESS;
}

static int on_is_blocked(void *ctx, size_t more)
{
    bl_live_t *live = ctx;

    bl_journal_expect(live->stream->journal); /* asked before each event */
    if (!bl_stream_rt_is_blocked(live->stream, live->was_paused, more)) {
        return 0;
    }
    if (!live->was_paused) {
        live->was_paused = 1;
        __atomic_store_n(&live->stream->is_paused, 1, __ATOMIC_SEQ_CST);
        bl_live_set_phase(live, BL_PHASE_PAUSED);
        bl_slot_set(live->slot, pauses, live->slot->pauses + 1);
        bl_live_mark(live, BL_MARK_PAUSED, 0);
        bl_live_count(live, BL_COUNT_PAUSES, 1);
        /* A reader on another thread may have caught up just before it could
         * know that somebody waits for it. */
        bl_reactor_rt_defer(live->engine->reactor, &live->look);
    }
    return 1;
}

static void on_progress(void *ctx)
{
    bl_live_t *live = ctx;

    live->last_progress = bl_live_now(live);
}

/* Inside a callback of curl: nothing is freed here (S-62). */
static void on_answered(void *ctx)
{
    bl_live_t *live = ctx;

    /* Before anybody can see the end: who asks again then finds the upstream
     * well, whenever its connection is done with. */
    tell_targets(live, APR_SUCCESS);
    bl_persist_attempt(&live->persist, live->attempt, APR_SUCCESS, 200, "",
                       bl_live_now(live) - live->attempt_began);
    bl_live_rt_end(live,
                   live->answer.finish == BL_FINISH_LENGTH
                       ? BL_OUTCOME_LENGTH
                       : BL_OUTCOME_COMPLETED,
                   APR_SUCCESS);
    bl_reactor_rt_arm(live->engine->reactor, &live->clock,
                      bl_live_now(live) + LINGER_MS);
}

static void on_done(void *ctx, apr_status_t rv)
{
    bl_live_t *live = ctx;

    if (rv == APR_SUCCESS && live->stream->state != BL_STREAM_ENDED) {
        /* dialect->finish() was content without an end marker of its own */
        on_answered(live);
    }
    settle(live, rv);
    bl_live_rt_leave_if_done(live);
}

/* --- an attempt --------------------------------------------------------- */

static void start_transfer(bl_live_t *live, const char *secret)
{
    const bl_upstream_t *u = live->app->upstream;
    bl_transfer_plan_t plan;
    apr_status_t rv;

    memset(&plan, 0, sizeof(plan));
    plan.reactor = live->engine->reactor;
    plan.allowed = live->engine->conf.allowed;
    plan.dialect = live->dialect;
    plan.target = &live->target;
    plan.request = &live->request;
    plan.secret = secret;
    plan.ca_file = u->ca_file;
    plan.proxy = u->proxy;
    plan.use_http2 = u->use_http2;
    plan.connect_ms = live->limits.connect_ms;
    plan.out.emit = on_emit;
    plan.out.ctx = live;
    plan.answer = &live->answer;
    plan.budget = live->engine->conf.budget;
    plan.is_blocked = on_is_blocked;
    plan.progress = on_progress;
    plan.answered = on_answered;
    plan.done = on_done;
    plan.ctx = live;
    rv = bl_transfer_rt_start(&live->transfer, &plan);
    if (rv != APR_SUCCESS)
        bl_live_rt_fail(live, rv);
    else
        arm_clock(live);
}

static apr_status_t pick_key(bl_live_t *live, char **psecret, bl_ms_t *pwait)
{
    apr_status_t rv;

    *psecret = NULL;
    rv = bl_targets_take_key(live->engine->conf.shm, live->app,
                             bl_live_now(live), &live->key, pwait);
    if (rv != APR_SUCCESS) return rv;
    bl_slot_put_text(live->slot->key_last4, sizeof(live->slot->key_last4),
                     live->key->last4);
    return bl_key_open(live->engine->conf.keyring, live->key, psecret);
}

/* U06: all keys rest, as this or another child was told. They are waited for
 * as after a 429 of our own, but no longer than for an attempt. */
static int may_wait_for_key(const bl_live_t *live, bl_ms_t wait)
{
    bl_ms_t since =
        live->attempt ? live->attempt_began : live->stream->started_ms;
    bl_ms_t until = bl_live_now(live) + wait;

    return live->limits.pace != BL_RETRY_OFF &&
           live->attempt <= live->limits.retries &&
           until <= since + live->limits.first_content_ms &&
           until < live->stream->started_ms + live->limits.total_ms;
}

static void note_attempt(bl_live_t *live)
{
    live->attempt++;
    live->attempt_began = live->last_progress = bl_live_now(live);
    bl_slot_set(live->slot, attempt, (apr_uint32_t)live->attempt);
    bl_live_set_phase(live, BL_PHASE_CONNECTING);
    bl_live_mark(live, BL_MARK_ATTEMPT, (apr_uint32_t)live->attempt);
    bl_live_count(live, BL_COUNT_ATTEMPTS, 1);
}

void bl_attempt_rt_start(bl_live_t *live)
{
    bl_ms_t wait = -1;
    char *secret = NULL;
    apr_status_t rv = BL_E_OVERLOADED;

    if (bl_targets_may_ask(live->engine->conf.shm, live->app->upstream,
                           bl_live_now(live)))
    {
        rv = pick_key(live, &secret, &wait);
    }
    if (rv == BL_E_UPSTREAM_QUOTA && may_wait_for_key(live, wait)) {
        /* Not all at the same moment: the first might be throttled again. */
        wait_before_next(live, wait + wait * dice() / 1020);
        return;
    }
    note_attempt(live);
    if (rv != APR_SUCCESS) {
        bl_live_rt_fail(live, rv);
        return;
    }
    start_transfer(live, secret);
    bl_secret_free(secret);
}

void bl_attempt_rt_look_at_pause(bl_live_t *live)
{
    if (!live->was_paused || bl_stream_rt_is_blocked(live->stream, 1, 0)) {
        return;
    }
    live->was_paused = 0;
    __atomic_store_n(&live->stream->is_paused, 0, __ATOMIC_SEQ_CST);
    bl_live_set_phase(live, BL_PHASE_STREAMING);
    bl_live_mark(live, BL_MARK_CONTINUED, 0);
    live->last_progress = bl_live_now(live);
    if (live->transfer) bl_transfer_rt_resume(live->transfer);
    if (live->stream->state != BL_STREAM_ENDED) arm_clock(live);
}
