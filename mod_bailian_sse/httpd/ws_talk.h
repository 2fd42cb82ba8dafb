/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_talk - the message protocol of dialects.md 2 on a WebSocket. What each
 * type of message does is one function of the table in ws_talk.c; an error
 * that it answers becomes an ERROR message, and the connection stays.
 *
 * THREADS  handlers: a worker that owns the socket; they may ask the store.
 *          The events of answers are encoded by whoever owns it.
 */
#ifndef BL_WS_TALK_H
#define BL_WS_TALK_H

#include "ws_socket.h"
#include "wire/ws_message.h"

/* One connection's; what is said is put together in json. */
typedef struct bl_talk_t {
    char session_id[BL_ITEM_ID_BYTES];
    bl_msg_peer_t peer;
    bl_buf_t json;
} bl_talk_t;

/* One message while it is handled. */
typedef struct bl_talk_call_t {
    bl_socket_t *s;
    bl_talk_t *t;
    bl_msg_t m;
    const char *session_id; /* the message's, else the connection's */
    const char *field;      /* what was wrong: for the ERROR */
    const char *request_id; /* likewise */
} bl_talk_call_t;

typedef apr_status_t bl_talk_fn(bl_talk_call_t *call);

/* ws_talk_chat.c */
bl_talk_fn bl_talk_ask, bl_talk_stop;
/* ws_talk_session.c */
bl_talk_fn bl_talk_session_create, bl_talk_session_update,
    bl_talk_session_delete, bl_talk_session_list;

/* ws_talk_others.c */
bl_talk_fn bl_talk_tell_others;

/* Sends what t->json holds. */
void bl_talk_send(bl_socket_t *s);

/* A SYSTEM_MESSAGE, WARNING or INFO about the connection's own session. */
void bl_talk_remark(bl_socket_t *s, bl_msg_type_t type, const char *message,
                    const char *code, const char *message_id);

#endif
