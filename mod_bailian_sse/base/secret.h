/* SPDX-License-Identifier: Apache-2.0 */
/*
 * secret - memory for keys: wiped when released, never printed.
 *
 * THREADS  any.
 */
#ifndef BL_SECRET_H
#define BL_SECRET_H

#include "bl.h"

void bl_secret_wipe(void *p, size_t len); /* not optimised away */

/* Wipes and frees a malloc'd NUL-terminated secret. NULL is fine. */
void bl_secret_free(char *secret);

#endif
