/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_ws - keeps many WebSockets of the message protocol open and checks
 * every frame. With a body each socket asks it once and must get the whole
 * answer, checked as bench_load does; with an empty one it asks nothing, and
 * must still be open at SIGTERM. Options and report are bench_load's; %n in
 * path and body is the number of the socket.
 *
 * THREADS  One.
 */
#include <errno.h>
#include <signal.h>
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
#define SEND_ROOM 8192
#define HANDSHAKE_KEY "dGhlIHNhbXBsZSBub25jZQ==" /* RFC 6455, section 1.3 */
#define HANDSHAKE_ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
#define IS(data, length, text) memmem((data), (length), text, sizeof(text) - 1)

enum { CONNECTING, HEAD, OPEN };
enum { TEXT = 1, CLOSE = 8, PING = 9, PONG = 10 };

typedef struct client_t {
    int fd; /* -1 = none */
    int state, is_live;
    uint32_t number;
    uint64_t sent_ns, active_ns;
    char *carry; /* a frame that is not whole yet */
    size_t carried;
    bench_answer_t answer;
} client_t;

typedef struct frame_t {
    int opcode, is_final;
    char *data;
    size_t length, taken; /* of the payload, with its head */
} frame_t;

static bench_order_t order;
static bench_totals_t totals;
static bench_expect_t expect;
static client_t *clients;
static volatile sig_atomic_t is_told_to_end;
static char read_buffer[READ_ROOM];

static void on_signal(int number)
{
    (void)number;
    is_told_to_end = 1;
}

static int is_idle(void)
{
    return !order.body[0];
}

static void finish(client_t *c)
{
    if (c->fd >= 0) close(c->fd);
    c->fd = -1;
    if (c->is_live) totals.live--;
    c->is_live = 0;
    totals.finished++;
    free(c->carry);
    c->carry = NULL;
    c->carried = 0;
}

static void fail(client_t *c, int failure)
{
    const bench_answer_t *a = &c->answer;

    totals.failures[failure]++;
    if (a->status > 0 && a->status < 600 && a->status != 101)
        totals.statuses[a->status]++;
    if (!totals.example[0])
        snprintf(totals.example, sizeof(totals.example),
                 "%s: socket %u, stream %llu, seq %u, errno %d",
                 bench_failure_names[failure], c->number,
                 (unsigned long long)a->stream, a->seq, errno);
    finish(c);
}

static void set_live(client_t *c)
{
    if (c->is_live) return;
    c->is_live = 1;
    totals.live++;
}

/* --- to the server -------------------------------------------------------- */

/* Copies the template with %n replaced; returns the length. */
static size_t put_numbered(char *at, size_t room, const char *template,
                           uint32_t number)
{
    char *begin = at;

    for (; *template && (size_t)(at - begin) + 24 < room; template ++) {
        if (template[0] == '%' && template[1] == 'n') {
            at = bench_put_number(at, number);
            template ++;
        }
        else
            *at++ = *template;
    }
    *at = '\0';
    return (size_t)(at - begin);
}

static int send_all(client_t *c, const char *data, size_t length)
{
    /* What a client says is far smaller than an empty send buffer. */
    if (send(c->fd, data, length, MSG_NOSIGNAL) == (ssize_t)length) return 0;
    fail(c, BENCH_FAIL_reset);
    return -1;
}

/* One masked frame, as every client must send it. */
static int send_frame(client_t *c, int opcode, const char *data, size_t length)
{
    static const unsigned char mask[4] = {0x37, 0xfa, 0x21, 0x3d};
    char frame[SEND_ROOM + 8];
    size_t at = 2, i;

    if (length > SEND_ROOM) length = SEND_ROOM;
    frame[0] = (char)(0x80 | opcode);
    frame[1] = (char)(0x80 | (length < 126 ? length : 126));
    if (length >= 126) {
        frame[at++] = (char)(length >> 8);
        frame[at++] = (char)(length & 255);
    }
    memcpy(frame + at, mask, 4);
    at += 4;
    for (i = 0; i < length; i++)
        frame[at + i] = (char)((unsigned char)data[i] ^ mask[i % 4]);
    return send_all(c, frame, at + length);
}

static void send_handshake(client_t *c)
{
    char path[1024], request[2048];

    put_numbered(path, sizeof(path), order.path, c->number);
    snprintf(request, sizeof(request),
             "GET %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\n"
             "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
             "Sec-WebSocket-Key: " HANDSHAKE_KEY "\r\n\r\n",
             path);
    c->state = HEAD;
    c->sent_ns = c->active_ns = bench_now_ns();
    send_all(c, request, strlen(request));
}

