/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask - a question in the fields of the chat dialect becomes a stream; whoever
 * serves it chooses the form.
 *
 * OWNERSHIP  strings are borrowed from the body or in r->pool.
 * THREADS    the request's.
 * ERRORS     APR_EEXIST the key began a stream before; BL_E_FORBIDDEN an app
 *            that is not the caller's; those of bl_engine_ask().
 */
#ifndef BL_ASK_H
#define BL_ASK_H

#include "request.h"

typedef struct bl_asked_t {
    const char *message;
    json_t *messages;
    const char *conversation_id;
    const char *item_id;
    const char *app;
    const char *user_id;
    const char *transport;
    const char *key; /* for idempotency, or NULL */
    int is_polled;   /* nobody stays to read it */
} bl_asked_t;

/* Reads the fields; *pdetail names a bad one. transport and key are left to
 * the caller. */
apr_status_t bl_ask_read(const json_t *body, size_t most, bl_asked_t *ask,
                         const char **pdetail);

/* The Idempotency-Key of the request. */
apr_status_t bl_ask_read_key(request_rec *r, bl_asked_t *ask,
                             const char **pdetail);

/* *ps is a reference. With APR_EEXIST id names the stream there is. */
apr_status_t bl_ask_start(request_rec *r, bl_call_t *call,
                          const bl_asked_t *ask, bl_stream_t **ps,
                          char id[BL_ID_TEXT + 1]);

#endif
