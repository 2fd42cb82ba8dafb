/* SPDX-License-Identifier: Apache-2.0 */
#include "shape.h"

#include <pthread.h>
#include <string.h>

#include "tool.h"

#define PUT(at, literal) put((at), literal, sizeof(literal) - 1)

#define BENCH_FAULT_NAME(name) #name,
static const char *const fault_names[] = {BENCH_FAULTS(BENCH_FAULT_NAME)};

static char filler[BENCH_MAX_FILLER];
static pthread_once_t filler_made = PTHREAD_ONCE_INIT;

static char *put(char *at, const char *text, size_t length)
{
    memcpy(at, text, length);
    return at + length;
}

static char *put_hex(char *at, uint64_t n, unsigned digits)
{
    while (digits--)
        *at++ = "0123456789abcdef"[(n >> (digits * 4)) & 15];
    return at;
}

static int fault_of(const char *text, size_t length)
{
    int i;

    for (i = 0; i < BENCH_FAULT_MAX; i++)
        if (strlen(fault_names[i]) == length &&
            memcmp(fault_names[i], text, length) == 0)
            return i;
    return -1;
}

int bench_shape_parse(bench_shape_t *shape, const char *text, size_t length)
{
    static const int64_t max[4] = {BENCH_MAX_EVENTS, 3600000000LL,
                                   BENCH_MAX_BATCH, BENCH_MAX_FILLER};
    const char *end = text + length;
    int64_t n[4];
    int i;

    if (length < 2 || *text != 'b') return -1;
    text++;
    for (i = 0; i < 4; i++) {
        if (text == end || *text++ != '-') return -1;
        n[i] = bench_number(&text, end, max[i]);
        if (n[i] < 0) return -1;
    }
    if (!n[0] || !n[2]) return -1;
    shape->events = (uint32_t)n[0];
    shape->interval_ns = (uint64_t)n[1] * 1000;
    shape->batch = (uint32_t)n[2];
    shape->text_bytes = (uint32_t)n[3];
    shape->fault = BENCH_FAULT_none;
    if (text == end) return 0;
    if (*text++ != '-') return -1;
    shape->fault = fault_of(text, (size_t)(end - text));
    return shape->fault < 0 ? -1 : 0;
}

static void make_filler(void)
{
    static const char verse[] = "绿茶适合用八十度左右的水冲泡，"
                                "水太烫会让茶汤发苦。";
    size_t i;

    for (i = 0; i < sizeof(filler); i++)
        filler[i] = verse[i % (sizeof(verse) - 1)];
}

size_t bench_filler(const char **ptext, uint32_t text_bytes)
{
    pthread_once(&filler_made, make_filler);
    *ptext = filler;
    if (text_bytes > sizeof(filler)) text_bytes = sizeof(filler);
    return text_bytes - text_bytes % 3;
}

char *bench_request_id_put(char *at, uint64_t stream)
{
    at = PUT(at, "8c1e4d52-77aa-9f0e-b3d4-");
    return put_hex(at, stream, 12);
}

static char *put_frame(char *at, uint64_t stream, uint64_t id, const char *name,
                       size_t length)
{
    at = PUT(at, "id:");
    at = bench_put_number(at, id);
    at = PUT(at, "\nevent:");
    at = put(at, name, length);
    at = PUT(at, "\n:HTTP_STATUS/200\n"
                 "data:{\"output\":{\"session_id\":\"3f6c1b0e9a5d4c7f");
    return put_hex(at, stream, 16);
}

static char *put_tail(char *at, uint64_t stream, uint64_t tokens)
{
    at = PUT(at, "\"},\"usage\":{\"models\":[{\"input_tokens\":61,"
                 "\"output_tokens\":");
    at = bench_put_number(at, tokens);
    at = PUT(at, ",\"model_id\":\"qwen-plus\"}]},\"request_id\":\"");
    at = bench_request_id_put(at, stream);
    return PUT(at, "\"}\n\n");
}

char *bench_event_put(char *at, const bench_shape_t *shape, uint64_t stream,
                      uint64_t id, uint64_t seq, uint64_t now_ns)
{
    const char *text;
    size_t length = bench_filler(&text, shape->text_bytes);

    at = put_frame(at, stream, id, "result", 6);
    at = PUT(at, "\",\"finish_reason\":\"null\",\"text\":\"");
    at = bench_put_number(at, stream);
    *at++ = '.';
    at = bench_put_number(at, seq);
    *at++ = ':';
    at = bench_put_number(at, now_ns);
    *at++ = ' ';
    at = put(at, text, length);
    return put_tail(at, stream, id * 8);
}

char *bench_event_put_stop(char *at, uint64_t stream, uint64_t id)
{
    at = put_frame(at, stream, id, "result", 6);
    at = PUT(at, "\",\"finish_reason\":\"stop\",\"text\":\"");
    return put_tail(at, stream, (id - 1) * 8);
}
