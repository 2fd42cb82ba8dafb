/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sockets - how many WebSocket connections there are, in all children and of
 * one principal.
 *
 * THREADS  any, of any child.
 * ERRORS   BL_E_OVERLOADED the ceiling of all is reached; BL_E_RATE_LIMITED
 *          the principal's is.
 */
#ifndef BL_SHM_SOCKETS_H
#define BL_SHM_SOCKETS_H

#include "layout.h"

typedef struct bl_sockets_ask_t {
    int child;
    apr_uint64_t principal_hash;
    int most_all;
    int most_of_principal;
} bl_sockets_ask_t;

apr_status_t bl_sockets_join(bl_shm_t *shm, const bl_sockets_ask_t *ask,
                             int *pslot);
void bl_sockets_leave(bl_shm_t *shm, int slot); /* -1 is fine */

/* What a child that is no longer there held. */
void bl_sockets_forget(bl_shm_t *shm, int child);

/* holders[i]: does child i hold one of this principal's? */
void bl_sockets_holders(const bl_shm_t *shm, apr_uint64_t principal_hash,
                        unsigned char holders[BL_SHM_CHILDREN]);

int bl_sockets_count(const bl_shm_t *shm);

#endif
