/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather - the text of an answer, put together from its stored events.
 *
 * THREADS  that of the connection; inside one transaction.
 * ERRORS   BL_E_STORE_CORRUPT; those of the buffers.
 */
#ifndef BL_GATHER_H
#define BL_GATHER_H

#include "base/buf.h"
#include "store/db.h"

/* stream: the row's id. Any of the three may be NULL. *plast_seq 0: none. */
apr_status_t bl_gather_stream(bl_db_t *db, apr_int64_t stream, bl_buf_t *text,
                              bl_buf_t *reasoning, apr_uint64_t *plast_seq);

#endif
