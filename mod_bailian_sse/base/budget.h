/* SPDX-License-Identifier: Apache-2.0 */
/*
 * budget - the memory that streams of all children hold, and how much it may
 * be (R03, docs/directives.md BailianMemoryBudget).
 *
 * What streams keep as long as they live is taken, and refused at the limit.
 * What only passes through (the text put together at an end, what waits for
 * the database or a client) is bounded elsewhere; it is counted, so that no new
 * stream begins while there is much of it, and never refused: else answers
 * that end would have to fail because others end.
 *
 * Each child counts in words of its own, so that what a killed one held goes
 * with it. The words lie in memory that all children share, the budget itself
 * in each. NULL is a budget that counts nothing and refuses nothing.
 *
 * OWNERSHIP  lives as long as the process: who holds memory of a stream may
 *            give it back after everything else is gone.
 * THREADS    any. No lock: one atomic addition, and where it can be refused a
 *            look at each child's word.
 * ERRORS     BL_E_OVERLOADED: it would be above the budget, nothing was taken.
 */
#ifndef BL_BUDGET_H
#define BL_BUDGET_H

#include "bl.h"

/* Of one child. */
typedef struct bl_held_t {
    apr_uint64_t kept, passing; /* bytes */
} bl_held_t;

struct bl_budget_t {
    bl_held_t *held;    /* of each child */
    int count;          /* of them */
    int mine;           /* which of them; -1 = none, nothing is counted */
    apr_uint64_t limit; /* bytes of all; 0 = any number */
};

apr_status_t bl_budget_take(bl_budget_t *b, size_t bytes);
void bl_budget_take_anyway(bl_budget_t *b, size_t bytes);
void bl_budget_give(bl_budget_t *b, size_t bytes);

void bl_budget_pass(bl_budget_t *b, size_t bytes);
void bl_budget_passed(bl_budget_t *b, size_t bytes); /* it is gone */

/* What is counted from now on is nobody's: the child leaves. */
void bl_budget_leave(bl_budget_t *b);

/* Of all children: what they keep, and what passes through. */
apr_uint64_t bl_budget_held(const bl_budget_t *b);

/* Would so many more be above so many percent of it? */
int bl_budget_is_above(const bl_budget_t *b, int percent, size_t more);

#endif
