/* SPDX-License-Identifier: Apache-2.0 */
#include "cursor.h"

#include <string.h>

void bl_cursor_rt_open(bl_cursor_t *c, bl_stream_t *s, apr_uint64_t after,
                       bl_cursor_wake_fn *wake, void *ctx)
{
    bl_stream_ref(s);
    c->stream = s;
    c->after = after;
    c->wake = wake;
    c->ctx = ctx;
    c->unsent_bytes = 0;
    c->taken_bytes = bl_journal_weight(s->journal) -
                     bl_journal_weight_after(s->journal, after);
    c->prev = NULL;
    c->next = s->cursors;
    if (c->next) c->next->prev = c;
    s->cursors = c;
    s->reader_count++;
    s->had_reader = 1;
    if (after) s->resumes++;
    if (s->changed) s->changed(s, s->producer);
}

void bl_cursor_over_ended(bl_cursor_t *c, bl_stream_t *s, apr_uint64_t after)
{
    memset(c, 0, sizeof(*c));
    c->stream = s;
    c->after = after;
}

void bl_cursor_rt_close(bl_cursor_t *c)
{
    bl_stream_t *s = c->stream;

    if (!s) return;
    if (c->prev)
        c->prev->next = c->next;
    else
        s->cursors = c->next;
    if (c->next) c->next->prev = c->prev;
    c->stream = NULL;
    s->reader_count--;
    if (s->changed) s->changed(s, s->producer);
    bl_stream_unref(s);
}

apr_status_t bl_cursor_peek(bl_cursor_t *c, bl_event_t *events, int most,
                            int *pn)
{
    return bl_journal_read(c->stream->journal, c->after, events, most, pn);
}

void bl_cursor_advance(bl_cursor_t *c, const bl_event_t *taken)
{
    c->after = taken->seq;
    __atomic_add_fetch(&c->taken_bytes, bl_event_weight(taken),
                       __ATOMIC_RELAXED);
}

size_t bl_cursor_lag(const bl_cursor_t *c)
{
    size_t taken = __atomic_load_n(&c->taken_bytes, __ATOMIC_RELAXED);
    size_t unsent = __atomic_load_n(&c->unsent_bytes, __ATOMIC_RELAXED);
    size_t bytes = bl_journal_weight(c->stream->journal);

    return (bytes > taken ? bytes - taken : 0) + unsent;
}

void bl_cursor_set_unsent(bl_cursor_t *c, size_t bytes)
{
    __atomic_store_n(&c->unsent_bytes, bytes, __ATOMIC_RELAXED);
}
