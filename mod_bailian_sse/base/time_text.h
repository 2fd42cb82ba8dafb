/* SPDX-License-Identifier: Apache-2.0 */
/*
 * time_text - wall times as people and JSON write them, and back. UTC only.
 *
 * THREADS  any.
 */
#ifndef BL_TIME_TEXT_H
#define BL_TIME_TEXT_H

#include "bl.h"

#define BL_TIME_TEXT 32 /* with the NUL */
#define BL_DAY_TEXT 16  /* likewise */
#define BL_DAY_US ((apr_time_t)86400 * 1000000)

/* "2026-11-20T11:22:33.444Z"; "" for a time outside the years 1 to 9999. */
const char *bl_time_text(char text[BL_TIME_TEXT], apr_time_t at);

/* "2026-11-20T11:22:33Z", with up to 9 digits behind the second or none; or
 * milliseconds since 1970, digits only. 0: neither. */
int bl_time_parse(const char *text, apr_time_t *pat);

/* Days since 1970 and "2026-11-20". */
const char *bl_day_text(char text[BL_DAY_TEXT], apr_int64_t day);
int bl_day_parse(const char *text, apr_int64_t *pday);

#endif
