/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - the only source of "now"; tests turn it by hand.
 *
 * Time-outs, heartbeats and pacing use the monotonic clock, which counts
 * while the machine is suspended (P15, P16: CLOCK_BOOTTIME). Stored times are
 * wall time, microseconds since 1970.
 *
 * THREADS  any; bl_clock_turn() only before other threads exist.
 */
#ifndef BL_CLOCK_H
#define BL_CLOCK_H

#include "bl.h"
#include <apr_time.h>

bl_ms_t bl_clock_ms(void);
apr_time_t bl_clock_wall(void);

/* Tests: from now on the clock stands still and is moved by this much.
 * Turning by 0 stops it where it is. */
void bl_clock_turn(bl_ms_t by_ms);

#endif
