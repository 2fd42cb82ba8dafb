/* SPDX-License-Identifier: Apache-2.0 */
/*
 * right - does the credential still hold with which somebody reads on? It ends
 * (S-20), is disabled or is taken away (C21, A03).
 *
 * OWNERSHIP  a value, part of a reader or a connection.
 * THREADS    that of its owner; nothing waits.
 */
#ifndef BL_RIGHT_H
#define BL_RIGHT_H

#include "request.h"

typedef struct bl_right_t {
    apr_int64_t client_id; /* of his token in the catalog, 0 = none */
    bl_ms_t expires_ms;    /* 0 = never */
    bl_ms_t look_ms;       /* when the catalog is looked at again */
} bl_right_t;

bl_right_t bl_right_of(const bl_call_t *call);
int bl_right_holds(bl_right_t *right, bl_engine_t *e, bl_ms_t now);

/* When to ask again; `due` when that is sooner. */
bl_ms_t bl_right_next(const bl_right_t *right, bl_ms_t due);

#endif
