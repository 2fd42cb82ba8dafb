/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stream - life of one answer: who asked, its journal, its readers, its end.
 *
 * A stream has one producer and any number of readers (docs/architecture.md).
 * The producer does not know who reads; the readers do not know who produces.
 *
 * OWNERSHIP  counted. The registry holds one reference while it is listed,
 *            the producer one until the end, each cursor one.
 * THREADS    fields marked immutable: any. _rt_ functions and fields under
 *            "reactor": the reactor only, which makes every state change,
 *            and so the end, one atomic step (I2, S-62).
 * ERRORS     BL_E_INTERNAL an event after the end: it changes nothing.
 */
#ifndef BL_STREAM_H
#define BL_STREAM_H

#include "journal.h"
#include "base/buf.h"
#include "base/mailbox.h"

typedef enum {
    BL_STREAM_OPENING, /* accepted, no content yet */
    BL_STREAM_LIVE,    /* content has come */
    BL_STREAM_ENDED    /* has an outcome, and its journal is closed */
} bl_stream_state_t;

/* What happens to the producer when the last reader has gone. */
typedef enum {
    BL_POLICY_CANCEL,
    BL_POLICY_DRAIN,
    BL_POLICY_DETACH
} bl_policy_t;

typedef struct bl_stream_spec_t {
    const char *id; /* BL_ID_TEXT hex digits */
    const char *owner;
    const char *conversation_id;
    const char *item_id; /* "" when the client gave none */
    const char *app;
    bl_policy_t policy;
    bl_ms_t detach_ms;
    size_t queue_bytes;  /* of one reader: BL_QUEUE_BYTES */
    bl_budget_t *budget; /* where its memory is counted, or NULL */
} bl_stream_spec_t;

typedef void bl_stream_fn(bl_stream_t *s, void *ctx);

/* From any thread to the reactor, without asking for memory. */
typedef struct bl_stream_note_t {
    bl_letter_t letter;
    int is_posted; /* atomic: it is on its way */
} bl_stream_note_t;

struct bl_stream_t {
    /* immutable */
    const char *id;
    const char *owner;
    const char *conversation_id;
    const char *item_id;
    const char *app;
    bl_policy_t policy;
    bl_ms_t detach_ms;
    size_t queue_bytes;
    bl_budget_t *budget;
    bl_ms_t started_ms;    /* monotonic */
    apr_time_t started_at; /* wall */
    bl_journal_t *journal; /* has a lock of its own */

    int refs;                             /* atomic */
    bl_stream_t *next_listed;             /* registry, under its lock */
    bl_stream_note_t to_stop, was_polled; /* engine */

    /* reactor */
    bl_stream_state_t state;
    bl_outcome_t outcome;
    apr_status_t failure; /* why, when the outcome is not a good one */
    bl_cursor_t *cursors;
    int reader_count;
    apr_uint32_t resumes;  /* readers that came with a place */
    int had_reader;        /* somebody read at least for a moment */
    int is_dirty;          /* events came since the cursors were woken */
    bl_stream_fn *changed; /* producer's: a reader came, went or caught up */
    bl_stream_fn *dirty;   /* producer's: wake the cursors soon */
    bl_stream_fn *stop;    /* producer's: somebody asked for the end */
    bl_stream_fn *polled;  /* producer's: somebody took what there is */
    void *producer;
    int is_paused; /* atomic: readers on other threads say when they caught
                      up only while it is set */

    apr_uint32_t heartbeats; /* atomic: sent to all its readers */

    apr_uint32_t end_word; /* atomic, a futex: 0 runs, 1 somebody waits for
                              the end, 2 has ended */

    /* producer's: the digest of a long text, as it comes (I9) */
    struct bl_sha256_t *sum;
    size_t text_len; /* sum, while there is one, is of all of it */
    int has_reasoning;
    int is_summed_late; /* what came was rewritten, or memory was short */

    /* set before the END event can be read, never changed afterwards */
    bl_buf_t whole; /* the text of the answer */
    char sha256_hex[65];
};

/* Counts BL_STREAM_BYTES and its journal; BL_E_OVERLOADED: the budget is used
 * up. */
apr_status_t bl_stream_create(bl_stream_t **ps, const bl_stream_spec_t *spec);
void bl_stream_ref(bl_stream_t *s);
void bl_stream_unref(bl_stream_t *s);

/* Numbers and keeps ev; at_ms is filled in. Content takes OPENING to LIVE. */
apr_status_t bl_stream_rt_append(bl_stream_t *s, bl_event_t *ev);

/* The one end: sums, END event, closed journal. The first call wins and
 * answers 1; later ones change nothing and answer 0. finish is the model's
 * own word ("stop") of a good outcome, else NULL. When memory is too short to
 * sum up, a good outcome becomes the error "overloaded": look at the stream's
 * outcome and failure afterwards. */
int bl_stream_rt_end(bl_stream_t *s, bl_outcome_t outcome, apr_status_t failure,
                     const char *finish);

/* A stream whose END event comes from elsewhere (another child, the store):
 * the state becomes ENDED with what that event says. */
apr_status_t bl_stream_rt_append_end(bl_stream_t *s, const bl_event_t *end);

/* An event that was numbered elsewhere (another child, the store) and keeps
 * its seq and its time; END too. BL_E_STORE_CORRUPT: seq left a gap. Reactor,
 * or whoever alone knows the stream. */
apr_status_t bl_stream_rt_append_copy(bl_stream_t *s, const bl_event_t *ev);

/* The producer is gone and does not say how it ends (a mirror whose child
 * went): readers find the journal closed without an END event. */
void bl_stream_rt_lose(bl_stream_t *s);

/* Wakes every cursor once for all events since the last time. */
void bl_stream_rt_wake(bl_stream_t *s);

/* Should the producer hold back? Yes when more bytes would take every reader
 * above the high mark; no again when one is below the low mark. was: the answer
 * so far. */
int bl_stream_rt_is_blocked(const bl_stream_t *s, int was, size_t more);

/* Bytes that the reader furthest behind has not got yet. */
size_t bl_stream_rt_lag(const bl_stream_t *s);

/* Waits at most wait_ms until no event follows any more; 1 = so it is. Any
 * thread but the reactor that holds a reference. */
int bl_stream_wait_end(bl_stream_t *s, bl_ms_t wait_ms);

/* Puts the text of the answer so far together: deltas, and what REPLACE
 * events changed. Any thread that holds a reference. */
apr_status_t bl_stream_text(bl_stream_t *s, bl_buf_t *out);

/* The same as it was with event seq, that one included. */
apr_status_t bl_stream_text_at(bl_stream_t *s, apr_uint64_t seq, bl_buf_t *out);

/* All REASONING text. */
apr_status_t bl_stream_reasoning(bl_stream_t *s, bl_buf_t *out);

/* Prefix of a log line about this stream: BL_LOGNO(1301) BL_STREAM_MSG "x",
 * BL_STREAM_ARGS(s) */
#define BL_STREAM_MSG "stream %.8s: "
#define BL_STREAM_ARGS(s) (s)->id

#endif
