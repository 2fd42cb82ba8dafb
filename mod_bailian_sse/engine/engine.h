/* SPDX-License-Identifier: Apache-2.0 */
/*
 * engine - everything one child needs to run streams: reactor, registry,
 * store, its place in shared memory. Knows no httpd, so that it is tested
 * without it.
 *
 * OWNERSHIP  opened in child_init or soon after, closed in the reverse order.
 * THREADS    open, and what it opens: the child's main thread, or the one that
 *            tries again (httpd/child.c). close: the main thread, when that
 *            one is gone. ask, find, stop: any thread but the reactor.
 * ERRORS     classes of errors.h.
 */
#ifndef BL_ENGINE_H
#define BL_ENGINE_H

#include "base/bl.h"
#include "reactor/reactor.h"
#include "shm/directory.h"
#include "store/store.h"
#include "stream/registry.h"
#include "upstream/address.h"

typedef struct bl_engine_t bl_engine_t;

typedef struct bl_engine_conf_t {
    const char *database;
    bl_keyring_t *keyring; /* NULL: no key can be opened */
    bl_shm_t *shm;
    const bl_allowed_t *allowed;
    int streams_per_child;
    int streams_all;
    bl_ms_t drain_ms;
    bl_budget_t *budget; /* outlives the engine; NULL: nothing is counted */
    int (*is_over)(void *unused); /* the child ends: need not open any more */
    void (*at_rest)(void); /* on the reactor, once after each load: threads
                              that only wait may give memory back; or NULL */
} bl_engine_conf_t;

typedef enum { BL_RETRY_OFF, BL_RETRY_FIXED, BL_RETRY_EXPONENTIAL } bl_pace_t;

/* How an answer is asked for: directives, then the app's own settings. */
typedef struct bl_limits_t {
    bl_ms_t connect_ms, first_content_ms, gap_ms, total_ms;
    bl_pace_t pace;
    int retries;
    bl_ms_t retry_ms;
    bl_policy_t policy;
    bl_ms_t detach_ms;
    size_t queue_bytes;
    int streams_per_principal;
    int starts_per_minute, starts_per_address; /* 0 = any number */
    apr_int64_t tokens_per_day;                /* 0 = any number */
    const bl_client_t *client; /* whose apps these are; NULL: all */
} bl_limits_t;

/* One question. Strings borrowed for the call. */
typedef struct bl_question_t {
    const char *owner;           /* principal text: who asks */
    const char *asker;           /* filled in by the engine: he, when the
                                    conversation is another one's */
    const char *conversation_id; /* NULL: it begins one */
    const char *item_id;         /* or NULL */
    const char *app;             /* name, or NULL for the default */
    const char *transport;
    const char *client;          /* its address, or NULL */
    const char *request_id;      /* of its request, or NULL */
    const char *idempotency_key; /* or NULL */
    const char *text;            /* the user's words: what is stored */
    int is_polled; /* nobody stays between two polls: never "cancel" */
    bl_ask_t ask;  /* session_id is filled in by the engine */
    const bl_limits_t *limits;
} bl_question_t;

apr_status_t bl_engine_open(bl_engine_t **pe, const bl_engine_conf_t *conf,
                            char *err, size_t err_size);
void bl_engine_close(bl_engine_t *e);

/* Starts a stream; *ps is a reference for the caller, who opens a cursor or
 * unrefs. With an idempotency key that is known already: APR_EEXIST, no run is
 * made, and id (BL_ID_TEXT + 1 bytes) names the stream that has it. */
apr_status_t bl_engine_ask(bl_engine_t *e, const bl_question_t *q,
                           bl_stream_t **ps, char *id);

/* A reference to a stream that lives in this child, or NULL. */
bl_stream_t *bl_engine_find(bl_engine_t *e, const char *id);

/* Asks for the end of a stream: cancelled, if it has not ended yet. */
void bl_engine_stop(bl_engine_t *e, bl_stream_t *s);

/* Somebody took what there is of a stream without staying: while that goes on
 * it is not "nobody reads" (BailianDisconnect detach). */
void bl_engine_polled(bl_engine_t *e, bl_stream_t *s);

/* What runs has until drain_ms. Until then questions are still answered in a
 * graceful drain: a connection that httpd had accepted before it stopped to
 * listen is not sent away (P04). Not graceful: refused from now on. */
void bl_engine_drain(bl_engine_t *e, int is_graceful);
int bl_engine_is_draining(const bl_engine_t *e);

bl_reactor_t *bl_engine_reactor(bl_engine_t *e);
bl_store_t *bl_engine_store(bl_engine_t *e);
bl_shm_t *bl_engine_shm(bl_engine_t *e);
bl_budget_t *bl_engine_budget(const bl_engine_t *e); /* or NULL */
int bl_engine_child(const bl_engine_t *e);           /* index in shm */

#endif
