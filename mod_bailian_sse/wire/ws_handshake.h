/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_handshake - is this a WebSocket handshake, and what is answered
 * (RFC 6455 4.2)?
 *
 * OWNERSHIP  nothing is kept.
 * THREADS    any.
 * ERRORS     BL_E_BAD_HEADER: a header is missing or wrong;
 *            BL_E_UPGRADE_REQUIRED: not a handshake, or another version.
 */
#ifndef BL_WS_HANDSHAKE_H
#define BL_WS_HANDSHAKE_H

#include "base/bl.h"

#define BL_WS_VERSION "13"
#define BL_WS_ACCEPT_BYTES 29 /* base64 of a SHA-1, with the NUL */

/* Header values as they came, NULL when absent. */
typedef struct bl_ws_ask_t {
    const char *upgrade;
    const char *connection;
    const char *version;
    const char *key;
} bl_ws_ask_t;

/* accept: BL_WS_ACCEPT_BYTES. */
apr_status_t bl_ws_handshake(const bl_ws_ask_t *ask, char *accept);

/* Is word one of the list "a, b, c"? Case does not matter. */
int bl_ws_list_has(const char *list, const char *word);

/* The subprotocol list of dialects.md 2: "Bearer, <token>" is answered with
 * "Bearer"; a list of one is answered with that one, which is the token; any
 * other is answered with none. *panswer and *ptoken point into list, their
 * lengths 0 when there is none. */
typedef struct bl_ws_protocols_t {
    const char *answer, *token;
    size_t answer_len, token_len;
} bl_ws_protocols_t;
void bl_ws_protocols(bl_ws_protocols_t *p, const char *list);

#endif
