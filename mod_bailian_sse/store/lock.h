/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock - the lock file beside the database, shared by all processes.
 *
 *   byte 0       held around every write transaction and every checkpoint, in
 *                every process: a checkpoint beside a writer of another
 *                process can lose committed rows in SQLite before 3.51.3 (D06)
 *   byte 1 + id  held by the process with that child id for as long as it
 *                lives; a free byte says that its streams are nobody's (P01)
 *   the last     held by the process that deletes what is due (D17)
 *
 * What stands in the file is one number, the mark. A process that has changed
 * what all should know at once moves it, under byte 0.
 *
 * The locks are OFD locks (F_OFD_SETLK): the kernel releases them when the
 * process dies, however it dies. The file is never deleted, for who deletes it
 * gives the next process another lock.
 *
 * OWNERSHIP  one for each bl_store_t, opened after the fork.
 * THREADS    take, release, move_mark: the one thread that writes. mark: any.
 * ERRORS     BL_E_STORE_UNAVAILABLE not in time, or the lock file is gone;
 *            APR_EBUSY somebody lives there.
 */
#ifndef BL_LOCK_H
#define BL_LOCK_H

#include "base/bl.h"

typedef struct bl_lock_t bl_lock_t;

apr_status_t bl_lock_open(bl_lock_t **pl, const char *db_path);
void bl_lock_close(bl_lock_t *l); /* releases all it holds */

/* Byte 0. Waits up to wait_ms, and while waiting asks is_over(ctx), when
 * given, whether to give up. */
apr_status_t bl_lock_take(bl_lock_t *l, bl_ms_t wait_ms,
                          int (*is_over)(void *ctx), void *ctx);
void bl_lock_release(bl_lock_t *l);

apr_status_t bl_lock_take_child(bl_lock_t *l, apr_int64_t child_id);
void bl_lock_release_child(bl_lock_t *l, apr_int64_t child_id);

/* Calls fn for each child id from low to high (1 to 2^62 - 1) that somebody
 * else lives under, in no order. */
void bl_lock_each_child(const bl_lock_t *l, apr_int64_t low, apr_int64_t high,
                        void (*fn)(void *ctx, apr_int64_t child_id), void *ctx);
#define BL_LOCK_CHILD_MOST 0x3fffffffffffffff
/* Nobody's child id: held by the process that deletes what is due (D17). */
#define BL_LOCK_RETENTION (BL_LOCK_CHILD_MOST + 1)

/* Another one than last time: something was changed. 0: never moved. */
apr_uint64_t bl_lock_mark(const bl_lock_t *l);
/* Under byte 0. Where there is no room for it the others see at their next
 * look what changed. */
void bl_lock_move_mark(const bl_lock_t *l);

/* Is the file at its path still the one that was opened? */
int bl_lock_is_in_place(const bl_lock_t *l);

#endif
