/* SPDX-License-Identifier: Apache-2.0 */
/*
 * address - which network addresses and which plain-http targets the
 * administrator allows (S-31, S-32).
 *
 * Loopback, unspecified, link-local, private, carrier-grade, multicast and
 * reserved addresses are refused unless a network of the list holds them;
 * IPv4 inside IPv6 (mapped, NAT64, 6to4) is judged as IPv4.
 *
 * OWNERSHIP  the lists are the configuration's and outlive every transfer.
 * THREADS    read-only after the configuration was read.
 */
#ifndef BL_ADDRESS_H
#define BL_ADDRESS_H

#include "base/bl.h"

#include <sys/socket.h>

#define BL_MAX_NETWORKS 64
#define BL_MAX_PLAIN 16

typedef struct bl_network_t {
    unsigned char bytes[16]; /* IPv4 as ::ffff:a.b.c.d */
    int bits;                /* 0 - 128 */
} bl_network_t;

typedef struct bl_allowed_t {
    bl_network_t networks[BL_MAX_NETWORKS];
    int network_count;
    char *plain[BL_MAX_PLAIN]; /* "host" or "host:port", lower case */
    int plain_count;
} bl_allowed_t;

/* "10.0.0.0/8", "192.168.1.7", "fd00::/8"; BL_E_BAD_VALUE otherwise. */
apr_status_t bl_network_parse(bl_network_t *n, const char *text);

int bl_address_is_allowed(const bl_allowed_t *a, const struct sockaddr *sa);

/* A host of a URL that is an address ("10.0.0.1", "[::1]"), or names this
 * machine ("localhost"), as an address; any other name: 1. For a target behind
 * a proxy, whose socket we do not open. */
int bl_host_is_allowed(const bl_allowed_t *a, const char *host);

/* May this host and port be spoken to without TLS? */
int bl_plain_is_allowed(const bl_allowed_t *a, const char *host, int port);

#endif
