/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect - how one upstream API phrases requests and answers.
 *
 * A dialect turns an ask into an HTTP request, and the SSE events (or the
 * body) of the answer into typed events. It does no I/O, knows no curl, no
 * clock, no thread. One file a dialect, one line in bl_dialect_find().
 *
 * OWNERSHIP  a state made by open() is ended by close(). What request() puts
 *            into a bl_request_t is released by bl_request_release().
 * THREADS    a state belongs to one transfer; the vtable is read-only.
 * ERRORS     bl_answer_t.failure tells the class (errors.h); text from the
 *            upstream never leaves bl_answer_t.
 */
#ifndef BL_DIALECT_H
#define BL_DIALECT_H

#include "base/bl.h"
#include "base/buf.h"
#include "stream/event.h"
#include "wire/sse_parser.h"

/* What is asked. All strings borrowed, UTF-8, NULL when absent. */
typedef struct bl_ask_t {
    const char *prompt;   /* the question; NULL when messages is given */
    const char *messages; /* JSON array of {role, content}, self-kept history */
    const char *session_id; /* the upstream's session; only with prompt */
    const char *biz_params; /* JSON object */
    const char *parameters; /* JSON object from the app's settings: laid under
                               what the dialect sets itself */
    const char *image_list; /* JSON array of strings */
    const char *file_list;  /* JSON array of strings */
    const char *memory_id;
} bl_ask_t;

/* Which of the workflow stream modes (bailian.md 2.2, 5.5 - 5.8). */
typedef enum {
    BL_FLOW_NONE, /* not a workflow: flow_stream_mode is not sent */
    BL_FLOW_FULL_THOUGHTS,
    BL_FLOW_MESSAGE,
    BL_FLOW_MESSAGE_PLUS,
    BL_FLOW_AGENT
} bl_flow_mode_t;

/* Where to and how: the app and its upstream. All strings borrowed. */
typedef struct bl_target_t {
    const char *base_url;  /* "https://host[:port]/path/prefix", no slash at the
                              end: "https://dashscope.aliyuncs.com/api/v1" */
    const char *app_id;    /* [A-Za-z0-9._:/-]{1,128}: one slot of the path */
    const char *workspace; /* X-DashScope-WorkSpace, or NULL */
    int is_incremental;    /* incremental_output */
    int has_thoughts;
    int enable_thinking; /* -1 not sent, 0, 1 */
    bl_flow_mode_t flow_mode;
    /* Workflow nodes whose text is the answer: comma-separated node names or
     * ids; NULL = in message_format all nodes that are streamed, in
     * message_format_plus and full_thoughts the End nodes. */
    const char *answer_nodes;
    size_t event_limit; /* bytes of one upstream event; 0 = default */
} bl_target_t;

/* An HTTP request without its credentials: those are the transfer's. */
typedef struct bl_request_t {
    bl_buf_t url;
    bl_buf_t headers; /* "Name: value\n" each; no CR, NUL (S-36) */
    bl_buf_t body;
} bl_request_t;

void bl_request_init(bl_request_t *rq);
void bl_request_release(bl_request_t *rq);

typedef enum {
    BL_FINISH_NONE, /* no end seen yet */
    BL_FINISH_STOP,
    BL_FINISH_LENGTH,
    BL_FINISH_TOOL_CALLS
} bl_finish_t;

/* What has been learned so far; fixed size, filled by the dialect. */
typedef struct bl_answer_t {
    bl_finish_t finish;
    apr_status_t failure;   /* APR_SUCCESS or BL_E_UPSTREAM_* */
    int is_quota_exhausted; /* failure is QUOTA but waiting will not help */
    int failure_http;       /* the upstream's status, also from :HTTP_STATUS/ */
    char failure_code[64];  /* the upstream's code: for admin and log only */
    int retry_of_code;      /* -1 by class, else bl_retry_t: bailian.md 7.2 */
    char session_id[128];
    char request_id[64]; /* body's request_id */
    char model_id[64];
    apr_int64_t input_tokens; /* -1 unknown; sums over usage.models */
    apr_int64_t output_tokens;
    int has_content;     /* a DELTA or REASONING event was emitted */
    unsigned bad_utf8;   /* bytes replaced by U+FFFD (U19) */
    unsigned duplicates; /* events dropped as repeated (U21) */
    unsigned unreadable; /* events skipped (U24) */
} bl_answer_t;

/* Where a dialect puts its events. emit copies. A status other than
 * APR_SUCCESS ends the transfer with it. */
typedef struct bl_emitter_t {
    apr_status_t (*emit)(void *ctx, const bl_event_t *ev);
    void *ctx;
} bl_emitter_t;

typedef struct bl_dialect_t {
    const char *name; /* "bailian-app" */

    apr_status_t (*request)(const bl_target_t *target, const bl_ask_t *ask,
                            bl_request_t *rq);

    /* answer is the caller's, zeroed by open, and outlives the state. */
    apr_status_t (*open)(void **pstate, const bl_target_t *target,
                         const bl_emitter_t *out, bl_answer_t *answer);
    void (*close)(void *state);

    /* One SSE event of a 200 answer. APR_SUCCESS: known, progress was made
     * (the gap clock restarts); APR_EAGAIN: skipped, no progress (U12);
     * APR_EOF: the end marker, answer->finish is set, what follows is ignored
     * (U13, U21); anything else: the class it failed with, also in
     * answer->failure. */
    apr_status_t (*event)(void *state, const bl_sse_event_t *ev);

    /* A whole body that is not SSE. http is its status. With 200 and a JSON
     * answer (no streaming) the text is emitted and APR_EOF returned; else
     * the class, also in answer->failure. A body of any status that is SSE
     * goes through event(). */
    apr_status_t (*body)(void *state, int http, const char *data, size_t len);

    /* The body ended. APR_SUCCESS when the answer is whole, else
     * BL_E_UPSTREAM_CUT (U14). */
    apr_status_t (*finish)(void *state);

    /* A 200 need not be JSON. */
    int takes_any_type;
} bl_dialect_t;

/* NULL when there is none of that name. */
const bl_dialect_t *bl_dialect_find(const char *name);

extern const bl_dialect_t bl_dialect_app; /* "bailian-app" */

/* Class for an upstream HTTP status alone (no readable body). */
apr_status_t bl_class_of_http(int http);

/* Is this an app id (or model name) that may stand in the path? S-30 */
int bl_app_id_is_valid(const char *id);

#endif
