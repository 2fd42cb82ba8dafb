/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_queue - lines of the log wait for a thread of their own, so that a log
 * that takes nothing (a pipe that nobody reads, a full disk) holds up nobody
 * else, the reactor least of all (R08). What does not fit is dropped, counted,
 * and told of when the log goes on.
 *
 * THREADS  start, stop: the child's main thread. flush: any.
 */
#ifndef BL_LOG_QUEUE_H
#define BL_LOG_QUEUE_H

#include "bl.h"

/* From now on what bl_log() writes goes through the queue. When that cannot be
 * it stays as it was. */
void bl_log_queue_start(void);

/* Writes what waits, for wait_ms at most, and logs directly again. */
void bl_log_queue_stop(bl_ms_t wait_ms);

/* Waits until all lines so far are written, for wait_ms at most; 1: they are.
 */
int bl_log_queue_flush(bl_ms_t wait_ms);

#endif
