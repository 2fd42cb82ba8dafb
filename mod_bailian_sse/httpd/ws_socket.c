/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_socket.h"
#include "encoder.h"
#include "base/clock.h"
#include "shm/sockets.h"
#include "shm/stats.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define READ_AT_ONCE 32
#define MINUTE_MS 60000
#define READ_BYTES 8192
#define READ_MOST (64 * 1024) /* in one go: then others have their turn */
#define OUT_LIMIT (6 * BL_MAX_ANSWER_BYTES + BL_PASS_BYTES)
#define INBOX_LIMIT (64 * 1024)
#define HOLD_BYTES                                                             \
    (64 * 1024)            /* unsent: nothing more is read until it left       \
                            */
#define KEEP_BYTES 4096    /* a socket that waits holds no more than this */
#define CLOSE_WAIT_MS 2000 /* for the client's Close after ours */

/* --- all of this child -------------------------------------------------- */

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static bl_socket_t *sockets; /* guarded by list_lock */

static void enlist(bl_socket_t *s)
{
    pthread_mutex_lock(&list_lock);
    s->is_listed = 1;
    s->next = sockets;
    if (sockets) sockets->prev = s;
    sockets = s;
    pthread_mutex_unlock(&list_lock);
}

/* Under the lock, so that who wakes it finds it alive. */
static void delist(bl_socket_t *s)
{
    if (!s->is_listed) return;
    s->is_listed = 0;
    if (s->next) s->next->prev = s->prev;
    if (s->prev)
        s->prev->next = s->next;
    else
        sockets = s->next;
}

void bl_socket_set_way(bl_socket_t *s, void *way, void (*wake)(bl_socket_t *s))
{
    pthread_mutex_lock(&list_lock);
    s->way = way;
    s->wake = wake;
    if (!wake) delist(s);
    pthread_mutex_unlock(&list_lock);
}

void bl_sockets_each(void (*fn)(bl_socket_t *s, void *ctx), void *ctx)
{
    bl_socket_t *s;

    pthread_mutex_lock(&list_lock);
    for (s = sockets; s; s = s->next)
        fn(s, ctx);
    pthread_mutex_unlock(&list_lock);
}

static void drain(bl_socket_t *s, void *ctx)
{
    (void)ctx;
    __atomic_store_n(&s->is_draining, 1, __ATOMIC_SEQ_CST);
    if (s->wake) s->wake(s);
}

void bl_sockets_drain(void)
{
    bl_sockets_each(drain, NULL);
}

/* --- made and released -------------------------------------------------- */

static void on_message(void *ctx, const char *data, size_t len, int is_text)
{
    bl_socket_t *s = ctx;

    bl_ms_t now = bl_clock_ms();

    s->removals = bl_removals_now(bl_engine_shm(s->engine));
    s->is_text = is_text; /* text that comes as bytes is understood too */
    if (now >= s->minute + MINUTE_MS) {
        s->minute = now;
        s->message_count = 0;
    }
    if (++s->message_count > s->conf.ws_rate &&
        !s->kind->too_many(s, s->message_count == s->conf.ws_rate + 1))
    {
        return;
    }
    s->kind->message(s, data, len);
}

apr_status_t bl_socket_create(bl_socket_t **ps, const bl_call_t *call,
                              const bl_ws_kind_t *kind)
{
    bl_socket_t *s = calloc(1, sizeof(*s));
    bl_ws_limits_t limits;
    apr_status_t rv;

    *ps = NULL;
    if (!s) return APR_ENOMEM;
    s->refs = 1;
    s->slot = -1;
    s->kind = kind;
    s->engine = call->engine;
    s->conf = call->conf;
    s->principal = call->principal;
    s->scopes = call->caller.scopes;
    s->right = bl_right_of(call);
    s->removals = call->removals;
    s->lang = call->lang;
    s->query = call->query;
    limits.message_bytes = (size_t)call->conf.ws_message_bytes;
    limits.frames_of_message = call->conf.ws_frames;
    limits.controls_per_second = call->conf.ws_controls;
    bl_ws_init(&s->codec, &limits, on_message, s);
    bl_buf_init(&s->out, OUT_LIMIT);
    bl_buf_init(&s->inbox, INBOX_LIMIT);
    bl_buf_count(&s->out, bl_engine_budget(s->engine));
    bl_buf_count(&s->inbox, bl_engine_budget(s->engine));
    bl_buf_count(&s->codec.text, bl_engine_budget(s->engine));
    pthread_mutex_init(&s->lock, NULL);
    s->opened_ms = s->beat_ms = s->codec.heard_ms = bl_clock_ms();
    enlist(s);
    rv = kind->open(s);
    if (rv == APR_SUCCESS)
        *ps = s;
    else
        bl_socket_unref(s);
    return rv;
}

