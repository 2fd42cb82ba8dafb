/* SPDX-License-Identifier: Apache-2.0 */
#include "batch.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

#define CRUMB_BYTES 7
/* "10000\r\n" and a NUL: the largest head of a chunk. */
#define CHUNK_HEAD 8

static char *put_event(char *at, const bench_shape_t *shape,
                       bench_progress_t *p, uint64_t now_ns)
{
    p->sent++;
    p->id++;
    return bench_event_put(at, shape, p->stream, p->id, p->sent, now_ns);
}

static char *put_error(char *at, bench_progress_t *p)
{
    at += snprintf(at, BENCH_EVENT_ROOM,
                   "id:%llu\nevent:error\n:HTTP_STATUS/500\n"
                   "data:{\"code\":\"InternalError\",\"message\":\"An internal "
                   "error has occured, please try again later.\","
                   "\"request_id\":\"",
                   (unsigned long long)++p->id);
    at = bench_request_id_put(at, p->stream);
    memcpy(at, "\"}\n\n", 4);
    return at + 4;
}

/* Overwrites what stands at `offset` behind the start of the text. */
static void spoil_text(char *from, char *to, size_t offset, const char *with)
{
    static const char start[] = "\"text\":\"";
    char *text = memmem(from, (size_t)(to - from), start, sizeof(start) - 1);

    if (text) memcpy(text + sizeof(start) - 1 + offset, with, strlen(with));
}

static void spoil_filler(char *from, char *to)
{
    char *space = memchr(from, ' ', (size_t)(to - from));

    if (space) memcpy(space + 1, "错", 3);
}

/* The event in the middle, as the fault wants it. */
static char *put_faulty(char *at, const bench_shape_t *shape,
                        bench_progress_t *p, uint64_t now_ns)
{
    char *from = at;

    switch (shape->fault) {
    case BENCH_FAULT_gap:
        p->sent++;
        return put_event(at, shape, p, now_ns);
    case BENCH_FAULT_repeat:
        at = put_event(at, shape, p, now_ns);
        return bench_event_put(at, shape, p->stream, p->id, p->sent, now_ns);
    case BENCH_FAULT_mixed:
        p->stream++;
        at = put_event(at, shape, p, now_ns);
        p->stream--;
        return at;
    case BENCH_FAULT_garble:
        at = put_event(at, shape, p, now_ns);
        spoil_text(from, at, 0, "x");
        return at;
    case BENCH_FAULT_filler:
        at = put_event(at, shape, p, now_ns);
        spoil_filler(from, at);
        return at;
    case BENCH_FAULT_early:
        p->is_ended = 1;
        return bench_event_put_stop(at, p->stream, ++p->id);
    case BENCH_FAULT_error:
        p->is_ended = 1;
        return put_error(at, p);
    case BENCH_FAULT_silent:
        p->is_silent = 1;
        return at;
    default:
        return put_event(at, shape, p, now_ns);
    }
}

static char *put_end(char *at, const bench_shape_t *shape, bench_progress_t *p,
                     uint64_t now_ns)
{
    p->is_ended = 1;
    if (shape->fault == BENCH_FAULT_noend) return at;
    at = bench_event_put_stop(at, p->stream, ++p->id);
    if (shape->fault == BENCH_FAULT_after) at = put_event(at, shape, p, now_ns);
    return at;
}

/* One chunk around what stands at `from`, behind the room for its head. */
static char *frame(char *at, char *from, char *to, size_t said)
{
    size_t length = (size_t)(to - from);
    int head = snprintf(at, CHUNK_HEAD, "%zx\r\n", said);

    memmove(at + head, from, length);
    at += (size_t)head + length;
    memcpy(at, "\r\n", 2);
    return at + 2;
}

static char *frame_crumbs(char *at, const char *from, size_t length)
{
    char whole[BENCH_MAX_BATCH * BENCH_EVENT_ROOM];
    size_t done, part;

    if (length > sizeof(whole)) length = sizeof(whole);
    memcpy(whole, from, length);
    for (done = 0; done < length; done += part) {
        part = length - done < CRUMB_BYTES ? length - done : CRUMB_BYTES;
        at = frame(at, whole + done, whole + done + part, part);
    }
    return at;
}

size_t bench_batch_put(char *at, const bench_shape_t *shape,
                       bench_progress_t *progress, uint64_t now_ns)
{
    char *from = at + CHUNK_HEAD, *to = from, *end = at;
    uint32_t middle = shape->events / 2 + 1, i;
    int is_middle = 0;

    for (i = 0; i < shape->batch && progress->sent < shape->events; i++) {
        if (progress->sent + 1 == middle && shape->fault && !is_middle) {
            is_middle = 1;
            to = put_faulty(to, shape, progress, now_ns);
        }
        else
            to = put_event(to, shape, progress, now_ns);
        if (progress->is_ended || progress->is_silent) break;
    }
    if (progress->sent >= shape->events && !progress->is_ended)
        to = put_end(to, shape, progress, now_ns);
    progress->is_cut = is_middle && shape->fault == BENCH_FAULT_cut;
    if (to > from) {
        size_t length = (size_t)(to - from);
        size_t said = length;

        if (is_middle && shape->fault == BENCH_FAULT_chunk) said--;
        if (shape->fault == BENCH_FAULT_crumbs)
            end = frame_crumbs(at, from, length);
        else
            end = frame(at, from, to, said);
        if (progress->is_cut) return (size_t)(end - at) / 2;
    }
    if (progress->is_ended) {
        memcpy(end, "0\r\n\r\n", 5);
        end += 5;
    }
    return (size_t)(end - at);
}
