/* SPDX-License-Identifier: Apache-2.0 */
#include "timers.h"

#include <stdlib.h>
#include <string.h>

/* Place for more than there can be: a deadline that is lost for want of memory
 * would be waited for for ever (R02). Address space only; the kernel gives the
 * pages that are used. */
#define ROOM (512 * 1024)

apr_status_t bl_timers_init(bl_timers_t *t)
{
    t->count = 0;
    t->heap = malloc(ROOM * sizeof(*t->heap));
    return t->heap ? APR_SUCCESS : APR_ENOMEM;
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
    timer->due_ms = due_ms;
    if (!timer->place) {
        if (t->count + 1 >= ROOM) return APR_ENOMEM;
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
