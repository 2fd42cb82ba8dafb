/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tickets - one-time tickets in place of a token in a URL (S-19): 30 s, one
 * use, for one route, taken in whichever child it is shown to.
 *
 * Only the SHA-256 of a ticket lies in the segment. A slot is claimed by
 * compare-and-swap of its word; what it holds belongs to whoever claimed it.
 *
 * THREADS  any, of any child.
 * ERRORS   BL_E_OVERLOADED no slot is free, or no chance; BL_E_RATE_LIMITED
 *          the principal has BL_TICKETS_OF_ONE that nobody used yet.
 */
#ifndef BL_TICKETS_H
#define BL_TICKETS_H

#include "layout.h"

#define BL_TICKET_MS 30000
#define BL_TICKETS_OF_ONE 64
#define BL_TICKET_TEXT (3 + 64) /* "bt_" and 64 hex digits */

/* What its holder may, once. */
typedef struct bl_ticket_for_t {
    char principal[BL_PRINCIPAL_BYTES];
    apr_uint64_t route_hash; /* bl_hash(base, route) */
    apr_uint32_t scopes;
    apr_int64_t expires_at; /* of the credential behind it; 0 = never */
    apr_int64_t client_id;  /* 0 = none */
} bl_ticket_for_t;

apr_status_t bl_ticket_make(bl_shm_t *shm, const bl_ticket_for_t *what,
                            char ticket[BL_TICKET_TEXT + 1]);

/* It was good, and now is no more; or BL_E_UNAUTHENTICATED, APR_ENOMEM. It is
 * also used up when it is shown at another route. */
apr_status_t bl_ticket_take(bl_shm_t *shm, const char *ticket,
                            apr_uint64_t route_hash, bl_ticket_for_t *out);

#endif
