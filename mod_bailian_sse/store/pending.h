/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pending - which conversations have something in the writer's queue, so that
 * a user who has just got an answer finds it when he comes back with the next
 * request, and nobody else waits for the writer.
 *
 * Counters by hash: two conversations can share one, and then a reader waits
 * a few milliseconds for nothing. It knows only this process: in another child
 * an answer is seen when its transaction is through.
 *
 * THREADS  any.
 */
#ifndef BL_PENDING_H
#define BL_PENDING_H

#include "base/bl.h"

#define BL_PENDING_SLOTS 4096 /* a power of two */

typedef struct bl_pending_t {
    unsigned by_owner[BL_PENDING_SLOTS]; /* atomic */
    unsigned by_conversation[BL_PENDING_SLOTS];
} bl_pending_t;

/* What one job counts in; zeroed: nothing. */
typedef struct bl_pending_at_t {
    bl_pending_t *p;
    unsigned owner, conversation;
} bl_pending_at_t;

void bl_pending_add(bl_pending_t *p, const char *owner,
                    const char *conversation_id, bl_pending_at_t *at);
void bl_pending_remove(const bl_pending_at_t *at);

/* conversation_id NULL: any of this owner. */
int bl_pending_is(bl_pending_t *p, const char *owner,
                  const char *conversation_id);

#endif
