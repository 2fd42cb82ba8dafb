/* SPDX-License-Identifier: Apache-2.0 */
/*
 * overview - what the admin page shows: counters, children, live streams.
 * JSON out, no httpd, so that it is tested without it (docs/admin-api.md).
 *
 * THREADS  any; what is read is as fresh as shared memory, nothing is locked.
 * ERRORS   those of the buffer.
 */
#ifndef BL_OVERVIEW_H
#define BL_OVERVIEW_H

#include "base/buf.h"
#include "shm/layout.h"
#include "store/store.h"

/* {"live":n,"counters":{...},"children":[...],"store":{...}} */
apr_status_t bl_admin_overview(const bl_shm_t *shm,
                               const bl_store_health_t *store, bl_buf_t *out);

#endif
