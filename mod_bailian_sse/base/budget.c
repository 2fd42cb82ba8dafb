/* SPDX-License-Identifier: Apache-2.0 */
#include "budget.h"
#include "errors.h"

typedef enum { KEPT, PASSING } what_t;

/* So many bytes more, or fewer, are this child's. */
static void count(bl_budget_t *b, what_t what, apr_int64_t bytes)
{
    int mine = b ? __atomic_load_n(&b->mine, __ATOMIC_RELAXED) : -1;
    bl_held_t *held;

    if (mine < 0) return;
    held = &b->held[mine];
    __atomic_add_fetch(what == KEPT ? &held->kept : &held->passing,
                       (apr_uint64_t)bytes, __ATOMIC_SEQ_CST);
}

/* A word below zero is one of a child that left while a thread of its still
 * gave back: it holds nothing. */
static apr_uint64_t value(const apr_uint64_t *word)
{
    apr_int64_t n = (apr_int64_t)__atomic_load_n(word, __ATOMIC_SEQ_CST);

    return n > 0 ? (apr_uint64_t)n : 0;
}

static apr_uint64_t kept(const bl_budget_t *b)
{
    apr_uint64_t sum = 0;
    int i;

    for (i = 0; i < b->count; i++)
        sum += value(&b->held[i].kept);
    return sum;
}

/* Counted first, compared afterwards: two at once can both be refused at the
 * limit, never both be let in. */
apr_status_t bl_budget_take(bl_budget_t *b, size_t bytes)
{
    bl_budget_take_anyway(b, bytes);
    if (!b || !b->limit || kept(b) <= b->limit) return APR_SUCCESS;
    bl_budget_give(b, bytes);
    return BL_E_OVERLOADED;
}

void bl_budget_take_anyway(bl_budget_t *b, size_t bytes)
{
    count(b, KEPT, (apr_int64_t)bytes);
}

void bl_budget_give(bl_budget_t *b, size_t bytes)
{
    count(b, KEPT, -(apr_int64_t)bytes);
}

void bl_budget_pass(bl_budget_t *b, size_t bytes)
{
    count(b, PASSING, (apr_int64_t)bytes);
}

void bl_budget_passed(bl_budget_t *b, size_t bytes)
{
    count(b, PASSING, -(apr_int64_t)bytes);
}

void bl_budget_leave(bl_budget_t *b)
{
    if (b) __atomic_store_n(&b->mine, -1, __ATOMIC_RELAXED);
}

apr_uint64_t bl_budget_held(const bl_budget_t *b)
{
    apr_uint64_t sum = b ? kept(b) : 0;
    int i;

    for (i = 0; b && i < b->count; i++)
        sum += value(&b->held[i].passing);
    return sum;
}

int bl_budget_is_above(const bl_budget_t *b, int percent, size_t more)
{
    if (!b || !b->limit) return 0;
    return bl_budget_held(b) + more > b->limit / 100 * (apr_uint64_t)percent;
}
