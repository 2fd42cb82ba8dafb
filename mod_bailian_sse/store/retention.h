/* SPDX-License-Identifier: Apache-2.0 */
/*
 * retention - what is kept for how long, and the deleting of what is not:
 * conversations by age, stored events by age, and deletions that an admin
 * asked for (D17).
 *
 * One process at a time deletes (a byte of the lock file), on its writer's
 * thread, in transactions of at most BL_RETENTION_SLICE_MS, with pauses in
 * which everything else is written. What it frees is overwritten
 * (secure_delete), used again, and given back when it is much.
 *
 * THREADS  any but the reactor; _wt_: the writer's.
 * ERRORS   BL_E_VERSION_CONFLICT; BL_E_NOT_FOUND; those of the store.
 */
#ifndef BL_RETENTION_H
#define BL_RETENTION_H

#include "store/store.h"

#define BL_RETENTION_DAYS_MOST 3650
#define BL_RETENTION_SLICE_MS 50

/* api/settings of docs/admin-api.md, and the version of it. */
apr_status_t bl_store_settings(bl_store_t *s, bl_buf_t *out,
                               apr_int64_t *pversion);

typedef struct bl_retention_change_t {
    int has_conversation_days, has_event_days;
    int conversation_days, event_days; /* 0: for ever */
} bl_retention_change_t;

apr_status_t bl_store_do_settings(bl_store_t *s, const bl_admin_who_t *who,
                                  apr_int64_t version,
                                  const bl_retention_change_t *change);

/* --- deletions ---------------------------------------------------------- */

typedef struct bl_deletion_t {
    const char *owner; /* NULL: everybody's */
    apr_time_t before; /* 0: now */
} bl_deletion_t;

/* How many conversations it would be. */
apr_status_t bl_store_deletion_count(bl_store_t *s, const bl_deletion_t *d,
                                     apr_int64_t *pn);
/* Writes it down and audits it; it is carried out in the background. */
apr_status_t bl_store_do_deletion(bl_store_t *s, const bl_admin_who_t *who,
                                  const bl_deletion_t *d, apr_int64_t *pid);
/* id 0: {"items":[...],"next":null}, the newest first. */
apr_status_t bl_store_deletions(bl_store_t *s, apr_int64_t id, bl_buf_t *out);

#endif
