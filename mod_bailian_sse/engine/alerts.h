/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerts - looks once a second, in one of the children, whether a rule of an
 * alert fires, and sends messages to webhooks through the one transfer unit
 * (S-38), so that S-30 to S-35 hold here too.
 *
 *   second's sample ─▶ rules ─▶ state in shm ─▶ message ─▶ transfer ─▶ told
 *                                   ▲                         │
 *                                   └── again after 60 s ◀────┘ failed
 *
 * OWNERSHIP  a delivery owns itself on the reactor; its result is shared with
 *            who waits for it (a test), who may give up.
 * THREADS    _rt_: the reactor. test: any but the reactor.
 */
#ifndef BL_ENGINE_ALERTS_H
#define BL_ENGINE_ALERTS_H

#include "engine.h"
#include "shm/alerts.h"
#include "store/alerts.h"

void bl_alerts_rt_look(bl_engine_t *e);
void bl_alerts_rt_free_all(bl_engine_t *e); /* the reactor has stopped */

/* Sends a test message, and waits for its end: *prv how it went. Answers
 * BL_E_NOT_FOUND, or BL_E_OVERLOADED when the reactor did not come to it. */
apr_status_t bl_engine_test_alert(bl_engine_t *e, apr_int64_t id,
                                  apr_status_t *prv, int *pstatus);

/* --- for its units ------------------------------------------------------ */

/* What a rule says of this moment. */
typedef struct bl_finding_t {
    int is_firing;
    apr_int64_t value, limit; /* -1: there is none */
    char text[512];           /* English, then Chinese */
} bl_finding_t;

/* alert_rules.c; 0: the alert has no such rule. */
int bl_rule_look(const bl_shm_t *shm, const bl_catalog_t *catalog,
                 const bl_alert_t *a, bl_rule_t rule, bl_ms_t now,
                 bl_finding_t *out);

/* alert_send.c */
void bl_alert_rt_send(bl_engine_t *e, bl_catalog_t *catalog,
                      const bl_alert_t *a, bl_rule_t rule, bl_tell_t what,
                      const bl_finding_t *f);

#endif
