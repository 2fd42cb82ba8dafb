/* SPDX-License-Identifier: Apache-2.0 */
/*
 * find_stream - a caller's stream, wherever it is: in this child, in another
 * one, or ended and in the store.
 *
 * THREADS  any but the reactor: it may wait.
 * ERRORS   BL_E_NOT_FOUND also for somebody else's; those of replay.h.
 */
#ifndef BL_FIND_STREAM_H
#define BL_FIND_STREAM_H

#include "auth/principal.h"
#include "engine/engine.h"

/* As whom he reads it and may stop it: as its owner, when he is a member of
 * its conversation; else as himself. */
bl_principal_t bl_stream_reader(bl_engine_t *e, const bl_principal_t *who,
                                const char *id);

/* *ps: a reference, NULL when it is stored: then *row is its. */
apr_status_t bl_find_stream(bl_engine_t *e, const bl_principal_t *who,
                            const char *id, bl_stream_t **ps,
                            bl_stored_stream_t *row);

/* The same, to be read from *pafter on: also a stored one is loaded. A reader
 * that has everything is led back to the END event. */
apr_status_t bl_find_stream_after(bl_engine_t *e, const bl_principal_t *who,
                                  const char *id, apr_uint64_t *pafter,
                                  bl_stream_t **ps);

#endif
