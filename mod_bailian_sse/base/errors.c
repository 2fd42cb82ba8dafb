/* SPDX-License-Identifier: Apache-2.0 */
#include "errors.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const bl_error_t errors[] = {
#define X(name, http, code, mod, client, en, zh)                               \
    {BL_E_##name, #name, http, code, BL_RETRY_##mod, client, en, zh},
    BL_ERROR_TABLE(X)
#undef X
};

const bl_error_t *bl_error(apr_status_t status)
{
    if (status <= BL_E_BASE || status >= BL_E_END) status = BL_E_INTERNAL;
    return &errors[status - BL_E_BASE - 1];
}

const char *bl_error_sentence(const bl_error_t *e, bl_lang_t lang)
{
    return lang == BL_LANG_ZH ? e->zh : e->en;
}

const bl_error_t *bl_error_by_code(const char *code)
{
    int i;

    for (i = 0; i < bl_error_count(); i++) {
        if (!strcmp(errors[i].code, code)) return &errors[i];
    }
    return NULL;
}

apr_status_t bl_error_say(apr_status_t rv, char *err, size_t size,
                          const char *fmt, ...)
{
    va_list ap;

    if (err && size) {
        va_start(ap, fmt);
        vsnprintf(err, size, fmt, ap);
        va_end(ap);
    }
    return rv;
}

int bl_error_count(void)
{
    return (int)(sizeof(errors) / sizeof(errors[0]));
}

const bl_error_t *bl_error_at(int i)
{
    return &errors[i];
}
