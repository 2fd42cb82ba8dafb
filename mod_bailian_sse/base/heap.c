/* SPDX-License-Identifier: Apache-2.0 */
#include "heap.h"
#include "thread.h"

#include <malloc.h>
#include <stdlib.h>

/* glibc: sizes from 24 to 1,032 bytes, 16 apart; seven chunks of each. */
#define SIZE_LEAST 24
#define SIZE_MOST 1032
#define SIZE_STEP 16
#define KEPT 7

#define END_KEPT (128 * 1024) /* glibc's own first value */

typedef struct chunk_t {
    struct chunk_t *next;
} chunk_t;

static void *free_all(void *first)
{
    chunk_t *c, *next;

    for (c = first; c; c = next) {
        next = c->next;
        free(c);
    }
    return NULL;
}

/* What is kept is what malloc() gives first. */
static chunk_t *take_kept(void)
{
    chunk_t *first = NULL, *c;
    size_t size;
    int i;

    for (size = SIZE_LEAST; size <= SIZE_MOST; size += SIZE_STEP) {
        for (i = 0; i < KEPT && (c = malloc(size)) != NULL; i++) {
            c->next = first;
            first = c;
        }
    }
    return first;
}

void bl_heap_bound(void)
{
    mallopt(M_TRIM_THRESHOLD, END_KEPT);
}

void bl_heap_forget(void)
{
    chunk_t *kept = take_kept();
    pthread_t thread;

    /* Of a thread that has ended nothing is kept. */
    if (bl_thread_start(&thread, free_all, kept) != 0)
        free_all(kept);
    else
        pthread_join(thread, NULL);
}

void bl_heap_trim(void)
{
    malloc_trim(0);
}
