/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conversations - requests about conversations and their retention, checked
 * and made into what the store is asked (docs/admin-api.md).
 *
 * OWNERSHIP  texts are borrowed from the request.
 * THREADS    any.
 * ERRORS     BL_E_BAD_VALUE in p, with field and detail.
 */
#ifndef BL_ADMIN_CONVERSATIONS_H
#define BL_ADMIN_CONVERSATIONS_H

#include "admin/params.h"
#include "store/conversations.h"
#include "store/retention.h"

/* GET api/conversations. *pshows: it asks for text (q, titles=1). */
apr_status_t bl_admin_conversation_filter(bl_params_t *p,
                                          bl_conversation_filter_t *f,
                                          int *pshows);

/* POST api/conversations/delete */
apr_status_t bl_admin_deletion(bl_params_t *p, json_t *body, bl_deletion_t *d,
                               int *pis_dry);

/* PATCH api/settings */
apr_status_t bl_admin_retention(bl_params_t *p, json_t *body,
                                bl_retention_change_t *c);

#endif