void bl_socket_ref(bl_socket_t *s)
{
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
}

void bl_socket_unref(bl_socket_t *s)
{
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL)) return;
    bl_socket_set_way(s, NULL, NULL); /* one that never had a way */
    s->kind->release(s);
    bl_sockets_leave(bl_engine_shm(s->engine), s->slot);
    bl_ws_release(&s->codec);
    bl_buf_release(&s->out);
    bl_buf_release(&s->inbox);
    pthread_mutex_destroy(&s->lock);
    free(s);
}

/* --- reading ------------------------------------------------------------ */

int bl_socket_wants_input(const bl_socket_t *s)
{
    return !s->is_lost && !s->codec.got_code &&
           bl_socket_pending(s) < HOLD_BYTES;
}

/* An HTTP/2 stream says EOS where the head of its request ends, and goes on;
 * its end is the status of a read. */
static size_t take_brigade(bl_socket_t *s, apr_bucket_brigade *bb,
                           int is_stream)
{
    size_t taken = 0;
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b))
    {
        const char *data;
        apr_size_t len;

        if (APR_BUCKET_IS_EOS(b) && !is_stream) s->is_lost = 1;
        if (APR_BUCKET_IS_METADATA(b)) continue;
        if (apr_bucket_read(b, &data, &len, APR_NONBLOCK_READ) != APR_SUCCESS) {
            s->is_lost = 1;
            break;
        }
        taken += len;
        bl_ws_feed(&s->codec, data, len, bl_clock_ms(), &s->out);
    }
    apr_brigade_cleanup(bb);
    return taken;
}

void bl_socket_stop_asked(bl_socket_t *s)
{
    bl_ws_reader_t *r;

    for (r = s->readers; r; r = r->next) {
        if (r->is_asker && !r->is_over) bl_engine_stop(s->engine, r->stream);
    }
}

void bl_socket_read(bl_socket_t *s, conn_rec *c, apr_bucket_brigade *bb)
{
    size_t total = 0, n;
    apr_status_t rv;

    s->has_input = 0;
    while (bl_socket_wants_input(s)) {
        rv = ap_get_brigade(c->input_filters, bb, AP_MODE_READBYTES,
                            APR_NONBLOCK_READ, READ_BYTES);
        if (APR_STATUS_IS_EAGAIN(rv)) break;
        n = take_brigade(s, bb, c->master != NULL);
        if (rv != APR_SUCCESS) s->is_lost = 1;
        if (rv != APR_SUCCESS || !n) break;
        total += n;
        if (total >= READ_MOST) {
            s->has_input = 1;
            break;
        }
    }
    if (!s->has_input && !bl_socket_wants_input(s)) s->has_input = !s->is_lost;
    /* A client that says goodbye, or breaks the protocol, wants no more; one
     * that went away without a word, or whose page is left, may come back:
     * then BailianDisconnect decides. A script cannot send 1001. */
    if (s->codec.got_code && s->codec.got_code != 1001 &&
        s->codec.got_code != BL_WS_MAY_COME_BACK)
    {
        bl_socket_stop_asked(s);
    }
}

/* --- sending ------------------------------------------------------------ */

