/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_load - keeps many event streams open over HTTP/1.1 and checks every
 * event of each (answer.h). Prints a line of JSON every now and then and one
 * with all it saw at the end; the exit status is 1 when an answer failed.
 *
 * A stream behaves in one of five ways: it reads; it never reads (stall); it
 * reads a byte a second (trickle); it closes in mid-answer (abort: when, and
 * of which stream, is in the report); it closes in mid-answer and comes back
 * for the rest with Last-Event-ID (resume).
 *
 * THREADS  One.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "load_order.h"
#include "loop.h"
#include "tool.h"

#define READ_ROOM (256 * 1024)
#define REQUEST_ROOM 8192

enum { LIVE, RESUMED, REPLAY };

typedef struct client_t {
    int fd; /* -1 = none */
    int phase;
    int is_connecting, is_used, is_live;
    uint32_t number;     /* of its request */
    uint32_t after;      /* seq at which it closes, 0 = never */
    uint32_t drops_left; /* resume: how often it still does */
    uint64_t sent_ns, active_ns;
    bench_answer_t answer;
    bench_answer_t *replay; /* of the same stream, from its start */
} client_t;

static bench_order_t order;
static bench_totals_t totals;
static bench_expect_t expect, replay_expect;
static client_t *clients;
static char read_buffer[READ_ROOM];

static void finish(client_t *c);

static void hang_up(client_t *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
}

static bench_answer_t *current(client_t *c)
{
    return c->phase == REPLAY ? c->replay : &c->answer;
}

static void count_failure(client_t *c, int failure)
{
    const bench_answer_t *a = current(c);

    totals.failures[failure]++;
    if (a->status > 0 && a->status < 600 && a->status != 200)
        totals.statuses[a->status]++;
    if (!totals.example[0])
        snprintf(totals.example, sizeof(totals.example),
                 "%s: request %u, phase %d, stream %llu, seq %u, errno %d",
                 bench_failure_names[failure], c->number, c->phase,
                 (unsigned long long)a->stream, a->seq, errno);
    hang_up(c);
    finish(c);
}

static void open_connection(client_t *c)
{
    errno = 0;
    c->fd = bench_connect(order.port, (int)order.receive_bytes);
    if (c->fd < 0) {
        count_failure(c, BENCH_FAIL_connect);
        return;
    }
    c->is_connecting = 1;
    c->is_used = 0;
    bench_loop_watch(EPOLL_CTL_ADD, c->fd, EPOLLOUT, c);
}

/* Copies the template with %n and %s replaced; returns the length. */
static size_t fill_in(char *at, size_t room, const char *template,
                      const client_t *c)
{
    size_t length = 0;

    for (; *template && length + BENCH_ID_ROOM < room; template ++) {
        if (template[0] == '%' && template[1] == 'n') {
            length = (size_t)(bench_put_number(at + length, c->number) - at);
            template ++;
        }
        else if (template[0] == '%' && template[1] == 's') {
            size_t id = strlen(c->answer.stream_id);

            memcpy(at + length, c->answer.stream_id, id);
            length += id;
            template ++;
        }
        else
            at[length++] = *template;
    }
    at[length] = '\0';
    return length;
}

static size_t put_request(char *at, size_t room, const client_t *c)
{
    char path[1024], body[4096], last[BENCH_ID_ROOM + 32] = "";
    const char *ending = order.says_close ? "Connection: close\r\n" : "";
    size_t length;

    if (c->phase != LIVE) {
        fill_in(path, sizeof(path), order.resume_path, c);
        if (c->phase == RESUMED)
            snprintf(last, sizeof(last), "Last-Event-ID: %s\r\n", c->answer.id);
        return (size_t)snprintf(at, room,
                                "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                                "Accept: text/event-stream\r\n%s%s\r\n",
                                path, last, ending);
    }
    fill_in(path, sizeof(path), order.path, c);
    length = fill_in(body, sizeof(body), order.body, c);
    return (size_t)snprintf(at, room,
                            "POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\n"
                            "Content-Type: application/json\r\n"
                            "Accept: text/event-stream\r\n"
                            "Content-Length: %zu\r\n%s\r\n%s",
                            path, length, ending, body);
}

