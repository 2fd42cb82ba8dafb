/* SPDX-License-Identifier: Apache-2.0 */
/*
 * remote - reading and stopping a stream that lives in another child, through
 * that child's unix socket. There the other child is just another reader;
 * here it is just another producer of a stream that mirrors the first.
 *
 * The socket is in Linux's abstract namespace, named after the server and the
 * child, so that nothing is left behind by a crash; both ends check that the
 * peer runs as the same user.
 *
 * OWNERSHIP  a mirror is listed in this child's registry while it runs, and
 *            is shared by all its readers here.
 * THREADS    listen, close: whoever opens or closes the engine. attach, stop:
 *            any thread but the reactor; they wait for the other child 2 s at
 *            most.
 * ERRORS     BL_E_NOT_FOUND it lives nowhere, or is not the owner's;
 *            BL_E_OVERLOADED the other child does not answer.
 */
#ifndef BL_REMOTE_H
#define BL_REMOTE_H

#include "engine.h"

apr_status_t bl_remote_listen(bl_engine_t *e);
void bl_remote_close(bl_engine_t *e);

/* *ps: a reference for the caller. */
apr_status_t bl_remote_attach(bl_engine_t *e, const char *id, const char *owner,
                              bl_stream_t **ps);

/* Asks the child that runs it to stop it. */
apr_status_t bl_remote_stop(bl_engine_t *e, const char *id, const char *owner);

#endif
