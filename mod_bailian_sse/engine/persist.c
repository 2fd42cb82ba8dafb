/* SPDX-License-Identifier: Apache-2.0 */
#include "persist.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "wire/json_write.h"

#include <stdio.h>
#include <string.h>

#define READ_AT_ONCE 64
#define RUN_BYTES (1024 * 1024) /* one run; more than that takes several */
#define RUN_FIRST 4096          /* most runs fit */
#define RUN_LIMIT (RUN_BYTES + BL_CEIL_EVENT_BYTES)

void bl_persist_init(bl_persist_t *p, bl_store_t *store, bl_stream_t *s)
{
    memset(p, 0, sizeof(*p));
    p->store = store;
    p->stream = s;
    bl_buf_init(&p->attempts, 8 * 1024);
}

void bl_persist_release(bl_persist_t *p)
{
    bl_buf_release(&p->attempts);
}

void bl_persist_rt_begin(bl_persist_t *p, bl_reactor_t *r, bl_timer_t *timer)
{
    p->reactor = r;
    p->timer = timer;
}

static void try_later(bl_persist_t *p)
{
    if (p->timer->place) return;
    bl_reactor_rt_arm(p->reactor, p->timer,
                      bl_reactor_rt_now(p->reactor) + BL_PARTIAL_MS);
}

/* Packs events behind the stored ones into run; *plast is the newest one. */
static apr_status_t pack_run(bl_persist_t *p, bl_buf_t *run,
                             apr_uint64_t *plast)
{
    bl_event_t events[READ_AT_ONCE];
    apr_status_t rv = APR_SUCCESS;
    int n, i;

    *plast = p->stored_seq;
    while (rv == APR_SUCCESS && run->len < RUN_BYTES &&
           bl_journal_read(p->stream->journal, *plast, events, READ_AT_ONCE,
                           &n) == APR_SUCCESS)
    {
        for (i = 0; i < n && rv == APR_SUCCESS; i++) {
            rv = bl_event_pack(run, &events[i]);
        }
        if (rv == APR_SUCCESS) *plast = events[n - 1].seq;
    }
    return rv;
}

static apr_status_t store_run(bl_persist_t *p, int *pmore)
{
    bl_buf_t run;
    apr_uint64_t last;
    apr_status_t rv;

    *pmore = 0;
    bl_buf_init(&run, RUN_LIMIT);
    bl_buf_room(&run, RUN_FIRST);
    rv = pack_run(p, &run, &last);
    if (rv != APR_SUCCESS || last == p->stored_seq) {
        bl_buf_release(&run);
        return rv;
    }
    rv = bl_store_put_events(p->store, p->stream->id, p->stored_seq + 1, last,
                             run.data, run.len,
                             !p->has_end); /* takes run.data */
    if (rv != APR_SUCCESS) return rv;
    p->stored_seq = last;
    *pmore = last < bl_journal_tail(p->stream->journal);
    return APR_SUCCESS;
}

static apr_status_t store_runs(bl_persist_t *p)
{
    apr_status_t rv;
    int more;

    do {
        rv = store_run(p, &more);
    } while (rv == APR_SUCCESS && more);
    return rv;
}

void bl_persist_rt_note(bl_persist_t *p)
{
    if (bl_journal_bytes(p->stream->journal) >
            p->stored_bytes + BL_PARTIAL_BYTES &&
        store_runs(p) == APR_SUCCESS)
    {
        p->stored_bytes = bl_journal_bytes(p->stream->journal);
        return;
    }
    try_later(p);
}

/* --- the end ------------------------------------------------------------ */

void bl_persist_attempt(bl_persist_t *p, int n, apr_status_t why, int http,
                        const char *code, bl_ms_t took)
{
    bl_buf_t *b = &p->attempts;

    /* A whole array after each of them. */
    if (b->len) b->len--;
    bl_buf_puts(b, b->len ? "," : "[");
    bl_buf_printf(b, "{\"n\":%d,\"class\":\"%s\",\"status\":%d,\"ms\":%d", n,
                  why == APR_SUCCESS ? "ok" : bl_error(why)->code, http,
                  (int)took);
    if (*code) {
        bl_buf_puts(b, ",\"code\":\"");
        bl_json_escape(b, code, strlen(code), 0);
        bl_buf_puts(b, "\"");
    }
    bl_buf_puts(b, "}]");
}

/* Every SEARCH event brings what is new: {"references":[...]}, joined here to
 * one array. */
