/* SPDX-License-Identifier: Apache-2.0 */
/* admin_import - api/keys/import: many keys, all or none (A08). */
#include "admin_keys.h"
#include "base/json.h"

#include <string.h>

#define KEYS_MOST 1000

typedef struct import_t {
    int count;
    int is_dry_run;
    int wrong; /* items */
    json_t **secrets;
    bl_new_key_t *keys;
} import_t;

static int read_import(bl_admin_call_t *a, import_t *im, int *prc)
{
    json_t *list = json_object_get(a->body, "keys"), *item;
    json_t *dry = json_object_get(a->body, "dryRun");
    size_t i;

    if ((dry && !json_is_boolean(dry)) ||
        json_object_size(a->body) != (dry ? 2u : 1u) || !json_is_array(list) ||
        !json_array_size(list) || json_array_size(list) > KEYS_MOST)
    {
        *prc = bl_admin_problem(
            a, BL_E_BAD_VALUE, "keys",
            BL_SAY("must be a list of 1 to 1000 keys, beside dryRun"));
        return 0;
    }
    im->is_dry_run = json_is_true(dry);
    im->count = (int)json_array_size(list);
    im->secrets =
        apr_pcalloc(a->r->pool, (apr_size_t)im->count * sizeof(*im->secrets));
    im->keys =
        apr_pcalloc(a->r->pool, (apr_size_t)im->count * sizeof(*im->keys));
    json_array_foreach(list, i, item)
    {
        bl_new_key_t *key = &im->keys[i];

        im->secrets[i] = bl_admin_take_secret(item);
        key->rv =
            json_is_object(item)
                ? bl_admin_read_key(a, item, key)
                : bl_complain(&key->why, "", BL_SAY("must be a JSON object"));
        im->wrong += key->rv != APR_SUCCESS;
        key->secret = json_string_value(im->secrets[i]);
    }
    return 1;
}

static json_t *text_or_null(const char *text)
{
    return text && *text ? json_string(text) : json_null();
}

static json_t *item_new(const import_t *im, int i, int is_zh)
{
    const bl_new_key_t *key = &im->keys[i];
    const bl_error_t *e = bl_error(key->rv);
    int is_ok = key->rv == APR_SUCCESS;
    int is_made = is_ok && !im->is_dry_run && !im->wrong;
    char text[BL_SAY_TEXT];
    const char *detail = is_zh ? e->zh : e->en;

    bl_complaint_text(&key->why, is_zh, text);
    if (*text) detail = text;
    return json_pack("{s:i,s:o,s:o,s:o,s:o,s:b,s:o,s:o,s:o}", "index", i,
                     "upstream", text_or_null(key->upstream), "name",
                     text_or_null(key->name), "last4", text_or_null(key->last4),
                     "id", is_made ? json_integer(key->id) : json_null(), "ok",
                     is_ok, "field", text_or_null(key->why.field), "detail",
                     is_ok ? json_null() : json_string(detail), "reason",
                     text_or_null(bl_say_code(key->why.said.en)));
}

static int send_import(bl_admin_call_t *a, const import_t *im)
{
    json_t *items = json_array(), *all;
    const bl_error_t *e = bl_error(BL_E_BAD_VALUE);
    int is_zh = a->call->lang == BL_LANG_ZH, i;
    bl_say_number_t wrong, count;
    bl_said_t said;
    char text[BL_SAY_TEXT];

    for (i = 0; i < im->count; i++)
        bl_json_append(&items, item_new(im, i, is_zh));
    all =
        json_pack("{s:b,s:i,s:o}", "dryRun", im->is_dry_run, "added",
                  im->wrong || im->is_dry_run ? 0 : im->count, "items", items);
    if (!im->wrong || !all) return bl_admin_send(a, HTTP_OK, all);
    bl_json_set(&all, "type", json_string("about:blank"));
    bl_json_set(&all, "status", json_integer(e->http));
    bl_json_set(&all, "code", json_string(e->code));
    bl_json_set(&all, "title", json_string(is_zh ? e->zh : e->en));
    bl_json_set(&all, "field", json_string("keys"));
    bl_say(&said, BL_SAY("{1} of {2} keys are wrong; none was added."),
           bl_say_number(wrong, im->wrong), bl_say_number(count, im->count));
    bl_said_text(&said, is_zh, NULL, text);
    bl_json_set(&all, "detail", json_string(text));
    bl_json_set(&all, "reason", json_string(bl_say_code(said.en)));
    return bl_admin_send(a, e->http, all);
}

static void count_wrong(import_t *im)
{
    int i;

    im->wrong = 0;
    for (i = 0; i < im->count; i++)
        im->wrong += im->keys[i].rv != APR_SUCCESS;
}

int bl_admin_import_keys(bl_admin_call_t *a)
{
    import_t im;
    apr_status_t rv = APR_SUCCESS;
    int i, rc;

    memset(&im, 0, sizeof(im));
    if (!read_import(a, &im, &rc)) return rc;
    if (!im.wrong) {
        rv = bl_store_do_keys_new(a->store, &a->who, im.keys, im.count,
                                  im.is_dry_run);
        count_wrong(&im);
    }
    for (i = 0; i < im.count; i++)
        bl_admin_wipe_secret(im.secrets[i]);
    if (rv != APR_SUCCESS && rv != BL_E_BAD_VALUE && rv != BL_E_CONFLICT &&
        rv != BL_E_NOT_FOUND)
    {
        return bl_admin_problem(a, rv, NULL, NULL);
    }
    return send_import(a, &im);
}
