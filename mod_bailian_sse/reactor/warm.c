/* SPDX-License-Identifier: Apache-2.0 */
#include "warm.h"

#define LINE_BYTES 64
/* The first ones make what the others use. Then so often: readers come and go,
 * and the journal moves on. */
#define FIRST_NOTED 3
#define NOTED_EVERY 64

void bl_warm_init(bl_warm_t *w)
{
    w->events = 0;
    w->due = FIRST_NOTED;
    w->count = 0;
}

int bl_warm_begin(bl_warm_t *w)
{
    int i;

    for (i = 0; i < w->count; i++)
        __builtin_prefetch(w->lines[i]);
    return ++w->events >= w->due;
}

void bl_warm_renew(bl_warm_t *w)
{
    w->due = w->events + NOTED_EVERY;
    w->count = 0;
}

void bl_warm_note(bl_warm_t *w, const void *from, size_t bytes)
{
    const char *at = from, *end = at + bytes;

    at -= (size_t)at % LINE_BYTES;
    for (; at < end && w->count < BL_WARM_LINES; at += LINE_BYTES)
        w->lines[w->count++] = at;
}
