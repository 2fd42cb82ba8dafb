/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db - one SQLite connection: open, pragmas, busy policy, prepared statements,
 * write transactions and checkpoints under the cross-process lock, and the one
 * place where SQLite's codes become ours.
 *
 * Statements are found by the address of their text, so SQL is always a static
 * constant and values are always bound (S-47).
 *
 * OWNERSHIP  a statement from bl_db_stmt() belongs to the connection; the
 *            caller gives it back by bl_db_run() or bl_db_done().
 * THREADS    one connection, one thread at a time.
 * ERRORS     BL_E_STORE_UNAVAILABLE busy, full, read-only, I/O, memory;
 *            BL_E_STORE_CORRUPT; BL_E_CONFLICT a constraint; BL_E_BAD_VALUE
 *            too big; BL_E_INTERNAL anything that is our mistake.
 */
#ifndef BL_DB_H
#define BL_DB_H

#include "base/bl.h"
#include "store/lock.h"

#include <sqlite3.h>

typedef struct bl_db_t bl_db_t;

typedef enum {
    BL_DB_READ,  /* reads only; the file must exist */
    BL_DB_WRITE, /* the file must exist */
    BL_DB_CREATE /* made, mode 0600, when absent */
} bl_db_mode_t;

/* lock is borrowed and may be NULL for BL_DB_READ. err may be NULL. */
apr_status_t bl_db_open(bl_db_t **pdb, const char *path, bl_db_mode_t mode,
                        bl_lock_t *lock, char *err, size_t err_size);
/* The same for somebody who may be told to end while it waits for a lock:
 * is_over(ctx) ends that, as in bl_db_set_wait(). */
apr_status_t bl_db_open_until(bl_db_t **pdb, const char *path,
                              bl_db_mode_t mode, bl_lock_t *lock,
                              int (*is_over)(void *ctx), void *ctx, char *err,
                              size_t err_size);
void bl_db_close(bl_db_t *db);

/* A fresh connection in the same place, after an I/O error (D02). */
apr_status_t bl_db_reopen(bl_db_t *db);

/* How long a lock is waited for; is_over(ctx) ends the wait early. */
void bl_db_set_wait(bl_db_t *db, bl_ms_t wait_ms, int (*is_over)(void *ctx),
                    void *ctx);

/* A statement, reset, nothing bound. NULL when it cannot be prepared: then
 * bl_db_failure() tells why. */
sqlite3_stmt *bl_db_stmt(bl_db_t *db, const char *sql);
apr_status_t bl_db_failure(const bl_db_t *db);

/* SQLite's primary code when this last was BL_E_STORE_UNAVAILABLE; a lock of
 * ours that another process has is SQLITE_BUSY, a schema that is newer than
 * ours SQLITE_SCHEMA. Any thread. */
int bl_db_trouble(const bl_db_t *db);

void bl_db_text(sqlite3_stmt *st, int at, const char *s); /* NULL: SQL NULL */
void bl_db_blob(sqlite3_stmt *st, int at, const void *data, size_t len);
void bl_db_text_n(sqlite3_stmt *st, int at, const char *s, size_t len);
void bl_db_int(sqlite3_stmt *st, int at, apr_int64_t n);
void bl_db_int_or_null(sqlite3_stmt *st, int at, apr_int64_t n); /* < 0: NULL */

/* One row: APR_SUCCESS; none left: APR_EOF. */
apr_status_t bl_db_step(bl_db_t *db, sqlite3_stmt *st);
void bl_db_done(sqlite3_stmt *st); /* NULL is fine */

/* Runs a statement to its end and gives it back. st NULL: the reason why
 * bl_db_stmt() failed. *pchanged (may be NULL) rows changed. */
apr_status_t bl_db_run(bl_db_t *db, sqlite3_stmt *st, int *pchanged);

/* Several statements without parameters. */
apr_status_t bl_db_exec(bl_db_t *db, const char *sql);

/* One number, or fallback when there is no row. */
apr_status_t bl_db_number(bl_db_t *db, const char *sql, apr_int64_t fallback,
                          apr_int64_t *pn);

/* Text of a column into a buffer, cut at a whole character; "" for NULL. */
void bl_db_copy(sqlite3_stmt *st, int column, char *dst, size_t size);
/* malloc'd text of a column; NULL for NULL (or no memory: *prv). */
char *bl_db_dup(sqlite3_stmt *st, int column, apr_status_t *prv);

/* A write transaction: the lock of all processes, BEGIN IMMEDIATE ... COMMIT.
 * is_durable: on the disk when commit answers; else it can be lost by a power
 * cut, though never in part. A failed commit is rolled back. */
apr_status_t bl_db_begin(bl_db_t *db, int is_durable);
apr_status_t bl_db_commit(bl_db_t *db);
void bl_db_rollback(bl_db_t *db);

/* Ends one that only read; where none is open nothing is to be done. */
void bl_db_abandon(bl_db_t *db);

/* Called after each durable commit, still under the lock of all processes. */
void bl_db_set_committed(bl_db_t *db, void (*fn)(void *ctx, bl_db_t *db),
                         void *ctx);

/* Is the schema newer than this code's? Asked in each transaction (P12). */
void bl_db_set_schema(bl_db_t *db, int version);

/* Moves what is in the log into the database, under the lock, when there is
 * enough of it (or any, with is_idle). */
void bl_db_checkpoint(bl_db_t *db, int is_idle);
/* What was committed so far, durable or not, is on the disk after this: a power
 * cut takes what came since the last call at most (D11). */
void bl_db_sync(bl_db_t *db);

/* Moves all of the log and cuts it to nothing, so that nothing that was deleted
 * is left in it. 0: readers stood in the way. */
int bl_db_empty_log(bl_db_t *db);
apr_uint64_t bl_db_wal_bytes(const bl_db_t *db);

/* Are automatic checkpoints off and the lock in use (D06)? */
int bl_db_is_guarded(bl_db_t *db);

/* Pages that were read or written are kept for the next time (4 MB): forgets
 * them when no row was changed here since the last call; 1 then. */
int bl_db_forget_pages(bl_db_t *db);

sqlite3 *bl_db_handle(bl_db_t *db); /* borrowed */

#endif
