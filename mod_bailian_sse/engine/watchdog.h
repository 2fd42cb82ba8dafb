/* SPDX-License-Identifier: Apache-2.0 */
/*
 * watchdog - a thread that looks every second whether the reactor still turns
 * (P09). One that has been stuck for a minute will not come back: the child is
 * ended the hard way, the parent replaces it, and recovery marks its streams
 * interrupted, as after any crash (P01).
 *
 * THREADS  start, stop: whoever opens or closes the engine.
 */
#ifndef BL_WATCHDOG_H
#define BL_WATCHDOG_H

#include "reactor/reactor.h"

#define BL_WATCHDOG_MS 60000

typedef struct bl_watchdog_t bl_watchdog_t;

/* stuck runs on the watchdog's thread when the reactor is stuck_ms late; NULL
 * = kill this process. */
apr_status_t bl_watchdog_start(bl_watchdog_t **pw, bl_reactor_t *r,
                               bl_ms_t stuck_ms, void (*stuck)(void *ctx),
                               void *ctx);
void bl_watchdog_stop(bl_watchdog_t *w);

#endif
