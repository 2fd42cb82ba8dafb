/* SPDX-License-Identifier: Apache-2.0 */
#include "router.h"

#include <stdio.h>
#include <string.h>

#define ID "{id}"

static const char *const role_names[] = {"none", "viewer", "operator", "admin"};

const char *bl_role_name(bl_role_t role)
{
    return role_names[role];
}

bl_role_t bl_role_by_name(const char *name)
{
    int i;

    for (i = BL_ROLE_VIEWER; i <= BL_ROLE_ADMIN; i++) {
        if (!strcmp(name, role_names[i])) return (bl_role_t)i;
    }
    return BL_ROLE_NONE;
}

/* Does path fit the pattern? Then id is what stands at {id}. */
static int fits(const char *pattern, const char *path, char *id)
{
    const char *at = strstr(pattern, ID), *rest;
    size_t before, len;

    if (!at) return !strcmp(pattern, path);
    before = (size_t)(at - pattern);
    if (strncmp(pattern, path, before) != 0) return 0;
    rest = at + sizeof(ID) - 1;
    len = strcspn(path + before, "/");
    if (!len || len >= BL_NAME_BYTES || strcmp(path + before + len, rest)) {
        return 0;
    }
    memcpy(id, path + before, len);
    id[len] = '\0';
    return 1;
}

static void allow(bl_route_match_t *out, const char *method)
{
    size_t len = strlen(out->allowed);

    snprintf(out->allowed + len, sizeof(out->allowed) - len, "%s%s",
             len ? ", " : "", method);
}

static void look(const bl_route_t *const *tables, const char *method,
                 const char *path, int has_id, bl_route_match_t *out)
{
    const bl_route_t *route;

    for (; *tables; tables++) {
        for (route = *tables; route->method; route++) {
            char id[BL_NAME_BYTES] = "";

            if (!!strstr(route->path, ID) != has_id ||
                !fits(route->path, path, id)) {
                continue;
            }
            allow(out, route->method);
            if (out->route || strcmp(route->method, method) != 0) continue;
            out->route = route;
            memcpy(out->id, id, sizeof(id));
        }
    }
}

void bl_route_find(const bl_route_t *const *tables, const char *method,
                   const char *path, bl_route_match_t *out)
{
    memset(out, 0, sizeof(*out));
    if (!strcmp(method, "HEAD")) method = "GET";
    look(tables, method, path, 0, out);
    if (!out->route) look(tables, method, path, 1, out);
}
