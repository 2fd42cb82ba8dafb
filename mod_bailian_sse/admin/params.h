/* SPDX-License-Identifier: Apache-2.0 */
/*
 * params - parameters of a query and members of a body, checked one by one.
 *
 * The first one that is wrong is remembered with what would be right; what is
 * asked after it is not changed any more, so that a caller checks once, at
 * the end: `return p.rv`.
 *
 * OWNERSHIP  texts are borrowed from the request.
 * THREADS    one request, one thread.
 * ERRORS     BL_E_BAD_VALUE in p->rv, and p->why.
 */
#ifndef BL_PARAMS_H
#define BL_PARAMS_H

#include "base/say.h"

#include <jansson.h>

typedef struct bl_params_t {
    const char *(*get)(void *ctx, const char *name); /* NULL: absent, empty */
    void *ctx;
    apr_status_t rv;
    bl_complaint_t why; /* which one is wrong, and what would be right */
} bl_params_t;

/* en as of bl_say(), without a value. Always answers 0. */
int bl_params_refuse(bl_params_t *p, const char *field, const char *en);

/* Absent: *pvalue stays. 0: refused. */
int bl_params_time(bl_params_t *p, const char *name, apr_time_t *pvalue);
int bl_params_day(bl_params_t *p, const char *name, apr_int64_t *pvalue);
int bl_params_number(bl_params_t *p, const char *name, apr_int64_t least,
                     apr_int64_t most, apr_int64_t *pvalue);

/* Has the object no other members than these (ends with NULL)? */
int bl_params_only(bl_params_t *p, json_t *object, const char *const *names);

#endif
