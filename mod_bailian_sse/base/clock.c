/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <time.h>

static int is_turned;
static bl_ms_t turned_ms;
static apr_time_t turned_wall;

bl_ms_t bl_clock_ms(void)
{
    struct timespec ts;

    if (is_turned) return turned_ms;
    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (bl_ms_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

apr_time_t bl_clock_wall(void)
{
    return is_turned ? turned_wall : apr_time_now();
}

void bl_clock_turn(bl_ms_t by_ms)
{
    if (!is_turned) {
        turned_ms = bl_clock_ms();
        turned_wall = apr_time_now();
        is_turned = 1;
    }
    turned_ms += by_ms;
    turned_wall += by_ms * 1000;
}