static void take_inbox(bl_socket_t *s)
{
    pthread_mutex_lock(&s->lock);
    if (s->inbox.len) {
        if (!s->codec.sent_code) {
            bl_buf_append(&s->out, s->inbox.data, s->inbox.len);
        }
        bl_buf_release(&s->inbox);
    }
    pthread_mutex_unlock(&s->lock);
}

void bl_socket_send(bl_socket_t *s, const char *frames, size_t len)
{
    pthread_mutex_lock(&s->lock);
    /* A client that takes nothing misses it: it is no part of an answer. */
    if (s->inbox.len + len <= INBOX_LIMIT) {
        bl_buf_append(&s->inbox, frames, len);
        s->inbox.failed = APR_SUCCESS; /* nor one without memory */
    }
    pthread_mutex_unlock(&s->lock);
    if (s->wake) s->wake(s);
}

/* 1 = something was encoded. */
static int fill_from(bl_socket_t *s, bl_ws_reader_t *r)
{
    bl_event_t events[READ_AT_ONCE];
    apr_status_t rv;
    int n = 0, i;

    if (!r->is_open || r->is_over) return 0;
    if (bl_share_is_over(bl_engine_shm(s->engine), &r->share)) {
        r->why = BL_E_FORBIDDEN;
        rv = APR_EOF;
    }
    else {
        rv = bl_cursor_peek(&r->cursor, events, READ_AT_ONCE, &n);
    }
    for (i = 0;
         rv == APR_SUCCESS && i < n && bl_socket_pending(s) < BL_PASS_BYTES;
         i++)
    {
        s->kind->event(s, r, &events[i]);
        bl_cursor_advance(&r->cursor, &events[i]);
        if (events[i].kind == BL_EV_END) r->is_over = 1;
    }
    if (rv == APR_EOF) {
        s->kind->reconnect(s, r);
        r->is_over = 1;
    }
    return rv == APR_SUCCESS || rv == APR_EOF;
}

int bl_socket_fill(bl_socket_t *s, bl_ms_t now)
{
    bl_ws_reader_t *r;
    int has_news = 1;

    take_inbox(s);
    while (has_news && bl_socket_pending(s) < BL_PASS_BYTES) {
        has_news = 0;
        for (r = s->readers; r && !s->codec.sent_code; r = r->next) {
            has_news |= fill_from(s, r);
            if (s->kind->is_serial && !r->is_over) break;
        }
    }
    if (bl_buf_status(&s->out) != APR_SUCCESS) s->is_lost = 1;
    for (r = s->readers; r; r = r->next) {
        if (r->is_open) {
            bl_cursor_set_unsent(&r->cursor, bl_socket_pending(s));
        }
    }
    if (bl_socket_pending(s) && !s->stuck_since) s->stuck_since = now;
    return bl_socket_pending(s) > 0;
}

size_t bl_socket_pending(const bl_socket_t *s)
{
    return s->out.len - s->sent;
}

void bl_socket_sent(bl_socket_t *s, size_t n)
{
    s->sent += n;
    s->stuck_since = 0;
    if (bl_socket_pending(s)) return;
    s->sent = 0;
    if (bl_buf_status(&s->out) != APR_SUCCESS) s->is_lost = 1;
    bl_buf_clear(&s->out);
    if (s->out.size > KEEP_BYTES) bl_buf_release(&s->out);
}

/* --- clocks ------------------------------------------------------------- */

void bl_socket_close(bl_socket_t *s, int code, const char *reason)
{
    char hint[64];

    if (code == BL_WS_RESTART) { /* C15 */
        snprintf(hint, sizeof(hint), "%s retry=%u", reason,
                 bl_encoder_retry_ms());
        reason = hint;
    }
    bl_ws_close(&s->codec, &s->out, code, reason);
}

static void beat(bl_socket_t *s, bl_ms_t now)
{
    s->beat_ms = now;
    /* One that takes nothing gets no more on top. */
    if (bl_socket_pending(s) || s->codec.sent_code) return;
    bl_ws_put_ping(&s->out);
    if (s->kind->beat) s->kind->beat(s);
}

