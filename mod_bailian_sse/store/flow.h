/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flow - names of the workflow stream modes as the database holds them.
 *
 * THREADS  any.
 */
#ifndef BL_FLOW_H
#define BL_FLOW_H

#include "upstream/dialect.h"

/* 0 when there is no mode of that name. "none" is one. */
int bl_flow_from_name(const char *name, bl_flow_mode_t *pmode);

#endif
