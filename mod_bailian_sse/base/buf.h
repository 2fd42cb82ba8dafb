/* SPDX-License-Identifier: Apache-2.0 */
/*
 * buf - byte buffer that is told its largest size when it is made.
 *
 * OWNERSHIP  the struct is the caller's, its memory malloc'd by the buffer.
 * THREADS    none: one owner at a time.
 * ERRORS     an append that cannot be done (limit, memory) appends nothing,
 *            returns APR_ENOMEM or APR_ENOSPC and marks the buffer failed;
 *            later appends fail too, so that a writer may check once at the
 *            end by bl_buf_status().
 */
#ifndef BL_BUF_H
#define BL_BUF_H

#include "bl.h"

struct bl_buf_t {
    char *data; /* not NUL-terminated unless bl_buf_str() */
    size_t len;
    size_t size;
    size_t limit;
    apr_status_t failed;
    bl_budget_t *budget; /* where its memory is counted, or NULL */
};

void bl_buf_init(bl_buf_t *b, size_t limit);
/* From now on its memory is counted; it is never refused for that. */
void bl_buf_count(bl_buf_t *b, bl_budget_t *budget);
void bl_buf_release(bl_buf_t *b);
void bl_buf_clear(bl_buf_t *b); /* keeps the memory, forgets a failure */

/* The memory of an empty buffer goes to one that has none; else nothing
 * happens. */
void bl_buf_hand_over(bl_buf_t *from, bl_buf_t *to);

/* Room for n more bytes at the end, or NULL; bl_buf_added() takes them in. */
char *bl_buf_room(bl_buf_t *b, size_t n);
void bl_buf_added(bl_buf_t *b, size_t n);

apr_status_t bl_buf_append(bl_buf_t *b, const void *data, size_t n);
apr_status_t bl_buf_puts(bl_buf_t *b, const char *s);
apr_status_t bl_buf_putu(bl_buf_t *b, apr_uint64_t n); /* decimal */
apr_status_t bl_buf_printf(bl_buf_t *b, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
void bl_buf_consume(bl_buf_t *b, size_t n); /* from the front */
apr_status_t bl_buf_status(const bl_buf_t *b);

/* NUL-terminated view, or NULL when failed; borrowed until the next change. */
const char *bl_buf_str(bl_buf_t *b);

#endif
