/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_upstream - a Bailian application server for the benchmark.
 *
 *     bench_upstream --port 9000 [--threads 2] [--first N]
 *
 * Answers POST .../apps/<shape>/completion (shape.h) over HTTP/1.1 with
 * keep-alive and chunked bodies, every stream at its own even pace. When the
 * peer does not read, the stream waits and then catches up with its schedule.
 *
 *     GET /stats   counters as JSON
 *     GET /closes  [[stream, ns], ...] of the streams that the peer closed
 *                  before their end, since the last time it was asked
 *
 * SIGUSR1 prints the counters, SIGTERM and SIGINT print them and end.
 *
 * THREADS  Each thread has its own listener, connections and timers; shared
 *          are the counters (atomic) and the list of closes (one mutex).
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "batch.h"
#include "shape.h"
#include "tool.h"

#define MAX_THREADS 8
#define HEAD_ROOM 8192
#define MAX_EPOLL 256
/* Batches between two looks at the sockets: keeps accepts and requests quick
 * when every stream is due all the time. */
#define MAX_DUE 64

#define STATS(X)                                                               \
    X(connections)                                                             \
    X(streams)                                                                 \
    X(finished) X(events) X(bytes) X(waited) X(closed_early) X(refused)
#define STATS_FIELD(name) uint64_t name;
static struct {
    STATS(STATS_FIELD)
} stats;
#define COUNT(name, by) __atomic_add_fetch(&stats.name, (by), __ATOMIC_RELAXED)

typedef struct early_close_t {
    uint64_t stream, at_ns;
} early_close_t;

static struct {
    pthread_mutex_t lock;
    early_close_t *items;
    size_t count, room;
} closes = {PTHREAD_MUTEX_INITIALIZER, NULL, 0, 0};

static uint64_t next_stream = 1;
static volatile sig_atomic_t is_stopping, is_asked;

typedef struct server_t {
    int epoll, listener;
    bench_heap_t timers;
    char *scratch; /* BENCH_BATCH_ROOM bytes */
    pthread_t thread;
} server_t;

typedef struct conn_t {
    bench_timer_t timer; /* first: the heap hands it back */
    int fd;
    int is_streaming, wants_write;
    size_t head_length; /* of what stands in head */
    uint64_t body_left; /* of the request that is being read */
    bench_shape_t shape;
    bench_progress_t progress;
    uint64_t due_ns; /* of the next batch by the schedule */
    char *out;       /* what the socket did not take, malloc */
    size_t out_length, out_sent;
    char head[HEAD_ROOM];
} conn_t;

static void note_close(const conn_t *c)
{
    COUNT(closed_early, 1);
    pthread_mutex_lock(&closes.lock);
    if (closes.count == closes.room) {
        size_t room = closes.room ? closes.room * 2 : 1024;
        early_close_t *items =
            realloc(closes.items, room * sizeof(*closes.items));

        if (!items) bench_die("list of closes");
        closes.items = items;
        closes.room = room;
    }
    closes.items[closes.count++] =
        (early_close_t){c->progress.stream, bench_now_ns()};
    pthread_mutex_unlock(&closes.lock);
}

static void drop(server_t *server, conn_t *c)
{
    if (c->is_streaming) note_close(c);
    bench_heap_disarm(&server->timers, &c->timer);
    close(c->fd);
    free(c->out);
    free(c);
}

static void watch(server_t *server, conn_t *c, int op)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLRDHUP, .data.ptr = c};

    if (c->wants_write) event.events |= EPOLLOUT;
    if (epoll_ctl(server->epoll, op, c->fd, &event) != 0)
        bench_die("epoll_ctl");
}

/* Sends, and keeps what the socket does not take; -1 when the peer is gone. */
static int send_all(server_t *server, conn_t *c, const char *data,
                    size_t length)
{
    ssize_t sent = send(c->fd, data, length, MSG_NOSIGNAL);

    if (sent < 0) {
        if (errno != EAGAIN) return -1;
        sent = 0;
    }
    COUNT(bytes, (uint64_t)sent);
    if ((size_t)sent == length) return 0;
    c->out_length = length - (size_t)sent;
    c->out_sent = 0;
    c->out = malloc(c->out_length);
    if (!c->out) bench_die("pending bytes");
    memcpy(c->out, data + sent, c->out_length);
    c->wants_write = 1;
    COUNT(waited, 1);
    watch(server, c, EPOLL_CTL_MOD);
    return 0;
}

