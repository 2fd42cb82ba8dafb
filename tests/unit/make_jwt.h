/* SPDX-License-Identifier: Apache-2.0 */
/* make_jwt - the parts of a JWT as they are written, for tests that make one.
 */
#ifndef BL_TEST_MAKE_JWT_H
#define BL_TEST_MAKE_JWT_H

#include <openssl/evp.h>
#include <openssl/hmac.h>

/* Writes data without padding, NUL-terminated; out has room for a third more
 * and 5 bytes. Answers how many characters. */
static inline size_t base64url(char *out, const void *data, size_t len)
{
    size_t n = (size_t)EVP_EncodeBlock((unsigned char *)out, data, (int)len);
    size_t i;

    while (n && out[n - 1] == '=')
        n--;
    for (i = 0; i < n; i++) {
        if (out[i] == '+') out[i] = '-';
        if (out[i] == '/') out[i] = '_';
    }
    out[n] = '\0';
    return n;
}

/* Header and claims with the dot between: what is signed. */
static inline size_t put_parts(char *token, const void *header,
                               size_t header_len, const void *claims,
                               size_t claims_len)
{
    size_t at = base64url(token, header, header_len);

    token[at++] = '.';
    return at + base64url(token + at, claims, claims_len);
}

static inline void put_signature(char *token, size_t at, const void *sig,
                                 size_t len)
{
    token[at++] = '.';
    base64url(token + at, sig, len);
}

/* SHA-256 with any bytes as the key. */
static inline void put_mac(char *token, size_t at, const void *key,
                           size_t key_len)
{
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned n = 0;

    HMAC(EVP_sha256(), key, (int)key_len, (unsigned char *)token, at, mac, &n);
    put_signature(token, at, mac, n);
}

#endif
