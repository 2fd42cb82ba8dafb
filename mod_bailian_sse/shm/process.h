/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process - is that very process still there? A pid alone does not say: the
 * kernel gives it to another process when the first one is gone.
 *
 * THREADS  any.
 */
#ifndef BL_PROCESS_H
#define BL_PROCESS_H

#include "base/bl.h"

#include <sys/types.h>

/* When it began, in ticks since the machine did; 0: unknown. */
apr_uint32_t bl_process_born(pid_t pid);

/* born 0: the pid is all that is known. */
int bl_process_is_there(pid_t pid, apr_uint32_t born);

#endif
