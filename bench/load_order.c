/* SPDX-License-Identifier: Apache-2.0 */
#include "load_order.h"

#include <stdio.h>
#include <string.h>

#include "tool.h"

#define MILLISECOND_NS 1000000ULL
#define MAX_STREAMS 60000
#define MAX_REQUESTS 10000000
#define MAX_MS 3600000

static const char usage[] =
    "usage: bench_load --port N --path /p [options]\n"
    "  --dialect bailian|chat   what the events look like\n"
    "  --body TEXT              of the POST; %n is the number of the request\n"
    "  --streams N --requests N at a time, in all\n"
    "  --ramp-ms N              start the streams evenly over this time; the\n"
    "                           requests are then as many as the streams\n"
    "  --events N --text-bytes N  what each answer must have\n"
    "  --keepalive --close      reuse connections; say Connection: close\n"
    "  --behave read|stall|trickle|abort|resume  --after N events\n"
    "  --times N                resume: how often\n"
    "  --resume-path /p         %s is the stream id\n"
    "  --replay                 resume: compare with a replay, byte for byte\n"
    "  --read-bytes N           at most this much a read\n"
    "  --receive-buffer N       of the socket\n"
    "  --idle-ms N --limit-ms N --tick-ms N\n";

static int word_of(const char *text, const char *const *words)
{
    int i;

    for (i = 0; words[i]; i++)
        if (strcmp(words[i], text) == 0) return i;
    return -1;
}

static int read_flag(bench_order_t *order, const char *name)
{
    if (strcmp(name, "--keepalive") == 0)
        order->keeps_alive = 1;
    else if (strcmp(name, "--close") == 0)
        order->says_close = 1;
    else if (strcmp(name, "--replay") == 0)
        order->replays = 1;
    else
        return -1;
    return 0;
}

static int read_text(bench_order_t *order, const char *name, const char *value)
{
    static const char *const dialects[] = {"bailian", "chat", NULL};
    static const char *const ways[] = {"read",  "stall",  "trickle",
                                       "abort", "resume", NULL};

    if (strcmp(name, "--path") == 0)
        order->path = value;
    else if (strcmp(name, "--body") == 0)
        order->body = value;
    else if (strcmp(name, "--resume-path") == 0)
        order->resume_path = value;
    else if (strcmp(name, "--dialect") == 0)
        return order->dialect = word_of(value, dialects);
    else if (strcmp(name, "--behave") == 0)
        return order->behaviour = word_of(value, ways);
    else
        return -1;
    return 0;
}

static uint64_t milliseconds(const char *name, const char *value)
{
    return (uint64_t)bench_argument(name, value, MAX_MS) * MILLISECOND_NS;
}

static uint32_t number(const char *name, const char *value, int64_t max)
{
    return (uint32_t)bench_argument(name, value, max);
}

static int read_number(bench_order_t *order, bench_expect_t *expect,
                       const char *name, const char *value)
{
    if (strcmp(name, "--port") == 0)
        order->port = (uint16_t)bench_argument(name, value, 65535);
    else if (strcmp(name, "--streams") == 0)
        order->streams = number(name, value, MAX_STREAMS);
    else if (strcmp(name, "--requests") == 0)
        order->requests = number(name, value, MAX_REQUESTS);
    else if (strcmp(name, "--after") == 0)
        order->after = number(name, value, MAX_REQUESTS);
    else if (strcmp(name, "--times") == 0)
        order->times = number(name, value, MAX_REQUESTS);
    else if (strcmp(name, "--read-bytes") == 0)
        order->read_bytes = number(name, value, 256 * 1024);
    else if (strcmp(name, "--receive-buffer") == 0)
        order->receive_bytes = number(name, value, 1 << 24);
    else if (strcmp(name, "--events") == 0)
        expect->events = number(name, value, MAX_REQUESTS);
    else if (strcmp(name, "--text-bytes") == 0)
        expect->text_bytes = number(name, value, 1024);
    else if (strcmp(name, "--ramp-ms") == 0)
        order->ramp_ns = milliseconds(name, value);
    else if (strcmp(name, "--idle-ms") == 0)
        order->idle_ns = milliseconds(name, value);
    else if (strcmp(name, "--limit-ms") == 0)
        order->limit_ns = milliseconds(name, value);
    else if (strcmp(name, "--tick-ms") == 0)
        order->tick_ns = milliseconds(name, value);
    else
        return -1;
    return 0;
}

static int complain(const char *what)
{
    fprintf(stderr, "bench_load: %s\n%s", what, usage);
    return -1;
}

/* What must hold between the options. */
static int check(bench_order_t *order, bench_expect_t *expect)
{
    if (!order->port || !order->path) return complain("--port and --path");
    if (!order->streams || !order->read_bytes) return complain("0 streams");
    if (!order->requests || order->ramp_ns) order->requests = order->streams;
    if (order->requests < order->streams) order->streams = order->requests;
    if (order->behaviour == BENCH_RESUME && !order->resume_path)
        return complain("resume needs --resume-path");
    if (order->behaviour >= BENCH_ABORT && !order->after)
        return complain("abort and resume need --after");
    if (order->behaviour < BENCH_ABORT) order->after = order->times = 0;
    expect->dialect = order->dialect;
    return 0;
}

int bench_order_read(bench_order_t *order, bench_expect_t *expect, int argc,
                     char **argv)
{
    int i;

    memset(order, 0, sizeof(*order));
    memset(expect, 0, sizeof(*expect));
    expect->text_bytes = UINT32_MAX;
    order->body = "{}";
    order->streams = 1;
    order->times = 1;
    order->read_bytes = 256 * 1024;
    order->idle_ns = 30 * BENCH_SECOND_NS;
    order->limit_ns = 120 * BENCH_SECOND_NS;
    for (i = 1; i < argc; i++) {
        if (read_flag(order, argv[i]) == 0) continue;
        if (i + 1 == argc) return complain(argv[i]);
        if (read_text(order, argv[i], argv[i + 1]) < 0 &&
            read_number(order, expect, argv[i], argv[i + 1]) < 0)
            return complain(argv[i]);
        i++;
    }
    return check(order, expect);
}
