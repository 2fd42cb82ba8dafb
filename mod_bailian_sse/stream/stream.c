/* SPDX-License-Identifier: Apache-2.0 */
#include "stream.h"
#include "cursor.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "crypto/token.h"

#include <limits.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define READ_AT_ONCE 64
#define END_FIELDS_BYTES 256
#define SUM_FROM (64 * 1024) /* a shorter text is summed at its end at once */
#define ALL ((apr_uint64_t)-1)

/* --- the state table (style.md 5) --------------------------------------- */

enum { EV_CONTENT, EV_END, EV_MAX };
enum { ST_MAX = BL_STREAM_ENDED + 1 };
enum { NOP = -1, BUG = -2 };

static const signed char next_state[EV_MAX][ST_MAX] = {
    /*             OPENING          LIVE             ENDED */
    /* CONTENT */ {BL_STREAM_LIVE, NOP, BUG},
    /* END     */ {BL_STREAM_ENDED, BL_STREAM_ENDED, NOP},
};

/* 1 when the state changed. */
static int go(bl_stream_t *s, int event)
{
    int to = next_state[event][s->state];

    if (to == BUG) {
        bl_log(BL_LOG_ERR, 0,
               BL_LOGNO(1301) BL_STREAM_MSG "content after its end",
               BL_STREAM_ARGS(s));
        return 0;
    }
    if (to == NOP) return 0;
    bl_log(BL_LOG_TRACE, 0, BL_STREAM_MSG "state %d to %d", BL_STREAM_ARGS(s),
           s->state, to);
    s->state = (bl_stream_state_t)to;
    return 1;
}

/* --- made and counted -------------------------------------------------------
 * One block: the struct, then its strings. */

static const char *keep(char **pat, const char *text)
{
    size_t n = strlen(text) + 1;
    char *at = *pat;

    memcpy(at, text, n);
    *pat += n;
    return at;
}

apr_status_t bl_stream_create(bl_stream_t **ps, const bl_stream_spec_t *spec)
{
    bl_stream_t *s;
    char *at;
    apr_status_t rv;

    *ps = NULL;
    s = calloc(1, sizeof(*s) + strlen(spec->id) + strlen(spec->owner) +
                      strlen(spec->conversation_id) + strlen(spec->item_id) +
                      strlen(spec->app) + 5);
    if (!s) return APR_ENOMEM;
    rv = bl_budget_take(spec->budget, BL_STREAM_BYTES);
    if (rv == APR_SUCCESS) {
        rv = bl_journal_create(&s->journal, BL_MAX_ANSWER_BYTES, spec->budget);
        if (rv != APR_SUCCESS) bl_budget_give(spec->budget, BL_STREAM_BYTES);
    }
    if (rv != APR_SUCCESS) {
        free(s);
        return rv;
    }
    at = (char *)(s + 1);
    s->id = keep(&at, spec->id);
    s->owner = keep(&at, spec->owner);
    s->conversation_id = keep(&at, spec->conversation_id);
    s->item_id = keep(&at, spec->item_id);
    s->app = keep(&at, spec->app);
    s->policy = spec->policy;
    s->detach_ms = spec->detach_ms;
    s->queue_bytes = spec->queue_bytes;
    s->budget = spec->budget;
    s->started_ms = bl_clock_ms();
    s->started_at = bl_clock_wall();
    s->refs = 1;
    bl_buf_init(&s->whole, 2 * BL_MAX_ANSWER_BYTES);
    bl_buf_count(&s->whole, s->budget);
    *ps = s;
    return APR_SUCCESS;
}

void bl_stream_ref(bl_stream_t *s)
{
    __atomic_add_fetch(&s->refs, 1, __ATOMIC_RELAXED);
}

void bl_stream_unref(bl_stream_t *s)
{
    if (__atomic_sub_fetch(&s->refs, 1, __ATOMIC_ACQ_REL)) return;
    bl_journal_destroy(s->journal);
    bl_buf_release(&s->whole);
    bl_sha256_destroy(s->sum);
    bl_budget_give(s->budget, BL_STREAM_BYTES);
    free(s);
}

/* --- events ------------------------------------------------------------- */

static void sum_late(bl_stream_t *s)
{
    bl_sha256_destroy(s->sum);
    s->sum = NULL;
    s->is_summed_late = 1;
}

