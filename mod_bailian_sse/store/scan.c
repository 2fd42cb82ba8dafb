/* SPDX-License-Identifier: Apache-2.0 */
#include "store/scan.h"

#include "base/errors.h"
#include "base/utf8.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* The cost of a scan is real time, also where a test has stopped the clock. */
static apr_int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* "<updated_at>-<id>" as it was handed out; nothing else. */
static int parse_place(const char *cursor, bl_place_t *p)
{
    char back[64], *end;

    p->updated_at = p->id = APR_INT64_MAX;
    if (!cursor || !*cursor) return 1;
    p->updated_at = strtoll(cursor, &end, 10);
    if (*end != '-') return 0;
    p->id = strtoll(end + 1, &end, 10);
    snprintf(back, sizeof(back), "%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT,
             p->updated_at, p->id);
    return p->updated_at >= 0 && p->id > 0 && !strcmp(back, cursor);
}

/* --- the query ---------------------------------------------------------- */

/* ASCII only: other scripts of our users have no case. */
static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 'a' - 'A') : c;
}

/* Length of the blank at s: ASCII white space or U+3000, else 0. */
static size_t blank_at(const char *s)
{
    if (*s == ' ' || (*s >= '\t' && *s <= '\r')) return 1;
    return strncmp(s, "\xe3\x80\x80", 3) ? 0 : 3;
}

static int count_chars(const char *s)
{
    int n = 0;

    for (; *s; s++)
        n += ((unsigned char)*s & 0xc0) != 0x80;
    return n;
}

static apr_status_t parse_query(bl_scan_t *q, const char *query)
{
    size_t len = query ? strlen(query) : 0, blank;
    char *at;

    if (!len) return APR_SUCCESS;
    if (len > BL_SCAN_QUERY_BYTES || count_chars(query) > BL_SCAN_CHARS) {
        return BL_E_BAD_VALUE;
    }
    if (!bl_utf8_is_valid(query, len)) return BL_E_BAD_UTF8;
    memcpy(q->text, query, len + 1);
    at = q->text;
    while (*at) {
        if ((blank = blank_at(at)) > 0) {
            memset(at, '\0', blank);
            at += blank;
            continue;
        }
        if (q->count == BL_SCAN_TERMS) return BL_E_BAD_VALUE;
        q->terms[q->count++] = at;
        for (; *at && !blank_at(at); at++)
            *at = lower(*at);
    }
    return APR_SUCCESS;
}

apr_status_t bl_scan_begin(bl_scan_t *q, const char *query, const char *cursor)
{
    memset(q, 0, sizeof(*q));
    bl_buf_init(&q->scratch, 2 * BL_MAX_ANSWER_BYTES);
    q->until_ms = now_ms() + BL_SCAN_MS;
    if (!parse_place(cursor, &q->at)) return BL_E_BAD_VALUE;
    return parse_query(q, query);
}

void bl_scan_release(bl_scan_t *q)
{
    bl_buf_release(&q->scratch);
}

/* Which terms (bits) stand in this text. */
static unsigned terms_in(bl_scan_t *q, const char *text, size_t len)
{
    unsigned found = 0;
    char *copy;
    size_t i;
    int t;

    q->bytes += len;
    bl_buf_clear(&q->scratch);
    copy = bl_buf_room(&q->scratch, len);
    if (!copy) return 0;
    for (i = 0; i < len; i++)
        copy[i] = lower(text[i]);
    for (t = 0; t < q->count; t++) {
        if (memmem(copy, len, q->terms[t], strlen(q->terms[t]))) {
            found |= 1u << t;
        }
    }
    return found;
}

static unsigned terms_in_column(bl_scan_t *q, sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);

    if (!text) return 0;
    return terms_in(q, text, (size_t)sqlite3_column_bytes(st, column));
}

apr_status_t bl_scan_fits(bl_db_t *db, bl_scan_t *q, sqlite3_stmt *row,
                          int title, apr_int64_t id, int *pfits)
{
    static const char sql[] =
        "SELECT content FROM message WHERE conversation_id = ?1 ORDER BY id";
    unsigned all = (1u << q->count) - 1, found;
    sqlite3_stmt *st;
    apr_status_t rv = APR_SUCCESS;

    *pfits = 1;
    if (!q->count) return rv;
    found = terms_in_column(q, row, title);
    st = found == all ? NULL : bl_db_stmt(db, sql);
    if (st) bl_db_int(st, 1, id);
    while (found != all && q->bytes < BL_SCAN_BYTES_ONE &&
           (rv = bl_db_step(db, st)) == APR_SUCCESS)
        found |= terms_in_column(q, st, 0);
    bl_db_done(st);
    *pfits = found == all;
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* --- the page ----------------------------------------------------------- */

int bl_scan_is_spent(bl_scan_t *q)
{
    return q->rows++ && (q->bytes > BL_SCAN_BYTES || now_ms() > q->until_ms);
}

apr_status_t bl_scan_put_next(bl_buf_t *out, const bl_scan_t *q, int has_more)
{
    if (!has_more) return bl_buf_puts(out, "],\"next\":null}");
    return bl_buf_printf(
        out, "],\"next\":\"%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT "\"}",
        q->at.updated_at, q->at.id);
}
