/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_admin - SetHandler bailian-admin: the admin page and its JSON API,
 * for whom httpd itself has authenticated, and nobody else.
 *
 *   login? ─▶ role? ─▶ route? ─▶ a change: from the page itself? JSON? ─▶ area
 */
#include "admin.h"
#include "admin_roles.h"
#include "origin.h"
#include "store/admin.h"

#include <stdlib.h>
#include <string.h>

extern const bl_asset_t bl_admin_assets[]; /* made by build/embed-assets.sh */
extern const int bl_admin_assets_count;

/* One a line, with what it serves. */
static const bl_route_t *const areas[] = {
    bl_admin_overview_routes,     /* api/me, api/overview */
    bl_admin_live_routes,         /* api/live */
    bl_admin_ends_routes,         /* api/ends, api/streams */
    bl_admin_health_routes,       /* api/health, history, pathcheck */
    bl_admin_alert_routes,        /* api/alerts */
    bl_admin_key_routes,          /* api/keys */
    bl_admin_check_routes,        /* api/keys: test */
    bl_admin_upstream_routes,     /* api/upstreams */
    bl_admin_app_routes,          /* api/apps */
    bl_admin_caller_routes,       /* api/callers */
    bl_admin_audit_routes,        /* api/audit */
    bl_admin_conversation_routes, /* and api/deletions, usage, settings */
    NULL};

/* --- for the areas ------------------------------------------------------ */

int bl_admin_answer(bl_admin_call_t *a, apr_status_t rv, int status,
                    bl_buf_t *out)
{
    return bl_call_answer_made(a->r, a->call, rv, status,
                               "application/json; charset=utf-8", out);
}

int bl_admin_problem(bl_admin_call_t *a, apr_status_t rv, const char *field,
                     const char *en)
{
    bl_complaint_t why = BL_NO_COMPLAINT;

    if (field) apr_cpystrn(why.field, field, sizeof(why.field));
    why.said.en = en;
    return bl_admin_complain(a, rv, &why);
}

int bl_admin_complain(bl_admin_call_t *a, apr_status_t rv,
                      const bl_complaint_t *why)
{
    return bl_call_problem_said(a->r, a->call, rv, why);
}

apr_status_t bl_admin_if_match(bl_admin_call_t *a, apr_int64_t *pversion)
{
    const char *text = apr_table_get(a->r->headers_in, "If-Match");
    char *end;

    *pversion = 0;
    if (!text) return BL_E_NO_VERSION;
    if (*text == '"') {
        *pversion = apr_strtoi64(text + 1, &end, 10);
        if (end > text + 1 && !strcmp(end, "\"") && *pversion > 0) {
            return APR_SUCCESS;
        }
    }
    return BL_E_BAD_HEADER;
}

const char *bl_admin_param(bl_admin_call_t *a, const char *name)
{
    const char *text = apr_table_get(a->call->query, name);

    return text && *text ? text : NULL;
}

int bl_admin_number(bl_admin_call_t *a, const char *name, apr_int64_t least,
                    apr_int64_t most, apr_int64_t *pn, int *prc)
{
    const char *text = apr_table_get(a->call->query, name);
    bl_complaint_t why = BL_NO_COMPLAINT;
    bl_say_number_t low, high;
    apr_int64_t n;
    char *end;

    if (!text) return 1;
    n = apr_strtoi64(text, &end, 10);
    if (end != text && !*end && n >= least && n <= most) {
        *pn = n;
        return 1;
    }
    bl_complain(&why, name, BL_SAY("must be a whole number from {1} to {2}"),
                bl_say_number(low, least), bl_say_number(high, most));
    *prc = bl_admin_complain(a, BL_E_BAD_VALUE, &why);
    return 0;
}

const bl_route_t *const *bl_admin_areas(void)
{
    return areas;
}

/* --- who may ------------------------------------------------------------ */

/* Nobody is let in by default: the lines that let somebody in are told. */
static int refuse_all(bl_admin_call_t *a)
{
    return bl_admin_problem(
        a, BL_E_FORBIDDEN, NULL,
        BL_SAY("Nothing authenticates callers here. Add to this Location: "
               "AuthType Basic, AuthName \"Bailian admin\", AuthUserFile "
               "/etc/bailian/admins, Require valid-user"));
}

static int refuse_role(bl_admin_call_t *a, bl_role_t least)
{
    bl_complaint_t why = BL_NO_COMPLAINT;

    bl_say(&why.said,
           BL_SAY("This needs the role {1}, and \"{2}\" has {3}. To give it, "
                  "add to this Location: BailianAdminRole {1} user \"{2}\""),
           bl_role_name(least), a->r->user, bl_role_name(a->role));
    return bl_admin_complain(a, BL_E_FORBIDDEN, &why);
}

