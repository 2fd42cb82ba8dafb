/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin - one request to the admin API, as its areas (admin_<area>.c) see it:
 * the router has checked who asks, his role, where a change comes from and
 * its JSON.
 *
 * A new area is a file with a table of routes, and a line in handle_admin.c.
 * Handlers are thin: read the request, call admin/<area>.c or the store,
 * answer. They answer what an httpd handler answers.
 *
 * OWNERSHIP  everything in r->pool.
 * THREADS    the request's.
 */
#ifndef BL_HTTPD_ADMIN_H
#define BL_HTTPD_ADMIN_H

#include "handlers.h"
#include "admin/router.h"

struct bl_admin_call_t {
    request_rec *r;
    bl_call_t *call;
    bl_store_t *store;
    bl_role_t role;
    const char *id;     /* what stands at {id}, or "" */
    json_t *body;       /* of a change: an object, empty when nothing was sent;
                           NULL otherwise; freed with r->pool */
    bl_admin_who_t who; /* for the audit */
};

/* One table an area. */
extern const bl_route_t bl_admin_alert_routes[];
extern const bl_route_t bl_admin_ends_routes[];
extern const bl_route_t bl_admin_health_routes[];
extern const bl_route_t bl_admin_live_routes[];
extern const bl_route_t bl_admin_overview_routes[];
extern const bl_route_t bl_admin_key_routes[];
extern const bl_route_t bl_admin_check_routes[];
extern const bl_route_t bl_admin_upstream_routes[];
extern const bl_route_t bl_admin_app_routes[];
extern const bl_route_t bl_admin_caller_routes[];
extern const bl_route_t bl_admin_audit_routes[];
extern const bl_route_t bl_admin_conversation_routes[];

/* All of them, ending with NULL. */
const bl_route_t *const *bl_admin_areas(void);

/* {admin}/metrics, for whom it is open. */
int bl_admin_metrics_page(bl_admin_call_t *a);

/* api/pathcheck (admin_path.c) */
int bl_admin_pathcheck(bl_admin_call_t *a);

/* Answers status with the JSON text of out when rv is APR_SUCCESS, else the
 * problem of rv. Releases out. */
int bl_admin_answer(bl_admin_call_t *a, apr_status_t rv, int status,
                    bl_buf_t *out);

/* A problem document; field (which member or parameter) and en (a sentence of
 * base/say.h without values) may be NULL. */
int bl_admin_problem(bl_admin_call_t *a, apr_status_t rv, const char *field,
                     const char *en);
int bl_admin_complain(bl_admin_call_t *a, apr_status_t rv,
                      const bl_complaint_t *why);

/* The number that If-Match names; BL_E_NO_VERSION without one,
 * BL_E_BAD_HEADER for anything else. */
apr_status_t bl_admin_if_match(bl_admin_call_t *a, apr_int64_t *pversion);

/* A parameter of the query, or NULL when it is absent or empty. */
const char *bl_admin_param(bl_admin_call_t *a, const char *name);

/* A number of the query from least to most; absent: *pn stays. 0: something
 * else stands there, and *prc is the answer. */
int bl_admin_number(bl_admin_call_t *a, const char *name, apr_int64_t least,
                    apr_int64_t most, apr_int64_t *pn, int *prc);

#endif
