/* SPDX-License-Identifier: Apache-2.0 */
/*
 * replay - reading a stream that does not live in this child: from the store
 * when it has ended, through the other child's socket while it lives.
 *
 * THREADS  any thread but the reactor: these calls may wait.
 */
#ifndef BL_REPLAY_H
#define BL_REPLAY_H

#include "engine.h"

/* The row of a stream that has ended. Its place in the directory is free some
 * milliseconds before its end is committed: that is waited for, 2 s at most;
 * and for a row that this child has yet to write, 200 ms.
 * APR_EBUSY: it lives. */
apr_status_t bl_replay_find(bl_engine_t *e, const char *id,
                            bl_stored_stream_t *row);

/* A stream made of what is stored, ended, with nobody producing. APR_EOF: the
 * reader at `after` has everything; BL_E_TRIMMED: it claims more than was ever
 * stored (P01), *plast is what was; *ps is a reference for the caller. */
apr_status_t bl_replay_load(bl_engine_t *e, const bl_stored_stream_t *row,
                            apr_uint64_t after, bl_stream_t **ps,
                            apr_uint64_t *plast);

/* State of a stream as JSON (docs/protocol.md "Streams"), wherever it is.
 * BL_E_NOT_FOUND also when it is somebody else's. */
apr_status_t bl_replay_state(bl_engine_t *e, const char *id, const char *owner,
                             bl_buf_t *out);

#endif
