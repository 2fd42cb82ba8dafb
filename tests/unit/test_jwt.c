/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens that are forged, old, or for somebody else (S-14 - S-17, S-21). */
#include "core.h"
#include "make_jwt.h"

#include "auth/jwt.h"
#include "base/errors.h"

#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#define NOW_S 1767225600 /* 2026-01-01 */
#define NOW apr_time_from_sec(NOW_S)
#define SECRET "0123456789abcdef0123456789abcdef"
#define HEADER "{\"alg\":\"HS256\",\"typ\":\"JWT\"}"

static char rsa_pem[BL_PUBLIC_KEY_MOST], ec_pem[BL_PUBLIC_KEY_MOST];
static EVP_PKEY *rsa_key, *ec_key;

/* A token whose MAC is made with any bytes. */
static char *mac_token(const char *header, const char *claims, const void *key,
                       size_t key_len)
{
    static char token[4 * BL_MAX_TOKEN_BYTES];

    put_mac(token,
            put_parts(token, header, strlen(header), claims, strlen(claims)),
            key, key_len);
    return token;
}

/* ECDSA signatures are DER with OpenSSL: turned into r and s. */
static size_t raw_of(unsigned char *sig, size_t len)
{
    const unsigned char *at = sig;
    ECDSA_SIG *pair = d2i_ECDSA_SIG(NULL, &at, (long)len);
    unsigned char raw[64];

    assert_non_null(pair);
    BN_bn2binpad(ECDSA_SIG_get0_r(pair), raw, 32);
    BN_bn2binpad(ECDSA_SIG_get0_s(pair), raw + 32, 32);
    ECDSA_SIG_free(pair);
    memcpy(sig, raw, 64);
    return 64;
}

static char *signed_token(const char *header, const char *claims, EVP_PKEY *key)
{
    static char token[4 * BL_MAX_TOKEN_BYTES];
    unsigned char sig[1024];
    size_t at =
        put_parts(token, header, strlen(header), claims, strlen(claims));
    size_t n = sizeof(sig);
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();

    assert_int_equal(EVP_DigestSignInit(ctx, NULL, EVP_sha256(), NULL, key), 1);
    assert_int_equal(EVP_DigestSign(ctx, sig, &n, (unsigned char *)token, at),
                     1);
    EVP_MD_CTX_free(ctx);
    if (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC) n = raw_of(sig, n);
    put_signature(token, at, sig, n);
    return token;
}

static bl_jwt_issuer_t issuer_of(bl_sign_t alg, const char *key)
{
    bl_jwt_issuer_t issuer;

    memset(&issuer, 0, sizeof(issuer));
    issuer.name = "shop";
    issuer.alg = alg;
    issuer.key = key;
    issuer.key_len = strlen(key);
    issuer.leeway_s = 60;
    return issuer;
}

static apr_status_t try_it(bl_sign_t alg, const char *key, const char *token)
{
    bl_jwt_issuer_t issuer = issuer_of(alg, key);
    bl_jwt_claims_t claims;
    apr_status_t rv = bl_jwt_verify(&claims, &issuer, token, NOW);

    if (rv != APR_SUCCESS) assert_string_equal(claims.sub, "");
    return rv;
}

static apr_status_t claims_are(const char *claims)
{
    return try_it(BL_SIGN_HS256, SECRET,
                  mac_token(HEADER, claims, SECRET, strlen(SECRET)));
}

#define GOOD "{\"sub\":\"li\",\"exp\":1767229200}"
#define REFUSED(x) assert_int_equal((x), BL_E_UNAUTHENTICATED)
#define TAKEN(x) assert_int_equal((x), APR_SUCCESS)

/* --- good ones ---------------------------------------------------------- */

