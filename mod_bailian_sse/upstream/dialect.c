/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect.h"

#include <string.h>

#include "base/errors.h"

#define FIRST_BYTES 256 /* of each; most need no more */

static const bl_dialect_t *const dialects[] = {&bl_dialect_app};

const bl_dialect_t *bl_dialect_find(const char *name)
{
    size_t i;

    for (i = 0; i < sizeof(dialects) / sizeof(dialects[0]); i++) {
        if (!strcmp(dialects[i]->name, name)) return dialects[i];
    }
    return NULL;
}

void bl_request_init(bl_request_t *rq)
{
    bl_buf_init(&rq->url, 4096);
    bl_buf_init(&rq->headers, BL_MAX_HEADER_BYTES);
    /* A body of control characters grows sixfold when it is escaped. */
    bl_buf_init(&rq->body, 8 * BL_MAX_BODY_BYTES);
    bl_buf_room(&rq->url, FIRST_BYTES);
    bl_buf_room(&rq->headers, FIRST_BYTES);
    bl_buf_room(&rq->body, FIRST_BYTES);
}

void bl_request_release(bl_request_t *rq)
{
    bl_buf_release(&rq->url);
    bl_buf_release(&rq->headers);
    bl_buf_release(&rq->body);
}

apr_status_t bl_class_of_http(int http)
{
    if (http == 401 || http == 403) return BL_E_UPSTREAM_AUTH;
    if (http == 429) return BL_E_UPSTREAM_QUOTA;
    if (http == 408) return BL_E_UPSTREAM_UNAVAILABLE;
    if (http >= 400 && http < 500) return BL_E_UPSTREAM_REJECTED;
    if (http >= 500 && http < 600) return BL_E_UPSTREAM_UNAVAILABLE;
    return BL_E_UPSTREAM_GARBAGE;
}

static int is_app_id_char(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (c >= '0' && c <= '9') || c == '.' || c == '_' || c == ':' ||
           c == '/' || c == '-';
}

int bl_app_id_is_valid(const char *id)
{
    size_t i;

    for (i = 0; id[i]; i++) {
        if (i == 128 || !is_app_id_char(id[i])) return 0;
        if (id[i] == '.' && id[i + 1] == '.') return 0;
    }
    return i > 0;
}
