/* SPDX-License-Identifier: Apache-2.0 */
/*
 * mod_bailian_sse - the module record and the hooks, nothing else.
 */
#define BL_DECLARES_MODULE
#include "child.h"
#include "handlers.h"
#include "log_httpd.h"
#include "origin.h"
#include "park.h"
#include "redact.h"
#include "routes.h"
#include "status.h"

#include <string.h>

AP_DECLARE_MODULE(bailian_sse);

static int dispatch(request_rec *r, bl_call_t *call)
{
    const bl_url_t *route = bl_url_find(call->route);
    apr_status_t rv;
    int rc;

    call->is_session = route && route->is_session;
    if (bl_origin_answer(r, call, &rc)) return rc;
    rv = bl_origin_check(r, call);
    if (rv == APR_SUCCESS && !route) rv = BL_E_NOT_FOUND;
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    call->needs = r->method_number == M_GET ? route->read : route->change;
    return route->fn(r, call);
}

/* Nothing can be looked up: the log says why (BL1844). */
static int answer_unavailable(request_rec *r)
{
    const bl_error_t *e = bl_error(BL_E_STORE_UNAVAILABLE);
    const char *text = bl_call_least_problem(r, 0, BL_LANG_EN, e);

    return bl_call_answer(r, e->http, r->content_type, text, strlen(text));
}

static int handler(request_rec *r)
{
    int is_admin = r->handler && !strcmp(r->handler, BL_ADMIN_HANDLER);
    bl_engine_t *e;
    bl_call_t call;

    if (!r->handler || (!is_admin && strcmp(r->handler, BL_HANDLER))) {
        return DECLINED;
    }
    e = bl_child_engine();
    if (!e) return answer_unavailable(r);
    bl_call_init(r, &call, e);
    return is_admin ? bl_handle_admin(r, &call) : dispatch(r, &call);
}

static int check_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                        server_rec *s)
{
    bl_server_conf_t *conf = bl_server_conf(s);
    const char *err;

    (void)plog;
    (void)ptemp;
    apr_array_clear(conf->bases);
    bl_conf_find_bases(pconf, conf, ap_conftree);
    err = bl_conf_check(pconf, conf);
    if (!err) return OK;
    ap_log_error(APLOG_MARK, APLOG_CRIT | APLOG_STARTUP, 0, s,
                 BL_LOGNO(1845) "%s", err);
    return HTTP_INTERNAL_SERVER_ERROR;
}

static int post_config(apr_pool_t *pconf, apr_pool_t *plog, apr_pool_t *ptemp,
                       server_rec *s)
{
    bl_log_httpd_install(s);
    return bl_child_post_config(pconf, plog, ptemp, s);
}

static void register_hooks(apr_pool_t *p)
{
    bl_park_register_hooks(p);
    bl_status_register();
    ap_hook_check_config(check_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_config(post_config, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_init(bl_child_init, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_child_stopping(bl_child_stopping, NULL, NULL, APR_HOOK_MIDDLE);
    ap_hook_post_read_request(bl_redact_early, NULL, NULL,
                              APR_HOOK_REALLY_FIRST);
    ap_hook_access_checker(bl_origin_headers, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_access_checker_ex(bl_origin_preflight, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_map_to_storage(bl_call_map_to_storage, NULL, NULL, APR_HOOK_FIRST);
    ap_hook_handler(handler, NULL, NULL, APR_HOOK_MIDDLE);
}

module AP_MODULE_DECLARE_DATA bailian_sse_module = {
    STANDARD20_MODULE_STUFF, bl_dir_conf_create,   bl_dir_conf_merge,
    bl_server_conf_create,   bl_server_conf_merge, bl_directives,
    register_hooks,          AP_MODULE_FLAG_NONE};
