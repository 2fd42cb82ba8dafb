/* SPDX-License-Identifier: Apache-2.0 */
#include "directives_caller.h"
#include "origin.h"
#include "auth/jwt.h"
#include "store/clients.h"

#include <string.h>
#include <sys/stat.h>

#define ISSUERS_MOST 16
#define ORIGINS_MOST 64

/* --- JWT issuers -------------------------------------------------------- */

static int is_name(const char *name)
{
    size_t len = strlen(name);

    return len && len <= BL_CLIENT_NAME_MOST &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                        "0123456789._-") == len;
}

/* A secret is nobody's to read but its owner's and his group's (S-21). */
static const char *check_mode(cmd_parms *cmd, bl_sign_t alg, const char *path)
{
    struct stat st;

    if (alg != BL_SIGN_HS256 || stat(path, &st) || !(st.st_mode & S_IRWXO)) {
        return NULL;
    }
    return apr_psprintf(cmd->pool,
                        "%s: \"%s\" holds a secret and everybody may read it: "
                        "chmod 600",
                        cmd->cmd->name, path);
}

static const char *read_key(cmd_parms *cmd, const char *path,
                            bl_jwt_issuer_t *issuer)
{
    char *text = apr_palloc(cmd->pool, BL_PUBLIC_KEY_MOST + 1);
    apr_size_t len = 0;
    apr_file_t *file;
    apr_status_t rv;

    rv = apr_file_open(&file, path, APR_READ, APR_OS_DEFAULT, cmd->temp_pool);
    if (rv == APR_SUCCESS) {
        rv = apr_file_read_full(file, text, BL_PUBLIC_KEY_MOST, &len);
        apr_file_close(file);
    }
    if (rv != APR_SUCCESS && !APR_STATUS_IS_EOF(rv)) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" cannot be read: %pm",
                            cmd->cmd->name, path, &rv);
    }
    while (issuer->alg == BL_SIGN_HS256 && len &&
           (text[len - 1] == '\n' || text[len - 1] == '\r'))
        len--;
    text[len] = '\0';
    issuer->key = text;
    issuer->key_len = len;
    return check_mode(cmd, issuer->alg, path);
}

static const char *set_option(cmd_parms *cmd, bl_jwt_issuer_t *issuer,
                              const char *word)
{
    char *end;
    apr_int64_t n;

    if (!strncmp(word, "iss=", 4) && word[4])
        issuer->iss = word + 4;
    else if (!strncmp(word, "aud=", 4) && word[4])
        issuer->aud = word + 4;
    else if (!strncmp(word, "leeway=", 7)) {
        n = apr_strtoi64(word + 7, &end, 10);
        if (end != word + 7 && !*end && n >= 0 && n <= BL_JWT_LEEWAY_MOST_S) {
            issuer->leeway_s = (int)n;
            return NULL;
        }
        return apr_psprintf(cmd->pool, "%s: leeway must be 0 to %d seconds",
                            cmd->cmd->name, BL_JWT_LEEWAY_MOST_S);
    }
    else
        return apr_psprintf(cmd->pool,
                            "%s: must be iss=<text>, aud=<text> or "
                            "leeway=<seconds>, got \"%s\"",
                            cmd->cmd->name, word);
    return NULL;
}

static const char *check_new(cmd_parms *cmd, const bl_dir_conf_t *conf,
                             const bl_jwt_issuer_t *issuer)
{
    int i;

    for (i = 0; conf->issuers && i < conf->issuers->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(conf->issuers, i, bl_jwt_issuer_t).name,
                    issuer->name))
        {
            return apr_psprintf(cmd->pool, "%s: \"%s\" is given twice",
                                cmd->cmd->name, issuer->name);
        }
    }
    return i < ISSUERS_MOST ? NULL
                            : apr_psprintf(cmd->pool, "%s: %d issuers at most",
                                           cmd->cmd->name, ISSUERS_MOST);
}

const char *bl_set_jwt_issuer(cmd_parms *cmd, void *dir, int argc,
                              char *const argv[])
{
    bl_dir_conf_t *conf = dir;
    bl_jwt_issuer_t issuer;
    const char *err = NULL;
    int i;

    memset(&issuer, 0, sizeof(issuer));
    issuer.leeway_s = BL_JWT_LEEWAY_S;
    if (argc >= 3) issuer.alg = bl_sign_by_name(argv[1]);
    if (argc < 3 || !is_name(argv[0]) || issuer.alg == BL_SIGN_NONE) {
        return apr_psprintf(cmd->pool,
                            "%s: must be a name, HS256, RS256 or ES256, and "
                            "the path of the key, such as \"shop RS256 "
                            "/etc/bailian/shop.pem iss=https://shop.example\"",
                            cmd->cmd->name);
    }
    issuer.name = apr_pstrdup(cmd->pool, argv[0]);
    for (i = 3; !err && i < argc; i++)
        err = set_option(cmd, &issuer, apr_pstrdup(cmd->pool, argv[i]));
    if (!err) err = check_new(cmd, conf, &issuer);
    if (!err) err = read_key(cmd, argv[2], &issuer);
    if (err) return err;
    err = bl_sign_key_complaint(issuer.alg, issuer.key, issuer.key_len);
    if (err) {
        return apr_psprintf(cmd->pool, "%s: \"%s\" %s", cmd->cmd->name, argv[2],
                            err);
    }
    if (!conf->issuers) {
        conf->issuers = apr_array_make(cmd->pool, 2, sizeof(bl_jwt_issuer_t));
    }
    APR_ARRAY_PUSH(conf->issuers, bl_jwt_issuer_t) = issuer;
    return NULL;
}

/* --- origins ------------------------------------------------------------ */

/* S-22: whoever has a page could act with the logins of its visitors. */
static const char *check_any(cmd_parms *cmd, const bl_dir_conf_t *conf)
{
    int i;

    for (i = 0; conf->origins && i < conf->origins->nelts; i++) {
        if (conf->has_credentials == 1 &&
            !strcmp(APR_ARRAY_IDX(conf->origins, i, const char *), "*"))
        {
            return apr_psprintf(cmd->pool,
                                "%s: \"*\" and credentials do not go "
                                "together (BailianAllowOrigin, "
                                "BailianAllowCredentials): name the origins",
                                cmd->cmd->name);
        }
    }
    return NULL;
}

const char *bl_set_credentials(cmd_parms *cmd, void *dir, int flag)
{
    ((bl_dir_conf_t *)dir)->has_credentials = flag;
    return check_any(cmd, dir);
}

const char *bl_add_origin(cmd_parms *cmd, void *dir, const char *arg)
{
    bl_dir_conf_t *conf = dir;
    const char *wish = bl_origin_complaint(arg);

    if (wish) {
        return apr_psprintf(cmd->pool, "%s: %s, got \"%s\"", cmd->cmd->name,
                            wish, arg);
    }
    if (!conf->origins) {
        conf->origins = apr_array_make(cmd->pool, 4, sizeof(const char *));
    }
    if (conf->origins->nelts == ORIGINS_MOST) {
        return apr_psprintf(cmd->pool, "%s: %d origins at most", cmd->cmd->name,
                            ORIGINS_MOST);
    }
    APR_ARRAY_PUSH(conf->origins, const char *) = apr_pstrdup(cmd->pool, arg);
    return check_any(cmd, conf);
}
