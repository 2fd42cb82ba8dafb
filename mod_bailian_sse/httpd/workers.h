/* SPDX-License-Identifier: Apache-2.0 */
/*
 * workers - httpd's threads that wait for requests.
 *
 * Each thread keeps up to seven free chunks of each small size (heap.h). Of a
 * worker that has met every kind of request that is some 30 KB in chunks, and
 * as they lie between others, twice that in pages: 6 MB of two children of 64
 * threads, for as long as they run. No other thread can take them, so each
 * worker that has nothing to do is asked to give them back itself, by a timer
 * of the MPM.
 *
 * THREADS  any. ERRORS  an MPM without timers (worker, prefork): nothing is
 *          done.
 */
#ifndef BL_WORKERS_H
#define BL_WORKERS_H

/* After a load: once, not while there is one. */
void bl_workers_forget(void);

#endif
