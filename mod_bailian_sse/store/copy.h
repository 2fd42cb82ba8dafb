/* SPDX-License-Identifier: Apache-2.0 */
/*
 * copy - a whole, consistent copy of the database while others write (D18).
 *
 * THREADS  that of the connection. Holds one read transaction.
 * ERRORS   APR_EEXIST something is there already: it is not touched.
 */
#ifndef BL_COPY_H
#define BL_COPY_H

#include "store/db.h"

/* The copy appears under its name only when it is whole; mode 0600. */
apr_status_t bl_copy_database(bl_db_t *db, const char *to_path);

#endif
