/* SPDX-License-Identifier: Apache-2.0 */
#include "json.h"

#include <string.h>

#include "errors.h"
#include "utf8.h"

/* Where the depth goes above the limit, len when it does not. Brackets in
 * strings do not count; whether all of it is JSON is the parser's question. */
static size_t find_too_deep(const char *text, size_t len)
{
    int depth = 0, is_in_string = 0;
    size_t i;

    for (i = 0; i < len; i++) {
        char c = text[i];

        if (is_in_string) {
            if (c == '\\')
                i++;
            else if (c == '"')
                is_in_string = 0;
        }
        else if (c == '"')
            is_in_string = 1;
        else if (c == '{' || c == '[') {
            if (++depth > BL_MAX_JSON_DEPTH) return i;
        }
        else if (c == '}' || c == ']')
            depth--;
    }
    return len;
}

apr_status_t bl_json_parse(json_t **pjson, const char *text, size_t len,
                           size_t *poffset)
{
    apr_status_t rv = APR_SUCCESS;
    const char *nul = len ? memchr(text, 0, len) : NULL;
    json_error_t error;
    size_t at;

    *pjson = NULL;
    if ((at = bl_utf8_valid_len(text, len)) < len)
        rv = BL_E_BAD_UTF8;
    else if ((at = find_too_deep(text, len)) < len)
        rv = BL_E_TOO_DEEP;
    else if (nul) {
        /* jansson steps over a NUL that stands behind a number. */
        at = (size_t)(nul - text);
        rv = BL_E_BAD_JSON;
    }
    else {
        *pjson =
            json_loadb(len ? text : "", len, JSON_REJECT_DUPLICATES, &error);
        if (!*pjson) {
            rv = BL_E_BAD_JSON;
            at = error.position > 0 ? (size_t)error.position : 0;
        }
    }
    if (poffset) *poffset = at;
    return rv;
}

/* NULL for absent and null alike. */
static json_t *peek(const json_t *o, const char *key)
{
    json_t *v = json_object_get(o, key);

    return json_is_null(v) ? NULL : v;
}

apr_status_t bl_json_get_string(const json_t *o, const char *key, size_t max,
                                const char **pvalue)
{
    const json_t *v = peek(o, key);

    *pvalue = NULL;
    if (!v) return APR_SUCCESS;
    if (!json_is_string(v) || json_string_length(v) > max) {
        return BL_E_BAD_VALUE;
    }
    *pvalue = json_string_value(v);
    return APR_SUCCESS;
}

apr_status_t bl_json_get_bool(const json_t *o, const char *key, int *pvalue)
{
    const json_t *v = peek(o, key);

    if (!v) return APR_SUCCESS;
    if (!json_is_boolean(v)) return BL_E_BAD_VALUE;
    *pvalue = json_is_true(v);
    return APR_SUCCESS;
}

apr_status_t bl_json_get_int(const json_t *o, const char *key, apr_int64_t min,
                             apr_int64_t max, apr_int64_t *pvalue)
{
    const json_t *v = peek(o, key);

    if (!v) return APR_SUCCESS;
    if (!json_is_integer(v) || json_integer_value(v) < min ||
        json_integer_value(v) > max)
    {
        return BL_E_BAD_VALUE;
    }
    *pvalue = json_integer_value(v);
    return APR_SUCCESS;
}

apr_status_t bl_json_get_array(const json_t *o, const char *key, size_t max,
                               json_t **pvalue)
{
    json_t *v = peek(o, key);

    *pvalue = NULL;
    if (!v) return APR_SUCCESS;
    if (!json_is_array(v) || json_array_size(v) > max) return BL_E_BAD_VALUE;
    *pvalue = v;
    return APR_SUCCESS;
}

apr_status_t bl_json_get_object(const json_t *o, const char *key,
                                json_t **pvalue)
{
    json_t *v = peek(o, key);

    *pvalue = NULL;
    if (!v) return APR_SUCCESS;
    if (!json_is_object(v)) return BL_E_BAD_VALUE;
    *pvalue = v;
    return APR_SUCCESS;
}
