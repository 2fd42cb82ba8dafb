/* SPDX-License-Identifier: Apache-2.0 */
/*
 * origin - which pages may call: exact origins, CORS answers, preflights
 * (S-22 - S-24).
 *
 * THREADS  the request's.
 */
#ifndef BL_ORIGIN_H
#define BL_ORIGIN_H

#include "request.h"

/* access_checker: the CORS headers of an allowed origin, on every answer,
 * httpd's own refusals too. */
int bl_origin_headers(request_rec *r);

/* access_checker_ex: a preflight of an allowed origin needs no login. */
int bl_origin_preflight(request_rec *r);

/* 1 = this is a preflight, and *prc is its answer. */
int bl_origin_answer(request_rec *r, bl_call_t *call, int *prc);

/* BL_E_ORIGIN_REFUSED: a page of another origin that is not allowed, or an
 * allowed one with a login that the browser sent by itself. Without an Origin
 * nothing is checked. */
/* A GET that starts an answer, as the mini-program family has it: refused when
 * a browser says that a page of another site makes it do so (S-23). */
apr_status_t bl_origin_check_get(request_rec *r, const bl_call_t *call);

apr_status_t bl_origin_check(request_rec *r, const bl_call_t *call);

/* Does the page come from this host itself? */
int bl_origin_is_own(request_rec *r, const char *origin);

/* NULL, or what would be right. */
const char *bl_origin_complaint(const char *origin);

#endif
