/* SPDX-License-Identifier: Apache-2.0 */
#include "core.h"

#include "upstream/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static int is_allowed(const bl_allowed_t *a, const char *text)
{
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;

    memset(&v4, 0, sizeof(v4));
    memset(&v6, 0, sizeof(v6));
    if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
        v4.sin_family = AF_INET;
        return bl_address_is_allowed(a, (struct sockaddr *)&v4);
    }
    assert_int_equal(inet_pton(AF_INET6, text, &v6.sin6_addr), 1);
    v6.sin6_family = AF_INET6;
    return bl_address_is_allowed(a, (struct sockaddr *)&v6);
}

static void allow(bl_allowed_t *a, const char *network)
{
    assert_int_equal(
        bl_network_parse(&a->networks[a->network_count++], network),
        APR_SUCCESS);
}

/* S-32: loopback, unspecified, link-local, metadata, private, multicast,
 * reserved, and IPv4 in every coat of IPv6. */
static void test_address_special_ones_are_refused(void **state)
{
    static const char *const refused[] = {
        "0.0.0.0", "0.1.2.3", "127.0.0.1", "127.255.255.254", "10.0.0.1",
        "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1",
        "192.168.255.255", "169.254.169.254", "169.254.0.1", "100.64.0.1",
        "100.100.100.200", "100.127.255.255", "192.0.0.1", "198.18.0.1",
        "198.19.255.255", "224.0.0.1", "239.255.255.255", "240.0.0.1",
        "255.255.255.255",
        /* IPv6 of its own */
        "::", "::1", "fe80::1", "febf::1", "fec0::1", "fc00::1", "fdff::1",
        "fd00:ec2::254", "ff02::1", "100::1",
        /* IPv4 inside: mapped, compatible, translated, NAT64, 6to4 */
        "::ffff:127.0.0.1", "::ffff:0.0.0.0", "::ffff:10.0.0.1",
        "::ffff:169.254.169.254", "::127.0.0.1", "::10.0.0.1", "::0.0.0.2",
        "::ffff:0:127.0.0.1", "::ffff:0:10.1.2.3", "64:ff9b::127.0.0.1",
        "64:ff9b::10.0.0.1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::10.0.0.1",
        "64:ff9b:1:a00:1::", "2002:7f00:1::1",
        "2002:a00:1::", "2002:a9fe:a9fe::1", "2002:c0a8:101::1",
        /* Teredo: its client's address is in the last four bytes */
        "2001:0:4136:e378:8000:63bf:f5ff:fffe", "2001::1"};
    bl_allowed_t none;
    size_t i;

    (void)state;
    memset(&none, 0, sizeof(none));
    for (i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        if (is_allowed(&none, refused[i])) {
            fail_msg("%s was allowed", refused[i]);
        }
    }
}

static void test_address_public_ones_are_allowed(void **state)
{
    static const char *const allowed[] = {
        "8.8.8.8",          "1.0.0.0",         "9.255.255.255",
        "11.0.0.0",         "47.100.1.1",      "100.63.255.255",
        "100.128.0.0",      "126.255.255.255", "128.0.0.1",
        "169.253.255.255",  "169.255.0.0",     "172.15.255.255",
        "172.32.0.0",       "192.167.255.255", "192.169.0.0",
        "198.17.255.255",   "198.20.0.0",      "223.255.255.255",
        "2400:3200::1",     "2606:4700::1111", "::ffff:8.8.8.8",
        "64:ff9b::8.8.8.8", "2002:808:808::1", "2408:4000::1"};
    bl_allowed_t none;
    size_t i;

    (void)state;
    memset(&none, 0, sizeof(none));
    for (i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++) {
        if (!is_allowed(&none, allowed[i])) {
            fail_msg("%s was refused", allowed[i]);
        }
    }
}

static void
test_address_named_network_is_allowed_its_neighbour_not(void **state)
{
    bl_allowed_t a;

    (void)state;
    memset(&a, 0, sizeof(a));
    allow(&a, "10.1.0.0/16");
    allow(&a, "192.168.1.7");
    allow(&a, "172.16.128.0/20");
    allow(&a, "fd00::/8");
    assert_true(is_allowed(&a, "10.1.0.0"));
    assert_true(is_allowed(&a, "10.1.255.255"));
    assert_false(is_allowed(&a, "10.0.255.255"));
    assert_false(is_allowed(&a, "10.2.0.0"));
    assert_true(is_allowed(&a, "192.168.1.7"));
    assert_false(is_allowed(&a, "192.168.1.6"));
    assert_true(is_allowed(&a, "172.16.143.255"));
    assert_false(is_allowed(&a, "172.16.144.0"));
    assert_false(is_allowed(&a, "172.16.127.255"));
    assert_true(is_allowed(&a, "fdff::1"));
    assert_false(is_allowed(&a, "fc00::1"));
    assert_true(is_allowed(&a, "8.8.8.8")); /* public needs no naming */
}

/* A network of IPv4 holds the same address in its coats of IPv6 too. */
static void test_address_named_network_holds_v4_inside_v6(void **state)
{
    bl_allowed_t a;

    (void)state;
    memset(&a, 0, sizeof(a));
    allow(&a, "10.0.0.0/8");
    assert_true(is_allowed(&a, "::ffff:10.1.2.3"));
    assert_true(is_allowed(&a, "64:ff9b::10.1.2.3"));
    assert_true(is_allowed(&a, "2002:a01:203::1"));
    assert_false(is_allowed(&a, "::ffff:127.0.0.1"));
}

