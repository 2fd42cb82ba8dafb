/* SPDX-License-Identifier: Apache-2.0 */
#include "store/client_fields.h"

#include "base/errors.h"
#include "base/json.h"
#include "base/time_text.h"
#include "store/names.h"

#include <stdio.h>
#include <string.h>

#define APPS_MOST 64
#define COUNT_MOST 1000000000
#define TOKENS_MOST 1000000000000000

typedef const char *check_fn(const json_t *value);

typedef struct member_t {
    const char *name;
    const char *fallback; /* JSON */
    int of_issuer;        /* of issuers only */
    int at_creation;      /* said once */
    check_fn *check;      /* NULL, or what would be right */
} member_t;

static int is_text(const json_t *v, size_t most)
{
    const char *s = json_string_value(v);

    return s && *s && strlen(s) == json_string_length(v) && strlen(s) <= most;
}

static int is_plain(const char *s)
{
    for (; *s; s++) {
        if ((unsigned char)*s < 0x20 || *s == 0x7f) return 0;
    }
    return 1;
}

static const char *const scope_names[] = {"ask", "read", "manage"};

static unsigned scope_of(const char *name)
{
    int i;

    for (i = 0; name && i < 3; i++) {
        if (!strcmp(name, scope_names[i])) return 1u << i;
    }
    return 0;
}

static const char *check_scopes(const json_t *v)
{
    static const char wish[] = BL_SAY("must be a list of ask, read and manage");
    size_t i, n = json_array_size(v);

    if (!n || n > 3) return wish;
    for (i = 0; i < n; i++) {
        if (!scope_of(json_string_value(json_array_get(v, i)))) return wish;
    }
    return NULL;
}

static const char *check_apps(const json_t *v)
{
    static const char wish[] =
        BL_SAY("must be a list of at most 64 names of apps");
    size_t i, n = json_array_size(v);

    if (!json_is_array(v) || n > APPS_MOST) return wish;
    for (i = 0; i < n; i++) {
        const char *name = json_string_value(json_array_get(v, i));

        if (!name || !bl_name_is_valid(name)) return wish;
    }
    return NULL;
}

static const char *check_count(const json_t *v)
{
    return json_is_null(v) ||
                   (json_is_integer(v) && json_integer_value(v) >= 1 &&
                    json_integer_value(v) <= COUNT_MOST)
               ? NULL
               : BL_SAY("must be a whole number from 1 to 1000000000, or null");
}

static const char *check_tokens(const json_t *v)
{
    return json_is_null(v) ||
                   (json_is_integer(v) && json_integer_value(v) >= 1 &&
                    json_integer_value(v) <= TOKENS_MOST)
               ? NULL
               : BL_SAY("must be a whole number from 1 to 1000000000000000, or "
                        "null");
}

static const char *check_expiry(const json_t *v)
{
    apr_time_t at;

    return json_is_null(v) ||
                   (is_text(v, 64) &&
                    bl_time_parse(json_string_value(v), &at) && at > 0)
               ? NULL
               : BL_SAY("must be a time as 2026-11-20T11:22:33Z, or null");
}

static const char *check_note(const json_t *v)
{
    return json_is_null(v) ||
                   (is_text(v, 500) && is_plain(json_string_value(v)))
               ? NULL
               : BL_SAY("must be 1 to 500 bytes of text on one line, or null");
}

static const char *check_alg(const json_t *v)
{
    bl_sign_t alg =
        json_is_string(v) ? bl_sign_by_name(json_string_value(v)) : 0;

    return alg == BL_SIGN_RS256 || alg == BL_SIGN_ES256
               ? NULL
               : BL_SAY(
                     "must be RS256 or ES256; an issuer with HS256 stands in "
                     "httpd.conf (BailianJwtIssuer), its secret in a file");
}

static const char *check_name_of_issuer(const json_t *v)
{
    return json_is_null(v) ||
                   (is_text(v, 512) && is_plain(json_string_value(v)))
               ? NULL
               : BL_SAY("must be 1 to 512 bytes of text, or null");
}

static const char *check_pem(const json_t *v)
{
    return is_text(v, BL_PUBLIC_KEY_MOST)
               ? NULL
               : BL_SAY("must be a public key in PEM");
}

