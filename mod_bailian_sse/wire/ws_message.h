/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_message - the `message` dialect (dialects.md 2): a client's message ->
 * what it asks; events and answers -> messages, each one WebSocket text frame
 *   {"type","sessionId","userId","data","timestamp"}
 *
 * A stream's messages: START, DATA for each event that shows something, END;
 * or one RESPONSE. A failure is an ERROR, and END after it with a finishReason
 * that is not "completed" (I4). What goes beyond the dialect: streamId and seq,
 * by which an answer is picked up again; reasoning, status, references and
 * replace as in the chat dialect; length and sha256 of the answer.
 *
 * OWNERSHIP  structs are the caller's; bl_msg_release() frees a parsed one.
 *            What a parsed one names is borrowed from it.
 * THREADS    none: one owner at a time. The time is told by the caller.
 * ERRORS     those of json.h; BL_E_BAD_VALUE with the field that is meant.
 */
#ifndef BL_WS_MESSAGE_H
#define BL_WS_MESSAGE_H

#include "base/json.h"
#include "chat_writer.h"

#define BL_MSG_TABLE(X)                                                        \
    X(CONNECT)                                                                 \
    X(DISCONNECT)                                                              \
    X(HEARTBEAT)                                                               \
    X(CHAT_REQUEST)                                                            \
    X(CHAT_RESPONSE)                                                           \
    X(CHAT_STREAM_START)                                                       \
    X(CHAT_STREAM_DATA)                                                        \
    X(CHAT_STREAM_END)                                                         \
    X(SESSION_CREATE)                                                          \
    X(SESSION_UPDATE)                                                          \
    X(SESSION_DELETE)                                                          \
    X(SESSION_LIST)                                                            \
    X(TYPING_START)                                                            \
    X(TYPING_STOP)                                                             \
    X(ONLINE_STATUS)                                                           \
    X(ERROR)                                                                   \
    X(SYSTEM_MESSAGE)                                                          \
    X(WARNING)                                                                 \
    X(INFO)

typedef enum {
#define X(name) BL_MSG_##name,
    BL_MSG_TABLE(X)
#undef X
        BL_MSG_TYPES
} bl_msg_type_t;

const char *bl_msg_name(bl_msg_type_t type);

/* --- a client's message ------------------------------------------------- */

typedef struct bl_msg_t {
    bl_msg_type_t type;
    const char *session_id; /* of data, else of the message; NULL */
    json_t *data;           /* an object, or NULL */
    json_t *json;           /* all of it */
} bl_msg_t;

/* *pfield (NULL: none) names what is wrong. release() whatever it answers. */
apr_status_t bl_msg_parse(bl_msg_t *m, const char *text, size_t len,
                          const char **pfield);
void bl_msg_release(bl_msg_t *m);

typedef struct bl_msg_ask_t {
    const char *message;
    const char *conversation_id; /* data.conversationId, else session_id */
    const char *request_id;      /* the client's own, or NULL */
    const char *model;           /* or NULL */
    const char *key;             /* the same one is answered once; or NULL */
    int is_streaming;
    const char *resume; /* id of a stream that is to be read on, or NULL */
    apr_uint64_t after;
} bl_msg_ask_t;

/* Of a CHAT_REQUEST. */
apr_status_t bl_msg_ask(const bl_msg_t *m, bl_msg_ask_t *ask,
                        const char **pfield);

/* data.messageId of a CHAT_STREAM_END, or NULL. */
const char *bl_msg_stops(const bl_msg_t *m);
/* Is it only to be read no more on this connection (data.leave)? */
int bl_msg_leaves(const bl_msg_t *m);

/* --- a server's message ------------------------------------------------- */

/* Who the connection belongs to; strings borrowed. */
typedef struct bl_msg_peer_t {
    const char *user_id;
    bl_lang_t lang;
} bl_msg_peer_t;

/* Up to where the data stand, which the caller then appends as JSON; members
 * beside data may follow it, each with a comma in front. */
void bl_msg_begin(bl_buf_t *json, bl_msg_type_t type, const char *session_id,
                  const bl_msg_peer_t *peer);
void bl_msg_end(bl_buf_t *json, apr_time_t now);

/* ERROR: what went wrong, in words and by its code. */
typedef struct bl_msg_error_t {
    const bl_error_t *why;
    const char *message_id; /* of the answer it is about, or NULL */
    const char *request_id; /* of the question, or NULL */
    const char *field;      /* of the message, or NULL */
} bl_msg_error_t;
void bl_msg_put_error(bl_buf_t *json, const char *session_id,
                      const bl_msg_peer_t *peer, const bl_msg_error_t *e,
                      apr_time_t now);

/* SYSTEM_MESSAGE, WARNING or INFO: {"message","code"} and, when there is one,
 * a messageId. code may be NULL. */
void bl_msg_put_remark(bl_buf_t *json, bl_msg_type_t type,
                       const char *session_id, const bl_msg_peer_t *peer,
                       const char *message, const char *code,
                       const char *message_id, apr_time_t now);

/* --- an answer ---------------------------------------------------------- */

/* Strings borrowed, but for the provider. */
typedef struct bl_msg_answer_t {
    const char *message_id; /* the stream's id */
    const char *session_id; /* its conversation */
    const char *request_id;
    const char *model;
    char provider[32];
    int is_streaming;
    apr_uint64_t index;       /* of the next DATA */
    apr_int64_t total_tokens; /* -1 unknown */
} bl_msg_answer_t;

/* The START of an answer; after: where reading begins, 0 = at its beginning. */
void bl_msg_put_start(bl_msg_answer_t *a, bl_buf_t *json,
                      const bl_msg_peer_t *peer, apr_uint64_t after,
                      apr_time_t now);

/* Is the answer so far needed to write this event? */
int bl_msg_wants_text(const bl_msg_answer_t *a, const bl_event_t *ev);

/* The message of an event, if it has one; text: as wanted. An END that is a
 * failure is an ERROR here, and END only after it: call put_finish() for every
 * END event of a streaming answer. */
void bl_msg_put_event(bl_msg_answer_t *a, bl_buf_t *json,
                      const bl_msg_peer_t *peer, const bl_event_t *ev,
                      const bl_span_t *text, apr_time_t now);

/* The last message of a streaming answer. */
void bl_msg_put_finish(bl_msg_answer_t *a, bl_buf_t *json,
                       const bl_msg_peer_t *peer, const bl_event_t *end,
                       apr_time_t now);

#endif