/* --- changes come from the page itself (S-23) --------------------------- */

/* Sec-Fetch-Site is the browser's own word and holds behind a proxy that
 * changes Host, too. A program sends neither header: it has no cookies or
 * logins of somebody else's browser. */
static int comes_from_page(request_rec *r)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    const char *origin = apr_table_get(r->headers_in, "Origin");

    if (site) return !strcmp(site, "same-origin");
    return !origin || bl_origin_is_own(r, origin);
}

static int is_change(const request_rec *r)
{
    return r->method_number != M_GET; /* HEAD is M_GET too */
}

/* --- the API ------------------------------------------------------------ */

/* S-74: also who tried what he may not is written down. It is refused whether
 * that can be done or not. */
static void audit_refused(bl_admin_call_t *a, bl_role_t least)
{
    bl_store_do_audit(
        a->store, &a->who, "admin.refused",
        apr_psprintf(a->r->pool, "%s %.200s", a->r->method, a->call->route),
        bl_role_name(least), "refused");
}

static int run(bl_admin_call_t *a, const bl_route_match_t *match)
{
    const char *detail = NULL;
    apr_status_t rv;

    if (a->role < match->route->least) {
        if (is_change(a->r)) audit_refused(a, match->route->least);
        return refuse_role(a, match->route->least);
    }
    a->id = match->id;
    if (is_change(a->r)) {
        if (!comes_from_page(a->r)) {
            return bl_admin_problem(a, BL_E_CSRF_REFUSED, NULL, NULL);
        }
        rv = bl_call_json_or_none(a->r, a->call, &a->body, &detail);
        if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, detail);
    }
    return match->route->fn(a);
}

static int api(bl_admin_call_t *a)
{
    bl_route_match_t match;

    bl_store_catch_up(a->store);
    bl_route_find(areas, a->r->method, a->call->route, &match);
    if (match.route) return run(a, &match);
    if (!*match.allowed) return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    apr_table_set(a->r->headers_out, "Allow", match.allowed);
    return bl_admin_problem(a, BL_E_BAD_METHOD, NULL, NULL);
}

static int page(bl_admin_call_t *a)
{
    request_rec *r = a->r;
    int rc;

    if (!bl_call_method_is(r, a->call, "GET", &rc)) return rc;
    if (!*a->call->route && r->uri[strlen(r->uri) - 1] != '/') {
        return bl_send_below(r, "");
    }
    rc = bl_serve_asset(r, bl_admin_assets, bl_admin_assets_count,
                        a->call->route);
    return rc != DECLINED ? rc
                          : bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
}

static int is_browser(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept");

    return accept && strstr(accept, "text/html");
}

/* A browser gets 403 with the page, which says it in words and shows the lines
 * to add; the page's own files hold nothing that is anybody's. */
static int refuse(bl_admin_call_t *a)
{
    request_rec *r = a->r;
    int is_root = !*a->call->route, rc = DECLINED;

    if (r->method_number == M_GET && (!is_root || is_browser(r))) {
        if (is_root && r->uri[strlen(r->uri) - 1] != '/') {
            return bl_send_below(r, "");
        }
        if (is_root) r->status = HTTP_FORBIDDEN;
        rc = bl_serve_asset(r, bl_admin_assets, bl_admin_assets_count,
                            a->call->route);
    }
    if (rc != DECLINED) return rc;
    return r->user ? refuse_role(a, BL_ROLE_VIEWER) : refuse_all(a);
}

int bl_handle_admin(request_rec *r, bl_call_t *call)
{
    bl_admin_call_t a;

    memset(&a, 0, sizeof(a));
    a.r = r;
    a.call = call;
    a.store = bl_engine_store(call->engine);
    a.id = "";
    bl_set_policy(r);
    if (!strcmp(call->route, "metrics")) {
        if (call->conf.metrics == BL_METRICS_LOCATION) {
            return bl_admin_metrics_page(&a);
        }
        if (call->conf.metrics == BL_METRICS_OFF) {
            return bl_admin_problem(&a, BL_E_NOT_FOUND, NULL, NULL);
        }
    }
    if (!r->user) return refuse(&a);
    a.role = bl_admin_role_of(r, &call->conf);
    if (a.role == BL_ROLE_NONE) return refuse(&a);
    a.who.actor = apr_pstrcat(r->pool, "user:", r->user, NULL);
    a.who.from = r->useragent_ip;
    if (!strcmp(call->route, "metrics")) return bl_admin_metrics_page(&a);
    return strncmp(call->route, "api/", 4) ? page(&a) : api(&a);
}
