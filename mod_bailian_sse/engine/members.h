/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members - who shares a conversation, as far as it concerns what runs.
 *
 * THREADS  any but the reactor: it writes to the store.
 * ERRORS   those of store/members.h.
 */
#ifndef BL_ENGINE_MEMBERS_H
#define BL_ENGINE_MEMBERS_H

#include "engine.h"

/* What he reads of it right now ends too, in all children. */
apr_status_t bl_members_remove(bl_engine_t *e, const char *owner,
                               const char *id, const char *member);

#endif