/* What came before the text was long. */
static void begin_sum(bl_stream_t *s)
{
    bl_event_t events[READ_AT_ONCE];
    apr_uint64_t after = 0;
    int n, i;

    if (bl_sha256_create(&s->sum) != APR_SUCCESS) {
        sum_late(s);
        return;
    }
    while (bl_journal_read(s->journal, after, events, READ_AT_ONCE, &n) ==
           APR_SUCCESS)
    {
        for (i = 0; i < n; i++) {
            if (events[i].kind != BL_EV_DELTA) continue;
            bl_sha256_add(s->sum, events[i].text, events[i].text_len);
        }
        after = events[n - 1].seq;
    }
}

/* ev stands in the journal. Of megabytes the reactor must not make the digest
 * when they end: five such answers in one turn took it a quarter of a second
 * (I9). */
static void note_event(bl_stream_t *s, const bl_event_t *ev)
{
    if (ev->kind == BL_EV_REASONING) s->has_reasoning = 1;
    if (ev->kind == BL_EV_REPLACE) sum_late(s);
    if (ev->kind != BL_EV_DELTA) return;
    s->text_len += ev->text_len;
    if (s->is_summed_late || s->text_len < SUM_FROM) return;
    if (s->sum)
        bl_sha256_add(s->sum, ev->text, ev->text_len);
    else
        begin_sum(s);
}

static void mark_dirty(bl_stream_t *s)
{
    if (s->is_dirty) return;
    s->is_dirty = 1;
    if (s->dirty) s->dirty(s, s->producer);
}

static apr_status_t put(bl_stream_t *s, bl_event_t *ev)
{
    apr_status_t rv;

    ev->at_ms = (apr_uint32_t)(bl_clock_ms() - s->started_ms);
    rv = bl_journal_append(s->journal, ev, &ev->seq);
    if (rv != APR_SUCCESS) return rv;
    note_event(s, ev);
    mark_dirty(s);
    return APR_SUCCESS;
}

static int is_content(bl_event_kind_t kind)
{
    return kind == BL_EV_DELTA || kind == BL_EV_REASONING ||
           kind == BL_EV_REPLACE;
}

apr_status_t bl_stream_rt_append(bl_stream_t *s, bl_event_t *ev)
{
    apr_status_t rv;

    if (s->state == BL_STREAM_ENDED) return BL_E_INTERNAL;
    rv = put(s, ev);
    if (rv == APR_SUCCESS && is_content(ev->kind)) go(s, EV_CONTENT);
    return rv;
}

/* "keep" of a REPLACE event's fields, {"keep":123}. */
static size_t kept_bytes(const bl_event_t *ev)
{
    static const char name[] = "\"keep\":";
    size_t i, n = 0;

    for (i = 0; i + sizeof(name) - 1 <= ev->fields_len; i++) {
        if (memcmp(ev->fields + i, name, sizeof(name) - 1)) continue;
        for (i += sizeof(name) - 1; i < ev->fields_len; i++) {
            unsigned digit = (unsigned)(unsigned char)ev->fields[i] - '0';

            if (digit > 9 || n > BL_MAX_ANSWER_BYTES) break;
            n = n * 10 + digit;
        }
        break;
    }
    return n;
}

static apr_status_t join(bl_stream_t *s, bl_event_kind_t kind,
                         apr_uint64_t last, bl_buf_t *out)
{
    bl_event_t events[READ_AT_ONCE];
    apr_uint64_t after = 0;
    size_t begin = out->len;
    int n, i;

    while (bl_journal_read(s->journal, after, events, READ_AT_ONCE, &n) ==
           APR_SUCCESS)
    {
        for (i = 0; i < n; i++) {
            bl_event_t *ev = &events[i];

            if (ev->seq > last) return bl_buf_status(out);
            if (kind == BL_EV_DELTA && ev->kind == BL_EV_REPLACE) {
                size_t kept = kept_bytes(ev);

                if (kept < out->len - begin) out->len = begin + kept;
            }
            else if (ev->kind != kind) {
                continue;
            }
            bl_buf_append(out, ev->text, ev->text_len);
        }
        after = events[n - 1].seq;
    }
    return bl_buf_status(out);
}

apr_status_t bl_stream_text(bl_stream_t *s, bl_buf_t *out)
{
    return join(s, BL_EV_DELTA, ALL, out);
}