static void send_request(client_t *c)
{
    char request[REQUEST_ROOM];
    size_t length = put_request(request, sizeof(request), c);
    ssize_t sent;

    errno = 0;
    sent = send(c->fd, request, length, MSG_NOSIGNAL);
    c->active_ns = bench_now_ns();
    if (c->phase == LIVE) c->sent_ns = c->active_ns;
    /* A request is far smaller than the send buffer of a new socket. */
    if (sent != (ssize_t)length) count_failure(c, BENCH_FAIL_reset);
}

static void start(client_t *c)
{
    c->number = totals.started++;
    c->phase = LIVE;
    c->is_live = 0;
    /* Spread over the answer, so that not all go away in one moment. */
    c->after =
        order.after ? 1 + (uint32_t)(c->number * 7919ULL % order.after) : 0;
    c->drops_left = order.times;
    bench_answer_begin(&c->answer, 0);
    c->answer.keeps_transcript = order.replays;
    if (c->fd >= 0) {
        c->is_used = 1;
        send_request(c);
    }
    else
        open_connection(c);
}

/* The stream is over, however it went: the slot takes the next request. */
static void finish(client_t *c)
{
    if (c->is_live) totals.live--;
    c->is_live = 0;
    totals.finished++;
    if (c->replay) bench_answer_free(c->replay);
    free(c->replay);
    c->replay = NULL;
    if (totals.started < order.requests && !order.ramp_ns)
        start(c);
    else
        hang_up(c);
}

static void come_back(client_t *c, int phase)
{
    hang_up(c);
    c->phase = phase;
    if (phase == RESUMED)
        bench_answer_begin(&c->answer, 1);
    else {
        c->replay = calloc(1, sizeof(*c->replay));
        if (!c->replay) bench_die("replay");
        c->replay->keeps_transcript = 1;
    }
    open_connection(c);
}

static int is_same_transcript(const client_t *c)
{
    return c->replay->transcript_length == c->answer.transcript_length &&
           memcmp(c->replay->transcript, c->answer.transcript,
                  c->answer.transcript_length) == 0;
}

static void take_whole(client_t *c)
{
    if (c->phase == REPLAY) {
        if (!is_same_transcript(c)) {
            count_failure(c, BENCH_FAIL_replay);
            return;
        }
        totals.replayed++;
    }
    else if (order.behaviour == BENCH_RESUME && order.replays) {
        come_back(c, REPLAY);
        return;
    }
    bench_hist_add(&totals.duration, bench_now_ns() - c->sent_ns);
    totals.whole++;
    if (!order.keeps_alive) hang_up(c);
    finish(c);
}

static void abort_stream(client_t *c)
{
    bench_abort_t *note = &totals.aborts[totals.aborted++];

    note->stream = c->answer.stream;
    note->at_ns = bench_now_ns();
    hang_up(c);
    finish(c);
}

/* A resuming client loses its connection, and will once more if it is to. */
static void lose_for_now(client_t *c)
{
    totals.resumed++;
    c->drops_left--;
    c->after = c->answer.seq + order.after;
    come_back(c, RESUMED);
}

/* The answer ended with the request to come back for the rest. */
static void follow(client_t *c)
{
    if (c->phase == REPLAY || !order.resume_path) {
        count_failure(c, BENCH_FAIL_no_end);
        return;
    }
    totals.sent_back++;
    come_back(c, RESUMED);
}

/* Something arrived and was taken: is it time to do anything but wait? */
static void after_feed(client_t *c)
{
    const bench_answer_t *a = current(c);

    if (a->failure) {
        count_failure(c, a->failure);
        return;
    }
    if (!c->is_live && c->phase == LIVE && a->first_ns) {
        c->is_live = 1;
        totals.live++;
        bench_hist_add(&totals.first, a->first_ns - c->sent_ns);
    }
    if (a->is_done && !a->has_end)
        follow(c);
    else if (a->is_done)
        take_whole(c);
    else if (c->phase != REPLAY && c->drops_left && a->seq >= c->after) {
        if (order.behaviour == BENCH_ABORT)
            abort_stream(c);
        else
            lose_for_now(c);
    }
}

