/* SPDX-License-Identifier: Apache-2.0 */
/*
 * names - what admins may call things, and where upstreams may lie.
 *
 * THREADS  any.
 */
#ifndef BL_NAMES_H
#define BL_NAMES_H

#include "base/bl.h"

/* 1 to 127 bytes out of [A-Za-z0-9._-], not beginning with '.' or '-'. */
int bl_name_is_valid(const char *name);

/* NULL, or what would be right (S-31): http or https, a host, no user info,
 * query or fragment, no slash at the end. */
const char *bl_url_complaint(const char *url);

/* Do both lead to the same scheme, host and port? S-34 */
int bl_url_same_origin(const char *a, const char *b);

/* "cancel", "drain" or "detach <n>s": NULL, or what would be right. */
const char *bl_policy_complaint(const char *policy);

#endif
