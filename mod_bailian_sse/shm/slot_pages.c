/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot_pages - gives back the pages of slots that nobody has.
 *
 * A slot is touched by nobody but who has its word. So whoever has the words of
 * all slots that lie in some pages, if only in part, may take those pages away,
 * and the next one who takes such a slot finds zeros. The words lie elsewhere.
 *
 * was_used and top are lowered while these words are held, too. Who claims one
 * of them says so in both only after it got the word: after, then, if it got
 * it after us; and before us it has given the word back, and needs neither.
 */
#include "directory.h"
#include "slot_words.h"

#include <sys/mman.h>
#include <unistd.h>

typedef struct run_t {
    char *begin, *end;     /* whole pages */
    apr_uint32_t from, to; /* of a chunk, and all others that lie in them */
} run_t;

/* The pages in which the slots of a chunk lie; with the slots before and after
 * it that share the first and the last one. */
static run_t run_of(bl_shm_t *shm, apr_uint32_t chunk)
{
    apr_uintptr_t page = (apr_uintptr_t)sysconf(_SC_PAGESIZE);
    char *base = (char *)shm->slots, *top = base + sizeof(shm->slots);
    run_t run;

    run.from = chunk * BL_CHUNK_SLOTS;
    run.to = run.from + BL_CHUNK_SLOTS;
    run.begin = (char *)&shm->slots[run.from];
    run.begin -= (apr_uintptr_t)run.begin % page;
    run.end = base + run.to * sizeof(bl_slot_t);
    run.end += (page - (apr_uintptr_t)run.end % page) % page;
    /* In the first and the last page of all lies something else as well. */
    if (run.begin < base)
        run.begin += page;
    else
        run.from =
            (apr_uint32_t)((size_t)(run.begin - base) / sizeof(bl_slot_t));
    if (run.end > top)
        run.end -= page;
    else
        run.to =
            (apr_uint32_t)((size_t)(run.end - 1 - base) / sizeof(bl_slot_t)) +
            1;
    return run;
}

static void let_go(bl_shm_t *shm, apr_uint32_t from, apr_uint32_t to)
{
    apr_uint32_t i;

    for (i = from; i < to; i++)
        bl_slot_set_word(shm, i, 0);
}

static int claim_all(bl_shm_t *shm, int child, const run_t *run)
{
    apr_uint32_t i;

    for (i = run->from; i < run->to; i++) {
        if (bl_slot_claim(shm, i, BL_SLOT_EMPTYING, child)) continue;
        let_go(shm, run->from, i);
        return 0;
    }
    return 1;
}

static int has_top(const bl_shm_t *shm, apr_uint32_t chunk)
{
    apr_uint32_t top = __atomic_load_n(&shm->top, __ATOMIC_SEQ_CST);

    return top && (top - 1) / BL_CHUNK_SLOTS == chunk;
}

/* What is searched as a whole becomes shorter again. */
static void lower_top(bl_shm_t *shm, const run_t *run)
{
    apr_uint32_t top = __atomic_load_n(&shm->top, __ATOMIC_SEQ_CST);

    if (top <= run->from || top > run->to) return;
    __atomic_compare_exchange_n(&shm->top, &top, run->from, 0, __ATOMIC_SEQ_CST,
                                __ATOMIC_RELAXED);
}

void bl_slots_give_back(bl_shm_t *shm, int child)
{
    apr_uint32_t chunk = BL_SLOT_CHUNKS;
    run_t run;

    while (chunk--) {
        if (!__atomic_load_n(&shm->was_used[chunk], __ATOMIC_SEQ_CST) &&
            !has_top(shm, chunk))
        {
            continue;
        }
        run = run_of(shm, chunk);
        if (!claim_all(shm, child, &run)) continue;
        __atomic_store_n(&shm->was_used[chunk], 0, __ATOMIC_SEQ_CST);
        lower_top(shm, &run);
        /* Of memory that is no shared mapping nothing is given back. */
        madvise(run.begin, (size_t)(run.end - run.begin), MADV_REMOVE);
        let_go(shm, run.from, run.to);
    }
}
