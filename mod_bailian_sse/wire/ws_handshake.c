/* SPDX-License-Identifier: Apache-2.0 */
#include "ws_handshake.h"
#include "base/errors.h"

#include <apr_base64.h>
#include <apr_sha1.h>
#include <string.h>
#include <strings.h>

#define GUID "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" /* RFC 6455 1.3 */
#define KEY_CHARS 24                                /* base64 of 16 bytes */

/* The next item of a list; its length, 0 at the end. */
static size_t next_item(const char **plist, const char **pitem)
{
    const char *p = *plist + strspn(*plist, " \t,");
    size_t len = strcspn(p, ",");

    *pitem = p;
    *plist = p + len;
    while (len && (p[len - 1] == ' ' || p[len - 1] == '\t'))
        len--;
    return len;
}

int bl_ws_list_has(const char *list, const char *word)
{
    const char *item;
    size_t len;

    while (list && (len = next_item(&list, &item))) {
        if (len == strlen(word) && !strncasecmp(item, word, len)) return 1;
    }
    return 0;
}

/* 22 characters of base64 and "==". */
static int is_key(const char *key)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                 "abcdefghijklmnopqrstuvwxyz0123456789+/";

    return strlen(key) == KEY_CHARS && strspn(key, digits) == KEY_CHARS - 2 &&
           !strcmp(key + 22, "==");
}

apr_status_t bl_ws_handshake(const bl_ws_ask_t *ask, char *accept)
{
    unsigned char digest[APR_SHA1_DIGESTSIZE];
    apr_sha1_ctx_t sha;

    if (!bl_ws_list_has(ask->upgrade, "websocket") ||
        !bl_ws_list_has(ask->connection, "upgrade") || !ask->version ||
        strcmp(ask->version, BL_WS_VERSION))
    {
        return BL_E_UPGRADE_REQUIRED;
    }
    if (!ask->key || !is_key(ask->key)) return BL_E_BAD_HEADER;
    apr_sha1_init(&sha);
    apr_sha1_update(&sha, ask->key, KEY_CHARS);
    apr_sha1_update(&sha, GUID, sizeof(GUID) - 1);
    apr_sha1_final(digest, &sha);
    apr_base64_encode_binary(accept, digest, sizeof(digest));
    return APR_SUCCESS;
}

void bl_ws_protocols(bl_ws_protocols_t *p, const char *list)
{
    const char *first, *second;
    size_t first_len, second_len;

    memset(p, 0, sizeof(*p));
    if (!list) return;
    first_len = next_item(&list, &first);
    second_len = next_item(&list, &second);
    if (first_len == 6 && second_len && !strncasecmp(first, "Bearer", 6)) {
        p->token = second;
        p->token_len = second_len;
    }
    else if (!first_len || second_len) {
        return;
    }
    else {
        p->token = first;
        p->token_len = first_len;
    }
    p->answer = first;
    p->answer_len = first_len;
}
