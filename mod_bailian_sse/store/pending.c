/* SPDX-License-Identifier: Apache-2.0 */
#include "store/pending.h"

#include <string.h>

/* FNV-1a: https://www.rfc-editor.org/rfc/rfc9923 */
static unsigned add_text(unsigned hash, const char *s)
{
    for (; *s; s++)
        hash = (hash ^ (unsigned char)*s) * 16777619u;
    return hash;
}

static unsigned slot_of(const char *owner, const char *conversation_id)
{
    unsigned hash = add_text(2166136261u, owner);

    if (conversation_id) {
        hash = add_text(hash * 16777619u, conversation_id);
    }
    return (hash ^ hash >> 16) & (BL_PENDING_SLOTS - 1);
}

void bl_pending_add(bl_pending_t *p, const char *owner,
                    const char *conversation_id, bl_pending_at_t *at)
{
    at->p = p;
    at->owner = slot_of(owner, NULL);
    at->conversation = slot_of(owner, conversation_id);
    __atomic_add_fetch(&p->by_owner[at->owner], 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&p->by_conversation[at->conversation], 1,
                       __ATOMIC_RELAXED);
}

void bl_pending_remove(const bl_pending_at_t *at)
{
    if (!at->p) return;
    __atomic_sub_fetch(&at->p->by_owner[at->owner], 1, __ATOMIC_RELAXED);
    __atomic_sub_fetch(&at->p->by_conversation[at->conversation], 1,
                       __ATOMIC_RELAXED);
}

int bl_pending_is(bl_pending_t *p, const char *owner,
                  const char *conversation_id)
{
    const unsigned *slot =
        conversation_id ? &p->by_conversation[slot_of(owner, conversation_id)]
                        : &p->by_owner[slot_of(owner, NULL)];

    return __atomic_load_n(slot, __ATOMIC_RELAXED) != 0;
}