static void test_jwt_names_its_subject_for_each_algorithm(void **state)
{
    bl_jwt_issuer_t issuer = issuer_of(BL_SIGN_HS256, SECRET);
    bl_jwt_claims_t claims;

    (void)state;
    TAKEN(bl_jwt_verify(&claims, &issuer,
                        mac_token(HEADER, GOOD, SECRET, strlen(SECRET)), NOW));
    assert_string_equal(claims.sub, "li");
    assert_int_equal(claims.expires_at, apr_time_from_sec(1767229200 + 60));
    TAKEN(try_it(BL_SIGN_RS256, rsa_pem,
                 signed_token("{\"alg\":\"RS256\"}", GOOD, rsa_key)));
    TAKEN(try_it(
        BL_SIGN_ES256, ec_pem,
        signed_token("{\"alg\":\"ES256\",\"typ\":\"at+jwt\"}", GOOD, ec_key)));
}

/* --- S-14 --------------------------------------------------------------- */

static void test_s14_only_the_configured_algorithm_is_taken(void **state)
{
    static const char *const headers[] = {
        "{\"alg\":\"none\"}",
        "{\"alg\":\"None\"}",
        "{\"alg\":\"NONE\"}",
        "{\"alg\":\"nOnE\"}",
        "{}",
        "{\"alg\":null}",
        "{\"alg\":\"\"}",
        "{\"alg\":[\"HS256\"]}",
        "{\"alg\":1}",
        "{\"alg\":\"HS384\"}",
        "{\"alg\":\"HS512\"}",
        "{\"alg\":\"hs256\"}",
        "{\"alg\":\"HS256 \"}",
        "{\"alg\":\" HS256\"}",
        "{\"alg\":\"HS256\\t\"}",
        "{\"alg\":\"HS\\u0032256\"}",
        "{\"alg\":\"\\uff28S256\"}",
        "{\"alg\":\"HS256\",\"alg\":\"none\"}",
        "{\"alg\":\"none\",\"alg\":\"HS256\"}",
        "{\"Alg\":\"HS256\"}",
        "{\"alg\":\"RS256\"}",
        "{\"alg\":\"ES256\"}",
        "{\"alg\":\"PS256\"}",
        "{\"alg\":\"EdDSA\"}",
        "[\"HS256\"]",
        "\"HS256\"",
        "{\"alg\":\"HS256\"",
        "{\"alg\":\"HS256\",\"crit\":[\"b64\"],\"b64\":false}"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        REFUSED(try_it(BL_SIGN_HS256, SECRET,
                       mac_token(headers[i], GOOD, SECRET, strlen(SECRET))));
        REFUSED(try_it(BL_SIGN_RS256, rsa_pem,
                       mac_token(headers[i], GOOD, rsa_pem, strlen(rsa_pem))));
    }
}

static void test_s14_nothing_signed_by_none_is_taken(void **state)
{
    char *token = mac_token("{\"alg\":\"none\"}", GOOD, SECRET, 32);

    (void)state;
    *(strrchr(token, '.') + 1) = '\0';
    REFUSED(try_it(BL_SIGN_HS256, SECRET, token));
    REFUSED(try_it(BL_SIGN_NONE, SECRET, token));
    REFUSED(try_it(BL_SIGN_NONE, "", token));
}

/* Whoever has the public key must not be able to sign with it. */
static void test_s14_public_key_is_never_a_mac_secret(void **state)
{
    unsigned char *der = NULL;
    int len = i2d_PUBKEY(rsa_key, &der);

    (void)state;
    REFUSED(try_it(BL_SIGN_RS256, rsa_pem,
                   mac_token(HEADER, GOOD, rsa_pem, strlen(rsa_pem))));
    REFUSED(try_it(
        BL_SIGN_RS256, rsa_pem,
        mac_token("{\"alg\":\"RS256\"}", GOOD, rsa_pem, strlen(rsa_pem))));
    REFUSED(try_it(BL_SIGN_RS256, rsa_pem,
                   mac_token(HEADER, GOOD, der, (size_t)len)));
    REFUSED(
        try_it(BL_SIGN_ES256, ec_pem,
               mac_token("{\"alg\":\"ES256\"}", GOOD, ec_pem, strlen(ec_pem))));
    OPENSSL_free(der);
}

