/* SPDX-License-Identifier: Apache-2.0 */
/*
 * history - pieces that reading and searching conversations share.
 *
 * THREADS  that of the connection.
 */
#ifndef BL_HISTORY_H
#define BL_HISTORY_H

#include "base/buf.h"
#include "store/db.h"

#include <jansson.h>

/* Row id of an owner's conversation, or BL_E_NOT_FOUND. */
apr_status_t bl_history_find(bl_db_t *db, const char *owner,
                             const char *client_id, apr_int64_t *pid);

/* One line of a list; columns from first on: client_id, title, created_at,
 * updated_at. New reference, NULL without memory. */
json_t *bl_history_item_new(sqlite3_stmt *st, int first);

/* The messages of a conversation by its row id: elements of a JSON array
 * without its brackets; or the whole as Markdown. Inside a transaction. */
apr_status_t bl_history_put_messages(bl_db_t *db, apr_int64_t id,
                                     bl_buf_t *out);
apr_status_t bl_history_put_markdown(bl_db_t *db, apr_int64_t id,
                                     bl_buf_t *out);

#endif
