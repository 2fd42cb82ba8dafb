/* SPDX-License-Identifier: Apache-2.0 */
#include "stop.h"
#include "base/buf.h"
#include "base/clock.h"
#include "crypto/token.h"
#include "engine/remote.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOOK_USEC 10000

int bl_admin_is_stream_id(const char *id)
{
    unsigned char bytes[BL_ID_BYTES];

    return strlen(id) == BL_ID_TEXT && bl_unhex(bytes, sizeof(bytes), id);
}

static int runs(bl_engine_t *e, const char *id)
{
    apr_int64_t child_id;
    int child;

    return bl_slot_find(bl_engine_shm(e), id, &child, &child_id) != NULL;
}

/* 1: whoever runs it was told, or it ends by itself right now. */
static int tell(bl_engine_t *e, const char *id)
{
    char owner[BL_PRINCIPAL_BYTES];
    apr_int64_t child_id;
    int child;
    const bl_slot_t *slot =
        bl_slot_find(bl_engine_shm(e), id, &child, &child_id);
    bl_stream_t *s;

    if (!slot) return 0;
    memcpy(owner, slot->owner, sizeof(owner));
    owner[sizeof(owner) - 1] = '\0';
    s = child == bl_engine_child(e) ? bl_engine_find(e, id) : NULL;
    if (!s) {
        bl_remote_stop(e, id, owner);
        return 1;
    }
    bl_engine_stop(e, s);
    bl_stream_unref(s);
    return 1;
}

static int how_many_run(bl_engine_t *e, const char *const *ids, int count,
                        const char *told)
{
    int i, n = 0;

    for (i = 0; i < count; i++)
        n += told[i] && runs(e, ids[i]);
    return n;
}

apr_status_t bl_admin_stop(bl_engine_t *e, const char *const *ids, int count,
                           bl_buf_t *out)
{
    bl_ms_t until = bl_clock_ms() + BL_STOP_WAIT_MS;
    char *told = calloc((size_t)count + 1, 1);
    int i;

    if (!told) return APR_ENOMEM;
    for (i = 0; i < count; i++)
        told[i] = (char)tell(e, ids[i]);
    while (how_many_run(e, ids, count, told) && bl_clock_ms() < until)
        usleep(LOOK_USEC);
    bl_buf_puts(out, "{\"results\":[");
    for (i = 0; i < count; i++) {
        bl_buf_printf(out, "%s{\"id\":\"%s\",\"state\":\"%s\"}", i ? "," : "",
                      ids[i],
                      !told[i]          ? "gone"
                      : runs(e, ids[i]) ? "stopping"
                                        : "stopped");
    }
    free(told);
    return bl_buf_puts(out, "]}\n");
}
