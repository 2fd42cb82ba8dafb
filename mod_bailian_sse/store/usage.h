/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - sums for one day, owner, app and key; kept when answers are deleted.
 *
 * THREADS  that of the connection; inside a transaction.
 */
#ifndef BL_USAGE_H
#define BL_USAGE_H

#include "store/db.h"

#include <apr_time.h>

typedef struct bl_usage_t {
    apr_int64_t stream;      /* the row that ended */
    const char *owner, *app; /* NULL: as that row has them */
    apr_time_t at;
    apr_int64_t key_id; /* 0: none */
    int is_failure;
    apr_int64_t input_tokens, output_tokens; /* < 0 unknown */
} bl_usage_t;

apr_status_t bl_usage_add(bl_db_t *db, const bl_usage_t *u);

#endif
