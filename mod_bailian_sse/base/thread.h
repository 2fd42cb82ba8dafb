/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread - threads beside httpd's own, and how they wait.
 *
 * Signals are the MPM's business (httpd-async.md 7.15): a thread of ours takes
 * none, whatever mask its maker has. Waits go by the monotonic clock, which
 * does not jump (P15).
 */
#ifndef BL_THREAD_H
#define BL_THREAD_H

#include "bl.h"

#include <pthread.h>
#include <time.h>

/* As pthread_create(): 0, or a code. The caller joins or detaches. */
int bl_thread_start(pthread_t *thread, void *(*fn)(void *ctx), void *ctx);

/* As pthread_cond_init(), for pthread_cond_timedwait() until bl_cond_until().
 */
int bl_cond_init(pthread_cond_t *cond);

/* So long from now, for real, also when a test has stopped the clock. */
struct timespec bl_cond_until(bl_ms_t wait_ms);

#endif
