/* SPDX-License-Identifier: Apache-2.0 */
#include "address.h"
#include "base/errors.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const unsigned char mapped[12] = {0, 0, 0, 0, 0,   0,
                                         0, 0, 0, 0, 255, 255};

/* Special-purpose addresses: IANA registries, RFC 6890. Among them those that
 * carry an IPv4 address where unwrap() does not look: IPv4-translated, NAT64 of
 * a local prefix (RFC 8215), Teredo. */
static const char *const refused[] = {
    "0.0.0.0/8",      "10.0.0.0/8",    "100.64.0.0/10", "127.0.0.0/8",
    "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",  "192.168.0.0/16",
    "198.18.0.0/15",  "224.0.0.0/3",   "::/96",         "::ffff:0:0:0/96",
    "64:ff9b:1::/48", "100::/64",      "2001::/23",     "fc00::/7",
    "fe80::/10",      "fec0::/10",     "ff00::/8"};

static int holds(const bl_network_t *n, const unsigned char *address)
{
    int whole = n->bits / 8, rest = n->bits % 8;
    unsigned mask = rest ? 0xffu << (8 - rest) & 0xff : 0;

    if (memcmp(n->bytes, address, (size_t)whole)) return 0;
    return !rest || !((n->bytes[whole] ^ address[whole]) & mask);
}

apr_status_t bl_network_parse(bl_network_t *n, const char *text)
{
    char host[64], *end;
    const char *slash = strchr(text, '/');
    size_t len = slash ? (size_t)(slash - text) : strlen(text);
    long bits = -1;
    int is_v4;

    if (!len || len >= sizeof(host)) return BL_E_BAD_VALUE;
    memcpy(host, text, len);
    host[len] = '\0';
    memset(n, 0, sizeof(*n));
    is_v4 = inet_pton(AF_INET, host, n->bytes + 12) == 1;
    if (is_v4)
        memcpy(n->bytes, mapped, sizeof(mapped));
    else if (inet_pton(AF_INET6, host, n->bytes) != 1)
        return BL_E_BAD_VALUE;
    if (slash) {
        bits = strtol(slash + 1, &end, 10);
        if (slash[1] < '0' || slash[1] > '9' || *end ||
            bits > (is_v4 ? 32 : 128)) {
            return BL_E_BAD_VALUE;
        }
    }
    n->bits = bits < 0 ? 128 : (int)bits + (is_v4 ? 96 : 0);
    return APR_SUCCESS;
}

/* IPv4 carried inside an IPv6 address counts as IPv4. */
static void unwrap(unsigned char *a)
{
    static const unsigned char nat64[12] = {0, 0x64, 0xff, 0x9b};
    static const unsigned char compatible[12];
    unsigned char v4[4];

    if (!memcmp(a, nat64, sizeof(nat64)))
        memcpy(v4, a + 12, 4);
    else if (a[0] == 0x20 && a[1] == 0x02)
        memcpy(v4, a + 2, 4);
    else if (!memcmp(a, compatible, sizeof(compatible)) && a[12]) {
        memcpy(v4, a + 12, 4);
    }
    else
        return;
    memcpy(a, mapped, sizeof(mapped));
    memcpy(a + 12, v4, 4);
}

int bl_address_is_allowed(const bl_allowed_t *a, const struct sockaddr *sa)
{
    unsigned char bytes[16];
    bl_network_t n;
    size_t i;

    if (sa->sa_family == AF_INET) {
        memcpy(bytes, mapped, sizeof(mapped));
        memcpy(bytes + 12, &((const struct sockaddr_in *)sa)->sin_addr, 4);
    }
    else if (sa->sa_family == AF_INET6) {
        memcpy(bytes, &((const struct sockaddr_in6 *)sa)->sin6_addr, 16);
        unwrap(bytes);
    }
    else {
        return 0;
    }
    for (i = 0; i < (size_t)a->network_count; i++) {
        if (holds(&a->networks[i], bytes)) return 1;
    }
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (bl_network_parse(&n, refused[i]) == APR_SUCCESS && holds(&n, bytes))
        {
            return 0;
        }
    }
    return 1;
}

/* "[fe80::1%25eth0]" without brackets and zone, "localhost." without its dot.
 */
static size_t bare_host(char *bare, size_t size, const char *host)
{
    size_t len = strlen(host);

    if (*host == '[') {
        host++;
        len = strcspn(host, "]%");
    }
    else if (len && host[len - 1] == '.') {
        len--;
    }
    if (len >= size) return 0;
    memcpy(bare, host, len);
    bare[len] = '\0';
    return len;
}

static int is_this_machine(const char *host, size_t len)
{
    static const char name[] = "localhost";
    size_t n = sizeof(name) - 1;

    return len >= n && !strcasecmp(host + len - n, name) &&
           (len == n || host[len - n - 1] == '.');
}

int bl_host_is_allowed(const bl_allowed_t *a, const char *host)
{
    struct sockaddr_in v4 = {0};
    struct sockaddr_in6 v6 = {0};
    char bare[INET6_ADDRSTRLEN + 256];
    size_t len = bare_host(bare, sizeof(bare), host);

    v4.sin_family = AF_INET;
    v6.sin6_family = AF_INET6;
    if (!len) return 0;
    if (is_this_machine(bare, len)) {
        v4.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        return bl_address_is_allowed(a, (struct sockaddr *)&v4);
    }
    if (inet_pton(AF_INET, bare, &v4.sin_addr) == 1) {
        return bl_address_is_allowed(a, (struct sockaddr *)&v4);
    }
    if (inet_pton(AF_INET6, bare, &v6.sin6_addr) == 1) {
        return bl_address_is_allowed(a, (struct sockaddr *)&v6);
    }
    return 1;
}

int bl_plain_is_allowed(const bl_allowed_t *a, const char *host, int port)
{
    char with_port[300];
    int i;

    snprintf(with_port, sizeof(with_port), "%s:%d", host, port);
    for (i = 0; i < a->plain_count; i++) {
        if (!strcasecmp(a->plain[i], host) ||
            !strcasecmp(a->plain[i], with_port)) {
            return 1;
        }
    }
    return 0;
}
