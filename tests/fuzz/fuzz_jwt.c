/* SPDX-License-Identifier: Apache-2.0 */
/* Tokens (S-14 - S-17): as they are, which nobody has signed; and header and
 * claims (a line each) with a good MAC: what is then taken must be what
 * jansson reads, and what is plainly good must be taken. */
#include <jansson.h>
#include <math.h>
#include <string.h>

#include "../unit/make_jwt.h"
#include "auth/jwt.h"
#include "base/errors.h"
#include "fuzz.h"

#define NOW_S 1767225600
#define SECRET "0123456789abcdef0123456789abcdef"
#define PART_BYTES 4096

static const bl_jwt_issuer_t issuer = {.name = "shop",
                                       .alg = BL_SIGN_HS256,
                                       .key = SECRET,
                                       .key_len = sizeof(SECRET) - 1,
                                       .leeway_s = 60};

static double number(const json_t *object, const char *name, double without)
{
    json_t *v = json_object_get(object, name);

    return json_is_number(v) ? json_number_value(v) : without;
}

static void check_signed(const char *header, size_t header_len,
                         const char *claims, size_t claims_len)
{
    static char token[4 * PART_BYTES];
    json_t *h = json_loadb(header, header_len, JSON_REJECT_DUPLICATES, NULL);
    json_t *c = json_loadb(claims, claims_len, JSON_REJECT_DUPLICATES, NULL);
    const char *alg = json_string_value(json_object_get(h, "alg"));
    const char *sub = json_string_value(json_object_get(c, "sub"));
    double exp = number(c, "exp", NAN);
    bl_jwt_claims_t out;
    apr_status_t rv;

    put_mac(token, put_parts(token, header, header_len, claims, claims_len),
            SECRET, sizeof(SECRET) - 1);
    rv = bl_jwt_verify(&out, &issuer, token, apr_time_from_sec(NOW_S));
    if (rv == APR_SUCCESS) {
        CHECK(json_is_object(h) && json_is_object(c));
        CHECK(alg && !strcmp(alg, "HS256"));
        CHECK(!json_object_get(h, "crit"));
        CHECK(exp + 60 > NOW_S && exp < 253402300800.0);
        CHECK(number(c, "nbf", 0) <= NOW_S + 60);
        CHECK(sub && *sub && !strcmp(sub, out.sub));
        CHECK(out.expires_at > apr_time_from_sec(NOW_S));
    }
    else {
        CHECK(rv == BL_E_UNAUTHENTICATED && !*out.sub);
        /* The plainest of all. */
        CHECK(!(json_object_size(h) == 1 && alg && !strcmp(alg, "HS256") &&
                json_object_size(c) == 2 && sub && *sub && strlen(sub) < 64 &&
                json_string_length(json_object_get(c, "sub")) == strlen(sub) &&
                exp >= NOW_S + 1 && exp < 253402300000.0 && header_len < 100 &&
                claims_len < 1000 &&
                strspn(sub, "abcdefghijklmnopqrstuvwxyz") == strlen(sub)));
    }
    json_decref(h);
    json_decref(c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const char *text = (const char *)data;
    const char *line = memchr(text, '\n', size);
    bl_jwt_claims_t out;
    char *token = malloc(size + 1);

    if (!token) abort();
    memcpy(token, data, size);
    token[size] = '\0';
    CHECK(bl_jwt_verify(&out, &issuer, token, apr_time_from_sec(NOW_S)) ==
          BL_E_UNAUTHENTICATED);
    CHECK(!*out.sub);
    bl_jwt_looks_like(token);
    free(token);
    if (line && size < PART_BYTES) {
        check_signed(text, (size_t)(line - text), line + 1,
                     size - (size_t)(line + 1 - text));
    }
    return 0;
}
