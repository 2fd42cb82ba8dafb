/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client_fields - what an admin may say of a caller: one table of members, and
 * the checks that look at several.
 *
 * THREADS  any; the object is its caller's.
 */
#ifndef BL_CLIENT_FIELDS_H
#define BL_CLIENT_FIELDS_H

#include "store/clients.h"

#include <jansson.h>
#include <sqlite3.h>

/* A new object with every member of settings at its default; NULL without
 * memory. */
json_t *bl_client_settings_new(int is_issuer);

/* The settings in a column; NULL is none of them. Without memory it is no
 * object, never one that says less: limits and scopes stand there. */
apr_status_t bl_client_settings_read(sqlite3_stmt *st, int column,
                                     json_t **psettings);

/* Lays fields over settings and checks the whole. is_new: also members that
 * are said at the creation only. */
apr_status_t bl_client_settings_apply(json_t *settings, const json_t *fields,
                                      int is_new, bl_complaint_t *e);

unsigned bl_client_scopes(const json_t *settings);

/* "expiresAt" as wall time; 0 = never. */
apr_time_t bl_client_expiry(const json_t *settings);

#endif
