/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat_writer - the `chat` dialect (dialects.md 1): events -> SSE bytes.
 *
 * Every event is
 *   id: <stream-id>:<seq>
 *   data: {"id":"<seq>","conversionId":"...","conversionItemId":"...",
 *          "content":"<delta>","isEnd":false}
 * on two lines, and a blank one. What is the same in all of them is escaped
 * once, so that one event is a few copies. A response may begin with
 * bl_sse_put_retry(); bl_sse_put_comment(out, "hb") is the late heartbeat.
 *
 * OWNERSHIP  the struct is the caller's; release() frees what it holds. It is
 *            of one reader.
 * THREADS    none: one owner at a time.
 * ERRORS     APR_EINVAL a value that may not stand there, nothing was
 *            appended; else those of the buffer, which stays marked.
 */
#ifndef BL_CHAT_WRITER_H
#define BL_CHAT_WRITER_H

#include "base/errors.h"
#include "json_scan.h"
#include "json_write.h"
#include "stream/event.h"

typedef struct bl_chat_writer_t {
    char *fixed;    /* "id: <stream-id>:", then what follows the seq */
    size_t id_len;  /* of it: the id line */
    size_t mid_len; /* of it: from behind the seq to before the content */
    bl_lang_t lang; /* of the sentence of a failure */
    char *usage;    /* fields of the last USAGE event, or NULL */
    size_t usage_len;
} bl_chat_writer_t;

/* APR_EINVAL: stream_id may not stand in an id line; APR_ENOMEM. A writer that
 * failed needs no release, but stands it. NULL ids are written as "". */
apr_status_t bl_chat_writer_init(bl_chat_writer_t *w, const char *stream_id,
                                 const char *conversation_id,
                                 const char *item_id, bl_lang_t lang);
void bl_chat_writer_release(bl_chat_writer_t *w);

/* Any event but REPLACE and END. A USAGE event writes nothing: it is kept for
 * the end. An unknown kind writes an event with empty content. */
apr_status_t bl_chat_write_event(bl_chat_writer_t *w, bl_buf_t *out,
                                 const bl_event_t *ev);

/* The whole text of the answer so far, in pieces, instead of all before. */
apr_status_t bl_chat_write_replace(bl_chat_writer_t *w, bl_buf_t *out,
                                   const bl_event_t *ev, const bl_span_t *whole,
                                   int spans);

/* The END event; its fields are {"outcome","reason","finishReason","events",
 * "length","sha256"}. Only the outcomes completed and length make a normal
 * end; any other, also an unreadable one, carries error and code (I4). */
apr_status_t bl_chat_write_end(bl_chat_writer_t *w, bl_buf_t *out,
                               const bl_event_t *ev, const bl_span_t *whole,
                               int spans);

/* The same in pieces, for a whole text that is not to lie escaped in memory
 * at once: begin, the text by bl_json_escape() in any cuts, finish. */
apr_status_t bl_chat_begin_end(bl_chat_writer_t *w, bl_buf_t *out,
                               const bl_event_t *ev);
apr_status_t bl_chat_finish_end(bl_chat_writer_t *w, bl_buf_t *out,
                                const bl_event_t *ev);

/* The line of the error table for how it ended; NULL: well (completed, length).
 * reason: a wire code, or "". */
const bl_error_t *bl_chat_error(bl_outcome_t outcome, const char *reason);

/* What the fields of an END event say of it; reason "" when there is none. */
bl_outcome_t bl_chat_outcome(const bl_event_t *end, char *reason, size_t size);

/* --- what other dialects say likewise ----------------------------------- */

/* The member `name` of a JSON object, kind BL_JSON_BAD when it has none. */
bl_json_value_t bl_chat_field(const char *object, size_t len, const char *name);

/* ,"status":{"type":"<kind>",<the fields>} */
void bl_chat_put_status(bl_buf_t *out, const bl_event_t *ev);

/* ,"references":[...]; nothing when the event has none. */
void bl_chat_put_references(bl_buf_t *out, const bl_event_t *ev);

/* --- heartbeats and the way back ---------------------------------------- */

/* The early heartbeat: an event without content and without an id line. */
apr_status_t bl_chat_write_heartbeat(bl_chat_writer_t *w, bl_buf_t *out,
                                     apr_uint64_t last_seq);

/* The reader is to come back after retry_ms: not an end of the stream. code is
 * a wire code: "draining". */
apr_status_t bl_chat_write_reconnect(bl_chat_writer_t *w, bl_buf_t *out,
                                     apr_uint64_t last_seq, const char *code,
                                     unsigned retry_ms);

#endif
