/* SPDX-License-Identifier: Apache-2.0 */
/*
 * key_check - asks upstreams whether keys are good, by the free call and
 * through the one transfer unit (S-38), so that S-30 to S-35 hold here too.
 *
 *   wait (worker) ── letter each ──▶ transfer, at most 9 s ──▶ result
 *        ▲                                                       │
 *        └──────────────── when the last one is there ◀──────────┘
 *
 * OWNERSHIP  a check owns itself on the reactor; the results are shared with
 *            who waits, who may give up.
 * THREADS    bl_engine_check_keys(): any but the reactor.
 * ERRORS     of one key: in its check. BL_E_OVERLOADED: the reactor did not
 *            come to it in time.
 */
#ifndef BL_KEY_CHECK_H
#define BL_KEY_CHECK_H

#include "engine.h"
#include "store/admin.h"

#define BL_CHECK_KEYS 64 /* at once */

/* Of each check the key_id is given; the rest is filled in. A key that waits
 * to be entered again is sent nowhere: BL_E_CONFLICT (S-34). */
apr_status_t bl_engine_check_keys(bl_engine_t *e, bl_key_check_t *checks,
                                  int count);

/* The reactor has stopped. */
void bl_key_check_rt_free_all(bl_engine_t *e);

#endif