static void ask(client_t *c)
{
    char body[SEND_ROOM];
    size_t length = put_numbered(body, sizeof(body), order.body, c->number);

    send_frame(c, TEXT, body, length);
}

/* --- from the server ------------------------------------------------------ */

static void take_data(client_t *c, const char *data, size_t length,
                      uint64_t now_ns)
{
    bench_answer_t *a = &c->answer;
    const char *text = IS(data, length, "\"delta\":\""), *end = NULL;

    if (text) {
        text += sizeof("\"delta\":\"") - 1;
        end = memchr(text, '"', length - (size_t)(text - data));
    }
    if (!end) {
        a->failure = BENCH_FAIL_stamp;
        return;
    }
    bench_answer_text(a, &expect, text, (size_t)(end - text), now_ns);
    if (a->failure || c->is_live) return;
    set_live(c);
    bench_hist_add(&totals.first, a->first_ns - c->sent_ns);
}

static void take_message(client_t *c, const char *data, size_t length,
                         uint64_t now_ns)
{
    bench_answer_t *a = &c->answer;

    if (IS(data, length, "\"type\":\"CHAT_STREAM_DATA\""))
        take_data(c, data, length, now_ns);
    else if (IS(data, length, "\"type\":\"CHAT_STREAM_END\"")) {
        bench_answer_end(a, &expect);
        if (!IS(data, length, "\"finishReason\":\"completed\""))
            a->failure = BENCH_FAIL_error;
    }
    else if (IS(data, length, "\"type\":\"ERROR\""))
        a->failure = BENCH_FAIL_error;
    else if (IS(data, length, "\"type\":\"HEARTBEAT\""))
        expect.heartbeats++;
    else if (IS(data, length, "\"type\":\"SYSTEM_MESSAGE\"")) {
        if (is_idle())
            set_live(c);
        else
            ask(c);
    }
}

/* The first frame of these bytes; 0 when it is not whole yet. */
static int read_frame(frame_t *frame, char *data, size_t length)
{
    const unsigned char *at = (const unsigned char *)data;
    size_t head = 2, i;

    if (length < 2) return 0;
    frame->is_final = at[0] >> 7;
    frame->opcode = at[0] & 15;
    frame->length = at[1] & 127;
    if (frame->length >= 126) {
        head = frame->length == 126 ? 4 : 10;
        if (length < head) return 0;
        for (frame->length = 0, i = 2; i < head; i++)
            frame->length = frame->length << 8 | at[i];
    }
    /* One that is larger than the buffer is never whole: see receive(). */
    if (frame->length > length || length - frame->length < head) return 0;
    frame->data = data + head;
    frame->taken = head + frame->length;
    return 1;
}

static void take_frame(client_t *c, const frame_t *frame, uint64_t now_ns)
{
    if (frame->opcode == PING)
        send_frame(c, PONG, frame->data, frame->length);
    else if (frame->opcode == CLOSE)
        c->answer.failure = BENCH_FAIL_cut;
    else if (frame->opcode == TEXT && frame->is_final)
        take_message(c, frame->data, frame->length, now_ns);
    else if (frame->opcode != PONG)
        c->answer.failure = BENCH_FAIL_chunk;
}

/* The answer to the handshake; returns how many bytes it was, 0 = not yet. */
static size_t take_head(client_t *c, char *data, size_t length)
{
    char *end = memmem(data, length, "\r\n\r\n", 4);
    const char *at = data + 9;

    if (!end) return 0;
    if (length < 12 || memcmp(data, "HTTP/1.1 ", 9) != 0) {
        c->answer.failure = BENCH_FAIL_head;
        return length;
    }
    c->answer.status = (int)bench_number(&at, end, 999);
    if (c->answer.status != 101)
        c->answer.failure = BENCH_FAIL_status;
    else if (!IS(data, (size_t)(end - data), HANDSHAKE_ACCEPT))
        c->answer.failure = BENCH_FAIL_head;
    c->state = OPEN;
    return (size_t)(end + 4 - data);
}

/* Takes all that is whole; returns how many bytes that was. */
static size_t take(client_t *c, char *data, size_t length, uint64_t now_ns)
{
    bench_answer_t *a = &c->answer;
    size_t taken = 0;
    frame_t frame;

    if (c->state == HEAD) taken = take_head(c, data, length);
    while (c->state == OPEN && !a->failure && !a->has_end && c->fd >= 0 &&
           read_frame(&frame, data + taken, length - taken))
    {
        take_frame(c, &frame, now_ns);
        taken += frame.taken;
    }
    return taken;
}

