/* SPDX-License-Identifier: Apache-2.0 */
/*
 * trend - what was counted over time, as JSON for charts (docs/admin-api.md,
 * "History").
 *
 * THREADS  any.
 * ERRORS   those of the buffer; BL_E_BAD_VALUE: an unknown series.
 */
#ifndef BL_ADMIN_TREND_H
#define BL_ADMIN_TREND_H

#include "base/buf.h"
#include "shm/trend.h"

/* names: series with commas between. */
apr_status_t bl_admin_trend(const bl_shm_t *shm, const char *names,
                            bl_range_t range, bl_buf_t *out);

/* ,"window":{...},"lastHour":{...} of api/overview. */
void bl_admin_put_window(const bl_shm_t *shm, bl_buf_t *out);

#endif
