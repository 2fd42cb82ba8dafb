/* SPDX-License-Identifier: Apache-2.0 */
/*
 * metrics - counters and gauges of all children as Prometheus text 0.0.4
 * (docs/metrics.md). No label is a user, a key or anything a caller chose
 * (S-72).
 *
 * THREADS  any.
 * ERRORS   those of the buffer.
 */
#ifndef BL_METRICS_H
#define BL_METRICS_H

#include "base/buf.h"
#include "shm/layout.h"
#include "store/store.h"

apr_status_t bl_admin_metrics(const bl_shm_t *shm,
                              const bl_store_health_t *store, bl_buf_t *out);

#endif
