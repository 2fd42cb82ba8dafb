/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_socket - one WebSocket connection: its codec, the streams it reads, what
 * waits to be sent, its clocks. What is here serves both ways to the client:
 *
 *   parked (ws_parked)   the reactor writes; when the client has sent
 *                        something a worker reads and handles it, because
 *                        that may ask the store, and gives the connection back
 *   synchronous (ws_sync) the handler's thread does both
 *
 * A kind (raw text, message protocol) says what messages mean and what events
 * look like.
 *
 * OWNERSHIP  malloc'd, counted: its way holds one reference, each letter on
 *            its way another.
 * THREADS    everything belongs to whoever owns the connection: the reactor,
 *            or a worker. send, wake and the list of all: any thread. Cursors
 *            are opened and closed on the reactor.
 */
#ifndef BL_WS_SOCKET_H
#define BL_WS_SOCKET_H

#include "right.h"
#include "shm/removals.h"
#include "stream/cursor.h"
#include "wire/ws_codec.h"

/* Close code of a client that may come back for its answers: what scripts send,
 * which cannot send 1001. */
#define BL_WS_MAY_COME_BACK 4001

#include <pthread.h>

typedef struct bl_socket_t bl_socket_t;
typedef struct bl_ws_reader_t bl_ws_reader_t;

typedef struct bl_ws_kind_t {
    const char *name;
    int is_serial; /* answers come one after the other */
    apr_status_t (*open)(bl_socket_t *s);
    void (*message)(bl_socket_t *s, const char *text, size_t len);
    /* One above the rate. 1: it is let through once more, with a warning. */
    int (*too_many)(bl_socket_t *s, int is_first);
    /* Encodes one event into s->out. END comes too. */
    void (*event)(bl_socket_t *s, bl_ws_reader_t *r, const bl_event_t *ev);
    /* The stream goes on, and is to be read elsewhere. */
    void (*reconnect)(bl_socket_t *s, bl_ws_reader_t *r);
    void (*beat)(bl_socket_t *s); /* NULL: a ping is enough */
    void (*release)(bl_socket_t *s);
} bl_ws_kind_t;

/* One stream that this connection reads. */
struct bl_ws_reader_t {
    bl_ws_reader_t *next;
    bl_stream_t *stream; /* a reference */
    bl_cursor_t cursor;
    int is_open; /* its cursor is */
    int is_over;
    int is_asker; /* the stream was begun here: closing stops it */
    bl_share_t share;
    apr_status_t why; /* it is to be read elsewhere, or no longer */
    apr_uint64_t after;
    bl_buf_t note; /* the kind's own */
    void *data;    /* the kind's own, freed with free() */
};

struct bl_socket_t {
    int refs;                 /* atomic */
    bl_socket_t *prev, *next; /* all of this child, under the list's lock */
    int is_listed;            /* likewise */
    const bl_ws_kind_t *kind;
    void *state; /* the kind's */
    bl_engine_t *engine;
    bl_dir_conf_t conf;
    bl_principal_t principal;
    unsigned scopes;       /* of the caller (store/clients.h) */
    bl_right_t right;      /* his credential's */
    apr_uint32_t removals; /* when the newest message came */
    bl_lang_t lang;
    apr_table_t *query;     /* in r->pool, like the next two */
    const char *client;     /* its address */
    const char *request_id; /* of the handshake, or NULL */
    int slot;               /* in the shared list of sockets, -1 */

    bl_ws_t codec;
    bl_buf_t out;
    size_t sent; /* of out */
    bl_ws_reader_t *readers;
    int is_lost;    /* the client's end of the connection is gone */
    int has_input;  /* more is there than was read */
    bl_ms_t minute; /* in which messages are counted */
    int message_count;
    int is_text;                /* the message that is being handled is */
    bl_ms_t opened_ms, beat_ms; /* the last beat */
    bl_ms_t closing_since;      /* our Close was sent; 0 */
    bl_ms_t stuck_since;        /* the client takes nothing; 0 */
    int is_draining;            /* atomic */

    pthread_mutex_t lock;         /* guards inbox */
    bl_buf_t inbox;               /* frames that other threads sent */
    void (*wake)(bl_socket_t *s); /* the way's: look again; any thread */
    void *way;
};

/* *ps with one reference; the kind has greeted. */
apr_status_t bl_socket_create(bl_socket_t **ps, const bl_call_t *call,
                              const bl_ws_kind_t *kind);
void bl_socket_ref(bl_socket_t *s);
void bl_socket_unref(bl_socket_t *s);

/* --- the two ways ----------------------------------------------------------*/
int bl_ws_park(request_rec *r, bl_socket_t *s); /* DECLINED: cannot be */
int bl_ws_run_sync(request_rec *r, bl_socket_t *s);

/* How it is woken from now on; with NULL it leaves the list of all. */
void bl_socket_set_way(bl_socket_t *s, void *way, void (*wake)(bl_socket_t *s));

/* Reads what has come, without waiting, and handles it. A worker. */
void bl_socket_read(bl_socket_t *s, conn_rec *c, apr_bucket_brigade *bb);

/* May more be read now? */
int bl_socket_wants_input(const bl_socket_t *s);

/* Encodes what came since; 1 = there is something to send. */
int bl_socket_fill(bl_socket_t *s, bl_ms_t now);
size_t bl_socket_pending(const bl_socket_t *s);
void bl_socket_sent(bl_socket_t *s, size_t n);

/* Beats, idle clients, the end of the child. 0: the connection is to be cut. */
int bl_socket_tick(bl_socket_t *s, bl_ms_t now);
bl_ms_t bl_socket_next_tick(const bl_socket_t *s);

/* Everything was said and sent. */
int bl_socket_is_done(const bl_socket_t *s);

/* Readers whose stream is over, and all of them when the socket is: cursors
 * closed by `close` (reactor), readers freed. */
void bl_socket_drop_readers(bl_socket_t *s, int all,
                            void (*close)(bl_ws_reader_t *r, void *ctx),
                            void *ctx);

/* --- for kinds -------------------------------------------------------------*/

/* Takes the reference over. NULL: too many, or memory; it is the caller's. */
bl_ws_reader_t *bl_socket_read_stream(bl_socket_t *s, bl_stream_t *stream_take,
                                      apr_uint64_t after);
int bl_socket_reader_count(const bl_socket_t *s);

/* Ends the streams that were begun here. */
void bl_socket_stop_asked(bl_socket_t *s);
void bl_socket_close(bl_socket_t *s, int code, const char *reason);

/* --- from elsewhere --------------------------------------------------------*/

/* Every socket of this child. The lock of the list is held. */
void bl_sockets_each(void (*fn)(bl_socket_t *s, void *ctx), void *ctx);

/* Whole frames to a client, after what is being sent. Within
 * bl_sockets_each(). */
void bl_socket_send(bl_socket_t *s, const char *frames, size_t len);

/* A message from another child for one caller's connections: a bl_note_fn
 * (engine/notes.h). */
void bl_talk_note(const char *owner, const char *text, size_t len);

/* The child ends: 1012, as soon as no answer runs. */
void bl_sockets_drain(void);

extern const bl_ws_kind_t bl_ws_text;
extern const bl_ws_kind_t bl_ws_talk;
extern const bl_ws_kind_t bl_ws_echo; /* with --enable-ws-echo only */

#endif
