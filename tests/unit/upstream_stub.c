/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream_stub.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BACKLOG 512
#define LOOK_MS 2

static void give_up(const char *what)
{
    perror(what);
    abort();
}

void stub_open(stub_t *s)
{
    struct sockaddr_in address;
    socklen_t len = sizeof(address);

    memset(s, 0, sizeof(*s));
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    memset(&address, 0, sizeof(address));
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (s->fd < 0 || bind(s->fd, (struct sockaddr *)&address, len) ||
        listen(s->fd, BACKLOG) ||
        getsockname(s->fd, (struct sockaddr *)&address, &len))
    {
        give_up("stub");
    }
    s->port = ntohs(address.sin_port);
}

/* --- one connection ---------------------------------------------------------
 */

/* Has the request come whole? Its body has a length. */
static int is_whole(const char *request, size_t len)
{
    const char *end = strstr(request, "\r\n\r\n");
    const char *field = strstr(request, "Content-Length: ");
    long body = field ? strtol(field + 16, NULL, 10) : 0;

    return end && len >= (size_t)(end - request) + 4 + (size_t)body;
}

static int read_request(stub_conn_t *c)
{
    size_t len = 0;
    ssize_t n;

    while (len < sizeof(c->request) - 1) {
        n = recv(c->fd, c->request + len, sizeof(c->request) - 1 - len, 0);
        if (n <= 0) return 0;
        len += (size_t)n;
        c->request[len] = '\0';
        if (is_whole(c->request, len)) return 1;
    }
    return 0;
}

static void note_request(stub_conn_t *c)
{
    stub_t *s = c->stub;

    pthread_mutex_lock(&s->lock);
    c->n = s->asked++;
    if (c->n < STUB_KEPT) s->requests[c->n] = strdup(c->request);
    pthread_mutex_unlock(&s->lock);
}

static int has_gone(const stub_conn_t *c)
{
    struct pollfd p = {c->fd, POLLRDHUP, 0};

    return poll(&p, 1, 0) > 0 &&
           (p.revents & (POLLRDHUP | POLLHUP | POLLERR | POLLNVAL));
}