/* One batch, and the timer of the next; -1 when the connection must close. */
static int send_batch(server_t *server, conn_t *c)
{
    uint32_t before = c->progress.sent;
    size_t length = bench_batch_put(server->scratch, &c->shape, &c->progress,
                                    bench_now_ns());

    COUNT(events, c->progress.sent - before);
    if (length && send_all(server, c, server->scratch, length) != 0) return -1;
    if (c->progress.is_cut || c->progress.is_ended) {
        c->is_streaming = 0;
        COUNT(finished, 1);
        return c->progress.is_cut ? -1 : 0;
    }
    c->due_ns += c->shape.interval_ns;
    if (!c->wants_write && !c->progress.is_silent)
        bench_heap_arm(&server->timers, &c->timer,
                       c->shape.interval_ns ? c->due_ns : bench_now_ns());
    return 0;
}

/* The rest of what the socket did not take; -1 when the peer is gone. */
static int flush(server_t *server, conn_t *c)
{
    ssize_t sent = send(c->fd, c->out + c->out_sent,
                        c->out_length - c->out_sent, MSG_NOSIGNAL);

    if (sent < 0) return errno == EAGAIN ? 0 : -1;
    COUNT(bytes, (uint64_t)sent);
    c->out_sent += (size_t)sent;
    if (c->out_sent < c->out_length) return 0;
    free(c->out);
    c->out = NULL;
    c->wants_write = 0;
    watch(server, c, EPOLL_CTL_MOD);
    if (c->is_streaming && !c->progress.is_silent)
        bench_heap_arm(&server->timers, &c->timer,
                       c->shape.interval_ns ? c->due_ns : bench_now_ns());
    return 0;
}

static int send_answer(server_t *server, conn_t *c, const char *status,
                       const char *body, size_t length)
{
    char head[256];
    int n = snprintf(head, sizeof(head),
                     "HTTP/1.1 %s\r\ncontent-type: application/json\r\n"
                     "content-length: %zu\r\n\r\n",
                     status, length);
    char *whole = malloc((size_t)n + length);
    int rv;

    if (!whole) bench_die("answer");
    memcpy(whole, head, (size_t)n);
    memcpy(whole + n, body, length);
    rv = send_all(server, c, whole, (size_t)n + length);
    free(whole);
    return rv;
}

static size_t stats_put(char *at, size_t room)
{
    int n = snprintf(at, room, "{\"at_ns\":%llu",
                     (unsigned long long)bench_now_ns());

#define STATS_PUT(name)                                                        \
    n += snprintf(                                                             \
        at + n, room - (size_t)n, ",\"" #name "\":%llu",                       \
        (unsigned long long)__atomic_load_n(&stats.name, __ATOMIC_RELAXED));
    STATS(STATS_PUT)
    n += snprintf(at + n, room - (size_t)n, "}\n");
    return (size_t)n;
}

static int answer_closes(server_t *server, conn_t *c)
{
    size_t i, length = 0, room;
    char *body;
    int rv;

    pthread_mutex_lock(&closes.lock);
    room = closes.count * 48 + 8;
    body = malloc(room);
    if (!body) bench_die("list of closes");
    body[length++] = '[';
    for (i = 0; i < closes.count; i++)
        length += (size_t)snprintf(body + length, room - length,
                                   "%s[%llu,%llu]", i ? "," : "",
                                   (unsigned long long)closes.items[i].stream,
                                   (unsigned long long)closes.items[i].at_ns);
    closes.count = 0;
    pthread_mutex_unlock(&closes.lock);
    body[length++] = ']';
    rv = send_answer(server, c, "200 OK", body, length);
    free(body);
    return rv;
}

static int refuse(server_t *server, conn_t *c, const char *status)
{
    static const char body[] = "{\"code\":\"InternalError\",\"message\":"
                               "\"benchmark\",\"request_id\":\"-\"}";

    COUNT(refused, 1);
    return send_answer(server, c, status, body, sizeof(body) - 1);
}

