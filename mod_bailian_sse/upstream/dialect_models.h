/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_models - the free question whether a key is good: the list of
 * models. It emits nothing; its answer's failure says what was wrong.
 *
 * THREADS  as any dialect.
 */
#ifndef BL_DIALECT_MODELS_H
#define BL_DIALECT_MODELS_H

#include "upstream/dialect.h"

/* No kind of upstream, so bl_dialect_find() does not know it. */
extern const bl_dialect_t bl_dialect_models;

/* is_native: the list below the base URL, for a host that has no compatible
 * one. */
apr_status_t bl_models_request(const bl_target_t *target, int is_native,
                               bl_request_t *rq);

#endif
