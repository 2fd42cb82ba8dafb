/* SPDX-License-Identifier: Apache-2.0 */
#include "removals.h"
#include "base/clock.h"
#include "directory.h"

#include <string.h>

#define SHARE_LOOK_MS 1000

/* A place's word: the low bits are the removal's number, the others a hash. One
 * that is just being written still has the number of another. */
#define NUMBER_MASK 0xffffffffULL

static apr_uint64_t word_of(apr_uint64_t hash, apr_uint32_t number)
{
    return (hash & ~NUMBER_MASK) | number;
}

apr_uint32_t bl_removals_now(const bl_shm_t *shm)
{
    return __atomic_load_n(&shm->removal_count, __ATOMIC_ACQUIRE);
}

void bl_removals_add(bl_shm_t *shm, const char *owner, const char *member)
{
    apr_uint32_t number =
        __atomic_add_fetch(&shm->removal_count, 1, __ATOMIC_ACQ_REL);

    __atomic_store_n(&shm->removals[number % BL_REMOVALS],
                     word_of(bl_hash(owner, member), number), __ATOMIC_RELEASE);
}

bl_share_t bl_share_of(const char *owner, const char *reader,
                       apr_uint32_t since)
{
    bl_share_t share;

    share.hash = strcmp(owner, reader) ? bl_hash(owner, reader) : 0;
    share.since = since;
    return share;
}

int bl_share_is_over(const bl_shm_t *shm, const bl_share_t *share)
{
    apr_uint32_t count, number;

    if (!share->hash) return 0;
    count = bl_removals_now(shm);
    if (count - share->since > BL_REMOVALS) return 1;
    for (number = share->since + 1; number != count + 1; number++) {
        apr_uint64_t word = __atomic_load_n(
            &shm->removals[number % BL_REMOVALS], __ATOMIC_ACQUIRE);

        if ((word & NUMBER_MASK) != number ||
            word == word_of(share->hash, number)) {
            return 1;
        }
    }
    return 0;
}

bl_ms_t bl_share_next(const bl_share_t *share, bl_ms_t due)
{
    bl_ms_t look;

    if (!share->hash) return due;
    look = bl_clock_ms() + SHARE_LOOK_MS;
    return look < due ? look : due;
}
