/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin_keys - what the files about api/keys share.
 *
 * OWNERSHIP  rows and secrets are new references.
 * THREADS    the request's.
 */
#ifndef BL_ADMIN_KEYS_H
#define BL_ADMIN_KEYS_H

#include "admin_objects.h"

/* Takes "secret" out of an object, and wipes and releases it; NULL is fine. */
json_t *bl_admin_take_secret(json_t *object);
void bl_admin_wipe_secret(json_t *secret);

/* The object without its secret as a key to be made; its members move there.
 * BL_E_BAD_VALUE: key->why says what is wrong; APR_ENOMEM. */
apr_status_t bl_admin_read_key(bl_admin_call_t *a, json_t *object,
                               bl_new_key_t *key);

/* The number at {id}. 0: *prc is the answer. */
int bl_admin_key_id(bl_admin_call_t *a, apr_int64_t *pid, int *prc);

/* A row as it is stored, and what makes it one for the page. */
apr_status_t bl_admin_key_row(bl_admin_call_t *a, apr_int64_t id,
                              json_t **prow);
apr_status_t bl_admin_show(bl_admin_call_t *a, json_t *row);
int bl_admin_send_key(bl_admin_call_t *a, int status, apr_int64_t id);

int bl_admin_import_keys(bl_admin_call_t *a);

#endif
