/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/errors.h"
#include "crypto/aead.h"
#include "crypto/token.h"

static void from_hex(unsigned char *dst, const char *hex)
{
    assert_true(bl_unhex(dst, strlen(hex) / 2, hex));
}

/* Test case 16 of the GCM specification (McGrew, Viega): AES-256 with
 * associated data. */
static void test_aead_known_answer(void **state)
{
    unsigned char key[32], nonce[12], ad[20], clear[60], sealed[60], tag[16];
    unsigned char out[60], out_tag[16];

    (void)state;
    from_hex(key, "feffe9928665731c6d6a8f9467308308"
                  "feffe9928665731c6d6a8f9467308308");
    from_hex(nonce, "cafebabefacedbaddecaf888");
    from_hex(ad, "feedfacedeadbeeffeedfacedeadbeefabaddad2");
    from_hex(clear, "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a"
                    "318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba63"
                    "7b39");
    from_hex(sealed, "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2"
                     "555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abc"
                     "c9f662");
    from_hex(tag, "76fc6ece0f4e1768cddf8853bb2d551b");
    assert_int_equal(bl_aead_seal(key, nonce, ad, sizeof(ad), clear,
                                  sizeof(clear), out, out_tag),
                     APR_SUCCESS);
    assert_memory_equal(out, sealed, sizeof(sealed));
    assert_memory_equal(out_tag, tag, sizeof(tag));
    assert_int_equal(bl_aead_open(key, nonce, ad, sizeof(ad), sealed,
                                  sizeof(sealed), tag, out),
                     APR_SUCCESS);
    assert_memory_equal(out, clear, sizeof(clear));
}

/* The answer is that of an independent implementation of RFC 5869: HMAC of
 * Python, no salt. */
static void test_aead_hkdf_known_answer(void **state)
{
    unsigned char master[32], key[32], other[32];
    char text[65];
    int i;

    (void)state;
    for (i = 0; i < 32; i++)
        master[i] = (unsigned char)i;
    assert_int_equal(bl_hkdf(master, "api_key", key), APR_SUCCESS);
    bl_hex(text, key, sizeof(key));
    assert_string_equal(
        text,
        "e85acc5f111dbea7483aece3276b6890f3ad77417a7f1658783d8ffb01c5b2d5");
    assert_int_equal(bl_hkdf(master, "api_kez", other), APR_SUCCESS);
    assert_memory_not_equal(key, other, sizeof(key));
}

/* A failed opening leaves nothing of the clear text behind. */
static void test_aead_failed_open_leaves_zeros(void **state)
{
    unsigned char key[32] = {1}, nonce[12] = {2}, sealed[5], tag[16], out[5];
    static const unsigned char zeros[5];

    (void)state;
    assert_int_equal(bl_aead_seal(key, nonce, "ad", 2, "clear", 5, sealed, tag),
                     APR_SUCCESS);
    memset(out, 0xee, sizeof(out));
    assert_int_equal(bl_aead_open(key, nonce, "AD", 2, sealed, 5, tag, out),
                     BL_E_KEYRING_MISSING);
    assert_memory_equal(out, zeros, sizeof(zeros));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_aead_known_answer),
        cmocka_unit_test(test_aead_hkdf_known_answer),
        cmocka_unit_test(test_aead_failed_open_leaves_zeros),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