/* The head of a stream as the service sends it (headers of its gateway). */
static int start_stream(server_t *server, conn_t *c)
{
    struct timespec wall;
    char head[640], id[37];
    long long wall_ms;
    int n;

    clock_gettime(CLOCK_REALTIME, &wall);
    wall_ms = (long long)wall.tv_sec * 1000 + wall.tv_nsec / 1000000;
    memset(&c->progress, 0, sizeof(c->progress));
    c->progress.stream = __atomic_fetch_add(&next_stream, 1, __ATOMIC_RELAXED);
    *bench_request_id_put(id, c->progress.stream) = '\0';
    n = snprintf(head, sizeof(head),
                 "HTTP/1.1 200 OK\r\n"
                 "content-type: text/event-stream;charset=UTF-8\r\n"
                 "vary: Origin,Access-Control-Request-Method,"
                 "Access-Control-Request-Headers\r\n"
                 "x-request-id: %s\r\n"
                 "x-dashscope-call-gateway: true\r\n"
                 "x-dashscope-timeout: 180\r\n"
                 "x-dashscope-finished: false\r\n"
                 "req-cost-time: 1\r\nreq-arrive-time: %lld\r\n"
                 "resp-start-time: %lld\r\n"
                 "x-envoy-upstream-service-time: 1\r\n"
                 "server: istio-envoy\r\n"
                 "transfer-encoding: chunked\r\n\r\n",
                 id, wall_ms, wall_ms);
    COUNT(streams, 1);
    c->is_streaming = 1;
    c->due_ns = bench_now_ns();
    if (send_all(server, c, head, (size_t)n) != 0) return -1;
    if (c->wants_write) return 0; /* flush() arms the first batch */
    return send_batch(server, c);
}

/* The shape of POST .../apps/<shape>/completion; -1 when it is none. */
static int shape_of(bench_shape_t *shape, const char *path, size_t length)
{
    static const char before[] = "/apps/", behind[] = "/completion";
    const char *at = memmem(path, length, before, sizeof(before) - 1);
    const char *end;

    if (!at) return -1;
    at += sizeof(before) - 1;
    end = memmem(at, (size_t)(path + length - at), behind, sizeof(behind) - 1);
    return end ? bench_shape_parse(shape, at, (size_t)(end - at)) : -1;
}

/* The whole request is read: answer it. The head is still there. */
static int answer(server_t *server, conn_t *c, size_t line_length)
{
    if (strncmp(c->head, "GET /stats ", 11) == 0) {
        char body[512];

        return send_answer(server, c, "200 OK", body,
                           stats_put(body, sizeof(body)));
    }
    if (strncmp(c->head, "GET /closes ", 12) == 0)
        return answer_closes(server, c);
    if (strncmp(c->head, "POST ", 5) != 0 ||
        shape_of(&c->shape, c->head, line_length) != 0)
        return refuse(server, c, "404 Not Found");
    if (c->shape.fault == BENCH_FAULT_status)
        return refuse(server, c, "500 Internal Server Error");
    return start_stream(server, c);
}

/* The value of Content-Length, 0 without one, -1 for what cannot be read. */
static int64_t body_length(const char *head)
{
    static const char name[] = "\r\ncontent-length:";
    const char *at = strcasestr(head, name);

    if (strcasestr(head, "\r\ntransfer-encoding:")) return -1;
    if (!at) return 0;
    at += sizeof(name) - 1;
    at += strspn(at, " \t");
    return bench_number(&at, at + strcspn(at, "\r"), 1 << 30);
}

/* Looks for a whole request in what was read and answers it; -1 = close. */
static int take_request(server_t *server, conn_t *c)
{
    char *end = memmem(c->head, c->head_length, "\r\n\r\n", 4);
    size_t used, length;
    int64_t body;
    char kept;

    if (!end) return c->head_length < HEAD_ROOM - 1 ? 0 : -1;
    used = (size_t)(end + 4 - c->head);
    kept = *(end + 2);
    *(end + 2) = '\0';
    body = body_length(c->head);
    *(end + 2) = kept;
    if (body < 0) return -1;
    length = c->head_length - used;
    if (length < (uint64_t)body) {
        /* Only the request line is needed when the body has come. */
        c->body_left = (uint64_t)body - length;
        c->head_length = used;
        return 0;
    }
    length -= (size_t)body;
    c->head_length = 0;
    if (length) return -1; /* pipelined: none of the peers does that */
    return answer(server, c, strcspn(c->head, "\r"));
}

static int read_request(server_t *server, conn_t *c)
{
    char ignored[65536];
    ssize_t got;

    if (c->is_streaming || c->body_left) {
        got = recv(c->fd, ignored,
                   c->body_left && c->body_left < sizeof(ignored)
                       ? c->body_left
                       : sizeof(ignored),
                   0);
        if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
        if (c->is_streaming) return -1;
        c->body_left -= (uint64_t)got;
        if (c->body_left) return 0;
        c->head_length = 0;
        return answer(server, c, strcspn(c->head, "\r"));
    }
    got = recv(c->fd, c->head + c->head_length, HEAD_ROOM - 1 - c->head_length,
               0);
    if (got <= 0) return got < 0 && errno == EAGAIN ? 0 : -1;
    c->head_length += (size_t)got;
    c->head[c->head_length] = '\0';
    return take_request(server, c);
}

