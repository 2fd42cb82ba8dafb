/* SPDX-License-Identifier: Apache-2.0 */
/*
 * api_keys - what the files about sealed API keys share.
 *
 * THREADS  that of the connection; inside a transaction.
 */
#ifndef BL_API_KEYS_H
#define BL_API_KEYS_H

#include "store/admin.h"
#include "store/db.h"

/* Lays fields over those of the key and writes it. */
apr_status_t bl_key_put_fields(bl_db_t *db, apr_int64_t id, const char *fields,
                               bl_complaint_t *why);

/* An audit row about a key: "upstream/name" is its object. */
apr_status_t bl_key_audit(bl_db_t *db, const bl_admin_who_t *who,
                          const char *action, apr_int64_t id,
                          const char *detail);

/* BL_E_VERSION_CONFLICT unless a change is based on the present revision. */
apr_status_t bl_check_revision(bl_change_t *change, apr_int64_t present);

#endif
