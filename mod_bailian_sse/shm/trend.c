/* SPDX-License-Identifier: Apache-2.0 */
#include "trend.h"
#include "directory.h"
#include "stats.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/* --- one writer --------------------------------------------------------- */

static int take(bl_trend_t *h)
{
    apr_uint32_t none = 0, me = (apr_uint32_t)getpid();

    if (__atomic_compare_exchange_n(&h->writer, &none, me, 0, __ATOMIC_ACQUIRE,
                                    __ATOMIC_RELAXED))
    {
        return 1;
    }
    /* Killed while it wrote: what it left is one sample that counts less. */
    return kill((pid_t)none, 0) && errno == ESRCH &&
           __atomic_compare_exchange_n(&h->writer, &none, me, 0,
                                       __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

static void give_back(bl_trend_t *h)
{
    __atomic_store_n(&h->writer, 0, __ATOMIC_RELEASE);
}

/* The place of a step, emptied when another step stands there. */
static bl_sample_t *sample_for(bl_sample_t *ring, int length, apr_int64_t step)
{
    bl_sample_t *s = &ring[step % length];

    if (s->step == step) return s;
    __atomic_store_n(&s->step, 0, __ATOMIC_RELEASE);
    memset(s->counts, 0, sizeof(s->counts));
    return s;
}

static void write_sample(bl_shm_t *shm, apr_int64_t second)
{
    bl_trend_t *h = &shm->trend;
    bl_sample_t *one = sample_for(h->seconds, BL_TREND_SECONDS, second);
    bl_sample_t *ten = sample_for(h->tens, BL_TREND_TENS, second / 10);
    apr_uint32_t live = (apr_uint32_t)bl_slot_count(shm);
    int is_first = h->second == 0, i;

    for (i = 0; i < BL_WORDS; i++) {
        apr_uint64_t total = bl_stats_total(shm, i);
        apr_uint64_t last = h->totals[i];

        if (total <= last) continue;
        h->totals[i] = total;
        if (is_first) continue;
        bl_slot_set(one, counts[i],
                    one->counts[i] + (apr_uint32_t)(total - last));
        bl_slot_set(ten, counts[i],
                    ten->counts[i] + (apr_uint32_t)(total - last));
    }
    one->live = ten->live = live;
    __atomic_store_n(&one->step, second, __ATOMIC_RELEASE);
    __atomic_store_n(&ten->step, second / 10, __ATOMIC_RELEASE);
    __atomic_store_n(&h->second, second, __ATOMIC_RELEASE);
}

int bl_trend_tick(bl_shm_t *shm, bl_ms_t now)
{
    bl_trend_t *h = &shm->trend;
    apr_int64_t second = now / 1000;
    int is_new;

    if (second <= __atomic_load_n(&h->second, __ATOMIC_ACQUIRE) || !take(h)) {
        return 0;
    }
    is_new = second > h->second;
    if (is_new) write_sample(shm, second);
    give_back(h);
    return is_new;
}

/* --- read --------------------------------------------------------------- */

bl_ms_t bl_trend_step_ms(bl_range_t range)
{
    return range == BL_RANGE_HOUR ? 10000 : 1000;
}

int bl_trend_length(bl_range_t range)
{
    return range == BL_RANGE_HOUR ? BL_TREND_TENS : BL_TREND_SECONDS;
}

/* The ten seconds that still go on are left out: they would look like less. */
apr_int64_t bl_trend_newest(const bl_shm_t *shm, bl_range_t range)
{
    apr_int64_t second = __atomic_load_n(&shm->trend.second, __ATOMIC_ACQUIRE);

    return range == BL_RANGE_HOUR ? (second + 1) / 10 - 1 : second;
}

const bl_sample_t *bl_trend_at(const bl_shm_t *shm, bl_range_t range,
                               apr_int64_t step)
{
    const bl_trend_t *h = &shm->trend;
    const bl_sample_t *ring = range == BL_RANGE_HOUR ? h->tens : h->seconds;
    const bl_sample_t *s;

    if (step <= 0) return NULL;
    s = &ring[step % bl_trend_length(range)];
    return __atomic_load_n(&s->step, __ATOMIC_ACQUIRE) == step ? s : NULL;
}

int bl_trend_sum(const bl_shm_t *shm, bl_range_t range, int n,
                 apr_uint64_t *sums)
{
    apr_int64_t newest = bl_trend_newest(shm, range);
    int i, k, found = 0;

    memset(sums, 0, BL_WORDS * sizeof(*sums));
    for (i = 0; i < n; i++) {
        const bl_sample_t *s = bl_trend_at(shm, range, newest - i);

        if (!s) continue;
        found++;
        for (k = 0; k < BL_WORDS; k++)
            sums[k] += bl_slot_get(s, counts[k]);
    }
    return found;
}
