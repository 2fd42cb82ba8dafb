/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fault_vfs - a disk that fails on demand, under SQLite, for tests.
 *
 * Once installed every file goes through it. A fault hits the calls of one
 * kind from the n-th on, for as many as asked.
 *
 * THREADS  arm and disarm: one; the files: any.
 */
#ifndef FAULT_VFS_H
#define FAULT_VFS_H

typedef enum { FAULT_NONE, FAULT_WRITE, FAULT_SYNC, FAULT_READ } fault_kind_t;

void fault_install(void);

/* After `skip` more calls of that kind, `count` of them fail with this code
 * (SQLITE_FULL, SQLITE_IOERR_FSYNC, ...). */
void fault_arm(fault_kind_t kind, int skip, int count, int code);
void fault_disarm(void);
int fault_hits(void);  /* calls that failed since it was armed */
int fault_opens(void); /* databases opened since it was armed */

/* Once, in the next checkpoint of a connection that others have written beside:
 * after it has read where the log ends and before it looks how much of the log
 * was moved already. */
void fault_in_checkpoint(void (*fn)(void *ctx), void *ctx);

#endif
