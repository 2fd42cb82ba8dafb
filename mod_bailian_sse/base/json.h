/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json - a client's JSON, parsed within limits, and typed getters.
 *
 * The only unit that calls jansson's parser. Depth is checked before it
 * recurses; duplicate keys, \u0000, text behind the value, a BOM and bad UTF-8
 * are refused. The outermost value is an object or an array.
 *
 * OWNERSHIP  bl_json_parse() gives a new reference; what getters give is
 *            borrowed from the object.
 * THREADS    any; a value belongs to one thread at a time.
 * ERRORS     BL_E_BAD_JSON, BL_E_TOO_DEEP, BL_E_BAD_UTF8 with the offset;
 *            BL_E_BAD_VALUE from getters: there, but of another type or out of
 *            its bounds. What is absent or null is no error.
 */
#ifndef BL_JSON_H
#define BL_JSON_H

#include <jansson.h>

#include "bl.h"

/* *poffset (may be NULL): the byte at which it went wrong. */
apr_status_t bl_json_parse(json_t **pjson, const char *text, size_t len,
                           size_t *poffset);

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

#endif