static void test_address_other_family_is_refused(void **state)
{
    struct sockaddr sa;
    bl_allowed_t a;

    (void)state;
    memset(&a, 0, sizeof(a));
    allow(&a, "::/0");
    memset(&sa, 0, sizeof(sa));
    sa.sa_family = AF_UNIX;
    assert_false(bl_address_is_allowed(&a, &sa));
}

static void test_address_network_text_is_parsed_strictly(void **state)
{
    static const char *const bad[] = {"",
                                      "/8",
                                      "10.0.0.0/",
                                      "10.0.0.0/33",
                                      "10.0.0.0/-1",
                                      "10.0.0.0/8x",
                                      "10.0.0/8",
                                      "10.0.0.0/8/8",
                                      "fd00::/129",
                                      "localhost",
                                      "10.0.0.256",
                                      "0x7f.1",
                                      "2130706433",
                                      "0177.0.0.1",
                                      "10.0.0.0/ 8",
                                      "10.0.0.0/+8",
                                      "fd00::%eth0",
                                      "[fd00::1]",
                                      " 10.0.0.0/8",
                                      "10.0.0.0 /8",
                                      "10.0.0.0/99999999999999999999"};
    static const struct {
        const char *text;
        int bits;
    } good[] = {{"10.0.0.0/8", 104},  {"10.0.0.0/0", 96},  {"10.0.0.0/32", 128},
                {"192.168.1.7", 128}, {"fd00::/8", 8},     {"::/0", 0},
                {"::1", 128},         {"fd00::1/128", 128}};
    bl_network_t n;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (bl_network_parse(&n, bad[i]) != BL_E_BAD_VALUE) {
            fail_msg("\"%s\" was taken", bad[i]);
        }
    }
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        assert_int_equal(bl_network_parse(&n, good[i].text), APR_SUCCESS);
        assert_int_equal(n.bits, good[i].bits);
    }
}

/* S-31: plain http only to a host, or a host and port, that was named. */
static void test_address_plain_http_needs_that_host_named(void **state)
{
    char one[] = "proxy.internal", two[] = "127.0.0.1:8080";
    bl_allowed_t a;

    (void)state;
    memset(&a, 0, sizeof(a));
    assert_false(bl_plain_is_allowed(&a, "proxy.internal", 80));
    a.plain[0] = one;
    a.plain[1] = two;
    a.plain_count = 2;
    assert_true(bl_plain_is_allowed(&a, "proxy.internal", 80));
    assert_true(bl_plain_is_allowed(&a, "PROXY.internal", 8080));
    assert_false(bl_plain_is_allowed(&a, "proxy.internal.evil", 80));
    assert_false(bl_plain_is_allowed(&a, "evil.proxy.internal", 80));
    assert_true(bl_plain_is_allowed(&a, "127.0.0.1", 8080));
    assert_false(bl_plain_is_allowed(&a, "127.0.0.1", 8081));
    assert_false(bl_plain_is_allowed(&a, "127.0.0.1", 80));
}

/* S-32: what a URL says of its host, for a target behind a proxy. */
static void test_address_literal_host_is_judged_a_name_is_not(void **state)
{
    static const char *const bad[] = {"127.0.0.1",
                                      "10.1.2.3",
                                      "169.254.169.254",
                                      "[::1]",
                                      "[fe80::1%25x]",
                                      "[fd00::1]",
                                      "[::ffff:10.0.0.1]",
                                      "localhost",
                                      "LOCALHOST.",
                                      "a.localhost",
                                      "0.0.0.0",
                                      "127.0.0.1.",
                                      "",
                                      "[]."};
    static const char *const good[] = {"1.1.1.1", "[2606:4700::1]",
                                       "dashscope.aliyuncs.com",
                                       "localhost.example", "mylocalhost"};
    bl_allowed_t a;
    size_t i;

    (void)state;
    memset(&a, 0, sizeof(a));
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        if (bl_host_is_allowed(&a, bad[i])) fail_msg("%s passed", bad[i]);
    }
    for (i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        if (!bl_host_is_allowed(&a, good[i])) fail_msg("%s refused", good[i]);
    }
    a.network_count = 1;
    assert_int_equal(bl_network_parse(&a.networks[0], "10.0.0.0/8"),
                     APR_SUCCESS);
    assert_true(bl_host_is_allowed(&a, "10.1.2.3"));
    assert_false(bl_host_is_allowed(&a, "127.0.0.1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_address_special_ones_are_refused),
        cmocka_unit_test(test_address_public_ones_are_allowed),
        cmocka_unit_test(
            test_address_named_network_is_allowed_its_neighbour_not),
        cmocka_unit_test(test_address_named_network_holds_v4_inside_v6),
        cmocka_unit_test(test_address_other_family_is_refused),
        cmocka_unit_test(test_address_network_text_is_parsed_strictly),
        cmocka_unit_test(test_address_literal_host_is_judged_a_name_is_not),
        cmocka_unit_test(test_address_plain_http_needs_that_host_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
