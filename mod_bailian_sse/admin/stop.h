/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stop - ends streams for an admin, whichever child runs them.
 *
 * THREADS  a worker: it waits for the ends, BL_STOP_WAIT_MS at most.
 */
#ifndef BL_ADMIN_STOP_H
#define BL_ADMIN_STOP_H

#include "engine/engine.h"

#define BL_STOP_WAIT_MS 2000

int bl_admin_is_stream_id(const char *id);

/* {"results":[{"id","state"}]}: "stopped", "stopping" or "gone". */
apr_status_t bl_admin_stop(bl_engine_t *e, const char *const *ids, int count,
                           bl_buf_t *out);

#endif