int bl_socket_tick(bl_socket_t *s, bl_ms_t now)
{
    if (s->is_lost) return 0;
    /* What runs when the time is over ends then, and is told before. */
    if (__atomic_load_n(&s->is_draining, __ATOMIC_RELAXED) && !s->readers) {
        bl_socket_close(s, BL_WS_RESTART, "draining");
    }
    if (now >= s->codec.heard_ms + s->conf.ws_idle_ms) {
        bl_socket_close(s, BL_WS_POLICY, "idle");
    }
    if (!bl_right_holds(&s->right, s->engine, now)) {
        bl_socket_close(s, BL_WS_POLICY, "unauthenticated");
    }
    if (now >= s->beat_ms + s->conf.ws_beat_ms) beat(s, now);
    if (s->codec.sent_code && !s->closing_since) s->closing_since = now;
    if (s->closing_since && now >= s->closing_since + CLOSE_WAIT_MS &&
        !bl_socket_pending(s))
    {
        s->codec.got_code = BL_WS_LOST; /* not waited for any more */
    }
    if (s->stuck_since && now >= s->stuck_since + s->conf.slow_ms) {
        bl_count(bl_engine_shm(s->engine), bl_engine_child(s->engine),
                 READERS_SLOW, 1);
        bl_log(BL_LOG_INFO, 0,
               BL_LOGNO(1851) "a WebSocket client took nothing for %d ms",
               (int)s->conf.slow_ms);
        return 0;
    }
    return 1;
}

static bl_ms_t sooner(bl_ms_t a, bl_ms_t b)
{
    return a < b ? a : b;
}

bl_ms_t bl_socket_next_tick(const bl_socket_t *s)
{
    bl_ms_t due = sooner(s->beat_ms + s->conf.ws_beat_ms,
                         s->codec.heard_ms + s->conf.ws_idle_ms);
    const bl_ws_reader_t *r;

    due = bl_right_next(&s->right, due);
    for (r = s->readers; r; r = r->next)
        due = bl_share_next(&r->share, due);
    if (s->closing_since)
        due = s->closing_since + CLOSE_WAIT_MS;
    else if (!s->readers && __atomic_load_n(&s->is_draining, __ATOMIC_RELAXED))
        due = 0;
    if (s->stuck_since) {
        due = sooner(due, s->stuck_since + s->conf.slow_ms);
    }
    return due;
}

int bl_socket_is_done(const bl_socket_t *s)
{
    return s->is_lost || (bl_ws_is_over(&s->codec) && !bl_socket_pending(s));
}

/* --- readers ------------------------------------------------------------ */

int bl_socket_reader_count(const bl_socket_t *s)
{
    const bl_ws_reader_t *r;
    int n = 0;

    for (r = s->readers; r; r = r->next)
        n += !r->is_over;
    return n;
}

bl_ws_reader_t *bl_socket_read_stream(bl_socket_t *s, bl_stream_t *stream_take,
                                      apr_uint64_t after)
{
    bl_ws_reader_t **end = &s->readers;
    bl_ws_reader_t *r;

    if (bl_socket_reader_count(s) >= BL_WS_STREAMS) return NULL;
    r = calloc(1, sizeof(*r));
    if (!r) return NULL;
    r->stream = stream_take;
    r->share = bl_share_of(r->stream->owner, s->principal.text, s->removals);
    r->why = BL_E_DRAINING;
    r->after = after;
    while (*end)
        end = &(*end)->next;
    *end = r;
    bl_count(bl_engine_shm(s->engine), bl_engine_child(s->engine),
             READERS_ATTACHED, 1);
    return r;
}

void bl_socket_drop_readers(bl_socket_t *s, int all,
                            void (*close)(bl_ws_reader_t *r, void *ctx),
                            void *ctx)
{
    bl_ws_reader_t **place = &s->readers, *r;

    while ((r = *place)) {
        if (!all && !r->is_over) {
            place = &r->next;
            continue;
        }
        *place = r->next;
        if (r->is_open) close(r, ctx);
        bl_stream_unref(r->stream);
        bl_buf_release(&r->note);
        free(r->data);
        free(r);
    }
}
