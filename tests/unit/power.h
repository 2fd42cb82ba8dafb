/* SPDX-License-Identifier: Apache-2.0 */
/*
 * power - a disk that forgets what was not synced when the power is cut.
 *
 * The fault VFS tells it each write, truncation, sync and deletion. It keeps,
 * for each file, the bytes as they were at its last sync and all that was
 * written since; a cut makes copies of the files as a disk could hold them
 * then: what was synced is there, and of the rest nothing, or some of it in any
 * order and torn at a sector.
 *
 * THREADS  any; arm and files of a cut: one.
 */
#ifndef POWER_H
#define POWER_H

#include <stddef.h>
#include <stdint.h>

/* From now on it remembers; forgets all that was. Files in the directory of the
 * last cut are left alone. */
void power_begin(void);
void power_end(void);

/* The power is cut at the calls-th write, truncation or sync from now on: the
 * files are copied into directory `to`, then. seed 0: nothing unsynced is
 * kept. *watched is read at that moment. */
void power_arm(const char *to, int calls, unsigned seed, const int *watched);
int power_is_cut(int *pwatched); /* and what *watched was */

/* At once. Answers how many bytes were not synced. */
size_t power_cut(const char *to, unsigned seed);

/* Told by the VFS. name NULL: a temporary file. */
void power_write(const char *name, const void *data, size_t len, int64_t at);
void power_truncate(const char *name, int64_t len);
void power_sync(const char *name);
void power_delete(const char *name, int is_synced);

#endif
