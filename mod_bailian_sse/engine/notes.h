/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notes - short messages to the connections of one caller in all children:
 * datagrams from child to child. A note is news of the moment: one that a busy
 * child has no room for is lost, and nobody waits for it.
 *
 * The sockets are in Linux's abstract namespace like those of remote.h, and a
 * datagram from a process of another user is not looked at.
 *
 * THREADS  listen, close: whoever opens or closes the engine. send: any; it
 *          does not wait. fn: the reactor.
 */
#ifndef BL_NOTES_H
#define BL_NOTES_H

#include "engine.h"

#define BL_NOTE_BYTES 8192 /* of the text */

/* What is done with a note that came; text is borrowed for the call. */
typedef void bl_note_fn(const char *owner, const char *text, size_t len);

/* Before the child takes connections. */
apr_status_t bl_notes_listen(bl_engine_t *e, bl_note_fn *fn);
void bl_notes_close(bl_engine_t *e);

/* To every other child that holds a WebSocket of this caller. */
void bl_notes_send(bl_engine_t *e, const char *owner, const char *text,
                   size_t len);

#endif
