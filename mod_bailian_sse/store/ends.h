/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ends - streams that have ended: which, why, how many. For the admin; of all
 * owners.
 *
 * THREADS  any but the reactor.
 * ERRORS   as store.h; BL_E_NOT_FOUND.
 */
#ifndef BL_ENDS_H
#define BL_ENDS_H

#include "store/store.h"

/* Strings NULL, numbers 0: any. */
typedef struct bl_ends_ask_t {
    apr_time_t from, to; /* of the end; to is exclusive, 0 = no end */
    bl_outcome_t outcome;
    const char *code; /* reason, or the upstream's own code */
    const char *app, *upstream, *key_last4, *owner;
    const char *q;         /* stream, request or upstream request id, whole */
    apr_time_t before;     /* place of the page before: its last row ... */
    apr_int64_t before_id; /* ... 0 = the first page */
    int limit;
} bl_ends_ask_t;

/* Valid in the call. */
typedef struct bl_end_row_t {
    apr_int64_t row;
    char id[BL_ID_TEXT + 1];
    const char *owner, *conversation_id, *app, *upstream, *transport, *client;
    const char *request_id, *upstream_request_id;
    bl_outcome_t outcome;
    const char *reason, *upstream_code, *finish_reason;
    apr_time_t started_at, ended_at;
    apr_int64_t duration_ms, first_content_ms; /* -1 unknown */
    int attempts;
    const char *attempts_json; /* an array, or NULL */
    apr_int64_t event_count, text_len;
    apr_int64_t input_tokens, output_tokens; /* -1 unknown */
    const char *key_last4, *key_name, *model_id;
    const void *timeline; /* as the engine packed it */
    size_t timeline_len;
} bl_end_row_t;

typedef apr_status_t bl_end_row_fn(void *ctx, const bl_end_row_t *row);

/* The newest end first. */
apr_status_t bl_store_ends(bl_store_t *s, const bl_ends_ask_t *ask,
                           bl_end_row_fn *fn, void *ctx);

/* One by its stream id; also one that has not ended yet. */
apr_status_t bl_store_end_of(bl_store_t *s, const char *stream_id,
                             bl_end_row_fn *fn, void *ctx);

typedef enum {
    BL_ENDS_BY_OUTCOME,
    BL_ENDS_BY_CODE,
    BL_ENDS_BY_APP,
    BL_ENDS_BY_UPSTREAM,
    BL_ENDS_BY_KEY,
    BL_ENDS_BY_ATTEMPTS
} bl_ends_by_t;

/* name "" = unknown; bucket counts from ask->from in steps of bucket_us. */
typedef apr_status_t bl_end_count_fn(void *ctx, const char *name, int bucket,
                                     apr_int64_t count);

apr_status_t bl_store_end_counts(bl_store_t *s, const bl_ends_ask_t *ask,
                                 bl_ends_by_t by, apr_time_t bucket_us,
                                 bl_end_count_fn *fn, void *ctx);

#endif
