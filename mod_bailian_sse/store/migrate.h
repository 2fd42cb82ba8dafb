/* SPDX-License-Identifier: Apache-2.0 */
/*
 * migrate - any older schema to the newest, forward only.
 *
 * sql/NNN_<what>.sql is one step, and sets PRAGMA user_version to its number.
 * All pending steps are one transaction under the lock of all processes: whole
 * or not at all (D12). Before an existing database changes, a copy of it is put
 * beside it: "<path>.before-<new version>".
 *
 * THREADS  one, at start.
 * ERRORS   BL_E_STORE_UNAVAILABLE newer than this code (P12), or pending and
 *          not wanted; err says what would be right.
 */
#ifndef BL_MIGRATE_H
#define BL_MIGRATE_H

#include "base/asset.h"
#include "store/db.h"

extern const bl_asset_t bl_sql_steps[]; /* sql/, compiled in */
extern const int bl_sql_steps_count;

/* With may_change 0 nothing is written: only the version is checked. */
apr_status_t bl_migrate(bl_db_t *db, const char *path, const bl_asset_t *steps,
                        int count, int may_change, char *err, size_t err_size);

#endif
