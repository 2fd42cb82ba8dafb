/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"
#include "budget.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BYTES 128

void bl_buf_init(bl_buf_t *b, size_t limit)
{
    memset(b, 0, sizeof(*b));
    b->limit = limit;
}

void bl_buf_count(bl_buf_t *b, bl_budget_t *budget)
{
    bl_budget_passed(b->budget, b->size);
    bl_budget_pass(budget, b->size);
    b->budget = budget;
}

void bl_buf_release(bl_buf_t *b)
{
    free(b->data);
    bl_budget_passed(b->budget, b->size);
    b->data = NULL;
    b->len = b->size = 0;
}

void bl_buf_hand_over(bl_buf_t *from, bl_buf_t *to)
{
    if (from->len || to->data) return;
    bl_budget_passed(from->budget, from->size);
    bl_budget_pass(to->budget, from->size);
    to->data = from->data;
    to->size = from->size;
    from->data = NULL;
    from->size = 0;
}

void bl_buf_clear(bl_buf_t *b)
{
    b->len = 0;
    b->failed = APR_SUCCESS;
}

static char *grow(bl_buf_t *b, size_t need)
{
    size_t size = b->size ? b->size : FIRST_BYTES;
    char *data;

    if (need > b->limit) {
        b->failed = APR_ENOSPC;
        return NULL;
    }
    while (size < need)
        size *= 2;
    if (size > b->limit) size = b->limit;
    data = realloc(b->data, size);
    if (!data) {
        b->failed = APR_ENOMEM;
        return NULL;
    }
    bl_budget_pass(b->budget, size - b->size);
    b->data = data;
    b->size = size;
    return data;
}

char *bl_buf_room(bl_buf_t *b, size_t n)
{
    if (b->failed != APR_SUCCESS) return NULL;
    if (n > (size_t)-1 - b->len) {
        b->failed = APR_ENOSPC;
        return NULL;
    }
    if (b->len + n > b->size && !grow(b, b->len + n)) return NULL;
    return b->data ? b->data + b->len : grow(b, 1);
}

void bl_buf_added(bl_buf_t *b, size_t n)
{
    b->len += n;
}

apr_status_t bl_buf_append(bl_buf_t *b, const void *data, size_t n)
{
    char *room = bl_buf_room(b, n);

    if (!room) return b->failed;
    if (n) memcpy(room, data, n);
    b->len += n;
    return APR_SUCCESS;
}

apr_status_t bl_buf_puts(bl_buf_t *b, const char *s)
{
    return bl_buf_append(b, s, strlen(s));
}

apr_status_t bl_buf_putu(bl_buf_t *b, apr_uint64_t n)
{
    char digits[20];
    int i = (int)sizeof(digits);

    do {
        digits[--i] = (char)('0' + n % 10);
        n /= 10;
    } while (n);
    return bl_buf_append(b, digits + i, sizeof(digits) - (size_t)i);
}

apr_status_t bl_buf_printf(bl_buf_t *b, const char *fmt, ...)
{
    va_list ap, again;
    char *room;
    int n;

    va_start(ap, fmt);
    va_copy(again, ap);
    n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    room = n < 0 ? NULL : bl_buf_room(b, (size_t)n + 1);
    if (room) {
        vsnprintf(room, (size_t)n + 1, fmt, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return room ? APR_SUCCESS : b->failed;
}

void bl_buf_consume(bl_buf_t *b, size_t n)
{
    b->len -= n;
    if (b->len) memmove(b->data, b->data + n, b->len);
}

apr_status_t bl_buf_status(const bl_buf_t *b)
{
    return b->failed;
}

const char *bl_buf_str(bl_buf_t *b)
{
    char *end = bl_buf_room(b, 1);

    if (!end) return NULL;
    *end = '\0';
    return b->data;
}
