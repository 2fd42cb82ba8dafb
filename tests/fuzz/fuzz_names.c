/* SPDX-License-Identifier: Apache-2.0 */
/* Where an upstream may lie: what is taken here means the same to the parser
 * that connects, libcurl's (S-31); and lines of networks, hosts and policies
 * against the C library's own reading. */
#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

#include "fuzz.h"
#include "store/names.h"
#include "upstream/address.h"

static char *part(CURLU *u, CURLUPart what, unsigned flags)
{
    char *value = NULL;

    return curl_url_get(u, what, &value, flags) == CURLUE_OK ? value : NULL;
}

static void check_url(const char *url)
{
    static const CURLUPart none[] = {CURLUPART_USER, CURLUPART_PASSWORD,
                                     CURLUPART_OPTIONS, CURLUPART_QUERY,
                                     CURLUPART_FRAGMENT};
    CURLU *u;
    char *host, *scheme, *again;
    size_t i;

    if (bl_url_complaint(url)) return;
    u = curl_url();
    CHECK(u);
    if (curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK) {
        for (i = 0; i < sizeof(none) / sizeof(none[0]); i++)
            CHECK(!part(u, none[i], 0));
        scheme = part(u, CURLUPART_SCHEME, 0);
        host = part(u, CURLUPART_HOST, 0);
        CHECK(scheme && host && *host);
        CHECK(!strcasecmp(scheme, "https") || !strcasecmp(scheme, "http"));
        CHECK(strncasecmp(url, scheme, strlen(scheme)) == 0);
        CHECK(bl_url_same_origin(url, url));
        again = part(u, CURLUPART_URL, 0);
        /* What libcurl would connect to is the origin that a key is bound to,
         * unless it reads an address in another notation. */
        if (again &&
            strspn(host, "0123456789abcdefABCDEFxX.[]:") < strlen(host) &&
            !bl_url_complaint(again))
        {
            CHECK(bl_url_same_origin(url, again));
        }
        curl_free(scheme);
        curl_free(host);
        curl_free(again);
    }
    curl_url_cleanup(u);
}

static void check_network(const char *text)
{
    bl_network_t n;
    struct in_addr v4;
    struct in6_addr v6;
    int is_address = inet_pton(AF_INET, text, &v4) == 1 ||
                     inet_pton(AF_INET6, text, &v6) == 1;
    int is_taken = bl_network_parse(&n, text) == APR_SUCCESS;

    if (!strchr(text, '/')) CHECK(is_taken == is_address);
    if (is_taken) CHECK(n.bits >= 0 && n.bits <= 128);
}

static void check_host(const char *host)
{
    static const bl_allowed_t nothing;
    struct sockaddr_in sin;

    memset(&sin, 0, sizeof(sin));
    sin.sin_family = AF_INET;
    if (inet_pton(AF_INET, host, &sin.sin_addr) != 1) {
        bl_host_is_allowed(&nothing, host);
        return;
    }
    CHECK(bl_host_is_allowed(&nothing, host) ==
          bl_address_is_allowed(&nothing, (struct sockaddr *)&sin));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    size_t len;

    if (!text) abort();
    memcpy(text, data, size);
    text[size] = '\0';
    len = strlen(text);
    if (bl_name_is_valid(text)) {
        CHECK(len && len < 128 && *text != '.' && *text != '-');
        CHECK(strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWX"
                           "YZ0123456789._-") == len);
    }
    if (!bl_policy_complaint(text)) {
        CHECK(!strcmp(text, "cancel") || !strcmp(text, "drain") ||
              !strncmp(text, "detach ", 7));
    }
    check_url(text);
    check_network(text);
    check_host(text);
    free(text);
    return 0;
}