static void lose(client_t *c)
{
    bench_answer_t *a = current(c);
    int is_error = errno != 0;

    if (order.behaviour == BENCH_STALL || order.behaviour == BENCH_TRICKLE) {
        totals.closed_by_server++;
        hang_up(c);
        finish(c);
        return;
    }
    if (c->is_used && !a->status && !a->carried) {
        /* The server gave up an idle connection as the request went out. */
        totals.reconnected++;
        hang_up(c);
        open_connection(c);
        return;
    }
    bench_answer_eof(a);
    if (is_error)
        count_failure(c, BENCH_FAIL_reset);
    else
        after_feed(c);
}

static void receive(client_t *c, size_t room)
{
    ssize_t got;

    errno = 0;
    got = recv(c->fd, read_buffer, room, 0);
    if (got < 0 && errno == EAGAIN) return;
    if (got <= 0) {
        lose(c);
        return;
    }
    c->active_ns = bench_now_ns();
    bench_answer_feed(current(c), c->phase == REPLAY ? &replay_expect : &expect,
                      read_buffer, (size_t)got, c->active_ns);
    after_feed(c);
}

static void on_connected(client_t *c)
{
    errno = bench_connect_failure(c->fd);
    if (errno) {
        count_failure(c, BENCH_FAIL_connect);
        return;
    }
    c->is_connecting = 0;
    if (order.behaviour == BENCH_STALL || order.behaviour == BENCH_TRICKLE)
        bench_loop_watch(EPOLL_CTL_MOD, c->fd, EPOLLHUP | EPOLLERR, c);
    else
        bench_loop_watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
    send_request(c);
}

static void on_socket(void *client)
{
    client_t *c = client;

    if (c->fd < 0) return;
    if (c->is_connecting)
        on_connected(c);
    else
        receive(c, order.read_bytes);
}

/* Once a second: time-outs, and the byte of a trickling stream. */
static void sweep(uint64_t now_ns)
{
    uint32_t i;

    for (i = 0; i < order.streams; i++) {
        client_t *c = &clients[i];

        if (c->fd < 0) continue;
        if (order.behaviour == BENCH_TRICKLE && !c->is_connecting)
            receive(c, 1);
        else if (order.behaviour != BENCH_STALL &&
                 now_ns > c->active_ns + order.idle_ns && c->active_ns)
            count_failure(c, BENCH_FAIL_timeout);
    }
}

static int start_due(uint64_t now_ns)
{
    uint32_t due = bench_loop_due(&order, &totals, now_ns);
    uint32_t i;

    for (i = totals.started; i < due; i++) {
        clients[i].active_ns = now_ns;
        start(&clients[i]);
    }
    return now_ns - totals.begun_ns < order.ramp_ns;
}

static int is_over(uint64_t now_ns)
{
    return totals.finished >= order.requests ||
           now_ns - totals.begun_ns >= order.limit_ns;
}

static const bench_loop_t loop = {
    .order = &order,
    .expect = &expect,
    .totals = &totals,
    .start_due = start_due,
    .on_socket = on_socket,
    .sweep = sweep,
    .is_over = is_over,
};

/* What is still open when the time is up. */
static void close_rest(void)
{
    uint32_t i;

    for (i = 0; i < order.streams; i++) {
        client_t *c = &clients[i];

        if (c->fd >= 0 && (order.behaviour == BENCH_STALL ||
                           order.behaviour == BENCH_TRICKLE))
            totals.stalled++;
        else if (c->fd >= 0)
            totals.failures[BENCH_FAIL_timeout]++;
        hang_up(c);
        bench_answer_free(&c->answer);
    }
}

static int has_failed(void)
{
    int i;

    for (i = 1; i < BENCH_FAIL_MAX; i++)
        if (totals.failures[i]) return 1;
    return 0;
}

int main(int argc, char **argv)
{
    uint32_t i;
    int is_bad;

    if (bench_order_read(&order, &expect, argc, argv) != 0) return 2;
    replay_expect = expect;
    bench_raise_files(65536);
    bench_loop_open();
    clients = calloc(order.streams, sizeof(*clients));
    totals.aborts = calloc(order.requests, sizeof(*totals.aborts));
    if (!clients || !totals.aborts) bench_die("start");
    for (i = 0; i < order.streams; i++)
        clients[i].fd = -1;
    bench_loop_run(&loop);
    close_rest();
    bench_report_end(&order, &totals, &expect);
    is_bad = has_failed();
    free(clients);
    free(totals.aborts);
    return is_bad;
}