apr_status_t bl_stream_text_at(bl_stream_t *s, apr_uint64_t seq, bl_buf_t *out)
{
    return join(s, BL_EV_DELTA, seq, out);
}

apr_status_t bl_stream_reasoning(bl_stream_t *s, bl_buf_t *out)
{
    if (!s->has_reasoning) return APR_SUCCESS;
    return join(s, BL_EV_REASONING, ALL, out);
}

/* --- waiting for the end ------------------------------------------------ */

enum { END_RUNS, END_AWAITED, END_CAME };

static void tell_end(bl_stream_t *s)
{
    if (__atomic_exchange_n(&s->end_word, END_CAME, __ATOMIC_SEQ_CST) ==
        END_AWAITED)
    {
        syscall(SYS_futex, &s->end_word, FUTEX_WAKE_PRIVATE, INT_MAX, NULL,
                NULL, 0);
    }
}

int bl_stream_wait_end(bl_stream_t *s, bl_ms_t wait_ms)
{
    struct timespec wait = {(time_t)(wait_ms / 1000),
                            (long)(wait_ms % 1000) * 1000000};
    apr_uint32_t runs = END_RUNS, awaited;

    if (__atomic_load_n(&s->end_word, __ATOMIC_ACQUIRE) == END_CAME) return 1;
    if (!wait_ms) return 0;
    __atomic_compare_exchange_n(&s->end_word, &runs, END_AWAITED, 0,
                                __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
    syscall(SYS_futex, &s->end_word, FUTEX_WAIT_PRIVATE, END_AWAITED, &wait,
            NULL, 0);
    /* Gave up: then nobody need be woken. Another who still waits looks when
     * its own time is over. */
    awaited = END_AWAITED;
    return !__atomic_compare_exchange_n(&s->end_word, &awaited, END_RUNS, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE) &&
           awaited == END_CAME;
}

/* --- the end ------------------------------------------------------------ */

/* Of the whole text: what of it was not summed as it came. */
static apr_status_t digest_of_whole(bl_stream_t *s)
{
    unsigned char digest[BL_SHA256_BYTES];
    size_t done = s->sum ? s->text_len : 0;
    apr_status_t rv = s->sum ? APR_SUCCESS : bl_sha256_create(&s->sum);

    if (rv != APR_SUCCESS) return rv;
    bl_sha256_add(s->sum, s->whole.data + done, s->whole.len - done);
    bl_sha256_end(s->sum, digest);
    bl_hex(s->sha256_hex, digest, sizeof(digest));
    bl_sha256_destroy(s->sum);
    s->sum = NULL;
    return APR_SUCCESS;
}

/* A text of which not all could be put together is none. */
static apr_status_t sum_up(bl_stream_t *s)
{
    apr_status_t rv;

    bl_buf_room(&s->whole, bl_journal_bytes(s->journal)); /* in one piece */
    rv = bl_stream_text(s, &s->whole);
    s->sha256_hex[0] = '\0';
    if (rv == APR_SUCCESS) rv = digest_of_whole(s);
    if (rv != APR_SUCCESS) bl_buf_release(&s->whole);
    return rv;
}

static void close_with(bl_stream_t *s, bl_event_t *end)
{
    apr_status_t rv = put(s, end);

    if (rv != APR_SUCCESS) {
        /* Readers then see the journal's end without an END event, which
         * their encoders say as an error. */
        bl_log(BL_LOG_ERR, rv,
               BL_LOGNO(1302) BL_STREAM_MSG "its end could not be kept",
               BL_STREAM_ARGS(s));
    }
    bl_journal_close(s->journal);
    tell_end(s);
    mark_dirty(s);
}

/* Needs no memory but this: an answer can always say how it ended (I2). */
static size_t end_fields(const bl_stream_t *s, const char *finish, char *out,
                         size_t size)
{
    const char *reason =
        s->failure == APR_SUCCESS ? NULL : bl_error(s->failure)->code;
    int n = snprintf(out, size,
                     "{\"outcome\":\"%s\",\"reason\":%s%s%s%s%s%s,\"events\":"
                     "%" APR_UINT64_T_FMT ",\"length\":%" APR_SIZE_T_FMT
                     ",\"sha256\":\"%s\"}",
                     bl_outcome_name(s->outcome), reason ? "\"" : "",
                     reason ? reason : "null", reason ? "\"" : "",
                     finish ? ",\"finishReason\":\"" : "", finish ? finish : "",
                     finish ? "\"" : "", bl_journal_tail(s->journal) + 1,
                     s->whole.len, s->sha256_hex);

    return n > 0 && (size_t)n < size ? (size_t)n : 0;
}

int bl_stream_rt_end(bl_stream_t *s, bl_outcome_t outcome, apr_status_t failure,
                     const char *finish)
{
    char fields[END_FIELDS_BYTES];
    bl_event_t end;

    if (!go(s, EV_END)) return 0;
    s->outcome = outcome;
    s->failure = failure;
    if (sum_up(s) != APR_SUCCESS && finish) {
        /* Its text cannot be told: then it must not look whole (I4). */
        s->outcome = BL_OUTCOME_ERROR;
        s->failure = BL_E_OVERLOADED;
        finish = NULL;
    }
    memset(&end, 0, sizeof(end));
    end.kind = BL_EV_END;
    end.text = "";
    end.fields = fields;
    end.fields_len = end_fields(s, finish, fields, sizeof(fields));
    close_with(s, &end);
    return 1;
}

apr_status_t bl_stream_rt_append_end(bl_stream_t *s, const bl_event_t *end)
{
    apr_status_t rv;

    if (!go(s, EV_END)) return BL_E_INTERNAL;
    rv = sum_up(s);
    if (rv == APR_SUCCESS) rv = bl_journal_append_at(s->journal, end);
    bl_journal_close(s->journal);
    tell_end(s);
    mark_dirty(s);
    return rv;
}

void bl_stream_rt_lose(bl_stream_t *s)
{
    bl_journal_close(s->journal);
    tell_end(s);
    s->is_dirty = 1;
}

apr_status_t bl_stream_rt_append_copy(bl_stream_t *s, const bl_event_t *ev)
{
    apr_uint64_t seq;
    apr_status_t rv;

    if (ev->kind == BL_EV_END) return bl_stream_rt_append_end(s, ev);
    if (s->state == BL_STREAM_ENDED) return BL_E_INTERNAL;
    rv = bl_journal_append(s->journal, ev, &seq);
    if (rv != APR_SUCCESS) return rv;
    note_event(s, ev);
    if (is_content(ev->kind)) go(s, EV_CONTENT);
    mark_dirty(s);
    return seq == ev->seq ? APR_SUCCESS : BL_E_STORE_CORRUPT;
}

/* --- readers ------------------------------------------------------------ */

void bl_stream_rt_wake(bl_stream_t *s)
{
    bl_cursor_t *c, *next;

    s->is_dirty = 0;
    for (c = s->cursors; c; c = next) {
        next = c->next; /* a woken reader may close itself */
        c->wake(c->ctx);
    }
}

static size_t part_of_queue(const bl_stream_t *s, size_t percent)
{
    return s->queue_bytes / 100 * percent;
}

/* So early that more bytes still fit; where the queue is no larger than that,
 * in the middle between both marks. */
static size_t high_mark(const bl_stream_t *s, size_t more)
{
    size_t high = part_of_queue(s, BL_QUEUE_HIGH_PERCENT);
    size_t middle =
        part_of_queue(s, (BL_QUEUE_HIGH_PERCENT + BL_QUEUE_LOW_PERCENT) / 2);

    return high > middle + more ? high - more : middle;
}

int bl_stream_rt_is_blocked(const bl_stream_t *s, int was, size_t more)
{
    size_t mark =
        was ? part_of_queue(s, BL_QUEUE_LOW_PERCENT) : high_mark(s, more);
    const bl_cursor_t *c;

    /* Nobody reads: what is kept is bounded by the journal's own ceiling. */
    if (!s->cursors) return 0;
    for (c = s->cursors; c; c = c->next) {
        if (bl_cursor_lag(c) < mark) return 0;
    }
    return 1;
}

size_t bl_stream_rt_lag(const bl_stream_t *s)
{
    size_t most = 0, lag;
    const bl_cursor_t *c;

    for (c = s->cursors; c; c = c->next) {
        lag = bl_cursor_lag(c);
        if (lag > most) most = lag;
    }
    return most;
}
