/* SPDX-License-Identifier: Apache-2.0 */
/*
 * scan - a bounded look through conversations, newest first, by pages: the
 * words that are asked for, what one page may cost, and where it ended.
 *
 * A search is a bounded scan and not an index of words: it finds Chinese words
 * of one and two characters, leaves no copy of deleted text behind, and costs
 * nothing when answers are written (docs/decisions, "search by scan"). Text is
 * compared as it stands, so the query knows no operators (S-47).
 *
 * OWNERSHIP  the struct is the caller's; released also when begin failed.
 * THREADS    that of the connection.
 * ERRORS     BL_E_BAD_VALUE too long, too many words, no cursor of ours;
 *            BL_E_BAD_UTF8.
 */
#ifndef BL_SCAN_H
#define BL_SCAN_H

#include "base/buf.h"
#include "store/db.h"

#define BL_SCAN_TERMS 8
#define BL_SCAN_CHARS 200
#define BL_SCAN_QUERY_BYTES (4 * BL_SCAN_CHARS)
/* What one page may cost; what was not looked at is behind `next`. */
#define BL_SCAN_BYTES (64u << 20)
#define BL_SCAN_MS 150
/* A conversation larger than this is looked at up to here. */
#define BL_SCAN_BYTES_ONE (128u << 20)

/* Where a page ends: (updated_at, id) of its last row. */
typedef struct bl_place_t {
    apr_int64_t updated_at, id;
} bl_place_t;

typedef struct bl_scan_t {
    int count; /* of terms; 0: everything fits */
    char *terms[BL_SCAN_TERMS];
    char text[BL_SCAN_QUERY_BYTES + 1]; /* the terms, in lower case */
    bl_buf_t scratch;                   /* one text in lower case */
    size_t bytes;                       /* looked at so far */
    int rows;                           /* conversations looked at so far */
    apr_int64_t until_ms;
    bl_place_t at; /* the page begins behind it */
} bl_scan_t;

/* query, cursor: NULL or "" for none. */
apr_status_t bl_scan_begin(bl_scan_t *q, const char *query, const char *cursor);
void bl_scan_release(bl_scan_t *q);

/* To be asked before each conversation: has this page cost enough? The first
 * one is always looked at, or a page would never move. */
int bl_scan_is_spent(bl_scan_t *q);

/* Does every term stand in the title or in a message of this conversation?
 * row: the statement that found it, with its title in column title. */
apr_status_t bl_scan_fits(bl_db_t *db, bl_scan_t *q, sqlite3_stmt *row,
                          int title, apr_int64_t id, int *pfits);

/* `],"next":...}`: null, or the place behind which the next page begins. */
apr_status_t bl_scan_put_next(bl_buf_t *out, const bl_scan_t *q, int has_more);

#endif
