/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_objects - what the areas with stored objects (keys, upstreams, apps,
 * audit) share: lists, versions, and how a refused change is said.
 *
 * OWNERSHIP  json given to a call named _take is its own.
 * THREADS    the request's.
 */
#ifndef BL_ADMIN_OBJECTS_H
#define BL_ADMIN_OBJECTS_H

#include "admin.h"
#include "store/admin.h"

/* One object, with its version as ETag; NULL is a lack of memory. */
int bl_admin_send(bl_admin_call_t *a, int status, json_t *object_take);

/* {"items":rows,"next":next}; next NULL: the end. */
int bl_admin_send_list(bl_admin_call_t *a, json_t *rows_take, const char *next);

int bl_admin_send_nothing(bl_admin_call_t *a); /* 204 */

/* The problem of a change: with the member and the words that why has, or
 * the present version. */
int bl_admin_refuse(bl_admin_call_t *a, apr_status_t rv,
                    const bl_change_t *change);

/* If-Match into change->revision. 0: *prc is the answer. */
int bl_admin_version(bl_admin_call_t *a, bl_change_t *change, int *prc);

/* A text of the body, taken out of it; absent: *pvalue stays. 0: it is no
 * text, and *prc is the answer. */
int bl_admin_take_text(bl_admin_call_t *a, const char *name,
                       const char **pvalue, int *prc);

/* What is left of the body, as text; NULL without memory, which the store's
 * changes answer. */
const char *bl_admin_fields(bl_admin_call_t *a);

#endif
