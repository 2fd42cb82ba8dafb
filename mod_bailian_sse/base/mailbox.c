/* SPDX-License-Identifier: Apache-2.0 */
#include "mailbox.h"
#include "errors.h"

#include <pthread.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct bl_mailbox_t {
    pthread_mutex_t lock; /* guards every field below it */
    bl_letter_t *first;
    bl_letter_t **plast;
    int count;
    int most;
    int is_woken; /* the eventfd was written since the last run */
    int fd;       /* set once */
};

apr_status_t bl_mailbox_create(bl_mailbox_t **pm, int most)
{
    bl_mailbox_t *m = calloc(1, sizeof(*m));

    *pm = NULL;
    if (!m) return APR_ENOMEM;
    m->most = most;
    m->plast = &m->first;
    m->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    if (m->fd < 0) {
        free(m);
        return APR_EMFILE;
    }
    pthread_mutex_init(&m->lock, NULL);
    *pm = m;
    return APR_SUCCESS;
}

void bl_mailbox_destroy(bl_mailbox_t *m)
{
    if (!m) return;
    close(m->fd);
    pthread_mutex_destroy(&m->lock);
    free(m);
}

int bl_mailbox_fd(const bl_mailbox_t *m)
{
    return m->fd;
}

static void wake(bl_mailbox_t *m)
{
    static const apr_uint64_t one = 1;

    /* An eventfd's write only fails when its counter is full: then it is
     * readable anyway. */
    if (write(m->fd, &one, sizeof(one)) < 0) return;
}

static apr_status_t put(bl_mailbox_t *m, bl_letter_t *letter, int may_refuse,
                        int must_wake)
{
    letter->next = NULL;
    pthread_mutex_lock(&m->lock);
    if (may_refuse && m->count >= m->most) {
        pthread_mutex_unlock(&m->lock);
        return BL_E_OVERLOADED;
    }
    *m->plast = letter;
    m->plast = &letter->next;
    m->count++;
    if (m->is_woken)
        must_wake = 0;
    else
        m->is_woken = must_wake;
    pthread_mutex_unlock(&m->lock);
    if (must_wake) wake(m);
    return APR_SUCCESS;
}

void bl_mailbox_post(bl_mailbox_t *m, bl_letter_t *letter)
{
    put(m, letter, 0, 1);
}

void bl_mailbox_leave(bl_mailbox_t *m, bl_letter_t *letter)
{
    put(m, letter, 0, 0);
}

apr_status_t bl_mailbox_offer(bl_mailbox_t *m, bl_letter_t *letter)
{
    return put(m, letter, 1, 1);
}

int bl_mailbox_has_mail(bl_mailbox_t *m)
{
    int has;

    pthread_mutex_lock(&m->lock);
    has = m->first != NULL;
    pthread_mutex_unlock(&m->lock);
    return has;
}

void bl_mailbox_run(bl_mailbox_t *m, int *pran)
{
    apr_uint64_t count;
    bl_letter_t *letter, *next;

    *pran = 0;
    /* Drained first: a letter posted after the list is taken wakes again. */
    if (read(m->fd, &count, sizeof(count)) < 0) count = 0;
    pthread_mutex_lock(&m->lock);
    letter = m->first;
    m->first = NULL;
    m->plast = &m->first;
    m->count = 0;
    m->is_woken = 0;
    pthread_mutex_unlock(&m->lock);
    for (; letter; letter = next) {
        next = letter->next;
        (*pran)++;
        letter->fn(letter); /* may free or post the letter again */
    }
}
