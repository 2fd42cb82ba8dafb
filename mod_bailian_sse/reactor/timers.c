/* SPDX-License-Identifier: Apache-2.0 */
#include "timers.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_ROOM 64

void bl_timers_init(bl_timers_t *t)
{
    memset(t, 0, sizeof(*t));
}

void bl_timers_release(bl_timers_t *t)
{
    free(t->heap);
    memset(t, 0, sizeof(*t));
}

static void put(bl_timers_t *t, apr_uint32_t place, bl_timer_t *timer)
{
    t->heap[place] = timer;
    timer->place = place;
}

static void sift_up(bl_timers_t *t, apr_uint32_t place)
{
    bl_timer_t *timer = t->heap[place];

    while (place > 1 && t->heap[place / 2]->due_ms > timer->due_ms) {
        put(t, place, t->heap[place / 2]);
        place /= 2;
    }
    put(t, place, timer);
}

static void sift_down(bl_timers_t *t, apr_uint32_t place)
{
    bl_timer_t *timer = t->heap[place];
    apr_uint32_t child;

    while ((child = place * 2) <= t->count) {
        if (child < t->count &&
            t->heap[child + 1]->due_ms < t->heap[child]->due_ms) {
            child++;
        }
        if (t->heap[child]->due_ms >= timer->due_ms) break;
        put(t, place, t->heap[child]);
        place = child;
    }
    put(t, place, timer);
}

apr_status_t bl_timers_arm(bl_timers_t *t, bl_timer_t *timer, bl_ms_t due_ms)
{
    bl_timer_t **heap;
    apr_uint32_t room;

    timer->due_ms = due_ms;
    if (!timer->place) {
        if (t->count + 1 >= t->room) {
            room = t->room ? t->room * 2 : FIRST_ROOM;
            heap = realloc(t->heap, room * sizeof(*heap));
            if (!heap) return APR_ENOMEM;
            t->heap = heap;
            t->room = room;
        }
        put(t, ++t->count, timer);
    }
    sift_up(t, timer->place);
    sift_down(t, timer->place);
    return APR_SUCCESS;
}

void bl_timers_disarm(bl_timers_t *t, bl_timer_t *timer)
{
    apr_uint32_t place = timer->place;
    bl_timer_t *last;

    if (!place) return;
    last = t->heap[t->count--];
    timer->place = 0;
    if (last == timer) return;
    put(t, place, last);
    sift_up(t, place);
    sift_down(t, last->place);
}

void bl_timers_run(bl_timers_t *t, bl_ms_t now)
{
    while (t->count && t->heap[1]->due_ms <= now) {
        bl_timer_t *timer = t->heap[1];

        bl_timers_disarm(t, timer);
        timer->fn(timer->ctx);
    }
}

bl_ms_t bl_timers_wait(const bl_timers_t *t, bl_ms_t now)
{
    if (!t->count) return -1;
    return t->heap[1]->due_ms > now ? t->heap[1]->due_ms - now : 0;
}
