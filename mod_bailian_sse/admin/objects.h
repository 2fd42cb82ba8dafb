/* SPDX-License-Identifier: Apache-2.0 */
/*
 * objects - keys and upstreams as the admin API shows them: the stored row
 * and what all children know of it.
 *
 * OWNERSHIP  rows are the caller's and are changed in place.
 * THREADS    any.
 * ERRORS     APR_ENOMEM: the row is not whole, and not for the page.
 */
#ifndef BL_OBJECTS_H
#define BL_OBJECTS_H

#include "shm/layout.h"

#include <jansson.h>

/* Row of bl_store_key_rows(): gets state, coolingMs, stateSinceAt, lastUsedAt,
 * requests, throttled, errors and enabled; loses what is not for the page. */
apr_status_t bl_admin_show_key(json_t *row, const bl_shm_t *shm, bl_ms_t now);

/* Row of bl_store_upstream_rows(): gets state, failures, nextProbeMs. */
apr_status_t bl_admin_show_upstream(json_t *row, const bl_shm_t *shm,
                                    bl_ms_t now);

#endif
