/* SPDX-License-Identifier: Apache-2.0 */
#include "principal.h"
#include "base/errors.h"
#include "base/utf8.h"

#include <stdio.h>
#include <string.h>

static int is_plain_text(const char *text)
{
    const unsigned char *at;

    for (at = (const unsigned char *)text; *at; at++) {
        if (*at < 0x20 || *at == 0x7f) return 0;
        /* U+0085, U+2028, U+2029: line ends to somebody (C13) */
        if (at[0] == 0xc2 && at[1] == 0x85) return 0;
        if (at[0] == 0xe2 && at[1] == 0x80 && (at[2] | 1) == 0xa9) return 0;
    }
    return bl_utf8_is_valid(text, strlen(text));
}

static apr_status_t make(bl_principal_t *p, const char *kind, const char *name)
{
    p->text[0] = '\0';
    if (strlen(kind) + strlen(name) >= sizeof(p->text) || !is_plain_text(name))
    {
        return BL_E_BAD_VALUE;
    }
    snprintf(p->text, sizeof(p->text), "%s%s", kind, name);
    return APR_SUCCESS;
}

apr_status_t bl_principal_of_user(bl_principal_t *p, const char *name)
{
    return make(p, "user:", name);
}

apr_status_t bl_principal_of_anonymous(bl_principal_t *p, const char *id)
{
    return make(p, "anon:", id ? id : "");
}

apr_status_t bl_principal_of_token(bl_principal_t *p, const char *name)
{
    return make(p, "token:", name);
}

apr_status_t bl_principal_of_jwt(bl_principal_t *p, const char *issuer,
                                 const char *sub)
{
    char kind[BL_PRINCIPAL_BYTES];
    int n = snprintf(kind, sizeof(kind), "jwt:%s:", issuer);

    p->text[0] = '\0';
    return n > 0 && n < (int)sizeof(kind) ? make(p, kind, sub) : BL_E_BAD_VALUE;
}

/* Where the name begins; 0: no text of a principal. */
static size_t kind_length(const char *text)
{
    static const char *const kinds[] = {"user:", "anon:", "token:", "jwt:"};
    const char *issuer;
    size_t i;

    for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        size_t len = strlen(kinds[i]);

        if (strncmp(text, kinds[i], len)) continue;
        if (i < 3) return len;
        issuer = strchr(text + len, ':');
        return issuer ? (size_t)(issuer + 1 - text) : 0;
    }
    return 0;
}

apr_status_t bl_principal_named(bl_principal_t *p, const char *name,
                                const bl_principal_t *like)
{
    char kind[BL_PRINCIPAL_BYTES];
    size_t len = kind_length(name);

    if (len) {
        return name[len] ? make(p, "", name) : BL_E_BAD_VALUE;
    }
    len = kind_length(like->text);
    memcpy(kind, like->text, len);
    kind[len] = '\0';
    return *name ? make(p, kind, name) : BL_E_BAD_VALUE;
}

int bl_principal_is_nameless(const bl_principal_t *p)
{
    return !strcmp(p->text, "anon:");
}

int bl_principal_owns(const bl_principal_t *p, const char *owner)
{
    return *p->text && !strcmp(p->text, owner);
}

int bl_client_id_is_valid(const char *id)
{
    size_t len = strlen(id);

    return len > 0 && len < BL_ITEM_ID_BYTES && is_plain_text(id);
}
