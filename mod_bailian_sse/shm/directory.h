/* SPDX-License-Identifier: Apache-2.0 */
/*
 * directory - which child runs which stream, and what the live page shows.
 *
 * A stream's id is 12 bytes of bl_id_bytes() and 4 that hold the number of its
 * slot, so that finding a live one costs one look. The first eight digits, by
 * which logs name a stream, tell one from its neighbours.
 *
 * THREADS  any, of any child. A taken slot's numbers are written by the child
 *          that took it.
 * ERRORS   BL_E_OVERLOADED no slot is free, or the ceiling of all or of the
 *          child is reached;
 *          BL_E_RATE_LIMITED the principal's ceiling is.
 */
#ifndef BL_DIRECTORY_H
#define BL_DIRECTORY_H

#include "layout.h"

/* Makes fresh memory of bl_shm_size() bytes a segment. */
size_t bl_shm_size(void);
apr_status_t bl_shm_format(bl_shm_t *shm);
int bl_shm_is_sound(const bl_shm_t *shm); /* R07 */

/* This process becomes a child; *pchild is its index. */
apr_status_t bl_shm_join(bl_shm_t *shm, apr_int64_t child_id, int *pchild);
void bl_shm_leave(bl_shm_t *shm, int child);

/* Frees what children left that are no longer there; their counters are kept.
 * Answers how many slots were freed. Cheap when nothing is to be done. */
int bl_shm_reclaim(bl_shm_t *shm);

typedef struct bl_slot_ask_t {
    int child;
    const char *owner;
    apr_uint64_t principal_hash;
    apr_uint64_t request_hash; /* 0 = no idempotency key */
    int most_all;
    int most_of_child; /* 0 = no ceiling of its own */
    int most_of_principal;
} bl_slot_ask_t;

/* Takes a slot and makes the id (BL_ID_TEXT + 1 bytes at id). With a
 * request_hash that is taken already by this principal: APR_EEXIST, and id is
 * that of the stream that has it; of those who ask at once one gets it, the
 * others wait for that moment. */
apr_status_t bl_slot_take(bl_shm_t *shm, const bl_slot_ask_t *ask,
                          bl_slot_t **pslot, char *id);
/* Frees the place. After a stream that ran use end: a repeat with its key is
 * then still told its id (C18), as if it ran. */
void bl_slot_release(bl_shm_t *shm, bl_slot_t *slot);
void bl_slot_end(bl_shm_t *shm, bl_slot_t *slot);

/* Is it one of the streams that ended last, whose row may be on its way? */
int bl_slot_was_recent(const bl_shm_t *shm, const char *id);

/* The slot of a live stream, or NULL. *pchild_id names the child's socket. */
bl_slot_t *bl_slot_find(bl_shm_t *shm, const char *id, int *pchild,
                        apr_int64_t *pchild_id);

/* Does a stream have this slot? Nobody looks into one that is free: its page
 * may have been given back. */
int bl_slot_is_taken(const bl_shm_t *shm, apr_uint32_t index);

/* Gives back the pages of slots that nobody has: after many streams. Any
 * number of children may at once, while others take slots. */
void bl_slots_give_back(bl_shm_t *shm, int child);

/* A copy of a slot that changes meanwhile, to be read at leisure: each number
 * in it is whole. */
void bl_slot_copy(bl_slot_t *to, const bl_slot_t *from);

/* Writes a text of a slot, size bytes at the most, under who copies it. */
void bl_slot_put_text(char *at, size_t size, const char *text);

int bl_slot_count(const bl_shm_t *shm);

/* Never 0. */
apr_uint64_t bl_hash(const char *a, const char *b);

const char *bl_phase_name(bl_phase_t phase);

#endif
