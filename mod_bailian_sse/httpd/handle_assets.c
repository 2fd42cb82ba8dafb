/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_assets - {base}/chat/: the bundled page, from memory alone. A path of
 * a URL is compared with the names in the table and reaches nothing else
 * (S-52).
 */
#include "handlers.h"
#include "base/asset.h"

#include <string.h>

#define CHAT "chat/"

/* S-25: nothing but our own files, in nobody's frame. */
static const char policy[] =
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data:; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'";

extern const bl_asset_t bl_chat_assets[]; /* made by build/embed-assets.sh */
extern const int bl_chat_assets_count;

static const bl_asset_t *find(const bl_asset_t *table, int count,
                              const char *name)
{
    int i;

    if (!*name) name = "index.html";
    for (i = 0; i < count; i++) {
        if (!strcmp(table[i].name, name)) return &table[i];
    }
    return NULL;
}

static const char *type_of(const char *name)
{
    static const char *const types[][2] = {
        {".html", "text/html; charset=utf-8"},
        {".css", "text/css; charset=utf-8"},
        {".svg", "image/svg+xml"},
        {".js", "text/javascript; charset=utf-8"},
        {".mjs", "text/javascript; charset=utf-8"}};
    const char *dot = strrchr(name, '.');
    size_t i;

    for (i = 0; dot && i < sizeof(types) / sizeof(types[0]); i++) {
        if (!strcmp(dot, types[i][0])) return types[i][1];
    }
    return "application/octet-stream";
}

void bl_set_policy(request_rec *r)
{
    apr_table_t *out = r->err_headers_out; /* a 304 has them too */

    apr_table_setn(out, "Content-Security-Policy", policy);
    apr_table_setn(out, "X-Content-Type-Options", "nosniff");
    apr_table_setn(out, "Referrer-Policy", "no-referrer");
    apr_table_setn(out, "Cross-Origin-Opener-Policy", "same-origin");
}

int bl_serve_asset(request_rec *r, const bl_asset_t *table, int count,
                   const char *name)
{
    const bl_asset_t *asset = find(table, count, name);
    int rc;

    if (!asset) return DECLINED;
    bl_set_policy(r);
    apr_table_setn(r->err_headers_out, "Cache-Control", "no-cache");
    apr_table_setn(r->headers_out, "ETag",
                   apr_psprintf(r->pool, "\"%.32s\"", asset->sum));
    rc = ap_meets_conditions(r);
    if (rc != OK) return rc;
    ap_set_content_type(r, type_of(asset->name));
    ap_set_content_length(r, (apr_off_t)asset->len);
    if (!r->header_only) ap_rwrite(asset->data, (int)asset->len, r);
    return OK;
}

/* Relative, so that it holds behind a proxy that calls the base otherwise. */
int bl_send_below(request_rec *r, const char *what)
{
    const char *last = strrchr(r->uri, '/');
    const char *name = last ? last + 1 : r->uri;
    const char *to = what;

    if (*name) {
        to = apr_pstrcat(r->pool, "./", ap_escape_path_segment(r->pool, name),
                         "/", what, NULL);
    }
    apr_table_setn(r->headers_out, "Location", to);
    apr_table_setn(r->headers_out, "Cache-Control", "no-cache");
    return HTTP_MOVED_TEMPORARILY;
}

int bl_handle_assets(request_rec *r, bl_call_t *call)
{
    const char *route = call->route;
    int rc;

    if (!call->conf.has_chat_page) {
        return bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
    }
    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    if (!strcmp(route, "chat")) return bl_send_below(r, "");
    if (strncmp(route, CHAT, sizeof(CHAT) - 1)) return bl_send_below(r, CHAT);
    rc = bl_serve_asset(r, bl_chat_assets, bl_chat_assets_count,
                        route + sizeof(CHAT) - 1);
    return rc != DECLINED ? rc : bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
}
