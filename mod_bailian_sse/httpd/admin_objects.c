/* SPDX-License-Identifier: Apache-2.0 */
#include "admin_objects.h"
#include "base/json.h"

#include <stdlib.h>
#include <string.h>

/* S-42: a copy in the request's pool lives no longer than the request. */
static const char *dump(apr_pool_t *p, const json_t *value)
{
    char *text = bl_json_dump(value, JSON_REAL_PRECISION(15));
    const char *copy = text ? apr_pstrdup(p, text) : NULL;

    free(text);
    return copy;
}

int bl_admin_send(bl_admin_call_t *a, int status, json_t *object_take)
{
    const char *text = object_take ? dump(a->r->pool, object_take) : NULL;
    json_int_t version =
        json_integer_value(json_object_get(object_take, "version"));

    json_decref(object_take);
    if (!text) return bl_admin_problem(a, APR_ENOMEM, NULL, NULL);
    if (version) {
        apr_table_setn(a->r->headers_out, "ETag",
                       apr_psprintf(a->r->pool, "\"%" APR_INT64_T_FMT "\"",
                                    (apr_int64_t)version));
    }
    return bl_call_answer(a->r, status, "application/json; charset=utf-8", text,
                          strlen(text));
}

int bl_admin_send_list(bl_admin_call_t *a, json_t *rows_take, const char *next)
{
    return bl_admin_send(
        a, HTTP_OK, json_pack("{s:o,s:s?}", "items", rows_take, "next", next));
}

int bl_admin_send_nothing(bl_admin_call_t *a)
{
    a->r->status = HTTP_NO_CONTENT;
    apr_table_setn(a->r->headers_out, "Cache-Control", "no-store");
    return OK;
}

int bl_admin_refuse(bl_admin_call_t *a, apr_status_t rv,
                    const bl_change_t *change)
{
    bl_complaint_t why = change->why;
    bl_say_number_t present;

    if (rv == BL_E_VERSION_CONFLICT) {
        bl_say(&why.said, BL_SAY("Its version is now {1}."),
               bl_say_number(present, change->present));
    }
    return bl_admin_complain(a, rv, &why);
}

int bl_admin_version(bl_admin_call_t *a, bl_change_t *change, int *prc)
{
    apr_status_t rv;

    memset(change, 0, sizeof(*change));
    rv = bl_admin_if_match(a, &change->revision);
    if (rv == APR_SUCCESS) return 1;
    *prc = bl_admin_problem(a, rv, "If-Match",
                            BL_SAY("Send the version that the change is based "
                                   "on, as If-Match: \"7\"."));
    return 0;
}

int bl_admin_take_text(bl_admin_call_t *a, const char *name,
                       const char **pvalue, int *prc)
{
    const json_t *value = json_object_get(a->body, name);

    if (!value) return 1;
    if (!json_is_string(value)) {
        *prc =
            bl_admin_problem(a, BL_E_BAD_VALUE, name, BL_SAY("must be a text"));
        return 0;
    }
    *pvalue = apr_pstrdup(a->r->pool, json_string_value(value));
    json_object_del(a->body, name);
    return 1;
}

const char *bl_admin_fields(bl_admin_call_t *a)
{
    return dump(a->r->pool, a->body);
}
