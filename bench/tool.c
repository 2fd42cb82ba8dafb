/* SPDX-License-Identifier: Apache-2.0 */
#include "tool.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t bench_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * BENCH_SECOND_NS + (uint64_t)ts.tv_nsec;
}

int64_t bench_number(const char **ptext, const char *end, int64_t max)
{
    const char *at = *ptext;
    int64_t n = 0;

    while (at < end && *at >= '0' && *at <= '9') {
        if (n > (max - (*at - '0')) / 10) return -1;
        n = n * 10 + (*at++ - '0');
    }
    if (at == *ptext) return -1;
    *ptext = at;
    return n;
}

char *bench_put_number(char *at, uint64_t n)
{
    char digits[20];
    size_t count = 0;

    do {
        digits[count++] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    while (count)
        *at++ = digits[--count];
    return at;
}

int64_t bench_argument(const char *option, const char *text, int64_t max)
{
    const char *end = text + strlen(text);
    const char *at = text;
    int64_t n = bench_number(&at, end, max);

    if (n < 0 || at != end) {
        fprintf(stderr, "bench: %s: a number from 0 to %lld, not \"%s\"\n",
                option, (long long)max, text);
        exit(2);
    }
    return n;
}

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(2);
}

uint64_t bench_raise_files(uint64_t wanted)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    if (limit.rlim_max < wanted) {
        struct rlimit higher = {wanted, wanted};

        if (setrlimit(RLIMIT_NOFILE, &higher) == 0) return wanted;
    }
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) return 0;
    return limit.rlim_cur;
}

static struct sockaddr_in loopback(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};

    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    return address;
}

int bench_listen(uint16_t port)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) return -1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) != 0 ||
        bind(fd, (struct sockaddr *)&address, sizeof(address)) != 0 ||
        listen(fd, 4096) != 0)
    {
        close(fd);
        return -1;
    }
    return fd;
}

int bench_connect(uint16_t port, int receive_bytes)
{
    struct sockaddr_in address = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;

    if (fd < 0) return -1;
    /* The window is agreed when the connection opens: set it before. */
    if (receive_bytes)
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_bytes,
                   sizeof(receive_bytes));
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, (struct sockaddr *)&address, sizeof(address)) != 0 &&
        errno != EINPROGRESS)
    {
        int failure = errno;

        close(fd);
        errno = failure;
        return -1;
    }
    return fd;
}

int bench_connect_failure(int fd)
{
    int failure = 0;
    socklen_t size = sizeof(failure);

    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &failure, &size) != 0)
        return errno;
    return failure;
}

static void put(bench_heap_t *heap, size_t place, bench_timer_t *timer)
{
    heap->items[place] = timer;
    timer->place = place;
}

static void rise(bench_heap_t *heap, size_t place, bench_timer_t *timer)
{
    while (place > 1 && heap->items[place / 2]->due_ns > timer->due_ns) {
        put(heap, place, heap->items[place / 2]);
        place /= 2;
    }
    put(heap, place, timer);
}

static void sink(bench_heap_t *heap, size_t place, bench_timer_t *timer)
{
    size_t child;

    while ((child = place * 2) <= heap->count) {
        if (child < heap->count &&
            heap->items[child + 1]->due_ns < heap->items[child]->due_ns)
            child++;
        if (heap->items[child]->due_ns >= timer->due_ns) break;
        put(heap, place, heap->items[child]);
        place = child;
    }
    put(heap, place, timer);
}

void bench_heap_arm(bench_heap_t *heap, bench_timer_t *timer, uint64_t due_ns)
{
    bench_heap_disarm(heap, timer);
    timer->due_ns = due_ns;
    if (heap->count + 1 >= heap->room) {
        size_t room = heap->room ? heap->room * 2 : 1024;
        bench_timer_t **items = realloc(heap->items, room * sizeof(*items));

        if (!items) bench_die("timer heap");
        heap->items = items;
        heap->room = room;
    }
    rise(heap, ++heap->count, timer);
}

void bench_heap_disarm(bench_heap_t *heap, bench_timer_t *timer)
{
    bench_timer_t *last;
    size_t place = timer->place;

    if (!place) return;
    timer->place = 0;
    last = heap->items[heap->count--];
    if (last == timer) return;
    if (place > 1 && heap->items[place / 2]->due_ns > last->due_ns)
        rise(heap, place, last);
    else
        sink(heap, place, last);
}

bench_timer_t *bench_heap_take(bench_heap_t *heap, uint64_t now_ns)
{
    bench_timer_t *first;

    if (!heap->count || heap->items[1]->due_ns > now_ns) return NULL;
    first = heap->items[1];
    bench_heap_disarm(heap, first);
    return first;
}

uint64_t bench_heap_next(const bench_heap_t *heap)
{
    return heap->count ? heap->items[1]->due_ns : BENCH_NEVER;
}
