/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/token.h"

#include "base/errors.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

static apr_status_t no_random(int code)
{
    static bl_log_gate_t gate;
    unsigned times = bl_log_gate(&gate);

    if (times) {
        bl_log(BL_LOG_ERR, code,
               BL_LOGNO(1101) "the kernel gives no random numbers: no id, "
                              "token or nonce is made (%u times)",
               times);
    }
    return BL_E_OVERLOADED;
}

/* The kernel's source, asked each time: there is no state that a fork could
 * copy (P14), and no weaker source behind it (R06). */
apr_status_t bl_random_bytes(void *out, size_t n)
{
    unsigned char *at = out;

    while (n) {
        ssize_t got = getrandom(at, n > 256 ? 256 : n, 0);

        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) return no_random(errno);
        at += got;
        n -= (size_t)got;
    }
    return APR_SUCCESS;
}

apr_status_t bl_id_bytes(void *out, size_t n, apr_time_t wall)
{
    apr_uint64_t time = (apr_uint64_t)wall / (APR_USEC_PER_SEC / 16);
    unsigned char *at = out;

    at[0] = (unsigned char)(time >> 8);
    at[1] = (unsigned char)time;
    return bl_random_bytes(at + BL_ID_TIME_BYTES, n - BL_ID_TIME_BYTES);
}

void bl_hex(char *dst, const void *src, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const unsigned char *s = src;
    size_t i;

    for (i = 0; i < n; i++) {
        dst[2 * i] = digits[s[i] >> 4];
        dst[2 * i + 1] = digits[s[i] & 15];
    }
    dst[2 * n] = '\0';
}

static int digit(char c)
{
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
}

int bl_unhex(void *dst, size_t n, const char *src)
{
    unsigned char *d = dst;
    size_t i;

    for (i = 0; i < n; i++) {
        int high = digit(src[2 * i]);
        int low = high < 0 ? -1 : digit(src[2 * i + 1]);

        if (low < 0) return 0;
        d[i] = (unsigned char)(high << 4 | low);
    }
    return src[2 * n] == '\0';
}

int bl_equal_secret(const void *a, const void *b, size_t n)
{
    return CRYPTO_memcmp(a, b, n) == 0;
}

struct bl_sha256_t {
    EVP_MD_CTX *md;
};

/* Fetched once: see aead.c. */
static EVP_MD *sha256; /* atomic */

static EVP_MD *digest(void)
{
    EVP_MD *known = __atomic_load_n(&sha256, __ATOMIC_ACQUIRE), *mine;

    if (known) return known;
    mine = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!mine ||
        __atomic_compare_exchange_n(&sha256, &known, mine, 0, __ATOMIC_ACQ_REL,
                                    __ATOMIC_ACQUIRE))
    {
        return mine;
    }
    EVP_MD_free(mine);
    return known;
}

apr_status_t bl_sha256_create(bl_sha256_t **ph)
{
    bl_sha256_t *h = calloc(1, sizeof(*h));

    *ph = NULL;
    if (!h) return APR_ENOMEM;
    h->md = EVP_MD_CTX_new();
    if (!h->md || !digest() || EVP_DigestInit_ex2(h->md, digest(), NULL) != 1) {
        bl_sha256_destroy(h);
        return APR_ENOMEM;
    }
    *ph = h;
    return APR_SUCCESS;
}

/* With SHA-256 set up once, OpenSSL has no way left to fail in the next three
 * (fixed-size state, no allocation); a failure would show as a digest of
 * zeros, which matches no text. */
void bl_sha256_add(bl_sha256_t *h, const void *data, size_t n)
{
    if (n) EVP_DigestUpdate(h->md, data, n);
}

void bl_sha256_end(bl_sha256_t *h, unsigned char digest[BL_SHA256_BYTES])
{
    if (EVP_DigestFinal_ex(h->md, digest, NULL) != 1) {
        memset(digest, 0, BL_SHA256_BYTES);
    }
}

void bl_sha256_reset(bl_sha256_t *h)
{
    EVP_DigestInit_ex(h->md, NULL, NULL);
}

void bl_sha256_destroy(bl_sha256_t *h)
{
    if (!h) return;
    EVP_MD_CTX_free(h->md);
    free(h);
}
