/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/members.h"
#include "shm/removals.h"
#include "store/members.h"

apr_status_t bl_members_remove(bl_engine_t *e, const char *owner,
                               const char *id, const char *member)
{
    apr_status_t rv =
        bl_store_do_member_remove(bl_engine_store(e), owner, id, member);

    if (rv == APR_SUCCESS) bl_removals_add(bl_engine_shm(e), owner, member);
    return rv;
}