static const char *check_leeway(const json_t *v)
{
    return json_is_integer(v) && json_integer_value(v) >= 0 &&
                   json_integer_value(v) <= 600
               ? NULL
               : BL_SAY("must be a number of seconds from 0 to 600");
}

static const member_t members[] = {
    {"scopes", "[\"ask\",\"read\",\"manage\"]", 0, 0, check_scopes},
    {"apps", "[]", 0, 0, check_apps},
    {"startsPerMinute", "null", 0, 0, check_count},
    {"maxStreams", "null", 0, 0, check_count},
    {"tokensPerDay", "null", 0, 0, check_tokens},
    {"expiresAt", "null", 0, 0, check_expiry},
    {"note", "null", 0, 0, check_note},
    {"algorithm", "null", 1, 1, check_alg},
    {"publicKey", "null", 1, 0, check_pem},
    {"issuer", "null", 1, 0, check_name_of_issuer},
    {"audience", "null", 1, 0, check_name_of_issuer},
    {"leewaySeconds", "60", 1, 0, check_leeway},
    {NULL, NULL, 0, 0, NULL}};

json_t *bl_client_settings_new(int is_issuer)
{
    json_t *settings = json_object();
    const member_t *m;

    for (m = members; settings && m->name; m++) {
        if (m->of_issuer && !is_issuer) continue;
        bl_json_set(&settings, m->name,
                    json_loads(m->fallback, JSON_DECODE_ANY, NULL));
    }
    return settings;
}

apr_status_t bl_client_settings_read(sqlite3_stmt *st, int column,
                                     json_t **psettings)
{
    int is_there = sqlite3_column_type(st, column) != SQLITE_NULL;
    const char *text = (const char *)sqlite3_column_text(st, column);

    *psettings = NULL;
    if (is_there && !text) return APR_ENOMEM;
    return bl_json_parse_stored(psettings, text ? text : "{}");
}

static const member_t *find(const char *name)
{
    const member_t *m;

    for (m = members; m->name; m++) {
        if (!strcmp(m->name, name)) return m;
    }
    return NULL;
}

/* The key must be one of the algorithm, whichever of the two was said. */
static apr_status_t check_key(const json_t *settings, bl_complaint_t *e)
{
    const char *alg = json_string_value(json_object_get(settings, "algorithm"));
    const char *key = json_string_value(json_object_get(settings, "publicKey"));
    const char *wish;

    if (!json_object_get(settings, "algorithm")) return APR_SUCCESS;
    if (!alg) return bl_complain(e, "algorithm", BL_SAY("is needed"));
    if (!key) return bl_complain(e, "publicKey", BL_SAY("is needed"));
    wish = bl_sign_key_complaint(bl_sign_by_name(alg), key, strlen(key));
    return wish ? bl_complain(e, "publicKey", wish) : APR_SUCCESS;
}

apr_status_t bl_client_settings_apply(json_t *settings, const json_t *fields,
                                      int is_new, bl_complaint_t *e)
{
    const char *name, *wish;
    json_t *value;

    json_object_foreach((json_t *)fields, name, value)
    {
        const member_t *m = find(name);

        if (is_new && (!strcmp(name, "name") || !strcmp(name, "kind") ||
                       !strcmp(name, "enabled")))
        {
            continue;
        }
        if (!m) {
            return bl_complain(e, name,
                               BL_SAY("is not a member of this object"));
        }
        if (!json_object_get(settings, name)) {
            return bl_complain(e, name, BL_SAY("is of JWT issuers only"));
        }
        if (m->at_creation && !is_new) {
            return bl_complain(e, name, BL_SAY("cannot be changed"));
        }
        wish = m->check(value);
        if (wish) return bl_complain(e, name, wish);
        if (json_object_set(settings, name, value) != 0) return APR_ENOMEM;
    }
    return check_key(settings, e);
}

unsigned bl_client_scopes(const json_t *settings)
{
    const json_t *list = json_object_get(settings, "scopes");
    unsigned scopes = 0;
    size_t i;

    for (i = 0; i < json_array_size(list); i++)
        scopes |= scope_of(json_string_value(json_array_get(list, i)));
    return scopes;
}

apr_time_t bl_client_expiry(const json_t *settings)
{
    const char *text =
        json_string_value(json_object_get(settings, "expiresAt"));
    apr_time_t at = 0;

    return text && bl_time_parse(text, &at) ? at : 0;
}
