/* SPDX-License-Identifier: Apache-2.0 */
#include "registry.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define BUCKETS 4096 /* a child holds about as many streams at most */

struct bl_registry_t {
    pthread_mutex_t lock; /* guards every field below it */
    bl_stream_t *buckets[BUCKETS];
    int count;
};

/* All digits: the first ones are the time, and a test may call it "a". */
static unsigned bucket_of(const char *id)
{
    unsigned h = 0;
    int i;

    for (i = 0; i < BL_ID_TEXT && id[i]; i++) {
        h = h * 31 + (unsigned char)id[i];
    }
    return h & (BUCKETS - 1);
}

apr_status_t bl_registry_create(bl_registry_t **pr)
{
    bl_registry_t *r = calloc(1, sizeof(*r));

    *pr = NULL;
    if (!r) return APR_ENOMEM;
    if (pthread_mutex_init(&r->lock, NULL)) {
        free(r);
        return APR_ENOMEM;
    }
    *pr = r;
    return APR_SUCCESS;
}

void bl_registry_destroy(bl_registry_t *r)
{
    bl_stream_t *s, *next;
    int i;

    if (!r) return;
    for (i = 0; i < BUCKETS; i++) {
        for (s = r->buckets[i]; s; s = next) {
            next = s->next_listed;
            bl_stream_unref(s);
        }
    }
    pthread_mutex_destroy(&r->lock);
    free(r);
}

void bl_registry_add(bl_registry_t *r, bl_stream_t *s)
{
    bl_stream_t **bucket = &r->buckets[bucket_of(s->id)];

    bl_stream_ref(s);
    pthread_mutex_lock(&r->lock);
    s->next_listed = *bucket;
    *bucket = s;
    r->count++;
    pthread_mutex_unlock(&r->lock);
}

void bl_registry_remove(bl_registry_t *r, bl_stream_t *s)
{
    bl_stream_t **at = &r->buckets[bucket_of(s->id)];
    int is_found = 0;

    pthread_mutex_lock(&r->lock);
    for (; *at; at = &(*at)->next_listed) {
        if (*at != s) continue;
        *at = s->next_listed;
        r->count--;
        is_found = 1;
        break;
    }
    pthread_mutex_unlock(&r->lock);
    if (is_found) bl_stream_unref(s);
}

bl_stream_t *bl_registry_find(bl_registry_t *r, const char *id)
{
    bl_stream_t *s;

    pthread_mutex_lock(&r->lock);
    for (s = r->buckets[bucket_of(id)]; s; s = s->next_listed) {
        if (!strcmp(s->id, id)) break;
    }
    if (s) bl_stream_ref(s);
    pthread_mutex_unlock(&r->lock);
    return s;
}

int bl_registry_count(bl_registry_t *r)
{
    int count;

    pthread_mutex_lock(&r->lock);
    count = r->count;
    pthread_mutex_unlock(&r->lock);
    return count;
}
