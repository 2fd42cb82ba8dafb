/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

static const char *const names[] = {
#define X(NAME, name) #name,
    BL_COUNTER_TABLE(X)
#undef X
};

static const bl_ms_t bucket_ends[BL_BUCKETS - 1] = {BL_FIRST_BUCKETS};

static void add(bl_shm_t *shm, int child, int word, apr_uint64_t n)
{
    __atomic_add_fetch(&shm->children[child].counters[word], n,
                       __ATOMIC_RELAXED);
}

int bl_error_line(apr_status_t why)
{
    if (why == APR_SUCCESS) return -1;
    if (why <= BL_E_BASE || why >= BL_E_END) why = BL_E_INTERNAL;
    return why - BL_E_BASE - 1;
}

void bl_count_error(bl_shm_t *shm, int child, int words, apr_status_t why)
{
    int line = bl_error_line(why);

    if (line >= 0) add(shm, child, words + line, 1);
}

void bl_count_first_content(bl_shm_t *shm, int child, bl_ms_t took)
{
    int i;

    for (i = 0; i < BL_BUCKETS - 1 && took > bucket_ends[i]; i++)
        ;
    add(shm, child, BL_WORD_FIRST + i, 1);
    add(shm, child, BL_WORD_FIRST_MS, took > 0 ? (apr_uint64_t)took : 0);
}

bl_ms_t bl_bucket_ms(int bucket)
{
    return bucket < BL_BUCKETS - 1 ? bucket_ends[bucket] : -1;
}

bl_ms_t bl_bucket_percentile(const apr_uint64_t *buckets, int percent)
{
    apr_uint64_t all = 0, below = 0;
    double rank;
    bl_ms_t from;
    int i;

    for (i = 0; i < BL_BUCKETS; i++)
        all += buckets[i];
    if (!all) return -1;
    rank = (double)all * percent / 100;
    for (i = 0; i < BL_BUCKETS - 1; below += buckets[i++]) {
        if ((double)(below + buckets[i]) >= rank && buckets[i]) break;
    }
    from = i ? bucket_ends[i - 1] : 0;
    if (i == BL_BUCKETS - 1) return from; /* at least that */
    return from + (bl_ms_t)((double)(bucket_ends[i] - from) *
                            (rank - (double)below) / (double)buckets[i]);
}

apr_uint64_t bl_stats_total(const bl_shm_t *shm, int word)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        sum +=
            __atomic_load_n(&shm->children[i].counters[word], __ATOMIC_RELAXED);
    }
    return sum;
}

apr_uint64_t bl_stats_held(const bl_shm_t *shm)
{
    bl_budget_t all = {(bl_held_t *)shm->held, BL_SHM_CHILDREN, -1, 0};

    return bl_budget_held(&all);
}

apr_uint64_t bl_stats_budget(const bl_shm_t *shm)
{
    return __atomic_load_n(&shm->budget_bytes, __ATOMIC_RELAXED);
}

const char *bl_counter_name(bl_counter_t which)
{
    return names[which];
}
