/* SPDX-License-Identifier: Apache-2.0 */
/*
 * thread - threads beside httpd's own.
 *
 * Signals are the MPM's business (httpd-async.md 7.15): a thread of ours takes
 * none, whatever mask its maker has.
 */
#ifndef BL_THREAD_H
#define BL_THREAD_H

#include <pthread.h>

/* As pthread_create(): 0, or a code. The caller joins or detaches. */
int bl_thread_start(pthread_t *thread, void *(*fn)(void *ctx), void *ctx);

#endif
