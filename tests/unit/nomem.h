/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nomem - allocations that fail in turn (R02): our own through the linker's
 * --wrap, those of SQLite, jansson, curl and OpenSSL through the hooks that
 * each of them has. A test's own threads and code between nomem_off() and
 * nomem_on() never fail.
 *
 * THREADS  nomem_each(): the test's main thread.
 */
#ifndef BL_TEST_NOMEM_H
#define BL_TEST_NOMEM_H

/* Before any of those libraries is used. */
void nomem_install(void);

/* Runs what(ctx) again and again, with its first allocation failing, its
 * second, and so on, until one run needed no more than there were; step > 1
 * leaves some out. Answers how many did fail. */
long nomem_each(void (*what)(void *ctx), void *ctx, long step);

/* Nothing fails any more in this run: what was asked for has been answered. */
void nomem_enough(void);

/* Of the calling thread; they nest. */
void nomem_off(void);
void nomem_on(void);

#endif
