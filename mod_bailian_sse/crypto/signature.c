/* SPDX-License-Identifier: Apache-2.0 */
#include "signature.h"
#include "token.h"
#include "base/errors.h"
#include "base/say.h"

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/pem.h>
#include <string.h>

#define ES256_HALF 32 /* RFC 7518 3.4: r and s, 32 bytes each */
#define RSA_BITS_LEAST 2048
#define DER_BYTES 128

static const char *const names[] = {"", "HS256", "RS256", "ES256"};

bl_sign_t bl_sign_by_name(const char *name)
{
    int i;

    for (i = BL_SIGN_HS256; i <= BL_SIGN_ES256; i++) {
        if (!strcmp(name, names[i])) return (bl_sign_t)i;
    }
    return BL_SIGN_NONE;
}

const char *bl_sign_name(bl_sign_t kind)
{
    return kind <= BL_SIGN_ES256 ? names[kind] : "";
}

static EVP_PKEY *read_public(const char *pem, size_t len)
{
    BIO *bio =
        len <= BL_PUBLIC_KEY_MOST ? BIO_new_mem_buf(pem, (int)len) : NULL;
    EVP_PKEY *key = bio ? PEM_read_bio_PUBKEY(bio, NULL, NULL, NULL) : NULL;

    BIO_free(bio);
    return key;
}

static int is_p256(const EVP_PKEY *key)
{
    char group[64] = "";

    return EVP_PKEY_get_base_id(key) == EVP_PKEY_EC &&
           EVP_PKEY_get_utf8_string_param(key, OSSL_PKEY_PARAM_GROUP_NAME,
                                          group, sizeof(group), NULL) == 1 &&
           !strcmp(group, "prime256v1");
}

static int fits(bl_sign_t kind, const EVP_PKEY *key)
{
    if (kind == BL_SIGN_ES256) return is_p256(key);
    return EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA &&
           EVP_PKEY_get_bits(key) >= RSA_BITS_LEAST;
}

const char *bl_sign_key_complaint(bl_sign_t kind, const char *key, size_t len)
{
    EVP_PKEY *pkey;
    int is_fit;

    if (kind == BL_SIGN_HS256) {
        /* Whoever has the public key could sign with it. */
        if (len >= 11 && strstr(key, "-----BEGIN ")) {
            return BL_SAY("must be a secret for HS256, not a PEM file");
        }
        return len < BL_MAC_SECRET_LEAST || len > BL_MAC_SECRET_MOST
                   ? BL_SAY("must be a secret of 32 to 512 bytes for HS256")
                   : NULL;
    }
    pkey = read_public(key, len);
    is_fit = pkey && fits(kind, pkey);
    EVP_PKEY_free(pkey);
    if (is_fit) return NULL;
    if (kind == BL_SIGN_ES256) {
        return BL_SAY("must be a public key on the curve P-256 in PEM for "
                      "ES256");
    }
    return BL_SAY("must be an RSA public key of 2048 bits or more in PEM for "
                  "RS256");
}

static apr_status_t verdict(int is_good)
{
    return is_good ? APR_SUCCESS : BL_E_UNAUTHENTICATED;
}

static apr_status_t verify_mac(const char *key, size_t key_len,
                               const char *text, size_t len,
                               const unsigned char *sig, size_t sig_len)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    if (key_len < BL_MAC_SECRET_LEAST || key_len > BL_MAC_SECRET_MOST) {
        return BL_E_UNAUTHENTICATED;
    }
    if (!HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, len,
              mac, &n))
    {
        return APR_ENOMEM;
    }
    return verdict(n == sig_len && bl_equal_secret(mac, sig, n));
}

/* The two halves as OpenSSL wants them; 0 = they are none. */
static int der_of(const unsigned char *sig, size_t sig_len,
                  unsigned char der[DER_BYTES])
{
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = NULL, *s = NULL;
    unsigned char *at = der;
    int n = 0;

    if (pair && sig_len == 2 * ES256_HALF) {
        r = BN_bin2bn(sig, ES256_HALF, NULL);
        s = BN_bin2bn(sig + ES256_HALF, ES256_HALF, NULL);
        if (r && s && ECDSA_SIG_set0(pair, r, s)) {
            r = s = NULL; /* the pair's now */
            n = i2d_ECDSA_SIG(pair, NULL);
            n = n > 0 && n <= DER_BYTES ? i2d_ECDSA_SIG(pair, &at) : 0;
        }
    }
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return n;
}

static apr_status_t verify_public(bl_sign_t kind, EVP_PKEY *key,
                                  const char *text, size_t len,
                                  const unsigned char *sig, size_t sig_len)
{
    unsigned char der[DER_BYTES];
    EVP_MD_CTX *ctx;
    int is_ready, is_good;

    if (!fits(kind, key)) return BL_E_UNAUTHENTICATED;
    if (kind == BL_SIGN_ES256) {
        int n = der_of(sig, sig_len, der);

        if (n <= 0) return BL_E_UNAUTHENTICATED;
        sig = der;
        sig_len = (size_t)n;
    }
    ctx = EVP_MD_CTX_new();
    is_ready =
        ctx && EVP_DigestVerifyInit(ctx, NULL, EVP_sha256(), NULL, key) == 1;
    is_good =
        is_ready && EVP_DigestVerify(ctx, sig, sig_len,
                                     (const unsigned char *)text, len) == 1;
    EVP_MD_CTX_free(ctx);
    return is_ready ? verdict(is_good) : APR_ENOMEM;
}

apr_status_t bl_sign_verify(bl_sign_t kind, const char *key, size_t key_len,
                            const char *text, size_t len,
                            const unsigned char *sig, size_t sig_len)
{
    EVP_PKEY *pkey;
    apr_status_t rv;

    if (kind == BL_SIGN_HS256) {
        return verify_mac(key, key_len, text, len, sig, sig_len);
    }
    if (kind != BL_SIGN_RS256 && kind != BL_SIGN_ES256) {
        return BL_E_UNAUTHENTICATED;
    }
    pkey = read_public(key, key_len);
    if (!pkey) return BL_E_UNAUTHENTICATED;
    rv = verify_public(kind, pkey, text, len, sig, sig_len);
    EVP_PKEY_free(pkey);
    return rv;
}
