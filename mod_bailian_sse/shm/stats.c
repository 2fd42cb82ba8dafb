/* SPDX-License-Identifier: Apache-2.0 */
#include "stats.h"

static const char *const names[] = {
#define X(NAME, name) #name,
    BL_COUNTER_TABLE(X)
#undef X
};

apr_uint64_t bl_stats_total(const bl_shm_t *shm, bl_counter_t which)
{
    apr_uint64_t sum = __atomic_load_n(&shm->past[which], __ATOMIC_RELAXED);
    int i;

    for (i = 0; i < BL_SHM_CHILDREN; i++) {
        sum += __atomic_load_n(&shm->children[i].counters[which],
                               __ATOMIC_RELAXED);
    }
    return sum;
}

const char *bl_counter_name(bl_counter_t which)
{
    return names[which];
}
