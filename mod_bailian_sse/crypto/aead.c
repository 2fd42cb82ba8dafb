/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/aead.h"

#include "base/errors.h"
#include "base/secret.h"

#include <limits.h>
#include <string.h>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>

/* Fetched once: each fetch looks names up and takes locks (OpenSSL 3, crypto(7)
 * "Performance"). */
static EVP_CIPHER *gcm; /* atomic */

/* One that could not be fetched, for want of memory, is fetched by the next. */
static EVP_CIPHER *cipher(void)
{
    EVP_CIPHER *known = __atomic_load_n(&gcm, __ATOMIC_ACQUIRE), *mine;

    if (known) return known;
    mine = EVP_CIPHER_fetch(NULL, "AES-256-GCM", NULL);
    if (!mine || __atomic_compare_exchange_n(
                     &gcm, &known, mine, 0, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
    {
        return mine;
    }
    EVP_CIPHER_free(mine);
    return known;
}

static int fits(size_t ad_len, size_t len)
{
    return ad_len <= INT_MAX && len <= INT_MAX;
}

apr_status_t bl_aead_seal(const unsigned char *key, const unsigned char *nonce,
                          const void *ad, size_t ad_len, const void *clear,
                          size_t len, unsigned char *out, unsigned char *tag)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    int n, ok;

    ok = c && cipher() && fits(ad_len, len) &&
         EVP_EncryptInit_ex2(c, cipher(), key, nonce, NULL) == 1 &&
         EVP_EncryptUpdate(c, NULL, &n, ad, (int)ad_len) == 1 &&
         EVP_EncryptUpdate(c, out, &n, clear, (int)len) == 1 &&
         EVP_EncryptFinal_ex(c, out + n, &n) == 1 &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_GET_TAG, BL_AEAD_TAG_BYTES, tag) ==
             1;
    EVP_CIPHER_CTX_free(c);
    if (!ok) bl_secret_wipe(out, len);
    return ok ? APR_SUCCESS : APR_ENOMEM;
}

apr_status_t bl_aead_open(const unsigned char *key, const unsigned char *nonce,
                          const void *ad, size_t ad_len,
                          const unsigned char *sealed, size_t len,
                          const unsigned char *tag, unsigned char *out)
{
    EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    unsigned char expected[BL_AEAD_TAG_BYTES];
    int n, ok, is_ready;

    memcpy(expected, tag, sizeof(expected));
    is_ready = c && cipher() &&
               EVP_DecryptInit_ex2(c, cipher(), key, nonce, NULL) == 1;
    ok = is_ready && fits(ad_len, len) &&
         EVP_DecryptUpdate(c, NULL, &n, ad, (int)ad_len) == 1 &&
         EVP_DecryptUpdate(c, out, &n, sealed, (int)len) == 1 &&
         EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_GCM_SET_TAG, BL_AEAD_TAG_BYTES,
                             expected) == 1 &&
         EVP_DecryptFinal_ex(c, out + n, &n) == 1;
    EVP_CIPHER_CTX_free(c);
    if (!ok) bl_secret_wipe(out, len);
    if (!is_ready) return APR_ENOMEM;
    return ok ? APR_SUCCESS : BL_E_KEYRING_MISSING;
}

apr_status_t bl_hkdf(const unsigned char *master, const char *purpose,
                     unsigned char *key)
{
    EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
    EVP_KDF_CTX *c = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
    char digest[] = "SHA256";
    OSSL_PARAM params[4];
    int ok;

    params[0] =
        OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, digest, 0);
    params[1] = OSSL_PARAM_construct_octet_string(
        OSSL_KDF_PARAM_KEY, (void *)master, BL_AEAD_KEY_BYTES);
    params[2] = OSSL_PARAM_construct_octet_string(
        OSSL_KDF_PARAM_INFO, (void *)purpose, strlen(purpose));
    params[3] = OSSL_PARAM_construct_end();
    ok = c && EVP_KDF_derive(c, key, BL_AEAD_KEY_BYTES, params) == 1;
    EVP_KDF_CTX_free(c);
    EVP_KDF_free(kdf);
    if (!ok) bl_secret_wipe(key, BL_AEAD_KEY_BYTES);
    return ok ? APR_SUCCESS : APR_ENOMEM;
}
