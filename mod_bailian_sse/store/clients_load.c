/* SPDX-License-Identifier: Apache-2.0 */
/* Callers as the catalog's snapshot has them. */
#include "store/client_fields.h"
#include "store/clients_load.h"

#include "base/errors.h"

#include <stdlib.h>
#include <string.h>

void bl_client_release(bl_client_t *c)
{
    int i;

    for (i = 0; i < c->app_count; i++)
        free(c->apps[i]);
    free(c->apps);
    free(c->key);
    free(c->issuer);
    free(c->audience);
}

static apr_int64_t number_of(const json_t *settings, const char *name)
{
    const json_t *v = json_object_get(settings, name);

    return json_is_integer(v) ? json_integer_value(v) : -1;
}

/* malloc'd text of a member; NULL for null (or no memory: *prv). */
static char *text_of(const json_t *settings, const char *name,
                     apr_status_t *prv)
{
    const char *text = json_string_value(json_object_get(settings, name));
    char *copy = text ? strdup(text) : NULL;

    if (text && !copy) *prv = APR_ENOMEM;
    return copy;
}

static apr_status_t read_apps(const json_t *settings, bl_client_t *c)
{
    const json_t *list = json_object_get(settings, "apps");
    size_t i, n = json_array_size(list);

    if (!n) return APR_SUCCESS;
    c->apps = calloc(n, sizeof(*c->apps));
    if (!c->apps) return APR_ENOMEM;
    for (i = 0; i < n; i++) {
        c->apps[i] = strdup(json_string_value(json_array_get(list, i)));
        if (!c->apps[i]) return APR_ENOMEM;
        c->app_count++;
    }
    return APR_SUCCESS;
}

static apr_status_t read_settings(const json_t *settings, bl_client_t *c)
{
    const char *alg = json_string_value(json_object_get(settings, "algorithm"));
    apr_status_t rv = read_apps(settings, c);

    c->scopes = bl_client_scopes(settings);
    c->starts_per_minute = (int)number_of(settings, "startsPerMinute");
    c->streams = (int)number_of(settings, "maxStreams");
    c->tokens_per_day = number_of(settings, "tokensPerDay");
    c->alg = alg ? bl_sign_by_name(alg) : BL_SIGN_NONE;
    c->key = text_of(settings, "publicKey", &rv);
    c->issuer = text_of(settings, "issuer", &rv);
    c->audience = text_of(settings, "audience", &rv);
    c->leeway_s = (int)number_of(settings, "leewaySeconds");
    return rv;
}

/* Of a token without its hash, or an issuer without its key, nothing can be
 * known: such a row lets nobody in. */
static int is_whole(sqlite3_stmt *st, const bl_client_t *c)
{
    const char *kind = (const char *)sqlite3_column_text(st, 2);

    if (kind && !strcmp(kind, "jwt")) {
        return c->alg != BL_SIGN_NONE && c->key && c->leeway_s >= 0;
    }
    return c->alg == BL_SIGN_NONE &&
           sqlite3_column_bytes(st, 3) == BL_SHA256_BYTES;
}

/* APR_EINVAL: it cannot be what was stored; nobody is let in by it. */
static apr_status_t read_client(sqlite3_stmt *st, bl_client_t *c)
{
    json_t *settings;
    apr_status_t rv = bl_client_settings_read(st, 4, &settings);

    memset(c, 0, sizeof(*c));
    if (rv != APR_SUCCESS) return rv == BL_E_STORE_CORRUPT ? APR_EINVAL : rv;
    c->id = sqlite3_column_int64(st, 0);
    bl_db_copy(st, 1, c->name, sizeof(c->name));
    c->expires_at = sqlite3_column_int64(st, 5);
    rv = read_settings(settings, c);
    json_decref(settings);
    if (rv != APR_SUCCESS) return rv;
    if (!is_whole(st, c)) return APR_EINVAL;
    if (c->alg == BL_SIGN_NONE) {
        memcpy(c->token_hash, sqlite3_column_blob(st, 3), BL_SHA256_BYTES);
    }
    return APR_SUCCESS;
}

apr_status_t bl_clients_load(bl_db_t *db, bl_client_t **pclients, int *pcount)
{
    static const char sql[] =
        "SELECT id, name, kind, token_hash, settings, expires_at FROM client"
        " WHERE is_enabled = 1 ORDER BY id";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    apr_status_t rv;

    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        bl_client_t one, *all;

        rv = read_client(st, &one);
        if (rv == APR_SUCCESS) {
            all = realloc(*pclients, ((size_t)*pcount + 1) * sizeof(*all));
            if (all) {
                all[(*pcount)++] = one;
                *pclients = all;
                continue;
            }
            rv = APR_ENOMEM;
        }
        bl_client_release(&one);
        if (rv != APR_EINVAL) break;
    }
    bl_db_done(st);
    return rv == APR_EOF ? APR_SUCCESS : rv;
}
