/* SPDX-License-Identifier: Apache-2.0 */
#include "redact.h"
#include "request.h"

#include <string.h>

#define INSTEAD "redacted"

/* A question of the mini-program family can stand in a URL: nobody's words
 * are in a log either (S-51). */
static const char *const names[] = {"token", "ticket", "message", "prompt"};
#define NAMES (sizeof(names) / sizeof(names[0]))

typedef struct secrets_t {
    const char *values[NAMES];
} secrets_t;

static secrets_t *secrets_of(request_rec *r, int must_be)
{
    secrets_t *s = ap_get_module_config(r->request_config, &bailian_sse_module);

    if (!s && must_be) {
        s = apr_pcalloc(r->pool, sizeof(*s));
        ap_set_module_config(r->request_config, &bailian_sse_module, s);
    }
    return s;
}

/* A name or a value as ap_args_to_table() will read it. */
static char *decoded(apr_pool_t *p, const char *at, size_t len)
{
    char *text = apr_pstrmemdup(p, at, len);

    return ap_unescape_urlencoded(text) == OK ? text : NULL;
}

/* One name=value; what it is when it is a secret, else NULL. */
static const char **place_of(request_rec *r, const char *at, size_t len)
{
    const char *equals = memchr(at, '=', len);
    char *name = decoded(r->pool, at, equals ? (size_t)(equals - at) : len);

    size_t i;

    for (i = 0; name && i < NAMES; i++) {
        if (!strcasecmp(name, names[i])) return &secrets_of(r, 1)->values[i];
    }
    return NULL;
}

static char *put(char *at, const char *text, size_t len)
{
    memcpy(at, text, len);
    return at + len;
}

/* The query without its secrets, or NULL when it has none. One block for the
 * whole: a long query costs what it is long, not its square. */
static char *without(request_rec *r, const char *query, int must_keep)
{
    /* The shortest secret, "token=x", grows from 7 bytes to 14. */
    char *out = apr_palloc(r->pool, 2 * strlen(query) + sizeof(INSTEAD));
    char *at = out;
    int found = 0;

    for (;;) {
        size_t len = strcspn(query, "&;#");
        const char *equals = memchr(query, '=', len);
        const char **place = place_of(r, query, len);

        if (place && equals && equals + 1 < query + len) {
            char *value = decoded(r->pool, equals + 1,
                                  (size_t)(query + len - equals - 1));

            if (must_keep && !*place && value) *place = value;
            at = put(at, query, (size_t)(equals + 1 - query));
            at = put(at, INSTEAD, sizeof(INSTEAD) - 1);
            found = 1;
        }
        else {
            at = put(at, query, len);
        }
        if (!query[len]) break;
        *at++ = query[len];
        query += len + 1;
    }
    *at = '\0';
    return found ? out : NULL;
}

/* A whole URL, or NULL when it has none. */
static char *url_without(request_rec *r, const char *url)
{
    const char *mark = url ? strchr(url, '?') : NULL;
    char *rest = mark ? without(r, mark + 1, 0) : NULL;

    return rest ? apr_psprintf(r->pool, "%.*s%s", (int)(mark + 1 - url), url,
                               rest)
                : NULL;
}

static void redact_line(request_rec *r, const char *query)
{
    const char *target = ap_strchr_c(r->the_request, '?');
    const char *end = target ? strrchr(r->the_request, ' ') : NULL;

    if (!target) return;
    if (end && end < target) end = NULL;
    r->the_request =
        apr_psprintf(r->pool, "%.*s%s%s", (int)(target + 1 - r->the_request),
                     r->the_request, query, end ? end : "");
}

void bl_redact(request_rec *r)
{
    const char *referer = apr_table_get(r->headers_in, "Referer");
    char *clean = url_without(r, referer);

    if (clean) apr_table_setn(r->headers_in, "Referer", clean);
    clean = r->args ? without(r, r->args, 1) : NULL;
    if (!clean) return;
    r->args = clean;
    r->parsed_uri.query = clean;
    if (r->unparsed_uri) {
        char *uri = url_without(r, r->unparsed_uri);

        if (uri) r->unparsed_uri = uri;
    }
    if (r->the_request) redact_line(r, clean);
}

int bl_redact_early(request_rec *r)
{
    const char *referer = apr_table_get(r->headers_in, "Referer");

    if (((r->args && *r->args) || referer) && bl_call_is_ours(r)) bl_redact(r);
    return DECLINED;
}

const char *bl_redacted(request_rec *r, const char *name)
{
    const secrets_t *s = secrets_of(r, 0);
    size_t i;

    for (i = 0; s && i < NAMES; i++) {
        if (!strcmp(name, names[i])) return s->values[i];
    }
    return NULL;
}
