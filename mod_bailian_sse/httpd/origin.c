/* SPDX-License-Identifier: Apache-2.0 */
#include "origin.h"

#include <ctype.h>
#include <string.h>

#define ASKED_HEADERS_MOST 1024
#define ANY_METHOD "GET, POST, PATCH, DELETE, OPTIONS"
#define EXPOSED "X-Bailian-Stream, X-Request-Id, Retry-After, WWW-Authenticate"
#define MAX_AGE_S "600"

static const char *origin_of(request_rec *r)
{
    const char *origin = apr_table_get(r->headers_in, "Origin");

    return origin && *origin ? origin : NULL;
}

/* --- own, allowed, foreign ---------------------------------------------- */

/* "host" or "host:port", the scheme's own port left out. */
static const char *authority(apr_pool_t *p, const char *text, int is_https)
{
    const char *own = is_https ? ":443" : ":80";
    size_t len = strlen(text), cut = strlen(own);

    return len > cut && !strcmp(text + len - cut, own)
               ? apr_pstrndup(p, text, len - cut)
               : text;
}

/* A proxy in front may speak TLS for a server that does not. */
int bl_origin_is_own(request_rec *r, const char *origin)
{
    const char *host = apr_table_get(r->headers_in, "Host");
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");
    int is_https = !strncmp(origin, "https://", 8);

    /* The browser's own word, which no page can forge; it holds behind a
     * proxy that changes Host, too. */
    if (site) return !strcmp(site, "same-origin");
    if (!host || (!is_https && strncmp(origin, "http://", 7))) return 0;
    if (!is_https && !strcmp(ap_http_scheme(r), "https")) return 0;
    return !strcasecmp(
        authority(r->pool, origin + (is_https ? 8 : 7), is_https),
        authority(r->pool, host, is_https));
}

static int is_in(const apr_array_header_t *list, const char *origin)
{
    int i;

    for (i = 0; list && i < list->nelts; i++) {
        if (!strcmp(APR_ARRAY_IDX(list, i, const char *), origin)) return 1;
    }
    return 0;
}

static int is_allowed(const bl_dir_conf_t *conf, const char *origin)
{
    return is_in(conf->origins, origin) || is_in(conf->origins, "*");
}

apr_status_t bl_origin_check(request_rec *r, const bl_call_t *call)
{
    const char *origin = origin_of(r);

    if (!origin || bl_origin_is_own(r, origin)) return APR_SUCCESS;
    if (!is_allowed(&call->conf, origin)) return BL_E_ORIGIN_REFUSED;
    /* httpd knows a user whom the page's script did not name. */
    return r->user && (call->conf.has_credentials != 1 ||
                       !is_in(call->conf.origins, origin))
               ? BL_E_ORIGIN_REFUSED
               : APR_SUCCESS;
}

apr_status_t bl_origin_check_get(request_rec *r, const bl_call_t *call)
{
    const char *site = apr_table_get(r->headers_in, "Sec-Fetch-Site");

    if (!site || !strcmp(site, "same-origin") || !strcmp(site, "none")) {
        return APR_SUCCESS;
    }
    /* With an Origin it was looked at already. */
    return origin_of(r) && is_allowed(&call->conf, origin_of(r))
               ? APR_SUCCESS
               : BL_E_ORIGIN_REFUSED;
}

/* --- what is answered --------------------------------------------------- */

static int is_preflight(request_rec *r)
{
    return r->method_number == M_OPTIONS && origin_of(r) &&
           apr_table_get(r->headers_in, "Access-Control-Request-Method");
}

static void allow(request_rec *r, const bl_dir_conf_t *conf, const char *origin)
{
    apr_table_t *out = r->err_headers_out;

    apr_table_setn(out, "Access-Control-Allow-Origin",
                   is_in(conf->origins, origin) ? origin : "*");
    if (conf->has_credentials == 1 && is_in(conf->origins, origin)) {
        apr_table_setn(out, "Access-Control-Allow-Credentials", "true");
    }
    apr_table_setn(out, "Access-Control-Expose-Headers", EXPOSED);
}

int bl_origin_headers(request_rec *r)
{
    const bl_dir_conf_t *conf = bl_dir_conf(r);
    const char *origin = origin_of(r);

    if (!conf->origins || !bl_call_is_ours(r)) return DECLINED;
    apr_table_mergen(r->err_headers_out, "Vary", "Origin");
    if (origin && is_allowed(conf, origin)) allow(r, conf, origin);
    return DECLINED;
}

int bl_origin_preflight(request_rec *r)
{
    const bl_dir_conf_t *conf = bl_dir_conf(r);

    return conf->origins && bl_call_is_ours(r) && is_preflight(r) &&
                   is_allowed(conf, origin_of(r))
               ? OK
               : DECLINED;
}

static int are_names(const char *text)
{
    size_t i;

    for (i = 0; text[i]; i++) {
        if (i >= ASKED_HEADERS_MOST ||
            (!isalnum((unsigned char)text[i]) && !strchr("-_, ", text[i])))
        {
            return 0;
        }
    }
    return 1;
}

int bl_origin_answer(request_rec *r, bl_call_t *call, int *prc)
{
    const char *names =
        apr_table_get(r->headers_in, "Access-Control-Request-Headers");

    if (!is_preflight(r)) return 0;
    if (!is_allowed(&call->conf, origin_of(r))) {
        *prc = bl_call_problem(r, call, BL_E_ORIGIN_REFUSED, NULL);
        return 1;
    }
    apr_table_setn(r->err_headers_out, "Access-Control-Allow-Methods",
                   ANY_METHOD);
    if (names && are_names(names)) {
        apr_table_setn(r->err_headers_out, "Access-Control-Allow-Headers",
                       names);
    }
    apr_table_setn(r->err_headers_out, "Access-Control-Max-Age", MAX_AGE_S);
    r->status = HTTP_NO_CONTENT;
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    *prc = OK;
    return 1;
}

/* --- configuration ------------------------------------------------------ */

const char *bl_origin_complaint(const char *origin)
{
    static const char wish[] =
        "must be a whole origin as browsers send it, scheme://host[:port] in "
        "lower case without a slash at the end, such as "
        "\"https://app.example\"";
    const char *rest = strstr(origin, "://"), *at;

    if (!strcmp(origin, "*")) return NULL;
    if (!rest || rest == origin || !rest[3]) return wish;
    for (at = origin; *at; at++) {
        if ((unsigned char)*at <= 0x20 || (unsigned char)*at >= 0x7f ||
            isupper((unsigned char)*at) ||
            (at >= rest + 3 && strchr("/?#@*\\", *at)))
        {
            return wish;
        }
    }
    at = strrchr(rest + 3, ':');
    return at && ((!strncmp(origin, "https://", 8) && !strcmp(at, ":443")) ||
                  (!strncmp(origin, "http://", 7) && !strcmp(at, ":80")))
               ? "must not name the scheme's own port: browsers leave it out"
               : NULL;
}
