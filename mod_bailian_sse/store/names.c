/* SPDX-License-Identifier: Apache-2.0 */
#include "store/names.h"

#include "base/say.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define DETACH_MOST_S 3600

int bl_name_is_valid(const char *name)
{
    size_t n;

    if (!isalnum((unsigned char)name[0]) && name[0] != '_') return 0;
    for (n = 0; name[n]; n++) {
        if (!isalnum((unsigned char)name[n]) && !strchr("._-", name[n])) {
            return 0;
        }
    }
    return n < BL_NAME_BYTES;
}

/* The parts of "scheme://host[:port][/path]"; host with its brackets. */
typedef struct origin_t {
    int is_https;
    const char *host;
    size_t host_len;
    long port;
    const char *path; /* "" or from the slash on */
} origin_t;

static const char *parse_port(const char *at, const char *end, long *pport)
{
    char *stop;

    if (at == end) return BL_SAY("must not end its host with a colon");
    if (end - at > 5 || strspn(at, "0123456789") < (size_t)(end - at)) {
        return BL_SAY("must have a port from 1 to 65535");
    }
    *pport = strtol(at, &stop, 10);
    return *pport >= 1 && *pport <= 65535
               ? NULL
               : BL_SAY("must have a port from 1 to 65535");
}

static const char *parse_host(const char *at, const char *end, origin_t *o)
{
    const char *close = at;

    if (*at == '[') {
        close = memchr(at, ']', (size_t)(end - at));
        if (!close || close < at + 3 ||
            strspn(at + 1, "0123456789abcdefABCDEF:.") <
                (size_t)(close - at - 1))
        {
            return BL_SAY("must name an IPv6 address in brackets rightly");
        }
        close++;
    }
    else {
        while (close < end &&
               (isalnum((unsigned char)*close) || strchr(".-", *close)))
            close++;
    }
    if (close == at) return BL_SAY("must name a host");
    if (at[0] == '.' || at[0] == '-' || close - at > 253 ||
        (close < end && *close != ':'))
    {
        return BL_SAY("must name a host of letters, digits, dots and hyphens");
    }
    o->host = at;
    o->host_len = (size_t)(close - at);
    return close < end ? parse_port(close + 1, end, &o->port) : NULL;
}

static const char *parse(const char *url, origin_t *o)
{
    const char *at, *end;

    memset(o, 0, sizeof(*o));
    o->is_https = !strncasecmp(url, "https://", 8);
    if (!o->is_https && strncasecmp(url, "http://", 7)) {
        return BL_SAY("must begin with https:// (or http://)");
    }
    at = url + (o->is_https ? 8 : 7);
    o->port = o->is_https ? 443 : 80;
    end = at + strcspn(at, "/");
    o->path = end;
    return parse_host(at, end, o);
}

const char *bl_url_complaint(const char *url)
{
    origin_t o;
    const char *wish, *s;

    for (s = url; *s; s++) {
        if ((unsigned char)*s <= 0x20 || (unsigned char)*s >= 0x7f ||
            *s == '\\') {
            return BL_SAY("must be plain ASCII without spaces and backslashes");
        }
    }
    if (strchr(url, '@')) return BL_SAY("must not hold a user name or an @");
    if (strchr(url, '?')) return BL_SAY("must not have a query (?)");
    if (strchr(url, '#')) return BL_SAY("must not have a fragment (#)");
    wish = parse(url, &o);
    if (wish) return wish;
    if (strchr(o.path, '%')) return BL_SAY("must not hold % in its path");
    if (strstr(o.path, "/../") || strstr(o.path, "/./") ||
        strstr(o.path, "//") ||
        (strlen(o.path) >= 3 && !strcmp(o.path + strlen(o.path) - 3, "/..")))
    {
        return BL_SAY("must have a path without //, /./ and /../");
    }
    if (*o.path && o.path[strlen(o.path) - 1] == '/') {
        return BL_SAY("must not end with a slash");
    }
    return NULL;
}

int bl_url_same_origin(const char *a, const char *b)
{
    origin_t x, y;

    return !parse(a, &x) && !parse(b, &y) && x.is_https == y.is_https &&
           x.port == y.port && x.host_len == y.host_len &&
           !strncasecmp(x.host, y.host, x.host_len);
}

const char *bl_policy_complaint(const char *policy)
{
    char *end;
    long n;

    if (!strcmp(policy, "cancel") || !strcmp(policy, "drain")) return NULL;
    if (!strncmp(policy, "detach ", 7) && isdigit((unsigned char)policy[7])) {
        n = strtol(policy + 7, &end, 10);
        if (n >= 1 && n <= DETACH_MOST_S && !strcmp(end, "s")) return NULL;
    }
    return BL_SAY("must be \"cancel\", \"drain\" or \"detach 60s\" (1 to 3600 "
                  "seconds)");
}