static void test_s14_key_of_another_kind_verifies_nothing(void **state)
{
    (void)state;
    REFUSED(try_it(BL_SIGN_RS256, ec_pem,
                   signed_token("{\"alg\":\"RS256\"}", GOOD, ec_key)));
    REFUSED(try_it(BL_SIGN_ES256, rsa_pem,
                   signed_token("{\"alg\":\"ES256\"}", GOOD, rsa_key)));
    REFUSED(try_it(BL_SIGN_RS256, "",
                   signed_token("{\"alg\":\"RS256\"}", GOOD, rsa_key)));
}

static void test_s21_weak_or_wrong_keys_are_refused(void **state)
{
    (void)state;
    assert_non_null(bl_sign_key_complaint(BL_SIGN_HS256, "", 0));
    assert_non_null(bl_sign_key_complaint(BL_SIGN_HS256, SECRET, 31));
    assert_null(bl_sign_key_complaint(BL_SIGN_HS256, SECRET, 32));
    assert_non_null(
        bl_sign_key_complaint(BL_SIGN_HS256, rsa_pem, strlen(rsa_pem)));
    assert_null(bl_sign_key_complaint(BL_SIGN_RS256, rsa_pem, strlen(rsa_pem)));
    assert_null(bl_sign_key_complaint(BL_SIGN_ES256, ec_pem, strlen(ec_pem)));
    assert_non_null(
        bl_sign_key_complaint(BL_SIGN_RS256, ec_pem, strlen(ec_pem)));
    assert_non_null(
        bl_sign_key_complaint(BL_SIGN_ES256, rsa_pem, strlen(rsa_pem)));
    assert_non_null(bl_sign_key_complaint(BL_SIGN_RS256, "-----BEGIN", 10));
}

/* --- S-15 --------------------------------------------------------------- */

static void test_s15_expiry_is_required_and_a_number(void **state)
{
    static const char *const bad[] = {
        "{\"sub\":\"li\"}",
        "{\"sub\":\"li\",\"exp\":null}",
        "{\"sub\":\"li\",\"exp\":\"1767229200\"}",
        "{\"sub\":\"li\",\"exp\":true}",
        "{\"sub\":\"li\",\"exp\":0}",
        "{\"sub\":\"li\",\"exp\":-1}",
        "{\"sub\":\"li\",\"exp\":-1767229200}",
        "{\"sub\":\"li\",\"exp\":1e300}",
        "{\"sub\":\"li\",\"exp\":9223372036854775807}",
        "{\"sub\":\"li\",\"exp\":1767229200,\"exp\":1}",
        "{\"sub\":\"li\",\"exp\":[1767229200]}"};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        REFUSED(claims_are(bad[i]));
    TAKEN(claims_are("{\"sub\":\"li\",\"exp\":1767229200.5}"));
    /* 2038-01-19T03:14:08Z and later: nothing wraps */
    TAKEN(claims_are("{\"sub\":\"li\",\"exp\":2147483648}"));
    TAKEN(claims_are("{\"sub\":\"li\",\"exp\":4294967297}"));
}

static void test_s15_times_hold_with_their_leeway(void **state)
{
    static const struct {
        const char *claims;
        int is_taken;
    } cases[] = {{"{\"sub\":\"li\",\"exp\":1767225541}", 1}, /* 59 s ago */
                 {"{\"sub\":\"li\",\"exp\":1767225540}", 0},
                 {"{\"sub\":\"li\",\"exp\":1767229200,\"nbf\":1767225660}", 1},
                 {"{\"sub\":\"li\",\"exp\":1767229200,\"nbf\":1767225661}", 0},
                 {"{\"sub\":\"li\",\"exp\":1767229200,\"iat\":1767225660}", 1},
                 {"{\"sub\":\"li\",\"exp\":1767229200,\"iat\":1767225661}", 0},
                 {"{\"sub\":\"li\",\"exp\":1767229200,\"nbf\":\"x\"}", 0},
                 {"{\"sub\":\"li\",\"exp\":1767229200,\"iat\":1e300}", 0}};
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_int_equal(claims_are(cases[i].claims) == APR_SUCCESS,
                         cases[i].is_taken);
    }
}

