/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_roles.h"

#include <ap_provider.h>
#include <mod_auth.h>
#include <string.h>

typedef struct role_line_t {
    bl_role_t role;
    const authz_provider *provider;
    const char *args;
    const void *parsed;
} role_line_t;

static const char *usage(cmd_parms *cmd, const char *got)
{
    return apr_psprintf(cmd->pool,
                        "%s: must be viewer, operator or admin and what "
                        "\"Require\" would take, such as \"operator user li "
                        "wang\" or \"viewer valid-user\", got \"%s\"",
                        cmd->cmd->name, got);
}

const char *bl_set_admin_role(cmd_parms *cmd, void *dir, const char *args)
{
    bl_dir_conf_t *conf = dir;
    const char *all = args, *name, *wrong;
    role_line_t line;

    memset(&line, 0, sizeof(line));
    line.role = bl_role_by_name(ap_getword_conf(cmd->pool, &args));
    name = ap_getword_conf(cmd->pool, &args);
    if (line.role == BL_ROLE_NONE || !*name) return usage(cmd, all);
    line.provider =
        ap_lookup_provider(AUTHZ_PROVIDER_GROUP, name, AUTHZ_PROVIDER_VERSION);
    if (!line.provider) {
        return apr_psprintf(cmd->pool,
                            "%s: no loaded module knows \"Require %s\"; it "
                            "must be viewer, operator or admin and what "
                            "\"Require\" would take, such as \"user li\"",
                            cmd->cmd->name, name);
    }
    line.args = apr_pstrdup(cmd->pool, args);
    if (line.provider->parse_require_line) {
        wrong = line.provider->parse_require_line(cmd, line.args, &line.parsed);
        if (wrong) {
            return apr_psprintf(cmd->pool, "%s: %s", cmd->cmd->name, wrong);
        }
    }
    if (!conf->roles) {
        conf->roles = apr_array_make(cmd->pool, 2, sizeof(role_line_t));
    }
    APR_ARRAY_PUSH(conf->roles, role_line_t) = line;
    return NULL;
}

bl_role_t bl_admin_role_of(request_rec *r, const bl_dir_conf_t *conf)
{
    bl_role_t best = BL_ROLE_NONE;
    int i;

    if (!conf->roles) return BL_ROLE_ADMIN;
    for (i = 0; i < conf->roles->nelts; i++) {
        const role_line_t *line = &APR_ARRAY_IDX(conf->roles, i, role_line_t);

        if (line->role <= best) continue;
        if (line->provider->check_authorization(r, line->args, line->parsed) ==
            AUTHZ_GRANTED)
        {
            best = line->role;
        }
    }
    return best;
}
