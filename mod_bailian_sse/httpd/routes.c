/* SPDX-License-Identifier: Apache-2.0 */
#include "routes.h"
#include "handlers.h"

#include <string.h>

#define ROUTES_MOST 64

typedef struct own_t {
    const char *path, *route; /* without the "*" */
    int is_tree;              /* and whatever follows */
} own_t;

/* --- ours --------------------------------------------------------------- */

static const bl_url_t urls[] = {
    {"stream", BL_ALONE, BL_SCOPE_ASK, BL_SCOPE_ASK, bl_handle_ask, 0},
    {"miniapp-stream", BL_ALONE, BL_SCOPE_ASK, BL_SCOPE_ASK, bl_handle_miniapp,
     1},
    {"api/chat/stream", BL_ALONE, BL_SCOPE_ASK, BL_SCOPE_ASK,
     bl_handle_session_start, 1},
    {"api/chat/poll", BL_ALONE, BL_SCOPE_READ, BL_SCOPE_READ,
     bl_handle_session_poll, 1},
    {"api/chat/sync", BL_ALONE, BL_SCOPE_ASK, BL_SCOPE_ASK,
     bl_handle_session_sync, 1},
    {"streams", BL_BELOW, BL_SCOPE_READ, BL_SCOPE_MANAGE, bl_handle_streams, 0},
    {"conversations", BL_TREE, BL_SCOPE_READ, BL_SCOPE_MANAGE,
     bl_handle_conversations, 0},
    {"tickets", BL_ALONE, 0, 0, bl_handle_tickets, 0},
    {"ws", BL_TREE, BL_SCOPE_ASK | BL_SCOPE_READ, BL_SCOPE_ASK, bl_handle_ws,
     0},
    {"websocket", BL_TREE, BL_SCOPE_ASK | BL_SCOPE_READ, BL_SCOPE_ASK,
     bl_handle_ws, 0},
    {"livez", BL_ALONE, 0, 0, bl_handle_health, 0},
    {"readyz", BL_ALONE, 0, 0, bl_handle_health, 0},
    {"", BL_ALONE, 0, 0, bl_handle_assets, 0},
    {"chat", BL_TREE, 0, 0, bl_handle_assets, 0}};

const bl_url_t *bl_url_find(const char *route)
{
    size_t i, len;

    for (i = 0; i < sizeof(urls) / sizeof(urls[0]); i++) {
        len = strlen(urls[i].path);
        if (strncmp(route, urls[i].path, len)) continue;
        if ((!route[len] && urls[i].reach != BL_BELOW) ||
            (route[len] == '/' && urls[i].reach != BL_ALONE))
        {
            return &urls[i];
        }
    }
    return NULL;
}

/* --- the admin's -------------------------------------------------------- */

/* 1 = text ended with "/" and a star, which is cut off. */
static int cut_star(apr_pool_t *p, const char **ptext)
{
    size_t len = strlen(*ptext);

    if (len < 2 || strcmp(*ptext + len - 2, "/*")) return 0;
    *ptext = apr_pstrmemdup(p, *ptext, len - 1);
    return 1;
}

static const char *complaint(const own_t *own, int is_route_tree)
{
    if (*own->path != '/' || strpbrk(own->path, "?#*%")) {
        return "the path must begin with a slash and be what a client asks "
               "for, without a query";
    }
    if (own->is_tree != is_route_tree) {
        return "path and route must both end with /*, or neither";
    }
    if (strpbrk(own->route, "?#*% ") || !*own->route ||
        !bl_url_find(own->route)) {
        return "the route must be one of docs/protocol.md, without {base}, "
               "such as stream or streams/*";
    }
    return NULL;
}

const char *bl_add_route(cmd_parms *cmd, void *dir, const char *path,
                         const char *route)
{
    bl_dir_conf_t *conf = dir;
    const char *wish;
    own_t own;
    int is_route_tree;

    own.path = path;
    own.route = *route == '/' ? route + 1 : route;
    own.is_tree = cut_star(cmd->pool, &own.path);
    is_route_tree = cut_star(cmd->pool, &own.route);
    wish = complaint(&own, is_route_tree);
    if (wish) {
        return apr_psprintf(cmd->pool, "%s: %s, got \"%s %s\"", cmd->cmd->name,
                            wish, path, route);
    }
    if (!conf->routes) {
        conf->routes = apr_array_make(cmd->pool, 4, sizeof(own_t));
    }
    if (conf->routes->nelts == ROUTES_MOST) {
        return apr_psprintf(cmd->pool, "%s: %d at most", cmd->cmd->name,
                            ROUTES_MOST);
    }
    own.path = apr_pstrdup(cmd->pool, own.path);
    own.route = apr_pstrdup(cmd->pool, own.route);
    APR_ARRAY_PUSH(conf->routes, own_t) = own;
    return NULL;
}

const char *bl_own_route(apr_pool_t *p, const bl_dir_conf_t *conf,
                         const char *path)
{
    int i;

    for (i = 0; conf->routes && i < conf->routes->nelts; i++) {
        const own_t *own = &APR_ARRAY_IDX(conf->routes, i, own_t);
        size_t len = strlen(own->path);

        if (!own->is_tree && !strcmp(path, own->path)) return own->route;
        if (own->is_tree && !strncmp(path, own->path, len)) {
            return apr_pstrcat(p, own->route, path + len, NULL);
        }
    }
    return NULL;
}