static apr_status_t for_whom(const char *iss, const char *aud,
                             const char *claims)
{
    bl_jwt_issuer_t issuer = issuer_of(BL_SIGN_HS256, SECRET);
    bl_jwt_claims_t out;

    issuer.iss = iss;
    issuer.aud = aud;
    return bl_jwt_verify(
        &out, &issuer, mac_token(HEADER, claims, SECRET, strlen(SECRET)), NOW);
}

#define WITH(more) "{\"sub\":\"li\",\"exp\":1767229200" more "}"

static void
test_s15_issuer_and_audience_are_required_when_configured(void **state)
{
    (void)state;
    TAKEN(for_whom("a", "b", WITH(",\"iss\":\"a\",\"aud\":\"b\"")));
    TAKEN(for_whom("a", "b", WITH(",\"iss\":\"a\",\"aud\":[\"x\",\"b\"]")));
    TAKEN(for_whom(NULL, NULL, WITH(",\"iss\":\"z\",\"aud\":\"z\"")));
    REFUSED(for_whom("a", NULL, WITH("")));
    REFUSED(for_whom("a", NULL, WITH(",\"iss\":\"A\"")));
    REFUSED(for_whom("a", NULL, WITH(",\"iss\":[\"a\"]")));
    REFUSED(for_whom(NULL, "b", WITH("")));
    REFUSED(for_whom(NULL, "b", WITH(",\"aud\":[]")));
    REFUSED(for_whom(NULL, "b", WITH(",\"aud\":\"bb\"")));
    REFUSED(for_whom(NULL, "b", WITH(",\"aud\":{\"b\":\"b\"}")));
}

static void test_jwt_without_a_subject_names_nobody(void **state)
{
    char claims[600] = "{\"exp\":1767229200,\"sub\":\"";

    (void)state;
    REFUSED(claims_are("{\"exp\":1767229200}"));
    REFUSED(claims_are("{\"exp\":1767229200,\"sub\":\"\"}"));
    REFUSED(claims_are("{\"exp\":1767229200,\"sub\":7}"));
    REFUSED(claims_are("{\"exp\":1767229200,\"sub\":\"a\\u0000b\"}"));
    memset(claims + strlen(claims), 'x', 200);
    strncat(claims, "\"}", 3);
    REFUSED(claims_are(claims));
}

/* --- S-16 --------------------------------------------------------------- */

static void test_s16_nothing_in_the_header_chooses_a_key(void **state)
{
    static const char *const more[] = {
        "\"kid\":\"../../etc/passwd\"", "\"kid\":\"x' OR '1'='1\"",
        "\"jku\":\"https://evil.example/keys\"", "\"x5u\":\"file:///dev/null\"",
        "\"jwk\":{\"kty\":\"oct\",\"k\":\"AAAA\"}"};
    char header[256];
    size_t i;

    (void)state;
    for (i = 0; i < sizeof(more) / sizeof(more[0]); i++) {
        snprintf(header, sizeof(header), "{\"alg\":\"HS256\",%s}", more[i]);
        TAKEN(try_it(BL_SIGN_HS256, SECRET,
                     mac_token(header, GOOD, SECRET, strlen(SECRET))));
        REFUSED(try_it(BL_SIGN_HS256, SECRET,
                       mac_token(header, GOOD, "\0\0\0", 3)));
        REFUSED(try_it(BL_SIGN_HS256, SECRET, mac_token(header, GOOD, "", 0)));
    }
}

/* --- S-17 --------------------------------------------------------------- */

