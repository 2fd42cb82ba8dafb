/* SPDX-License-Identifier: Apache-2.0 */
/* A client's body: what is taken keeps the limits and survives being written
 * and read again; what is refused names a place inside the text. */
#include <string.h>

#include "base/errors.h"
#include "base/json.h"
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/json_scan.h"

static int depth_of(json_t *v)
{
    int deepest = 0, d;
    const char *key;
    json_t *item;
    size_t i;

    json_array_foreach(v, i, item)
    {
        d = depth_of(item);
        if (d > deepest) deepest = d;
    }
    json_object_foreach(v, key, item)
    {
        d = depth_of(item);
        if (d > deepest) deepest = d;
    }
    return deepest + (json_is_array(v) || json_is_object(v));
}

static void use_getters(json_t *json)
{
    const char *key, *text;
    apr_int64_t n = 0;
    json_t *item, *v;
    int is_true = 0;

    json_object_foreach(json, key, item)
    {
        if (bl_json_get_string(json, key, 16, &text) == APR_SUCCESS && text) {
            CHECK(strlen(text) <= 16);
        }
        if (bl_json_get_int(json, key, -5, 5, &n) == APR_SUCCESS) {
            CHECK(n >= -5 && n <= 5);
        }
        bl_json_get_bool(json, key, &is_true);
        bl_json_get_array(json, key, 3, &v);
        bl_json_get_object(json, key, &v);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    json_t *json, *again;
    bl_json_value_t view;
    bl_json_scan_t s;
    size_t offset;
    char *text;
    apr_status_t rv = bl_json_parse(&json, (const char *)data, size, &offset);

    CHECK((rv == APR_SUCCESS) == (json != NULL));
    if (rv != APR_SUCCESS) {
        CHECK(offset <= size);
        CHECK(rv == BL_E_BAD_JSON || rv == BL_E_TOO_DEEP ||
              rv == BL_E_BAD_UTF8);
        return 0;
    }
    CHECK(bl_utf8_is_valid((const char *)data, size));
    bl_json_scan_init(&s, (const char *)data, size);
    bl_json_scan_value(&s, &view);
    CHECK(bl_json_scan_next(&s) == BL_JSON_END); /* another parser agrees */
    CHECK(depth_of(json) <= BL_MAX_JSON_DEPTH);
    use_getters(json);
    text = json_dumps(json, JSON_COMPACT);
    CHECK(text);
    CHECK(bl_json_parse(&again, text, strlen(text), NULL) == APR_SUCCESS);
    json_decref(again);
    json_decref(json);
    free(text);
    return 0;
}
