/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usage - GET api/usage: sums by day, user, app or key, as JSON or CSV.
 *
 * THREADS  any but the reactor.
 * ERRORS   BL_E_BAD_VALUE in p, with field and detail; those of the store.
 */
#ifndef BL_ADMIN_USAGE_H
#define BL_ADMIN_USAGE_H

#include "admin/params.h"
#include "base/buf.h"
#include "store/usage_read.h"

/* *pis_csv: format=csv. */
apr_status_t bl_admin_usage_filter(bl_params_t *p, bl_usage_filter_t *f,
                                   int *pis_csv);
apr_status_t bl_admin_usage(bl_store_t *s, const bl_usage_filter_t *f,
                            bl_buf_t *out);
apr_status_t bl_admin_usage_csv(bl_store_t *s, const bl_usage_filter_t *f,
                                bl_buf_t *out);

#endif
