/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lists - rows of a query as a JSON array, for the admin.
 *
 * THREADS  any but the reactor.
 */
#ifndef BL_LISTS_H
#define BL_LISTS_H

#include "base/buf.h"
#include "base/json.h"
#include "store/store.h"

#include <jansson.h>
#include <sqlite3.h>

/* Makes one element from the row; a new reference, NULL without memory. */
typedef json_t *bl_row_new_fn(sqlite3_stmt *st, void *ctx);

/* Binds the parameters of the query. */
typedef void bl_row_bind_fn(sqlite3_stmt *st, void *ctx);

/* All rows as a new array. sql: a static constant; bind may be NULL. */
apr_status_t bl_list_rows_bound(bl_store_t *s, const char *sql,
                                bl_row_bind_fn *bind, void *bind_ctx,
                                bl_row_new_fn *fn, void *ctx, json_t **prows);

/* Appends the text of value, and drops the reference: APR_ENOMEM for NULL. */
apr_status_t bl_json_put_new(bl_buf_t *out, json_t *value);

/* The same of an object that has more members than these: its braces are the
 * caller's to write. */
apr_status_t bl_json_put_members_new(bl_buf_t *out, json_t *object);

/* A column that holds text: null for NULL. NULL without memory. */
json_t *bl_column_text_new(sqlite3_stmt *st, int column);

/* "2026-11-20T11:22:33.444Z"; null for 0. */
json_t *bl_time_new(apr_time_t at);

#endif
