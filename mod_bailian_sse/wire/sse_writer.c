/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sse_writer.h"

#include <string.h>

static int is_one_line(const char *text, size_t len)
{
    return !memchr(text, '\n', len) && !memchr(text, '\r', len) &&
           !memchr(text, '\0', len);
}

static apr_status_t put_line(bl_buf_t *out, const char *field,
                             const char *value, size_t len)
{
    bl_buf_puts(out, field);
    bl_buf_append(out, value, len);
    return bl_buf_append(out, "\n", 1);
}

apr_status_t bl_sse_put_id(bl_buf_t *out, const char *id, size_t len)
{
    if (!is_one_line(id, len)) return APR_EINVAL;
    return put_line(out, "id: ", id, len);
}

apr_status_t bl_sse_put_type(bl_buf_t *out, const char *type, size_t len)
{
    if (!len || !is_one_line(type, len)) return APR_EINVAL;
    return put_line(out, "event: ", type, len);
}

apr_status_t bl_sse_put_retry(bl_buf_t *out, unsigned ms)
{
    bl_buf_puts(out, "retry: ");
    bl_buf_putu(out, ms);
    return bl_buf_append(out, "\n", 1);
}

apr_status_t bl_sse_put_data(bl_buf_t *out, const char *data, size_t len)
{
    const char *end = data + len, *p = data;

    for (;;) {
        while (p < end && *p != '\n' && *p != '\r')
            p++;
        put_line(out, "data: ", data, (size_t)(p - data));
        if (p == end) return bl_buf_status(out);
        p += *p == '\r' && end - p > 1 && p[1] == '\n' ? 2 : 1;
        data = p;
    }
}

apr_status_t bl_sse_put_comment(bl_buf_t *out, const char *words)
{
    if (!is_one_line(words, strlen(words))) return APR_EINVAL;
    put_line(out, ": ", words, strlen(words));
    return bl_buf_append(out, "\n", 1);
}

apr_status_t bl_sse_put_end(bl_buf_t *out)
{
    return bl_buf_append(out, "\n", 1);
}
