/* SPDX-License-Identifier: Apache-2.0 */
/*
 * audit - who did what to which object: append only.
 *
 * Written in the transaction of the change itself: a change that cannot be
 * audited is not made (A09). Triggers refuse to change or delete a row.
 *
 * THREADS  that of the connection; inside a transaction.
 */
#ifndef BL_AUDIT_H
#define BL_AUDIT_H

#include "store/db.h"
#include "store/store.h"

/* action: "app.put"; object: its name or id; detail: names of what changed,
 * never a secret; may be NULL. */
apr_status_t bl_audit_add(bl_db_t *db, const bl_admin_who_t *who,
                          const char *action, const char *object,
                          const char *detail);

/* outcome: "done", or "refused". */
apr_status_t bl_audit_outcome(bl_db_t *db, const bl_admin_who_t *who,
                              const char *action, const char *object,
                              const char *detail, const char *outcome);

#endif