static void accept_all(server_t *server)
{
    int on = 1, fd;

    while ((fd = accept4(server->listener, NULL, NULL,
                         SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0)
    {
        conn_t *c = calloc(1, sizeof(*c));

        if (!c) bench_die("connection");
        c->fd = fd;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        COUNT(connections, 1);
        watch(server, c, EPOLL_CTL_ADD);
    }
    if (errno != EAGAIN && errno != ECONNABORTED && errno != EINTR)
        bench_die("accept");
}

static void on_socket(server_t *server, conn_t *c, uint32_t events)
{
    int rv = 0;

    if (events & EPOLLOUT) rv = flush(server, c);
    if (rv == 0 && events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        rv = read_request(server, c);
    if (rv != 0) drop(server, c);
}

static void send_due(server_t *server)
{
    bench_timer_t *timer;
    uint64_t now_ns = bench_now_ns();
    int i;

    for (i = 0; i < MAX_DUE; i++) {
        timer = bench_heap_take(&server->timers, now_ns);
        if (!timer) break;
        if (send_batch(server, (conn_t *)timer) != 0)
            drop(server, (conn_t *)timer);
    }
}

/* Waits until a socket is ready or the next batch is due. */
static int wait_sockets(server_t *server, struct epoll_event *events)
{
    uint64_t now_ns = bench_now_ns();
    uint64_t due_ns = bench_heap_next(&server->timers);
    /* At most 0.2 s, so that a signal is seen by every thread. */
    uint64_t wait_ns = 200000000;
    struct timespec ts = {0, 0};

    if (due_ns <= now_ns)
        wait_ns = 0;
    else if (due_ns - now_ns < wait_ns)
        wait_ns = due_ns - now_ns;
    ts.tv_nsec = (long)wait_ns;
    return epoll_pwait2(server->epoll, events, MAX_EPOLL, &ts, NULL);
}

static void *serve(void *data)
{
    server_t *server = data;
    struct epoll_event events[MAX_EPOLL];
    int n, i;

    while (!is_stopping) {
        n = wait_sockets(server, events);
        if (n < 0 && errno != EINTR) bench_die("epoll_wait");
        for (i = 0; i < n; i++) {
            if (events[i].data.ptr)
                on_socket(server, events[i].data.ptr, events[i].events);
            else
                accept_all(server);
        }
        send_due(server);
    }
    return NULL;
}

static void start_server(server_t *server, uint16_t port)
{
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};

    memset(server, 0, sizeof(*server));
    server->listener = bench_listen(port);
    if (server->listener < 0) bench_die("listen");
    server->epoll = epoll_create1(EPOLL_CLOEXEC);
    server->scratch = malloc(BENCH_BATCH_ROOM);
    if (server->epoll < 0 || !server->scratch ||
        epoll_ctl(server->epoll, EPOLL_CTL_ADD, server->listener, &event) != 0)
        bench_die("server");
    if (pthread_create(&server->thread, NULL, serve, server) != 0)
        bench_die("thread");
}

static void on_signal(int number)
{
    if (number == SIGUSR1)
        is_asked = 1;
    else
        is_stopping = 1;
}

static void print_stats(void)
{
    char line[512];

    fwrite(line, 1, stats_put(line, sizeof(line)), stdout);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    static server_t servers[MAX_THREADS];
    struct sigaction action = {.sa_handler = on_signal};
    int64_t port = 0, threads = 1;
    int i;

    for (i = 1; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--port") == 0)
            port = bench_argument(argv[i], argv[i + 1], 65535);
        else if (strcmp(argv[i], "--threads") == 0)
            threads = bench_argument(argv[i], argv[i + 1], MAX_THREADS);
        else if (strcmp(argv[i], "--first") == 0)
            next_stream =
                (uint64_t)bench_argument(argv[i], argv[i + 1], 1000000000000LL);
        else
            break;
    }
    if (i != argc || !port || !threads) {
        fprintf(stderr, "usage: bench_upstream --port N [--threads N] "
                        "[--first N]\n");
        return 2;
    }
    bench_raise_files(65536);
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    for (i = 0; i < threads; i++)
        start_server(&servers[i], (uint16_t)port);
    while (!is_stopping) {
        usleep(100000);
        if (is_asked) {
            is_asked = 0;
            print_stats();
        }
    }
    for (i = 0; i < threads; i++)
        pthread_join(servers[i].thread, NULL);
    print_stats();
    return 0;
}
