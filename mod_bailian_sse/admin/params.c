/* SPDX-License-Identifier: Apache-2.0 */
#include "params.h"
#include "base/errors.h"
#include "base/time_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int bl_params_refuse(bl_params_t *p, const char *field, const char *detail)
{
    if (p->rv != APR_SUCCESS) return 0;
    p->rv = BL_E_BAD_VALUE;
    p->field = field;
    snprintf(p->detail, sizeof(p->detail), "%s", detail);
    return 0;
}

static int refuse(bl_params_t *p, const char *name, const char *wish)
{
    char detail[sizeof(p->detail)];

    snprintf(detail, sizeof(detail), "%s must be %s", name, wish);
    return bl_params_refuse(p, name, detail);
}

int bl_params_time(bl_params_t *p, const char *name, apr_time_t *pvalue)
{
    const char *text = p->get(p->ctx, name);
    apr_time_t at;

    if (!text) return 1;
    if (!bl_time_parse(text, &at) || at < 0) {
        return refuse(p, name,
                      "a time as 2026-11-20T11:22:33Z, or milliseconds");
    }
    *pvalue = at;
    return 1;
}

int bl_params_day(bl_params_t *p, const char *name, apr_int64_t *pvalue)
{
    const char *text = p->get(p->ctx, name);
    apr_int64_t day;

    if (!text) return 1;
    if (!bl_day_parse(text, &day) || day < 0) {
        return refuse(p, name, "a day as 2026-11-20");
    }
    *pvalue = day;
    return 1;
}

int bl_params_number(bl_params_t *p, const char *name, apr_int64_t least,
                     apr_int64_t most, apr_int64_t *pvalue)
{
    const char *text = p->get(p->ctx, name);
    char wish[64], *end;
    apr_int64_t n;

    if (!text) return 1;
    n = strtoll(text, &end, 10);
    if (end == text || *end || n < least || n > most) {
        snprintf(wish, sizeof(wish),
                 "%" APR_INT64_T_FMT " to %" APR_INT64_T_FMT, least, most);
        return refuse(p, name, wish);
    }
    *pvalue = n;
    return 1;
}

int bl_params_only(bl_params_t *p, json_t *object, const char *const *names)
{
    const char *name;
    json_t *value;

    json_object_foreach(object, name, value)
    {
        const char *const *known = names;

        while (*known && strcmp(*known, name) != 0)
            known++;
        if (!*known) {
            return bl_params_refuse(p, name, "there is no such member");
        }
    }
    return 1;
}
