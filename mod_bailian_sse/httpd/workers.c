/* SPDX-License-Identifier: Apache-2.0 */
#include "workers.h"
#include "base/heap.h"

#include <ap_mpm.h>
#include <apr_time.h>

/* A worker that is done waits so long, that another one takes the next timer:
 * 64 of them begin within 5 ms. A request that comes meanwhile waits, too. */
#define OTHERS_BEGIN_US 10000

static void forget(void *baton)
{
    (void)baton;
    bl_heap_forget();
    apr_sleep(OTHERS_BEGIN_US);
}

void bl_workers_forget(void)
{
    int state = AP_MPMQ_STOPPING, workers = 0;

    /* A child that ends destroys its timers before the reactor stops. */
    if (ap_mpm_query(AP_MPMQ_MPM_STATE, &state) != APR_SUCCESS ||
        state == AP_MPMQ_STOPPING ||
        ap_mpm_query(AP_MPMQ_MAX_THREADS, &workers) != APR_SUCCESS)
    {
        return;
    }
    while (workers-- > 0) {
        if (ap_mpm_register_timed_callback(0, forget, NULL) != APR_SUCCESS)
            return;
    }
}
