/* SPDX-License-Identifier: Apache-2.0 */
/*
 * event - one numbered item of a stream; never changed once numbered.
 *
 * An event has a kind, UTF-8 text and a small JSON object of typed fields.
 * Which fields a kind has is listed in docs/protocol.md. Wire shapes belong to
 * encoders; numbers of kinds are stored and never used again.
 *
 * THREADS  plain data. A bl_event_t from a journal is a view: it is valid as
 *          long as the reader holds its reference to the stream.
 */
#ifndef BL_EVENT_H
#define BL_EVENT_H

#include "base/bl.h"

typedef enum {
    BL_EV_START = 1,     /* always seq 1 */
    BL_EV_DELTA = 2,     /* text of the answer */
    BL_EV_REASONING = 3, /* text of thinking */
    BL_EV_STATUS = 4,    /* a workflow node: name, state */
    BL_EV_PLAN = 5,
    BL_EV_SEARCH = 6, /* documents the answer refers to */
    BL_EV_TOOL = 7,   /* a tool, plug-in or retrieval step */
    BL_EV_AGENT_START = 8,
    BL_EV_AGENT_COMPLETE = 9,
    BL_EV_PROGRESS = 10,
    BL_EV_USAGE = 11, /* tokens, once, before the end */
    BL_EV_NOTICE = 12,
    BL_EV_REPLACE = 13, /* text = what follows the first "keep" bytes of
                           the answer so far (U20) */
    BL_EV_END = 14      /* always last: outcome, reason, sums */
} bl_event_kind_t;

/* How a stream ended (I2). Stored; names by bl_outcome_name(). */
typedef enum {
    BL_OUTCOME_NONE = 0,
    BL_OUTCOME_COMPLETED,
    BL_OUTCOME_LENGTH,
    BL_OUTCOME_CANCELLED,
    BL_OUTCOME_TIMEOUT,
    BL_OUTCOME_ERROR,
    BL_OUTCOME_INTERRUPTED
} bl_outcome_t;

struct bl_event_t {
    apr_uint64_t seq; /* 1, 2, 3, ... */
    bl_event_kind_t kind;
    apr_uint32_t at_ms; /* since the stream began */
    const char *text;   /* UTF-8, whole characters; "" when text_len is 0 */
    size_t text_len;
    const char *fields; /* a JSON object, or NULL */
    size_t fields_len;
};

const char *bl_event_kind_name(bl_event_kind_t kind); /* "delta"; "unknown" */
const char *bl_outcome_name(bl_outcome_t outcome);    /* "completed" */
bl_outcome_t bl_outcome_from_name(const char *name);  /* NONE when unknown */

/* An END event whose outcome is completed or length (I4). */
int bl_event_is_good_end(const bl_event_t *ev);

#endif
