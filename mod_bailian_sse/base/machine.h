/* SPDX-License-Identifier: Apache-2.0 */
/*
 * machine - what the machine gives this process.
 *
 * THREADS  any.
 */
#ifndef BL_MACHINE_H
#define BL_MACHINE_H

#include "bl.h"

/* Bytes of memory that this process and its neighbours of the same control
 * group may use: what the machine has, or less where a group (version 1 or 2)
 * or one above it says so. 0: nobody says. root is "", or where a test has
 * its own /proc and /sys. */
apr_uint64_t bl_machine_memory(const char *root);

#endif
