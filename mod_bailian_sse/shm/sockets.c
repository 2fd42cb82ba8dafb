/* SPDX-License-Identifier: Apache-2.0 */
#include "sockets.h"
#include "base/errors.h"

#include <string.h>

/* A place's word: the principal's hash, and the child + 1 in the low bits, so
 * that both are taken at once; 0 = free. */
#define CHILD_BITS 9
#define CHILD_MASK ((1u << CHILD_BITS) - 1)

static apr_uint64_t word_of(apr_uint64_t hash, int child)
{
    return (hash & ~(apr_uint64_t)CHILD_MASK) | (apr_uint64_t)(child + 1);
}

static apr_uint32_t top_of(const bl_shm_t *shm)
{
    return __atomic_load_n(&shm->sockets_top, __ATOMIC_ACQUIRE);
}

static void raise_top(bl_shm_t *shm, apr_uint32_t top)
{
    apr_uint32_t known = top_of(shm);

    while (known < top &&
           !__atomic_compare_exchange_n(&shm->sockets_top, &known, top, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        ;
}

static int claim(bl_shm_t *shm, apr_uint64_t word)
{
    apr_uint32_t i;

    for (i = 0; i < BL_SOCKET_PLACES; i++) {
        apr_uint64_t none = 0;

        if (__atomic_load_n(&shm->sockets[i], __ATOMIC_RELAXED)) continue;
        if (__atomic_compare_exchange_n(&shm->sockets[i], &none, word, 0,
                                        __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        {
            raise_top(shm, i + 1);
            return (int)i;
        }
    }
    return -1;
}

/* Taken first and counted then: of those who ask at once none slips through. */
apr_status_t bl_sockets_join(bl_shm_t *shm, const bl_sockets_ask_t *ask,
                             int *pslot)
{
    apr_uint64_t mine = ask->principal_hash & ~(apr_uint64_t)CHILD_MASK;
    int all = 0, same = 0;
    apr_uint32_t i, top;

    *pslot = claim(shm, word_of(ask->principal_hash, ask->child));
    if (*pslot < 0) return BL_E_OVERLOADED;
    top = top_of(shm);
    for (i = 0; i < top; i++) {
        apr_uint64_t word = __atomic_load_n(&shm->sockets[i], __ATOMIC_RELAXED);

        all += word != 0;
        same += word && (word & ~(apr_uint64_t)CHILD_MASK) == mine;
    }
    if (all <= ask->most_all && same <= ask->most_of_principal) {
        return APR_SUCCESS;
    }
    bl_sockets_leave(shm, *pslot);
    *pslot = -1;
    return all > ask->most_all ? BL_E_OVERLOADED : BL_E_RATE_LIMITED;
}

void bl_sockets_leave(bl_shm_t *shm, int slot)
{
    if (slot < 0) return;
    __atomic_store_n(&shm->sockets[slot], 0, __ATOMIC_RELEASE);
}

void bl_sockets_forget(bl_shm_t *shm, int child)
{
    apr_uint32_t i, top = top_of(shm);

    for (i = 0; i < top; i++) {
        apr_uint64_t word = __atomic_load_n(&shm->sockets[i], __ATOMIC_RELAXED);

        if ((word & CHILD_MASK) == (apr_uint64_t)(child + 1)) {
            bl_sockets_leave(shm, (int)i);
        }
    }
}

void bl_sockets_holders(const bl_shm_t *shm, apr_uint64_t principal_hash,
                        unsigned char holders[BL_SHM_CHILDREN])
{
    apr_uint64_t mine = principal_hash & ~(apr_uint64_t)CHILD_MASK;
    apr_uint32_t i, top = top_of(shm), child;

    memset(holders, 0, BL_SHM_CHILDREN);
    for (i = 0; i < top; i++) {
        apr_uint64_t word = __atomic_load_n(&shm->sockets[i], __ATOMIC_RELAXED);

        child = (apr_uint32_t)(word & CHILD_MASK);
        if (child && (word & ~(apr_uint64_t)CHILD_MASK) == mine) {
            holders[child - 1] = 1;
        }
    }
}

int bl_sockets_count(const bl_shm_t *shm)
{
    apr_uint32_t i, top = top_of(shm);
    int n = 0;

    for (i = 0; i < top; i++)
        n += __atomic_load_n(&shm->sockets[i], __ATOMIC_RELAXED) != 0;
    return n;
}
