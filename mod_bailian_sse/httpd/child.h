/* SPDX-License-Identifier: Apache-2.0 */
/*
 * child - what the parent prepares (shared memory, master key) and what each
 * child builds in child_init and takes down in reverse. A child that cannot
 * open its engine then, because the database is locked say, answers 503 and
 * tries again by a thread of its own.
 *
 * THREADS  hooks: the main thread of parent or child. bl_child_engine(): any.
 */
#ifndef BL_CHILD_H
#define BL_CHILD_H

#include "config.h"

/* The engine of this child, or NULL: not configured, or not open yet. */
bl_engine_t *bl_child_engine(void);

/* The segment, NULL before post_config or when nothing is configured. */
bl_shm_t *bl_child_shm(void);

int bl_child_post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                         server_rec *s);
void bl_child_init(apr_pool_t *pchild, server_rec *s);
void bl_child_stopping(apr_pool_t *pchild, int graceful);

#endif
