/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"
#include "child.h"
#include "shm/directory.h"
#include "shm/stats.h"

#include <ctype.h>
#include <apr_optional.h>
#include <apr_optional_hooks.h>
#include <mod_status.h>

#define LIST_MOST 200 /* rows of the HTML list; the live page shows all */

/* BailianStreamsStarted from streams_started */
static const char *auto_name(apr_pool_t *p, const char *name)
{
    char *out = apr_pstrcat(p, "Bailian", name, NULL);
    char *from = out + sizeof("Bailian") - 1, *to = from;
    int is_upper = 1;

    for (; *from; from++) {
        if (*from == '_') {
            is_upper = 1;
            continue;
        }
        *to++ = is_upper ? (char)toupper((unsigned char)*from) : *from;
        is_upper = 0;
    }
    *to = '\0';
    return out;
}

static void put_counters(request_rec *r, const bl_shm_t *shm, int is_auto)
{
    int i;

    for (i = 0; i < BL_COUNTERS; i++) {
        const char *name = bl_counter_name((bl_counter_t)i);
        apr_uint64_t n = bl_stats_total(shm, (bl_counter_t)i);

        if (is_auto) {
            ap_rprintf(r, "%s: %" APR_UINT64_T_FMT "\n",
                       auto_name(r->pool, name), n);
        }
        else {
            ap_rprintf(r, "<dt>%s: %" APR_UINT64_T_FMT "</dt>\n", name, n);
        }
    }
}

static void put_row(request_rec *r, const bl_shm_t *shm, const bl_slot_t *slot)
{
    bl_ms_t age = apr_time_as_msec(r->request_time - slot->started_at);

    ap_rprintf(r,
               "<tr><td>%" APR_PID_T_FMT "</td><td>%02x%02x%02x%02x</td>"
               "<td>%s</td><td>%s</td><td>%s</td><td>%.1f</td>"
               "<td>%" APR_UINT64_T_FMT "</td><td>%" APR_UINT64_T_FMT "</td>"
               "<td>%u/%u</td><td>%u</td></tr>\n",
               (pid_t)shm->children[slot->child].pid, slot->id[0], slot->id[1],
               slot->id[2], slot->id[3], ap_escape_html(r->pool, slot->owner),
               ap_escape_html(r->pool, slot->app),
               bl_phase_name((bl_phase_t)slot->phase), (double)age / 1000,
               slot->seq, slot->bytes, slot->attempt, slot->attempts_most,
               slot->readers);
}

static void put_list(request_rec *r, const bl_shm_t *shm)
{
    apr_uint32_t i, top = __atomic_load_n(&shm->top, __ATOMIC_ACQUIRE);
    bl_slot_t slot;
    int n = 0;

    ap_rputs("<table border=\"0\"><tr><th>Child</th><th>Stream</th>"
             "<th>Caller</th><th>App</th><th>Phase</th><th>Age s</th>"
             "<th>Events</th><th>Bytes</th><th>Attempt</th><th>Readers</th>"
             "</tr>\n",
             r);
    for (i = 0; i < top && n < LIST_MOST; i++) {
        if (!bl_slot_is_taken(shm, i)) continue;
        bl_slot_copy(&slot, &shm->slots[i]);
        put_row(r, shm, &slot);
        n++;
    }
    ap_rputs("</table>\n", r);
}

static int status_hook(request_rec *r, int flags)
{
    const bl_shm_t *shm = bl_child_shm();
    int is_auto = flags & AP_STATUS_SHORT;

    if (!shm) return OK;
    if (is_auto) {
        ap_rprintf(r, "BailianStreamsLive: %d\n", bl_slot_count(shm));
    }
    else {
        ap_rprintf(r, "<hr />\n<h2>Bailian streams: %d live</h2>\n<dl>\n",
                   bl_slot_count(shm));
    }
    put_counters(r, shm, is_auto);
    if (!is_auto) {
        ap_rputs("</dl>\n", r);
        put_list(r, shm);
    }
    return OK;
}

void bl_status_register(void)
{
    APR_OPTIONAL_HOOK(ap, status_hook, status_hook, NULL, NULL,
                      APR_HOOK_MIDDLE);
}
