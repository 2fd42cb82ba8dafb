/* SPDX-License-Identifier: Apache-2.0 */
/*
 * removals - which members were put out of whose conversations lately: what
 * they read at that moment ends, in all children.
 *
 * A reader keeps a bl_share_t and asks from time to time whether it is over.
 * The answer may be yes without reason (many removals at once): who comes back
 * and is still a member reads on.
 *
 * THREADS  any, of any child; nothing waits.
 */
#ifndef BL_SHM_REMOVALS_H
#define BL_SHM_REMOVALS_H

#include "layout.h"

typedef struct bl_share_t {
    apr_uint64_t hash; /* of owner and member; 0 = it is his own */
    apr_uint32_t since;
} bl_share_t;

/* To be taken before a reader is let in. */
apr_uint32_t bl_removals_now(const bl_shm_t *shm);

/* After the store has it. */
void bl_removals_add(bl_shm_t *shm, const char *owner, const char *member);

bl_share_t bl_share_of(const char *owner, const char *reader,
                       apr_uint32_t since);
int bl_share_is_over(const bl_shm_t *shm, const bl_share_t *share);

/* When to ask again, nothing else waking him; `due` when that is sooner. */
bl_ms_t bl_share_next(const bl_share_t *share, bl_ms_t due);

#endif
