/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerts - what all children together know of each alert: which of its rules
 * fire, what was told of it, how the newest message went.
 *
 * THREADS  rule_step, made, keep: of one child at a time (who wrote the sample
 *          of this second, trend.h). find, sent: any, of any child.
 */
#ifndef BL_SHM_ALERTS_H
#define BL_SHM_ALERTS_H

#include "layout.h"

#define BL_RULE_QUIET_MS 60000 /* well for so long: that is told */
#define BL_RULE_AGAIN_MS 60000 /* what did not arrive is sent again */

/* "errors", "firstContent", "keys", "store" */
const char *bl_rule_name(bl_rule_t rule);

/* NULL: nothing is known of it. */
const bl_alert_place_t *bl_alert_find(const bl_shm_t *shm, apr_int64_t id);
bl_alert_place_t *bl_alert_made(bl_shm_t *shm, apr_int64_t id); /* NULL: full */

/* Forgets those that are not among these. */
void bl_alerts_keep(bl_shm_t *shm, const apr_int64_t *ids, int count);

typedef enum { BL_TELL_NOTHING, BL_TELL_FIRING, BL_TELL_RESOLVED } bl_tell_t;

/* One look at a rule: does it fire now? repeat_ms < 0: told once. What is to be
 * told is not asked for again for BL_RULE_AGAIN_MS. */
bl_tell_t bl_rule_step(bl_rule_state_t *r, int is_firing, int is_silent,
                       bl_ms_t repeat_ms, bl_ms_t now, apr_time_t wall);

/* That message arrived. */
void bl_rule_told(bl_rule_state_t *r, bl_tell_t what, apr_time_t wall);

/* A message arrived, or did not. */
void bl_alert_sent(bl_alert_place_t *place, apr_status_t rv, int status,
                   apr_time_t wall);

#endif
