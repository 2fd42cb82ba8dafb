/* SPDX-License-Identifier: Apache-2.0 */
#include "jwt.h"
#include "base/errors.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* No clock shows more: 9999-12-31. */
#define SECONDS_MOST 253402300799.0

typedef struct part_t {
    const char *at;
    size_t len;
} part_t;

/* --- the outer form ----------------------------------------------------- */

static int split(const char *token, part_t parts[3])
{
    size_t len = strnlen(token, BL_MAX_TOKEN_BYTES + 1);
    const char *at = token, *dot;
    int i;

    if (len > BL_MAX_TOKEN_BYTES) return 0;
    for (i = 0; i < 3; i++) {
        dot = strchr(at, '.');
        if (!dot != (i == 2)) return 0;
        parts[i].at = at;
        parts[i].len = dot ? (size_t)(dot - at) : strlen(at);
        if (!parts[i].len) return 0;
        if (dot) at = dot + 1;
    }
    return 1;
}

int bl_jwt_looks_like(const char *token)
{
    part_t parts[3];

    return split(token, parts);
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

/* Base64url as RFC 7515 2 has it, and its one canonical spelling (S-17): no
 * padding, no bits behind the last byte. malloc'd and NUL-terminated. */
static apr_status_t decode(char **ptext, const part_t *part, size_t *plen)
{
    char *out = malloc(part->len + 1);
    unsigned bits = 0, have = 0;
    size_t i, n = 0;

    *ptext = NULL;
    *plen = 0;
    if (!out) return APR_ENOMEM;
    for (i = 0; i < part->len; i++) {
        int v = value_of(part->at[i]);

        if (v < 0) break;
        bits = (bits << 6 | (unsigned)v) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[n++] = (char)(bits >> have);
        }
    }
    if (i < part->len || have >= 6 || (bits & ((1u << have) - 1))) {
        free(out);
        return BL_E_UNAUTHENTICATED;
    }
    out[n] = '\0';
    *ptext = out;
    *plen = n;
    return APR_SUCCESS;
}

static apr_status_t read_object(json_t **po, const part_t *part)
{
    size_t len;
    char *text;
    json_t *o = NULL;
    apr_status_t rv = decode(&text, part, &len);

    *po = NULL;
    if (rv == APR_SUCCESS) rv = bl_json_parse(&o, text, len, NULL);
    free(text);
    if (rv != APR_SUCCESS) return rv;
    if (json_is_object(o)) {
        *po = o;
        return APR_SUCCESS;
    }
    json_decref(o);
    return BL_E_UNAUTHENTICATED;
}

/* --- header and signature ----------------------------------------------- */

static apr_status_t check_header(const part_t *part,
                                 const bl_jwt_issuer_t *issuer)
{
    json_t *header;
    apr_status_t rv = read_object(&header, part);
    const char *alg = json_string_value(json_object_get(header, "alg"));
    int fits = alg && issuer->alg != BL_SIGN_NONE &&
               !strcmp(alg, bl_sign_name(issuer->alg)) &&
               !json_object_get(header, "crit");

    json_decref(header);
    if (rv != APR_SUCCESS) return rv;
    return fits ? APR_SUCCESS : BL_E_UNAUTHENTICATED;
}

static apr_status_t check_signature(const part_t parts[3],
                                    const bl_jwt_issuer_t *issuer)
{
    size_t len, text_len = parts[0].len + 1 + parts[1].len;
    char *sig;
    apr_status_t rv = decode(&sig, &parts[2], &len);

    if (rv == APR_SUCCESS) {
        rv = bl_sign_verify(issuer->alg, issuer->key, issuer->key_len,
                            parts[0].at, text_len, (unsigned char *)sig, len);
    }
    free(sig);
    return rv;
}

/* --- claims ------------------------------------------------------------- */

/* 1 = it is there and can be one, 0 = it is not there, -1 = nonsense. */
static int seconds(const json_t *claims, const char *name, double *pvalue)
{
    const json_t *v = json_object_get(claims, name);

    if (!v) return 0;
    if (!json_is_number(v)) return -1;
    *pvalue = json_number_value(v);
    return *pvalue > 0 && *pvalue <= SECONDS_MOST ? 1 : -1;
}

static int times_fit(const json_t *claims, int leeway_s, apr_time_t now,
                     apr_time_t *pexpires)
{
    double t, now_s = (double)now / APR_USEC_PER_SEC;
    static const char *const not_before[] = {"nbf", "iat"};
    int i, has;

    if (seconds(claims, "exp", &t) != 1) return 0;
    *pexpires = (apr_time_t)((t + leeway_s) * APR_USEC_PER_SEC);
    if (t + leeway_s <= now_s) return 0;
    for (i = 0; i < 2; i++) {
        has = seconds(claims, not_before[i], &t);
        if (has < 0 || (has && t - leeway_s > now_s)) return 0;
    }
    return 1;
}

static int is_text(const json_t *v, const char *text)
{
    return json_is_string(v) && !strcmp(json_string_value(v), text);
}

static int audience_fits(const json_t *aud, const char *wanted)
{
    size_t i;

    if (is_text(aud, wanted)) return 1;
    for (i = 0; i < json_array_size(aud); i++) {
        if (is_text(json_array_get(aud, i), wanted)) return 1;
    }
    return 0;
}

static int claims_fit(const json_t *claims, const bl_jwt_issuer_t *issuer,
                      apr_time_t now, bl_jwt_claims_t *out)
{
    const char *sub = json_string_value(json_object_get(claims, "sub"));

    if (issuer->iss && !is_text(json_object_get(claims, "iss"), issuer->iss)) {
        return 0;
    }
    if (issuer->aud &&
        !audience_fits(json_object_get(claims, "aud"), issuer->aud)) {
        return 0;
    }
    if (!sub || !*sub || strlen(sub) >= sizeof(out->sub)) return 0;
    memcpy(out->sub, sub, strlen(sub) + 1);
    return times_fit(claims, issuer->leeway_s, now, &out->expires_at);
}

apr_status_t bl_jwt_verify(bl_jwt_claims_t *out, const bl_jwt_issuer_t *issuer,
                           const char *token, apr_time_t now)
{
    part_t parts[3];
    json_t *claims = NULL;
    apr_status_t rv;

    memset(out, 0, sizeof(*out));
    if (!split(token, parts)) return BL_E_UNAUTHENTICATED;
    rv = check_header(&parts[0], issuer);
    if (rv == APR_SUCCESS) rv = check_signature(parts, issuer);
    if (rv == APR_SUCCESS) rv = read_object(&claims, &parts[1]);
    if (rv == APR_SUCCESS && !claims_fit(claims, issuer, now, out)) {
        rv = BL_E_UNAUTHENTICATED;
    }
    json_decref(claims);
    if (rv == APR_SUCCESS) return rv;
    memset(out, 0, sizeof(*out));
    return rv == APR_ENOMEM ? rv : BL_E_UNAUTHENTICATED;
}
