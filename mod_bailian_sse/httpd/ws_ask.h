/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_ask - a question on a WebSocket becomes a stream that this connection
 * reads.
 *
 * THREADS  a worker's: asking may look into the store.
 * ERRORS   those of bl_engine_ask(); BL_E_RATE_LIMITED: this connection reads
 *          as many streams as it may.
 */
#ifndef BL_WS_ASK_H
#define BL_WS_ASK_H

#include "ws_socket.h"

typedef struct bl_ws_question_t {
    const char *message;
    const char *conversation_id; /* NULL: a new one */
    const char *item_id;         /* NULL: none */
    const char *app;             /* NULL: the location's */
    const char *key;             /* NULL: asked each time */
} bl_ws_question_t;

/* APR_EEXIST: the key is known; id (BL_ID_TEXT + 1 bytes) is its stream's. */
apr_status_t bl_ws_ask(bl_socket_t *s, const bl_ws_question_t *q,
                       bl_ws_reader_t **preader, char *id);

#endif
