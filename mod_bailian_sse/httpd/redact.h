/* SPDX-License-Identifier: Apache-2.0 */
/*
 * redact - a token, a ticket or a question in a URL is taken out of the
 * request before anything can log it (S-18, S-51): out of the request line, the
 * query and the Referer.
 *
 * OWNERSHIP  r->pool.
 * THREADS    the request's.
 */
#ifndef BL_REDACT_H
#define BL_REDACT_H

#include "httpd_private.h"

/* post_read_request: requests below our Locations. */
int bl_redact_early(request_rec *r);

/* The same for a request that is known to be ours. */
void bl_redact(request_rec *r);

/* What was taken out of the query by that name ("token", "ticket", "message",
 * "prompt"), or NULL. */
const char *bl_redacted(request_rec *r, const char *name);

#endif
