/* SPDX-License-Identifier: Apache-2.0 */
#include "params.h"
#include "base/errors.h"
#include "base/time_text.h"

#include <stdlib.h>
#include <string.h>

int bl_params_refuse(bl_params_t *p, const char *field, const char *en)
{
    if (p->rv == APR_SUCCESS) p->rv = bl_complain(&p->why, field, en);
    return 0;
}

int bl_params_time(bl_params_t *p, const char *name, apr_time_t *pvalue)
{
    const char *text = p->get(p->ctx, name);
    apr_time_t at;

    if (!text) return 1;
    if (!bl_time_parse(text, &at) || at < 0) {
        return bl_params_refuse(
            p, name,
            BL_SAY("must be a time as 2026-11-20T11:22:33Z, or milliseconds "
                   "since 1970"));
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
        return bl_params_refuse(p, name, BL_SAY("must be a day as 2026-11-20"));
    }
    *pvalue = day;
    return 1;
}

int bl_params_number(bl_params_t *p, const char *name, apr_int64_t least,
                     apr_int64_t most, apr_int64_t *pvalue)
{
    const char *text = p->get(p->ctx, name);
    bl_say_number_t low, high;
    char *end;
    apr_int64_t n;

    if (!text) return 1;
    n = strtoll(text, &end, 10);
    if (end == text || *end || n < least || n > most) {
        if (p->rv == APR_SUCCESS) {
            p->rv = bl_complain(
                &p->why, name, BL_SAY("must be a whole number from {1} to {2}"),
                bl_say_number(low, least), bl_say_number(high, most));
        }
        return 0;
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
            return bl_params_refuse(p, name,
                                    BL_SAY("is not a member of this object"));
        }
    }
    return 1;
}
