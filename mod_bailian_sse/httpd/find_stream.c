/* SPDX-License-Identifier: Apache-2.0 */
#include "find_stream.h"
#include "base/errors.h"
#include "engine/remote.h"
#include "engine/replay.h"
#include "shm/directory.h"
#include "store/members.h"

#include <stdio.h>

#define FIND_TRIES 200 /* x 5 ms */
#define FIND_USEC 5000

/* A stream moves between these places (it begins, it ends, its child ends)
 * while it is looked for: one that the directory knows is looked for again. */
static apr_status_t find(bl_engine_t *e, const bl_principal_t *who,
                         const char *id, bl_stream_t **ps,
                         bl_stored_stream_t *row)
{
    apr_status_t rv = BL_E_NOT_FOUND;
    apr_int64_t child_id;
    int i, child;

    for (i = 0; i < FIND_TRIES; i++) {
        *ps = bl_engine_find(e, id);
        if (*ps || bl_remote_attach(e, id, who->text, ps) == APR_SUCCESS) {
            return APR_SUCCESS;
        }
        rv = bl_replay_find(e, id, row);
        if (rv != APR_EBUSY &&
            (rv != BL_E_NOT_FOUND ||
             !bl_slot_find(bl_engine_shm(e), id, &child, &child_id)))
        {
            return rv;
        }
        apr_sleep(FIND_USEC);
    }
    return rv == APR_EBUSY ? BL_E_OVERLOADED : rv;
}

/* Whose stream it is while it lives; "" when it does not. */
static void live_owner(bl_engine_t *e, const char *id,
                       char owner[BL_PRINCIPAL_BYTES])
{
    apr_int64_t child_id;
    int child;
    bl_slot_t *slot = bl_slot_find(bl_engine_shm(e), id, &child, &child_id);

    *owner = '\0';
    if (slot) snprintf(owner, BL_PRINCIPAL_BYTES, "%s", slot->owner);
}

bl_principal_t bl_stream_reader(bl_engine_t *e, const bl_principal_t *who,
                                const char *id)
{
    bl_store_t *store = bl_engine_store(e);
    bl_principal_t as = *who;
    bl_stored_stream_t row;
    char owner[BL_PRINCIPAL_BYTES];
    int i;

    for (i = 0; i < FIND_TRIES; i++) {
        live_owner(e, id, owner);
        if (bl_principal_owns(who, owner)) break;
        if (bl_store_stream_shared(store, who->text, id, as.text) !=
            BL_E_NOT_FOUND) {
            break;
        }
        as = *who;
        /* It has just begun, and its row is on its way into the store. */
        if (!*owner || bl_store_stream(store, id, &row) != BL_E_NOT_FOUND) {
            break;
        }
        apr_sleep(FIND_USEC);
    }
    return as;
}

apr_status_t bl_find_stream(bl_engine_t *e, const bl_principal_t *who,
                            const char *id, bl_stream_t **ps,
                            bl_stored_stream_t *row)
{
    char owner[BL_PRINCIPAL_BYTES];
    bl_principal_t as = *who;
    apr_status_t rv;

    *ps = NULL;
    live_owner(e, id, owner);
    if (*owner) as = bl_stream_reader(e, who, id);
    if (*owner && !bl_principal_owns(&as, owner)) return BL_E_NOT_FOUND;
    rv = find(e, &as, id, ps, row);
    if (rv != APR_SUCCESS ||
        bl_principal_owns(&as, *ps ? (*ps)->owner : row->owner))
    {
        return rv;
    }
    rv = bl_store_stream_shared(bl_engine_store(e), who->text, id, owner);
    if (rv != APR_SUCCESS && *ps) {
        bl_stream_unref(*ps);
        *ps = NULL;
    }
    return rv;
}

static apr_status_t load(bl_engine_t *e, const bl_stored_stream_t *row,
                         apr_uint64_t after, bl_stream_t **ps)
{
    apr_uint64_t last;
    apr_status_t rv = bl_replay_load(e, row, after, ps, &last);

    if (rv == APR_EOF) rv = bl_replay_load(e, row, 0, ps, &last);
    return rv == APR_EOF ? BL_E_TRIMMED : rv;
}

apr_status_t bl_find_stream_after(bl_engine_t *e, const bl_principal_t *who,
                                  const char *id, apr_uint64_t *pafter,
                                  bl_stream_t **ps)
{
    bl_stored_stream_t row;
    bl_event_t ev;
    apr_status_t rv = bl_find_stream(e, who, id, ps, &row);
    int n;

    if (rv == APR_SUCCESS && !*ps) rv = load(e, &row, *pafter, ps);
    if (rv == APR_SUCCESS &&
        bl_journal_read((*ps)->journal, *pafter, &ev, 1, &n) == APR_EOF)
    {
        *pafter = bl_journal_tail((*ps)->journal) - 1;
    }
    return rv;
}
