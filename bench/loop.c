/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <errno.h>
#include <sys/epoll.h>
#include <time.h>

#include "tool.h"

#define MAX_EPOLL 512
#define STARTING_NS 1000000 /* how often it looks for what is due */
#define WAITING_NS 100000000

static int epoll_fd;

void bench_loop_open(void)
{
    epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (epoll_fd < 0) bench_die("epoll_create1");
}

void bench_loop_watch(int op, int fd, uint32_t events, void *client)
{
    struct epoll_event event = {.events = events, .data.ptr = client};

    if (epoll_ctl(epoll_fd, op, fd, &event) != 0) bench_die("epoll_ctl");
}

uint32_t bench_loop_due(const bench_order_t *order,
                        const bench_totals_t *totals, uint64_t now_ns)
{
    uint64_t since = now_ns - totals->begun_ns, due;

    if (since >= order->ramp_ns) return order->streams;
    due = 1 + (uint64_t)((double)order->streams * (double)since /
                         (double)order->ramp_ns);
    return due < order->streams ? (uint32_t)due : order->streams;
}

static void wait_for_sockets(const bench_loop_t *loop, long wait_ns)
{
    struct epoll_event events[MAX_EPOLL];
    struct timespec wait = {0, wait_ns};
    int n = epoll_pwait2(epoll_fd, events, MAX_EPOLL, &wait, NULL), i;

    if (n < 0 && errno != EINTR) bench_die("epoll_wait");
    for (i = 0; i < n; i++)
        loop->on_socket(events[i].data.ptr);
}

void bench_loop_run(const bench_loop_t *loop)
{
    uint64_t now_ns = bench_now_ns(), tick_ns = now_ns, sweep_ns = now_ns;
    int is_starting = 1;

    loop->totals->begun_ns = now_ns;
    while (!loop->is_over(now_ns)) {
        if (is_starting) is_starting = loop->start_due(now_ns);
        wait_for_sockets(loop, is_starting ? STARTING_NS : WAITING_NS);
        now_ns = bench_now_ns();
        if (loop->order->tick_ns && now_ns >= tick_ns) {
            bench_report_tick(loop->totals, loop->expect);
            tick_ns = now_ns + loop->order->tick_ns;
        }
        if (now_ns >= sweep_ns + BENCH_SECOND_NS) {
            loop->sweep(now_ns);
            sweep_ns = now_ns;
        }
    }
    loop->totals->ended_ns = bench_now_ns();
}