static void test_s17_only_the_canonical_spelling_is_taken(void **state)
{
    char *good = mac_token(HEADER, GOOD, SECRET, strlen(SECRET));
    char other[BL_MAX_TOKEN_BYTES * 2];
    size_t len = strlen(good), i;
    static const char *const tails[] = {"=", "==", ".", ".x", " ", "\n", "A"};

    (void)state;
    TAKEN(try_it(BL_SIGN_HS256, SECRET, good));
    for (i = 0; i < sizeof(tails) / sizeof(tails[0]); i++) {
        snprintf(other, sizeof(other), "%s%s", good, tails[i]);
        REFUSED(try_it(BL_SIGN_HS256, SECRET, other));
    }
    /* 32 bytes leave two bits in the last letter, which must be zero. */
    snprintf(other, sizeof(other), "%s", good);
    other[len - 1]++;
    REFUSED(try_it(BL_SIGN_HS256, SECRET, other));
    snprintf(other, sizeof(other), ".%s", good);
    REFUSED(try_it(BL_SIGN_HS256, SECRET, other));
    for (i = 0; i < len; i++) {
        snprintf(other, sizeof(other), "%.*s", (int)i, good);
        REFUSED(try_it(BL_SIGN_HS256, SECRET, other));
    }
    for (i = 0; i < len; i++) {
        snprintf(other, sizeof(other), "%s", good);
        other[i] = other[i] == 'x' ? 'y' : 'x';
        REFUSED(try_it(BL_SIGN_HS256, SECRET, other));
    }
}

static void test_s17_token_above_8_kib_is_not_looked_at(void **state)
{
    static char claims[2 * BL_MAX_TOKEN_BYTES];
    size_t pad;

    (void)state;
    for (pad = 5000; pad < 7000; pad += 7) {
        char *token;

        snprintf(claims, sizeof(claims),
                 "{\"sub\":\"li\",\"exp\":1767229200,"
                 "\"x\":\"%0*d\"}",
                 (int)pad, 0);
        token = mac_token(HEADER, claims, SECRET, strlen(SECRET));
        assert_int_equal(try_it(BL_SIGN_HS256, SECRET, token) == APR_SUCCESS,
                         strlen(token) <= BL_MAX_TOKEN_BYTES);
    }
}

/* --- keys --------------------------------------------------------------- */

static void pem_of(EVP_PKEY *key, char *out, size_t size)
{
    BIO *bio = BIO_new(BIO_s_mem());
    int n;

    assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
    n = BIO_read(bio, out, (int)size - 1);
    assert_true(n > 0);
    out[n] = '\0';
    BIO_free(bio);
}

static int make_keys(void **state)
{
    (void)state;
    rsa_key = EVP_RSA_gen(2048);
    ec_key = EVP_EC_gen("P-256");
    pem_of(rsa_key, rsa_pem, sizeof(rsa_pem));
    pem_of(ec_key, ec_pem, sizeof(ec_pem));
    return 0;
}

static int free_keys(void **state)
{
    (void)state;
    EVP_PKEY_free(rsa_key);
    EVP_PKEY_free(ec_key);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_jwt_names_its_subject_for_each_algorithm),
        cmocka_unit_test(test_s14_only_the_configured_algorithm_is_taken),
        cmocka_unit_test(test_s14_nothing_signed_by_none_is_taken),
        cmocka_unit_test(test_s14_public_key_is_never_a_mac_secret),
        cmocka_unit_test(test_s14_key_of_another_kind_verifies_nothing),
        cmocka_unit_test(test_s21_weak_or_wrong_keys_are_refused),
        cmocka_unit_test(test_s15_expiry_is_required_and_a_number),
        cmocka_unit_test(test_s15_times_hold_with_their_leeway),
        cmocka_unit_test(
            test_s15_issuer_and_audience_are_required_when_configured),
        cmocka_unit_test(test_jwt_without_a_subject_names_nobody),
        cmocka_unit_test(test_s16_nothing_in_the_header_chooses_a_key),
        cmocka_unit_test(test_s17_only_the_canonical_spelling_is_taken),
        cmocka_unit_test(test_s17_token_above_8_kib_is_not_looked_at),
    };

    return cmocka_run_group_tests(tests, make_keys, free_keys);
}
