/* SPDX-License-Identifier: Apache-2.0 */
/*
 * readers - a small pool of read-only connections, opened when needed.
 *
 * OWNERSHIP  a connection taken is given back by the same thread.
 * THREADS    any but the reactor: take can wait.
 * ERRORS     BL_E_STORE_UNAVAILABLE none became free in time.
 */
#ifndef BL_READERS_H
#define BL_READERS_H

#include "store/db.h"

#define BL_READERS_MOST 8

typedef struct bl_readers_t bl_readers_t;

apr_status_t bl_readers_create(bl_readers_t **pr, const char *path);
void bl_readers_destroy(bl_readers_t *r); /* when all were given back */
apr_status_t bl_readers_take(bl_readers_t *r, bl_ms_t wait_ms, bl_db_t **pdb);
/* A connection that is_bad is closed in place of being kept. */
void bl_readers_give(bl_readers_t *r, bl_db_t *db, int is_bad);
/* Closes those that were not needed since the last call, all but one. */
void bl_readers_close_unneeded(bl_readers_t *r);
/* Of the connections that nobody has: bl_db_forget_pages(). */
void bl_readers_forget_pages(bl_readers_t *r);

#endif
