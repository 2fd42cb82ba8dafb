/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clients_load - the enabled callers, for the catalog.
 *
 * OWNERSHIP  the array is the catalog's, freed with each of its elements
 *            released.
 * THREADS    that of the connection.
 */
#ifndef BL_CLIENTS_LOAD_H
#define BL_CLIENTS_LOAD_H

#include "store/clients.h"
#include "store/db.h"

/* *pclients NULL and *pcount 0 at first; what was read before a failure is
 * there. */
apr_status_t bl_clients_load(bl_db_t *db, bl_client_t **pclients, int *pcount);
void bl_client_release(bl_client_t *c); /* what it holds, not itself */

#endif
