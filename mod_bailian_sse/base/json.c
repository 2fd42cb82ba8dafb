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

/* Where jansson says nothing of the text there was no memory. Its code is not
 * set then. */
static int is_of_text(const json_error_t *error)
{
    return *error->text != '\0';
}

apr_status_t bl_json_parse_stored(json_t **pjson, const char *text)
{
    json_error_t error;

    *pjson = json_loads(text, 0, &error);
    if (*pjson) return APR_SUCCESS;
    return is_of_text(&error) ? BL_E_STORE_CORRUPT : APR_ENOMEM;
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
            rv = is_of_text(&error) ? BL_E_BAD_JSON : APR_ENOMEM;
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

/* --- one that is being made ---------------------------------------------- */

static void drop_unless(json_t **pjson, int is_done)
{
    if (is_done) return;
    json_decref(*pjson);
    *pjson = NULL;
}

void bl_json_set(json_t **pobject, const char *name, json_t *value_take)
{
    if (*pobject)
        drop_unless(pobject,
                    json_object_set_new(*pobject, name, value_take) == 0);
    else
        json_decref(value_take);
}

void bl_json_append(json_t **plist, json_t *value_take)
{
    if (*plist)
        drop_unless(plist, json_array_append_new(*plist, value_take) == 0);
    else
        json_decref(value_take);
}

/* --- as text ------------------------------------------------------------- */

static int put_piece(const char *data, size_t len, void *ctx)
{
    return bl_buf_append(ctx, data, len) == APR_SUCCESS ? 0 : -1;
}

/* A piece that did not fit marks the buffer, whatever jansson makes of it. */
apr_status_t bl_json_write(bl_buf_t *out, const json_t *value, size_t flags)
{
    int code = json_dump_callback(value, put_piece, out,
                                  flags | JSON_COMPACT | JSON_ENCODE_ANY);

    if (bl_buf_status(out) != APR_SUCCESS) return bl_buf_status(out);
    return code == 0 ? APR_SUCCESS : APR_ENOMEM;
}

char *bl_json_dump(const json_t *value, size_t flags)
{
    bl_buf_t text;

    bl_buf_init(&text, SIZE_MAX / 4);
    if (value && bl_json_write(&text, value, flags) == APR_SUCCESS &&
        bl_buf_str(&text))
    {
        return text.data;
    }
    bl_buf_release(&text);
    return NULL;
}
