/* SPDX-License-Identifier: Apache-2.0 */
/*
 * memory - what streams of all children hold, against the budget (R03). From
 * BL_BUDGET_HIGH_PERCENT on no new stream begins, so that those that run have
 * room to go on; an answer that would go beyond the budget itself ends as
 * "overloaded" (stream/journal.h).
 */
#include "engine_private.h"
#include "base/budget.h"
#include "base/clock.h"
#include "base/errors.h"
#include "base/log.h"
#include "shm/stats.h"
#include "upstream/transfer.h"

#define TELL_MS 60000 /* I11: said once a minute at most */
#define MIB(bytes) ((bytes) / (1024 * 1024))

void bl_memory_join(bl_engine_t *e)
{
    bl_budget_t *b = e->conf.budget;

    if (!b) return;
    b->held = e->conf.shm->held;
    b->count = BL_SHM_CHILDREN;
    b->mine = e->child;
}

void bl_memory_tell(bl_engine_t *e)
{
    const bl_budget_t *b = e->conf.budget;
    bl_ms_t well = 0;

    if (!b || __atomic_load_n(&e->conf.shm->budget_told, __ATOMIC_RELAXED) ||
        !__atomic_compare_exchange_n(&e->conf.shm->budget_told, &well,
                                     bl_clock_ms() + 1, 0, __ATOMIC_SEQ_CST,
                                     __ATOMIC_RELAXED))
    {
        return;
    }
    bl_log(
        BL_LOG_WARNING, 0,
        BL_LOGNO(1311) "streams hold %" APR_UINT64_T_FMT
                       " MiB of the %" APR_UINT64_T_FMT
                       " MiB that BailianMemoryBudget gives them: new ones are "
                       "refused above %d %%",
        MIB(bl_budget_held(b)), MIB(b->limit), BL_BUDGET_HIGH_PERCENT);
}

apr_status_t bl_memory_may_start(bl_engine_t *e)
{
    if (!bl_budget_is_above(e->conf.budget, BL_BUDGET_HIGH_PERCENT,
                            BL_STREAM_BYTES))
    {
        return APR_SUCCESS;
    }
    bl_count(e->conf.shm, e->child, MEMORY_REFUSED, 1);
    bl_memory_tell(e);
    return BL_E_OVERLOADED;
}

static void tell_well(bl_engine_t *e)
{
    bl_ms_t told = __atomic_load_n(&e->conf.shm->budget_told, __ATOMIC_RELAXED);

    if (!told || bl_clock_ms() - told < TELL_MS ||
        bl_budget_is_above(e->conf.budget, BL_BUDGET_LOW_PERCENT, 0) ||
        !__atomic_compare_exchange_n(&e->conf.shm->budget_told, &told, 0, 0,
                                     __ATOMIC_SEQ_CST, __ATOMIC_RELAXED))
    {
        return;
    }
    bl_log(BL_LOG_INFO, 0,
           BL_LOGNO(1312) "streams hold %" APR_UINT64_T_FMT
                          " MiB now: new ones are taken again",
           MIB(bl_budget_held(e->conf.budget)));
}

void bl_memory_rt_tick(bl_engine_t *e)
{
    if (bl_budget_is_above(e->conf.budget, BL_BUDGET_HIGH_PERCENT, 0)) {
        bl_memory_tell(e);
        bl_transfer_rt_forget_spares(); /* not counted, but memory too */
        return;
    }
    tell_well(e);
}
