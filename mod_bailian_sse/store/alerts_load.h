/* SPDX-License-Identifier: Apache-2.0 */
/*
 * alerts_load - alerts for the catalog, and for the units of this directory.
 *
 * OWNERSHIP  the array is the catalog's, freed with each of its elements
 *            released.
 * THREADS    that of the connection.
 */
#ifndef BL_ALERTS_LOAD_H
#define BL_ALERTS_LOAD_H

#include "store/alerts.h"
#include "store/db.h"

/* *palerts NULL and *pcount 0 at first; what was read before a failure is
 * there. */
apr_status_t bl_alerts_load(bl_db_t *db, bl_alert_t **palerts, int *pcount);
void bl_alert_release(bl_alert_t *a); /* what it holds, not itself */

/* An audit row about an alert: its name is its object. */
apr_status_t bl_alert_audit(bl_db_t *db, const bl_admin_who_t *who,
                            const char *action, apr_int64_t id,
                            const char *detail);

#endif
