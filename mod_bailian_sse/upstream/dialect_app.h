/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_app - private to the files of the Bailian application dialect:
 * app_request.c (ask -> HTTP request), app_event.c (one event's JSON -> views),
 * app_errors.c (the upstream's codes -> classes), app_text.c (text, whole or
 * in pieces -> DELTA and REPLACE), app_steps.c (thoughts, nodes, references)
 * and dialect_app.c (what an event means).
 *
 * OWNERSHIP  bl_app_t is of one transfer, made and ended by the dialect.
 * THREADS    none: one owner at a time.
 * ERRORS     what the emitter answers is passed on.
 */
#ifndef BL_DIALECT_APP_H
#define BL_DIALECT_APP_H

#include "dialect.h"
#include "wire/json_scan.h"
#include "wire/json_write.h"

/* How many nodes, tools, references and models of one answer are told apart;
 * what comes after that is not announced. */
#define BL_APP_NODES 256
#define BL_APP_SEEN 1024
#define BL_APP_MODELS 16

/* One kind of text of an answer: the answer itself, or the thinking. */
typedef struct bl_app_text_t {
    bl_event_kind_t kind; /* DELTA or REASONING */
    int is_cumulative;    /* every event repeats all text so far (U20) */
    int is_held;          /* this event's text ends with a held U+FFFD */
    size_t at;            /* cumulative: how much of known was met again */
    bl_buf_t known;       /* cumulative: all that was emitted */
} bl_app_text_t;

typedef struct bl_app_t {
    bl_emitter_t out;
    bl_answer_t *answer;
    bl_flow_mode_t flow_mode;
    char *answer_nodes; /* our copy, or NULL */
    int is_ended;       /* the end marker or a failure was seen */
    int emitted;        /* events since the event() began */
    int has_text;       /* a part of the answer was emitted */
    int has_node_text;  /* ... and it came from a workflow node */
    int has_usage_out;
    apr_uint64_t last_event; /* hash of id and data; 0 = none (U21) */
    apr_uint64_t last_refs;  /* hash of the doc_references seen last */
    bl_app_text_t text;
    bl_app_text_t reasoning;
    bl_buf_t scratch; /* one part of a text, unescaped */
    bl_buf_t nodes;   /* app_node_t of app_steps.c */
    bl_buf_t seen;    /* hashes of tools and references announced */
    bl_buf_t models;  /* app_model_t of dialect_app.c */
} bl_app_t;

/* One model's share of the usage, as views. */
typedef struct bl_app_use_t {
    bl_json_value_t id;
    bl_json_value_t input;
    bl_json_value_t output;
} bl_app_use_t;

/* One event's JSON, as views of it; kind BL_JSON_BAD = absent. */
typedef struct bl_app_event_t {
    bl_json_value_t output; /* kind only */
    bl_json_value_t text;
    bl_json_value_t finish_reason;
    bl_json_value_t session_id;
    bl_json_value_t thoughts;
    bl_json_value_t references;
    bl_json_value_t workflow;
    bl_json_value_t request_id;
    bl_json_value_t code; /* of an error, at the top or in "error" */
    bl_json_value_t message;
    bl_json_value_t error;
    bl_app_use_t flat; /* usage as flat counts (quirk 10) */
    int models;        /* usage by model: how many */
    bl_app_use_t model[BL_APP_MODELS];
} bl_app_event_t;

/* 0 when data is not one whole JSON object. */
int bl_app_event_read(bl_app_event_t *e, const char *data, size_t len);

/* The members of object whose names are asked for: names and values run
 * side by side, n of them; absent ones get the kind BL_JSON_BAD, of repeated
 * ones the last counts. 0 when it is not an object or not whole. */
int bl_app_members(const bl_json_value_t *object, const char *const *names,
                   bl_json_value_t *values, int n);

/* Fills failure, failure_http, failure_code, is_quota_exhausted and
 * retry_of_code. http: of the answer or its comment, 0 = unknown. Returns the
 * class (bailian.md 7.2). */
apr_status_t bl_app_class(bl_answer_t *answer, int http,
                          const bl_json_value_t *code,
                          const bl_json_value_t *message);

/* The header that names a workspace, when there is one (S-36). */
apr_status_t bl_app_workspace(bl_buf_t *headers, const char *workspace);

apr_status_t bl_app_request(const bl_target_t *target, const bl_ask_t *ask,
                            bl_request_t *rq);

/* Counts and passes on. fields: a JSON object, or NULL. */
apr_status_t bl_app_emit(bl_app_t *a, bl_event_kind_t kind, const char *text,
                         size_t len, const bl_buf_t *fields);

void bl_app_text_init(bl_app_text_t *t, bl_event_kind_t kind, int is_cumulative,
                      size_t limit);

/* One event's text: begin, any number of pieces, end. A piece is a string
 * value; is_last: nothing follows it in this event; is_final: nor in any
 * later one. */
void bl_app_text_begin(bl_app_text_t *t);
apr_status_t bl_app_text_take(bl_app_t *a, bl_app_text_t *t,
                              const bl_json_value_t *v, int is_last,
                              int is_final);
apr_status_t bl_app_text_end(bl_app_t *a, bl_app_text_t *t);

/* A string value that is new text whatever the mode (workflow messages). */
apr_status_t bl_app_text_new(bl_app_t *a, bl_event_kind_t kind,
                             const bl_json_value_t *v);

apr_status_t bl_app_take_thoughts(bl_app_t *a, const bl_json_value_t *thoughts,
                                  int is_final);
apr_status_t bl_app_take_workflow(bl_app_t *a, const bl_json_value_t *message);
apr_status_t bl_app_take_references(bl_app_t *a, const bl_json_value_t *refs);

/* Not for hostile collisions that would cost more than a dropped repeat. */
apr_uint64_t bl_app_hash(apr_uint64_t seed, const char *data, size_t len);

#endif
