/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lists and searches the conversations of one owner, newest first, by pages.
 *
 * A search is a bounded scan and not an index of words: it finds Chinese words
 * of one and two characters, leaves no copy of deleted text behind, and costs
 * nothing when answers are written (docs/decisions, "search by scan"). Text is
 * compared as it stands, so the query knows no operators (S-47).
 */
#include "store/history.h"
#include "store/lists.h"
#include "store/store_private.h"

#include "base/errors.h"
#include "base/utf8.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIMIT_DEFAULT 20
#define LIMIT_MOST 100
#define QUERY_CHARS 200
#define QUERY_BYTES (4 * QUERY_CHARS)
#define TERMS_MOST 8
/* What one page may cost; what was not looked at is behind `next`. */
#define SCAN_BYTES (64u << 20)
#define SCAN_MS 150
/* A conversation larger than this is looked at up to here. */
#define SCAN_BYTES_ONE (128u << 20)

/* Where a page ends: (updated_at, id) of its last row. */
typedef struct place_t {
    apr_int64_t updated_at, id;
} place_t;

typedef struct search_t {
    int count; /* 0: everything fits */
    char *terms[TERMS_MOST];
    char text[QUERY_BYTES + 1]; /* the terms, in lower case */
    bl_buf_t scratch;           /* one text in lower case */
    size_t bytes;               /* looked at so far */
    apr_int64_t until_ms;
} search_t;

/* The cost of a scan is real time, also where a test has stopped the clock. */
static apr_int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (apr_int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* "<updated_at>-<id>" as it was handed out; nothing else. */
static int parse_place(const char *cursor, place_t *p)
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

static apr_status_t parse_query(search_t *q, const char *query)
{
    size_t len = query ? strlen(query) : 0, blank;
    char *at;

    memset(q, 0, sizeof(*q));
    bl_buf_init(&q->scratch, 2 * BL_MAX_ANSWER_BYTES);
    q->until_ms = now_ms() + SCAN_MS;
    if (!len) return APR_SUCCESS;
    if (len > QUERY_BYTES || count_chars(query) > QUERY_CHARS) {
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
        if (q->count == TERMS_MOST) return BL_E_BAD_VALUE;
        q->terms[q->count++] = at;
        for (; *at && !blank_at(at); at++)
            *at = lower(*at);
    }
    return APR_SUCCESS;
}

/* Which terms (bits) stand in this text. */
static unsigned terms_in(search_t *q, const char *text, size_t len)
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

static unsigned terms_in_column(search_t *q, sqlite3_stmt *st, int column)
{
    const char *text = (const char *)sqlite3_column_text(st, column);

    if (!text) return 0;
    return terms_in(q, text, (size_t)sqlite3_column_bytes(st, column));
}

/* Every term stands in the title or in a message. */
static apr_status_t fits(bl_db_t *db, search_t *q, sqlite3_stmt *row,
                         int *pfits)
{
    static const char sql[] =
        "SELECT content FROM message WHERE conversation_id = ?1 ORDER BY id";
    unsigned all = (1u << q->count) - 1, found;
    sqlite3_stmt *st;
    apr_status_t rv = APR_SUCCESS;

    *pfits = 1;
    if (!q->count) return rv;
    found = terms_in_column(q, row, 2);
    st = found == all ? NULL : bl_db_stmt(db, sql);
    if (st) bl_db_int(st, 1, sqlite3_column_int64(row, 0));
    while (found != all && q->bytes < SCAN_BYTES_ONE &&
           (rv = bl_db_step(db, st)) == APR_SUCCESS)
        found |= terms_in_column(q, st, 0);
    bl_db_done(st);
    *pfits = found == all;
    return rv == APR_EOF ? APR_SUCCESS : rv;
}

/* --- the page ----------------------------------------------------------- */

static int is_spent(const search_t *q)
{
    return q->count && (q->bytes > SCAN_BYTES || now_ms() > q->until_ms);
}

static apr_status_t put_next(bl_buf_t *out, const place_t *p)
{
    char next[64];

    if (!p) return bl_buf_puts(out, "],\"next\":null}");
    snprintf(next, sizeof(next), "%" APR_INT64_T_FMT "-%" APR_INT64_T_FMT,
             p->updated_at, p->id);
    bl_buf_puts(out, "],\"next\":\"");
    bl_buf_puts(out, next);
    return bl_buf_puts(out, "\"}");
}

static apr_status_t put_page(bl_db_t *db, search_t *q, const char *owner,
                             int limit, place_t p, bl_buf_t *out)
{
    static const char sql[] =
        "SELECT id, client_id, title, created_at, updated_at FROM conversation"
        " WHERE owner = ?1 AND (updated_at, id) < (?2, ?3)"
        " ORDER BY updated_at DESC, id DESC";
    sqlite3_stmt *st = bl_db_stmt(db, sql);
    int n = 0, seen = 0, is_hit, has_more = 0;
    apr_status_t rv;

    if (!st) return bl_db_failure(db);
    bl_db_text(st, 1, owner);
    bl_db_int(st, 2, p.updated_at);
    bl_db_int(st, 3, p.id);
    bl_buf_puts(out, "{\"items\":[");
    while ((rv = bl_db_step(db, st)) == APR_SUCCESS) {
        /* At least one is looked at, or a page would never move. */
        if (n == limit || (seen++ && is_spent(q))) {
            has_more = 1;
            break;
        }
        rv = fits(db, q, st, &is_hit);
        if (rv == APR_SUCCESS && is_hit) {
            if (n++) bl_buf_puts(out, ",");
            rv = bl_json_put_new(out, bl_history_item_new(st, 1));
        }
        if (rv != APR_SUCCESS) break;
        p.updated_at = sqlite3_column_int64(st, 4);
        p.id = sqlite3_column_int64(st, 0);
    }
    bl_db_done(st);
    if (rv != APR_SUCCESS && rv != APR_EOF) return rv;
    return put_next(out, has_more ? &p : NULL);
}

apr_status_t bl_store_conversations(bl_store_t *s, const char *owner,
                                    const char *query, int limit,
                                    const char *cursor, bl_buf_t *out)
{
    size_t len = out->len;
    search_t q;
    place_t p;
    bl_db_t *db;
    apr_status_t rv = parse_query(&q, query);

    if (rv == APR_SUCCESS && !parse_place(cursor, &p)) rv = BL_E_BAD_VALUE;
    if (rv != APR_SUCCESS) return rv;
    if (limit <= 0) limit = LIMIT_DEFAULT;
    if (limit > LIMIT_MOST) limit = LIMIT_MOST;
    rv = bl_store_read_own(s, owner, NULL, &db);
    if (rv == APR_SUCCESS) {
        rv = bl_db_run(db, bl_db_stmt(db, "BEGIN"), NULL);
        if (rv == APR_SUCCESS) {
            rv = put_page(db, &q, owner, limit, p, out);
            bl_db_run(db, bl_db_stmt(db, "ROLLBACK"), NULL);
        }
        bl_store_read_end(s, db);
    }
    bl_buf_release(&q.scratch);
    if (rv != APR_SUCCESS) out->len = len;
    return rv;
}
