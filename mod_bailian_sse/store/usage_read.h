/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage_read - the sums of usage.h, grouped as an admin asks for them.
 *
 * THREADS  any but the reactor.
 */
#ifndef BL_USAGE_READ_H
#define BL_USAGE_READ_H

#include "store/store.h"

typedef enum {
    BL_USAGE_BY_DAY,
    BL_USAGE_BY_USER,
    BL_USAGE_BY_APP,
    BL_USAGE_BY_KEY,
    BL_USAGE_TOTAL /* one row; its sums are 0 when there is nothing */
} bl_usage_by_t;

typedef struct bl_usage_filter_t {
    bl_usage_by_t by;
    apr_int64_t from_day, to_day; /* since 1970, both included */
    const char *user, *app;       /* NULL: any */
    int has_key;                  /* else any */
    apr_int64_t key_id;           /* 0: none was used */
    int most;                     /* rows */
} bl_usage_filter_t;

typedef struct bl_usage_row_t {
    apr_int64_t number; /* the day, or the key's id */
    const char *name;   /* user, app, or name of the key (NULL: deleted) */
    const char *last4, *upstream; /* of a key, or NULL */
    apr_int64_t streams, failures, input_tokens, output_tokens;
    apr_int64_t groups; /* how many rows there would be without `most` */
} bl_usage_row_t;

/* Texts are valid in the call. Stops when fn does not answer APR_SUCCESS. */
typedef apr_status_t bl_usage_row_fn(void *ctx, const bl_usage_row_t *row);
apr_status_t bl_store_usage(bl_store_t *s, const bl_usage_filter_t *f,
                            bl_usage_row_fn *fn, void *ctx);

#endif