static void keep(client_t *c, const char *data, size_t length)
{
    char *carry = length ? realloc(c->carry, length) : NULL;

    if (!length)
        free(c->carry);
    else if (!carry)
        bench_die("carry");
    else
        memcpy(carry, data, length);
    c->carry = carry;
    c->carried = length;
}

static void say_goodbye(client_t *c)
{
    static const char normal[2] = {0x03, (char)0xe8}; /* 1000 */

    send_frame(c, CLOSE, normal, sizeof(normal));
}

static void receive(client_t *c)
{
    size_t length = c->carried, taken;
    ssize_t got;

    if (c->carried) memcpy(read_buffer, c->carry, c->carried);
    errno = 0;
    got = recv(c->fd, read_buffer + length, READ_ROOM - length, 0);
    if (got < 0 && errno == EAGAIN && length < READ_ROOM) return;
    if (got <= 0) {
        fail(c, got < 0 ? BENCH_FAIL_reset : BENCH_FAIL_cut);
        return;
    }
    c->active_ns = bench_now_ns();
    expect.total_bytes += (size_t)got;
    length += (size_t)got;
    taken = take(c, read_buffer, length, c->active_ns);
    if (c->fd < 0) return;
    if (c->answer.failure)
        fail(c, c->answer.failure);
    else if (c->answer.has_end) {
        bench_hist_add(&totals.duration, c->active_ns - c->sent_ns);
        totals.whole++;
        say_goodbye(c);
        if (c->fd >= 0) finish(c);
    }
    else
        keep(c, read_buffer + taken, length - taken);
}

/* --- all sockets ---------------------------------------------------------- */

static void start(client_t *c)
{
    c->number = totals.started++;
    c->active_ns = bench_now_ns();
    bench_answer_begin(&c->answer, 0);
    errno = 0;
    c->fd = bench_connect(order.port, (int)order.receive_bytes);
    if (c->fd < 0)
        fail(c, BENCH_FAIL_connect);
    else
        bench_loop_watch(EPOLL_CTL_ADD, c->fd, EPOLLOUT, c);
}

static void on_connected(client_t *c)
{
    errno = bench_connect_failure(c->fd);
    if (errno) {
        fail(c, BENCH_FAIL_connect);
        return;
    }
    bench_loop_watch(EPOLL_CTL_MOD, c->fd, EPOLLIN, c);
    send_handshake(c);
}

static void on_socket(void *client)
{
    client_t *c = client;

    if (c->fd < 0) return;
    if (c->state == CONNECTING)
        on_connected(c);
    else
        receive(c);
}

static int start_due(uint64_t now_ns)
{
    uint32_t due = bench_loop_due(&order, &totals, now_ns);

    while (totals.started < due)
        start(&clients[totals.started]);
    return totals.started < order.streams;
}

/* Once a second: who has not got on? An idle socket that is open may wait. */
static void sweep(uint64_t now_ns)
{
    uint32_t i;

    for (i = 0; i < totals.started; i++) {
        client_t *c = &clients[i];

        if (c->fd < 0 || (is_idle() && c->is_live)) continue;
        if (now_ns > c->active_ns + order.idle_ns) fail(c, BENCH_FAIL_timeout);
    }
}

static int is_over(uint64_t now_ns)
{
    return is_told_to_end || now_ns - totals.begun_ns >= order.limit_ns ||
           totals.finished >= order.streams;
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

/* An idle socket that is still open did what it should. */
static void close_rest(void)
{
    uint32_t i;

    for (i = 0; i < order.streams; i++) {
        client_t *c = &clients[i];

        if (c->fd >= 0 && is_idle() && c->is_live) {
            totals.whole++;
            say_goodbye(c);
        }
        else if (c->fd >= 0)
            fail(c, BENCH_FAIL_timeout);
        if (c->fd >= 0) finish(c);
        bench_answer_free(&c->answer);
    }
}

int main(int argc, char **argv)
{
    struct sigaction end = {.sa_handler = on_signal};
    uint32_t i, whole;

    if (bench_order_read(&order, &expect, argc, argv) != 0) return 2;
    bench_raise_files(65536);
    sigaction(SIGTERM, &end, NULL);
    bench_loop_open();
    clients = calloc(order.streams, sizeof(*clients));
    if (!clients) bench_die("start");
    for (i = 0; i < order.streams; i++)
        clients[i].fd = -1;
    bench_loop_run(&loop);
    close_rest();
    bench_report_end(&order, &totals, &expect);
    whole = totals.whole;
    free(clients);
    return whole != order.streams;
}