static void find_references(bl_persist_t *p, bl_store_end_t *e, bl_buf_t *out)
{
    static const char head[] = "{\"references\":[";
    bl_event_t events[READ_AT_ONCE];
    apr_uint64_t after = 0;
    int n, i;

    while (bl_journal_read(p->stream->journal, after, events, READ_AT_ONCE,
                           &n) == APR_SUCCESS)
    {
        for (i = 0; i < n; i++) {
            const bl_event_t *ev = &events[i];

            if (ev->kind != BL_EV_SEARCH || ev->fields_len <= sizeof(head) ||
                memcmp(ev->fields, head, sizeof(head) - 1))
            {
                continue;
            }
            bl_buf_puts(out, out->len ? "," : "[");
            bl_buf_append(out, ev->fields + sizeof(head) - 1,
                          ev->fields_len - (sizeof(head) - 1) - 2);
        }
        after = events[n - 1].seq;
    }
    if (!out->len) return;
    bl_buf_puts(out, "]");
    e->references = bl_buf_str(out);
}

static void fill_end(bl_persist_t *p, bl_store_end_t *e)
{
    const bl_stream_t *s = p->stream;
    const bl_answer_t *a = &p->answer;

    e->stream_id = s->id;
    e->owner = s->owner;
    e->conversation_id = s->conversation_id;
    e->outcome = s->outcome;
    e->reason = s->failure == APR_SUCCESS ? NULL : bl_error(s->failure)->code;
    e->finish_reason = p->end.finish;
    e->upstream_code = *a->failure_code ? a->failure_code : NULL;
    e->upstream_request_id = *a->request_id ? a->request_id : NULL;
    e->session_id = *a->session_id ? a->session_id : NULL;
    e->model_id = *a->model_id ? a->model_id : NULL;
    e->text = s->whole.len ? s->whole.data : "";
    e->text_len = s->whole.len;
    e->sha256_hex = s->sha256_hex;
    e->event_count = bl_journal_tail(s->journal);
    e->attempts = p->end.attempts;
    e->input_tokens = a->input_tokens;
    e->output_tokens = a->output_tokens;
    e->first_content_ms = p->end.first_content_ms;
    e->duration_ms = p->end.duration_ms;
    e->timeline = p->timeline;
    e->timeline_len = p->timeline_len;
    e->at = bl_clock_wall();
}

static apr_status_t store_end(bl_persist_t *p)
{
    bl_store_end_t e;
    bl_buf_t reasoning, references;
    char key[24];
    apr_status_t rv;

    memset(&e, 0, sizeof(e));
    bl_buf_init(&reasoning, 2 * BL_MAX_ANSWER_BYTES);
    bl_buf_init(&references, 2 * BL_MAX_ANSWER_BYTES);
    fill_end(p, &e);
    find_references(p, &e, &references);
    rv = bl_stream_reasoning(p->stream, &reasoning);
    if (reasoning.len) {
        e.reasoning = reasoning.data;
        e.reasoning_len = reasoning.len;
    }
    if (rv == APR_SUCCESS) rv = bl_buf_status(&references);
    if (p->attempts.len && bl_buf_status(&p->attempts) == APR_SUCCESS) {
        e.attempts_json = bl_buf_str(&p->attempts);
    }
    if (p->end.key_id) {
        snprintf(key, sizeof(key), "%" APR_INT64_T_FMT, p->end.key_id);
        e.key_id = key;
        e.key_last4 = p->end.key_last4;
    }
    /* Not all of it: tried again when there is memory. */
    if (rv == APR_SUCCESS) rv = bl_store_put_end(p->store, &e);
    bl_buf_release(&reasoning);
    bl_buf_release(&references);
    return rv;
}

static void try_end(bl_persist_t *p)
{
    apr_status_t rv = store_runs(p);

    if (rv == APR_SUCCESS) rv = store_end(p);
    if (rv == APR_SUCCESS)
        p->is_done = 1;
    else
        try_later(p);
}

void bl_persist_rt_end(bl_persist_t *p, const bl_persist_end_t *end)
{
    p->end = *end;
    p->answer = *end->answer;
    p->end.answer = &p->answer;
    p->timeline_len = bl_marks_pack(end->slot, p->timeline);
    p->end.slot = NULL;
    p->has_end = 1;
    try_end(p);
}

void bl_persist_rt_tick(bl_persist_t *p)
{
    if (p->has_end) {
        if (!p->is_done) try_end(p);
        return;
    }
    if (store_runs(p) == APR_SUCCESS) {
        p->stored_bytes = bl_journal_bytes(p->stream->journal);
    }
    else {
        try_later(p);
    }
}

int bl_persist_is_done(const bl_persist_t *p)
{
    return p->is_done;
}
