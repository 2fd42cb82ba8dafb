/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse_parser - upstream SSE bytes, cut anywhere -> events.
 *
 * Lines end at LF, CRLF or CR; one space after the colon is dropped; a BOM at
 * the beginning, unknown fields and comments are skipped, but the comment
 * ":HTTP_STATUS/nnn" is remembered for the event it stands in (bailian.md 4).
 * An event without a data line is none.
 *
 * An event that lies whole in what was fed is handed out without a copy;
 * otherwise its bytes are held, never more than the limit of one event (U22).
 * Between events next to nothing is held: ten thousand streams wait at once.
 *
 * OWNERSHIP  the struct is the caller's; release() frees what it holds. Views
 *            in an event are valid until its function returns.
 * THREADS    none: one owner at a time.
 * ERRORS     BL_E_UPSTREAM_TOO_LARGE an event above the limit; APR_ENOMEM;
 *            what the event function returned. All of them are final: the
 *            same is answered from then on. APR_EOF from the function means
 *            that the rest is to be ignored: feed() answers APR_SUCCESS then
 *            and takes everything.
 */
#ifndef BL_SSE_PARSER_H
#define BL_SSE_PARSER_H

#include "base/buf.h"

typedef struct bl_sse_event_t {
    const char *name; /* event: field, "" when absent; cut at 31 bytes */
    const char *id;   /* id: field of this event, "" when absent; cut at 63 */
    const char *data; /* data lines joined by LF, without the last LF */
    size_t data_len;
    int http_status;   /* from a ":HTTP_STATUS/nnn" comment; 0 = none */
    int is_unfinished; /* the body ended before its blank line */
} bl_sse_event_t;

typedef apr_status_t bl_sse_event_fn(void *ctx, const bl_sse_event_t *ev);

typedef struct bl_sse_parser_t {
    bl_buf_t held;      /* joined data lines, then the unfinished line */
    size_t data_len;    /* of it: the data lines */
    size_t event_bytes; /* of this event so far, as they came */
    size_t limit;
    apr_status_t ended; /* the final answer, APR_SUCCESS while going on */
    int http_status;
    unsigned char bom;     /* bytes of a BOM seen; 4 = past the beginning */
    unsigned char skip_lf; /* the last line ended at a CR */
    unsigned char has_data;
    char name[32];
    char id[64];
} bl_sse_parser_t;

/* limit: bytes of one event, all its lines and one for each of their ends;
 * 0 = default. */
void bl_sse_parser_init(bl_sse_parser_t *p, size_t limit);
void bl_sse_parser_release(bl_sse_parser_t *p);

apr_status_t bl_sse_parser_feed(bl_sse_parser_t *p, const char *data,
                                size_t len, bl_sse_event_fn *fn, void *ctx);

/* The body ended: a last event without its blank line is handed out too. */
apr_status_t bl_sse_parser_end(bl_sse_parser_t *p, bl_sse_event_fn *fn,
                               void *ctx);

/* Has fn ended it by APR_EOF? */
int bl_sse_parser_is_done(const bl_sse_parser_t *p);

#endif