static void *serve(void *ctx)
{
    stub_conn_t *c = ctx;
    stub_t *s = c->stub;

    if (read_request(c)) {
        note_request(c);
        s->script(c, s->ctx);
        pthread_mutex_lock(&s->lock);
        if (has_gone(c)) s->gone++;
        pthread_mutex_unlock(&s->lock);
    }
    if (c->fd >= 0) close(c->fd);
    free(c);
    pthread_mutex_lock(&s->lock);
    s->threads--;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static void begin_connection(stub_t *s, int fd)
{
    stub_conn_t *c = calloc(1, sizeof(*c));
    pthread_attr_t attr;
    pthread_t thread;

    if (!c) give_up("stub");
    c->stub = s;
    c->fd = fd;
    pthread_mutex_lock(&s->lock);
    s->accepted++;
    s->threads++;
    pthread_mutex_unlock(&s->lock);
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    if (pthread_create(&thread, &attr, serve, c)) give_up("stub");
    pthread_attr_destroy(&attr);
}

static void *accept_all(void *ctx)
{
    stub_t *s = ctx;
    int fd;

    while ((fd = accept4(s->fd, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        begin_connection(s, fd);
    return NULL;
}

void stub_start(stub_t *s, stub_script_fn *script, void *ctx)
{
    signal(SIGPIPE, SIG_IGN);
    s->script = script;
    s->ctx = ctx;
    if (pthread_create(&s->thread, NULL, accept_all, s)) give_up("stub");
    s->is_started = 1;
}

void stub_close(stub_t *s)
{
    int i;

    shutdown(s->fd, SHUT_RDWR);
    if (s->is_started) pthread_join(s->thread, NULL);
    close(s->fd);
    pthread_mutex_lock(&s->lock);
    s->must_stop = 1;
    while (s->threads)
        pthread_cond_wait(&s->changed, &s->lock);
    pthread_mutex_unlock(&s->lock);
    for (i = 0; i < STUB_KEPT; i++)
        free(s->requests[i]);
}

/* --- what has come ---------------------------------------------------------
 */

static int number(stub_t *s, const int *field)
{
    int n;

    pthread_mutex_lock(&s->lock);
    n = *field;
    pthread_mutex_unlock(&s->lock);
    return n;
}

int stub_accepted(stub_t *s)
{
    return number(s, &s->accepted);
}

int stub_asked(stub_t *s)
{
    return number(s, &s->asked);
}

int stub_gone(stub_t *s)
{
    return number(s, &s->gone);
}

const char *stub_request(stub_t *s, int n)
{
    const char *text;

    pthread_mutex_lock(&s->lock);
    text = n < STUB_KEPT ? s->requests[n] : NULL;
    pthread_mutex_unlock(&s->lock);
    return text ? text : "";
}

void stub_open_gate(stub_t *s)
{
    pthread_mutex_lock(&s->lock);
    s->gates++;
    pthread_mutex_unlock(&s->lock);
}

/* --- in a script -----------------------------------------------------------
 */

void stub_send_bytes(stub_conn_t *c, const void *data, size_t len)
{
    const char *at = data;
    ssize_t n;

    while (len) {
        n = send(c->fd, at, len, MSG_NOSIGNAL);
        if (n <= 0) return;
        at += n;
        len -= (size_t)n;
    }
}

void stub_send(stub_conn_t *c, const char *text)
{
    stub_send_bytes(c, text, strlen(text));
}

void stub_answer(stub_conn_t *c, int status, const char *more_headers,
                 const char *body)
{
    char head[512];

    snprintf(head, sizeof(head),
             "HTTP/1.1 %d Scripted\r\nContent-Length: %lu\r\n"
             "Connection: close\r\n%s\r\n",
             status, (unsigned long)strlen(body), more_headers);
    stub_send(c, head);
    stub_send(c, body);
}

void stub_begin(stub_conn_t *c)
{
    stub_send(c, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
                 "Connection: close\r\n\r\n");
}

static void event(stub_conn_t *c, const char *text, const char *finish)
{
    stub_send(c, "event:result\n:HTTP_STATUS/200\n"
                 "data:{\"output\":{\"session_id\":\"s1\","
                 "\"finish_reason\":\"");
    stub_send(c, finish);
    stub_send(c, "\",\"text\":\"");
    stub_send(c, text);
    stub_send(c, "\"},\"usage\":{\"models\":[{\"input_tokens\":3,"
                 "\"output_tokens\":5,\"model_id\":\"qwen-plus\"}]},"
                 "\"request_id\":\"r1\"}\n\n");
}

void stub_say(stub_conn_t *c, const char *text)
{
    event(c, text, "null");
}

void stub_finish(stub_conn_t *c, const char *text)
{
    event(c, text, "stop");
}

static int is_let_go(stub_conn_t *c, int has_gate)
{
    stub_t *s = c->stub;
    int is_so = 0;

    pthread_mutex_lock(&s->lock);
    if (has_gate && s->gates) {
        s->gates--;
        is_so = 1;
    }
    if (s->must_stop) is_so = 1;
    pthread_mutex_unlock(&s->lock);
    return is_so;
}

static void wait_here(stub_conn_t *c, int has_gate)
{
    struct pollfd p = {c->fd, POLLRDHUP, 0};

    while (!is_let_go(c, has_gate)) {
        if (poll(&p, 1, LOOK_MS) > 0) return;
    }
}

void stub_wait(stub_conn_t *c)
{
    wait_here(c, 1);
}

void stub_hang(stub_conn_t *c)
{
    wait_here(c, 0);
}

void stub_reset(stub_conn_t *c)
{
    struct linger at_once = {1, 0};

    setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
    close(c->fd);
    c->fd = -1;
}

void stub_hello(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "Hello");
    stub_finish(c, " world");
}

void stub_half_then_half(stub_conn_t *c, void *ctx)
{
    (void)ctx;
    stub_begin(c);
    stub_say(c, "one");
    stub_wait(c);
    stub_finish(c, " two");
}
