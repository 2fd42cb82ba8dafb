/* SPDX-License-Identifier: Apache-2.0 */
#include "store/readers.h"

#include "base/errors.h"
#include "base/thread.h"

#include <stdlib.h>
#include <string.h>

struct bl_readers_t {
    char *path;
    pthread_mutex_t lock; /* guards every field below it */
    pthread_cond_t given;
    bl_db_t *idle[BL_READERS_MOST];
    int idle_count;
    int least_idle; /* since unneeded ones were closed */
    int open_count; /* idle, and taken or being opened */
};

apr_status_t bl_readers_create(bl_readers_t **pr, const char *path)
{
    bl_readers_t *r = calloc(1, sizeof(*r));

    *pr = NULL;
    if (!r) return APR_ENOMEM;
    r->path = strdup(path);
    if (!r->path) {
        free(r);
        return APR_ENOMEM;
    }
    pthread_mutex_init(&r->lock, NULL);
    bl_cond_init(&r->given);
    *pr = r;
    return APR_SUCCESS;
}

void bl_readers_destroy(bl_readers_t *r)
{
    if (!r) return;
    while (r->idle_count)
        bl_db_close(r->idle[--r->idle_count]);
    pthread_cond_destroy(&r->given);
    pthread_mutex_destroy(&r->lock);
    free(r->path);
    free(r);
}

static void release_place(bl_readers_t *r)
{
    pthread_mutex_lock(&r->lock);
    r->open_count--;
    pthread_cond_signal(&r->given);
    pthread_mutex_unlock(&r->lock);
}

apr_status_t bl_readers_take(bl_readers_t *r, bl_ms_t wait_ms, bl_db_t **pdb)
{
    struct timespec until = bl_cond_until(wait_ms);
    apr_status_t rv;
    int code = 0;

    *pdb = NULL;
    pthread_mutex_lock(&r->lock);
    while (!r->idle_count && r->open_count == BL_READERS_MOST && !code)
        code = pthread_cond_timedwait(&r->given, &r->lock, &until);
    if (r->idle_count) {
        *pdb = r->idle[--r->idle_count];
        if (r->idle_count < r->least_idle) r->least_idle = r->idle_count;
        pthread_mutex_unlock(&r->lock);
        return APR_SUCCESS;
    }
    if (r->open_count == BL_READERS_MOST) {
        pthread_mutex_unlock(&r->lock);
        return BL_E_STORE_UNAVAILABLE;
    }
    r->open_count++;
    pthread_mutex_unlock(&r->lock);
    rv = bl_db_open(pdb, r->path, BL_DB_READ, NULL, NULL, 0);
    if (rv != APR_SUCCESS) {
        release_place(r);
        return rv;
    }
    bl_db_set_wait(*pdb, wait_ms, NULL, NULL);
    return APR_SUCCESS;
}

void bl_readers_give(bl_readers_t *r, bl_db_t *db, int is_bad)
{
    if (!db) return;
    if (is_bad) {
        bl_db_close(db);
        release_place(r);
        return;
    }
    pthread_mutex_lock(&r->lock);
    r->idle[r->idle_count++] = db;
    pthread_cond_signal(&r->given);
    pthread_mutex_unlock(&r->lock);
}

/* The one that was given back last is taken first: those that nobody needed
 * lie at the beginning. The last of all stays. */
static int take_unneeded(bl_readers_t *r, bl_db_t **unneeded)
{
    int n = r->least_idle;

    if (n && n == r->open_count) n--;
    memcpy(unneeded, r->idle, (size_t)n * sizeof(*unneeded));
    r->idle_count -= n;
    memmove(r->idle, r->idle + n, (size_t)r->idle_count * sizeof(*r->idle));
    r->open_count -= n;
    r->least_idle = r->idle_count;
    return n;
}

void bl_readers_close_unneeded(bl_readers_t *r)
{
    bl_db_t *unneeded[BL_READERS_MOST];
    int n;

    pthread_mutex_lock(&r->lock);
    n = take_unneeded(r, unneeded);
    pthread_mutex_unlock(&r->lock);
    while (n)
        bl_db_close(unneeded[--n]);
}

void bl_readers_forget_pages(bl_readers_t *r)
{
    int i;

    pthread_mutex_lock(&r->lock);
    for (i = 0; i < r->idle_count; i++)
        bl_db_forget_pages(r->idle[i]);
    pthread_mutex_unlock(&r->lock);
}
