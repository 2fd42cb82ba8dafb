/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - a client's JSON, parsed within limits, and typed getters; and how an
 * object is made.
 *
 * Nobody else gives to jansson's parser what comes from a client. Depth is
 * checked before it recurses; duplicate keys, \u0000, text behind the value, a
 * BOM and bad UTF-8 are refused. The outermost value is an object or an array.
 *
 * OWNERSHIP  bl_json_parse() gives a new reference; what getters give is
 *            borrowed from the object.
 * THREADS    any; a value belongs to one thread at a time.
 * ERRORS     BL_E_BAD_JSON, BL_E_TOO_DEEP, BL_E_BAD_UTF8 with the offset;
 *            APR_ENOMEM;
 *            BL_E_BAD_VALUE from getters: there, but of another type or out of
 *            its bounds. What is absent or null is no error.
 */
#ifndef BL_JSON_H
#define BL_JSON_H

#include <jansson.h>

#include "buf.h"

/* *poffset (may be NULL): the byte at which it went wrong. */
apr_status_t bl_json_parse(json_t **pjson, const char *text, size_t len,
                           size_t *poffset);

/* The same of what we wrote ourselves, at any depth: BL_E_STORE_CORRUPT, or
 * APR_ENOMEM. */
apr_status_t bl_json_parse_stored(json_t **pjson, const char *text);

/* At most max bytes; absent: NULL. */
apr_status_t bl_json_get_string(const json_t *o, const char *key, size_t max,
                                const char **pvalue);

/* Absent: *pvalue stays what it was, the default. */
apr_status_t bl_json_get_bool(const json_t *o, const char *key, int *pvalue);
apr_status_t bl_json_get_int(const json_t *o, const char *key, apr_int64_t min,
                             apr_int64_t max, apr_int64_t *pvalue);

/* Absent: NULL. An array of at most max items. */
apr_status_t bl_json_get_array(const json_t *o, const char *key, size_t max,
                               json_t **pvalue);
apr_status_t bl_json_get_object(const json_t *o, const char *key,
                                json_t **pvalue);

/* --- one that is being made ---------------------------------------------- */

/* What cannot be told whole is none (R02): without memory, or for a value that
 * could not be made, the reference is dropped and NULL from then on, and what
 * follows changes nothing. One look at the end is enough. */
void bl_json_set(json_t **pobject, const char *name, json_t *value_take);
void bl_json_append(json_t **plist, json_t *value_take);

/* --- as text ------------------------------------------------------------- */

/* Appends it on one line; flags: jansson's, as JSON_EMBED. */
apr_status_t bl_json_write(bl_buf_t *out, const json_t *value, size_t flags);

/* malloc'd, NULL without memory. json_dumps() of jansson 2.14 leaves out of an
 * object what it has no memory for, and does not tell. */
char *bl_json_dump(const json_t *value, size_t flags);

#endif
