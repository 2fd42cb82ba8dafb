/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mailbox - the only door from one thread into another: a bounded queue with
 * wake-up.
 *
 * A letter is part of its sender's object, so that posting needs no memory
 * (R02) and what must arrive (a reclaimed connection, a cancel) can. Only
 * letters marked as new work are refused when the box is full (R05).
 *
 * OWNERSHIP  a posted letter belongs to the box until its fn runs.
 * THREADS    post: any. has_mail, run, fd: the owner. Wake-ups coalesce.
 */
#ifndef BL_MAILBOX_H
#define BL_MAILBOX_H

#include "bl.h"

typedef struct bl_letter_t bl_letter_t;
typedef void bl_letter_fn(bl_letter_t *letter);

struct bl_letter_t {
    bl_letter_t *next;
    bl_letter_fn *fn; /* runs on the owner's thread */
};

typedef struct bl_mailbox_t bl_mailbox_t;

apr_status_t bl_mailbox_create(bl_mailbox_t **pm, int most);
void bl_mailbox_destroy(bl_mailbox_t *m);

/* Readable when there is something to take: for the owner's poll. */
int bl_mailbox_fd(const bl_mailbox_t *m);

void bl_mailbox_post(bl_mailbox_t *m, bl_letter_t *letter);

/* The same without a wake-up, for what can wait: it is run with the next
 * letter that does wake, or when the owner looks by itself. */
void bl_mailbox_leave(bl_mailbox_t *m, bl_letter_t *letter);

/* BL_E_OVERLOADED when full: nothing was posted. */
apr_status_t bl_mailbox_offer(bl_mailbox_t *m, bl_letter_t *letter);

/* Something was posted or left, and not run yet. */
int bl_mailbox_has_mail(bl_mailbox_t *m);

/* Runs what has been posted, oldest first; *pran says how many. */
void bl_mailbox_run(bl_mailbox_t *m, int *pran);

#endif
