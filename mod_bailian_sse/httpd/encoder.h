/* SPDX-License-Identifier: Apache-2.0 */
/*
 * encoder - how the events of a stream look to one client: SSE in the chat
 * dialect, or plain text. One table of functions each; a sink calls them and
 * knows no wire form.
 *
 * OWNERSHIP  part of its sink.
 * THREADS    one owner at a time, the sink's.
 * ERRORS     those of the buffer.
 */
#ifndef BL_ENCODER_H
#define BL_ENCODER_H

#include "stream/stream.h"
#include "wire/chat_writer.h"

typedef struct bl_encoder_t bl_encoder_t;

typedef struct bl_encoder_kind_t {
    const char *name; /* "sse" */
    const char *content_type;
    int has_heartbeat;
    int is_json; /* of whatever framing: it can be said in ASCII */
    /* The first bytes of the response, before any event. */
    apr_status_t (*begin)(bl_encoder_t *e, bl_buf_t *out);
    /* APR_INCOMPLETE: the event has more than was written; more() goes on. */
    apr_status_t (*event)(bl_encoder_t *e, bl_buf_t *out, const bl_event_t *ev);
    apr_status_t (*more)(bl_encoder_t *e, bl_buf_t *out);
    /* is_early: before the first content */
    apr_status_t (*heartbeat)(bl_encoder_t *e, bl_buf_t *out, int is_early,
                              apr_uint64_t last_seq);
    /* The reader has to come back elsewhere; the stream goes on. */
    apr_status_t (*reconnect)(bl_encoder_t *e, bl_buf_t *out,
                              apr_uint64_t last_seq);
    /* Of a kind that answers once, or NULL: says what has come so far. */
    apr_status_t (*answer)(bl_encoder_t *e, bl_buf_t *out,
                           apr_uint64_t last_seq);
} bl_encoder_kind_t;

struct bl_encoder_t {
    const bl_encoder_kind_t *kind;
    bl_stream_t *stream; /* borrowed: the sink holds it */
    bl_chat_writer_t chat;
    bl_event_t end;   /* the END event that is being written in pieces */
    size_t end_at;    /* of the whole text */
    apr_status_t why; /* a reader is sent away: BL_E_DRAINING */
    int is_clean;     /* the end was a good one: the body may end properly */
    int has_said;     /* a byte of the answer was written */
    /* NULL, or: the response is this error, said in JSON; nothing was written
     * before (text). */
    const bl_error_t *failure;

    /* of a kind that answers once */
    bl_buf_t text;   /* what came since it began to read */
    int wants_whole; /* all of the text is asked for */
    int is_replaced; /* text is not what follows what was said before */
    int has_news;    /* there is something to say before the wait is over */
};

/* NULL when there is none of that name. */
const bl_encoder_kind_t *bl_encoder_find(const char *name);

apr_status_t bl_encoder_init(bl_encoder_t *e, const bl_encoder_kind_t *kind,
                             bl_stream_t *s, bl_lang_t lang);
void bl_encoder_release(bl_encoder_t *e);

/* --- for the kinds ------------------------------------------------------ */

/* Of a kind that says nothing there, and of one without heartbeats. */
apr_status_t bl_encoder_nothing(bl_encoder_t *e, bl_buf_t *out);
apr_status_t bl_encoder_silence(bl_encoder_t *e, bl_buf_t *out, int is_early,
                                apr_uint64_t last_seq);

/* When to come back, by chance: readers that were cut off together do so over
 * some seconds (C15). */
unsigned bl_encoder_retry_ms(void);

/* Whether a reader that has all up to last_seq has the END event too; end is
 * then a view of it. A journal can be closed without one: the stream goes on
 * elsewhere, or will be found in the store. */
int bl_encoder_has_end(const bl_encoder_t *e, apr_uint64_t last_seq,
                       bl_event_t *end);

#endif
