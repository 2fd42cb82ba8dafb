/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sse_writer - event -> id, event, retry and data lines for the client.
 *
 * User text cannot break out of its line (S-48): id and event type with CR,
 * LF or NUL are refused; data starts a new data line at LF, CR and CRLF alike,
 * so that a browser puts it together again with LF.
 *
 * OWNERSHIP  nothing is kept.
 * THREADS    any.
 * ERRORS     APR_EINVAL for a refused value, nothing was appended; else those
 *            of the buffer.
 */
#ifndef BL_SSE_WRITER_H
#define BL_SSE_WRITER_H

#include "base/buf.h"

/* "id: <id>\n" */
apr_status_t bl_sse_put_id(bl_buf_t *out, const char *id, size_t len);

/* "event: <type>\n"; also refused when empty: that is no line at all. */
apr_status_t bl_sse_put_type(bl_buf_t *out, const char *type, size_t len);

/* "retry: <ms>\n" */
apr_status_t bl_sse_put_retry(bl_buf_t *out, unsigned ms);

/* One or more "data: ...\n" */
apr_status_t bl_sse_put_data(bl_buf_t *out, const char *data, size_t len);

/* ": <words>\n\n". Our own words only, never text from outside. */
apr_status_t bl_sse_put_comment(bl_buf_t *out, const char *words);

/* The blank line that ends an event. */
apr_status_t bl_sse_put_end(bl_buf_t *out);

#endif
