/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json_scan - strict pull scanner over one JSON text, without allocation.
 *
 * It checks structure, strings (escapes, no raw control character), numbers
 * and depth as it goes, and hands out views of the text, so that a dialect
 * walks only what it needs. Numbers stay text: 1e309 is one (U24). UTF-8 is
 * not checked here but where a string is unescaped (U19). Duplicate keys are
 * the reader's business: it sees them all.
 *
 * Nothing a reader has seen is known to be whole JSON before BL_JSON_END:
 * collect first, act afterwards.
 *
 * OWNERSHIP  the text is the caller's and must outlive the views.
 * THREADS    none: one owner at a time.
 * ERRORS     BL_JSON_BAD, and then for ever.
 */
#ifndef BL_JSON_SCAN_H
#define BL_JSON_SCAN_H

#include <string.h>

#include "base/buf.h"

#define BL_JSON_SCAN_DEPTH 64 /* one bit a level, no recursion */

typedef enum {
    BL_JSON_BAD,
    BL_JSON_END,    /* the whole text was one JSON value */
    BL_JSON_OBJECT, /* the beginning of one */
    BL_JSON_ARRAY,
    BL_JSON_CLOSE, /* the end of the innermost object or array */
    BL_JSON_KEY,   /* its value comes next */
    BL_JSON_STRING,
    BL_JSON_NUMBER,
    BL_JSON_TRUE,
    BL_JSON_FALSE,
    BL_JSON_NULL
} bl_json_token_t;

/* A value as it stands in the text: a string without its quotes, an object
 * or array with its brackets. */
typedef struct bl_json_value_t {
    bl_json_token_t kind; /* STRING, NUMBER ...; BL_JSON_BAD = absent */
    int has_escapes;      /* a string with a backslash in it */
    const char *at;
    size_t len;
} bl_json_value_t;

typedef struct bl_json_scan_t {
    const char *at; /* what comes next */
    const char *end;
    apr_uint64_t objects; /* bit n - 1: is level n an object? */
    int depth;
    int wants;             /* private: which tokens may come next */
    bl_json_value_t token; /* the key, string, number or word last given */
} bl_json_scan_t;

void bl_json_scan_init(bl_json_scan_t *s, const char *text, size_t len);

/* The next token. */
bl_json_token_t bl_json_scan_next(bl_json_scan_t *s);

/* The next member of the innermost object, in one step: BL_JSON_KEY with its
 * key and its value, CLOSE, BAD. Of an object or array only the beginning is
 * read: walk into it, or bl_json_scan_whole(). */
bl_json_token_t bl_json_scan_member(bl_json_scan_t *s, bl_json_value_t *key,
                                    bl_json_value_t *v);

/* Walks over the rest of v if it is an object or array that was opened last,
 * and makes it span all of it. 0 when the text is bad. */
int bl_json_scan_whole(bl_json_scan_t *s, bl_json_value_t *v);

/* Walks over the rest of the object or array that was opened last; 0 when the
 * text is bad. */
int bl_json_scan_skip(bl_json_scan_t *s);

/* The next value whole, with all that is in it. Returns its kind, or CLOSE at
 * the end of an array, END, BAD. */
bl_json_token_t bl_json_scan_value(bl_json_scan_t *s, bl_json_value_t *v);

/* Is the key or string v this one? Inline: the length of a literal is known. */
int bl_json_is_escaped(const bl_json_value_t *v, const char *word);
static inline int bl_json_is(const bl_json_value_t *v, const char *word)
{
    if (v->has_escapes) return bl_json_is_escaped(v, word);
    return v->len == strlen(word) && !memcmp(v->at, word, v->len);
}

/* Appends the text of a string's raw content, at most `most` (>= 4) bytes of
 * it; *praw and *plen move on, so that a long string can be taken in parts
 * (U22). A lone surrogate, \u0000 and each bad byte become U+FFFD and are
 * counted onto *pbad (U19). raw must come from a scanner. */
apr_status_t bl_json_unescape(bl_buf_t *out, const char **praw, size_t *plen,
                              size_t most, unsigned *pbad);

/* The text of a string value in a fixed buffer, cut at a character, always
 * NUL-terminated; "" for anything that is not a string. Returns its length. */
size_t bl_json_copy_text(char *dst, size_t size, const bl_json_value_t *v);

/* A whole number from 0 to most; -1 for anything else (S-60). */
apr_int64_t bl_json_count(const bl_json_value_t *v, apr_int64_t most);

#endif
