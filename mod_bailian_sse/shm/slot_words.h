/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot_words - who has which slot: what directory.c (streams) and slot_pages.c
 * (memory) know of one another.
 */
#ifndef BL_SLOT_WORDS_H
#define BL_SLOT_WORDS_H

#include "layout.h"

static inline apr_uint32_t bl_slot_word(const bl_shm_t *shm, apr_uint32_t i)
{
    return __atomic_load_n(&shm->words[i], __ATOMIC_SEQ_CST);
}

static inline void bl_slot_set_word(bl_shm_t *shm, apr_uint32_t i,
                                    apr_uint32_t word)
{
    __atomic_store_n(&shm->words[i], word, __ATOMIC_SEQ_CST);
}

/* 1 when it was free: then nobody else touches it. */
static inline int bl_slot_claim(bl_shm_t *shm, apr_uint32_t i,
                                apr_uint32_t state, int child)
{
    apr_uint32_t claimed = BL_SLOT_WORD(state, (apr_uint32_t)child);
    apr_uint32_t word = 0;

    return !bl_slot_word(shm, i) &&
           __atomic_compare_exchange_n(&shm->words[i], &word, claimed, 0,
                                       __ATOMIC_SEQ_CST, __ATOMIC_RELAXED);
}

#endif
