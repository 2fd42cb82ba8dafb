/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status - our part of mod_status's page, HTML and ?auto.
 */
#ifndef BL_STATUS_H
#define BL_STATUS_H

#include "httpd_private.h"

/* Of register_hooks. Does nothing where mod_status is not loaded. */
void bl_status_register(void);

#endif
