/* SPDX-License-Identifier: Apache-2.0 */
/*
 * upstream_stub - a scripted upstream on loopback: every request is answered
 * by the test's own function, step by step.
 *
 * OWNERSHIP  the struct is the test's; stub_close() ends all its threads.
 * THREADS    a script runs on a thread of its connection; the questions about
 *            what has come are for any thread.
 */
#ifndef UPSTREAM_STUB_H
#define UPSTREAM_STUB_H

#include <pthread.h>
#include <stddef.h>

#define STUB_KEPT 64 /* requests whose text is kept */

typedef struct stub_t stub_t;

typedef struct stub_conn_t {
    stub_t *stub;
    int fd;
    int n; /* of the request, from 0 */
    char request[16 * 1024];
} stub_conn_t;

typedef void stub_script_fn(stub_conn_t *c, void *ctx);

struct stub_t {
    int fd;
    int port;
    stub_script_fn *script;
    void *ctx;
    pthread_t thread;
    int is_started;
    pthread_mutex_t lock; /* guards every field below it */
    pthread_cond_t changed;
    int threads;
    int must_stop;
    int accepted;
    int asked;
    int gone;  /* connections that the peer closed during their script */
    int gates; /* opened and not yet passed */
    char *requests[STUB_KEPT];
};

void stub_open(stub_t *s); /* listens; nobody is served yet */
void stub_start(stub_t *s, stub_script_fn *script, void *ctx);
void stub_close(stub_t *s);

int stub_accepted(stub_t *s);
int stub_asked(stub_t *s);
int stub_gone(stub_t *s);
const char *stub_request(stub_t *s, int n); /* head and body */
void stub_open_gate(stub_t *s);             /* one stub_wait() goes on */

/* --- in a script; what is sent to a peer that has gone is dropped ----------
 */
void stub_send(stub_conn_t *c, const char *text);
void stub_send_bytes(stub_conn_t *c, const void *data, size_t len);
void stub_answer(stub_conn_t *c, int status, const char *more_headers,
                 const char *body);              /* with its length */
void stub_begin(stub_conn_t *c);                 /* head of an event stream */
void stub_say(stub_conn_t *c, const char *text); /* an event that goes on */
void stub_finish(stub_conn_t *c, const char *text); /* the last one */
void stub_wait(stub_conn_t *c);  /* for a gate, or the peer's close */
void stub_hang(stub_conn_t *c);  /* until the peer closes */
void stub_reset(stub_conn_t *c); /* RST instead of FIN */

/* A whole answer: "Hello", " world". */
void stub_hello(stub_conn_t *c, void *ctx);

/* "one"; when a gate is opened " two" and the end. */
void stub_half_then_half(stub_conn_t *c, void *ctx);

#endif
