/* SPDX-License-Identifier: Apache-2.0 */
/*
 * conversations - everybody's, for an admin (docs/admin-api.md).
 *
 * What shows text is audited in a durable transaction before it is handed
 * out: when that cannot be written, out stays as it was (A09).
 *
 * A conversation is named by its row id and the moment it was made, because
 * SQLite may use a row id again.
 *
 * THREADS  any but the reactor.
 * ERRORS   BL_E_NOT_FOUND; BL_E_BAD_VALUE query or cursor; those of the store.
 */
#ifndef BL_CONVERSATIONS_H
#define BL_CONVERSATIONS_H

#include "store/store.h"

#define BL_CONVERSATIONS_MOST 100 /* of a page */

typedef struct bl_conversation_filter_t {
    const char *query;           /* NULL or "": any */
    const char *user, *app;      /* NULL: any */
    int has_outcome;             /* else any */
    bl_outcome_t outcome;        /* NONE: live */
    apr_time_t from, to;         /* last added to; to 0: no end */
    int limit;                   /* 1 to BL_CONVERSATIONS_MOST */
    const char *cursor;          /* NULL: from the newest */
    const bl_admin_who_t *shown; /* titles are shown to; NULL: no text, and
                                    query must be empty */
} bl_conversation_filter_t;

apr_status_t bl_store_all_conversations(bl_store_t *s,
                                        const bl_conversation_filter_t *f,
                                        bl_buf_t *out);

typedef enum {
    BL_CONVERSATION_READ,
    BL_CONVERSATION_EXPORT,
    BL_CONVERSATION_MARKDOWN
} bl_conversation_form_t;

apr_status_t bl_store_any_conversation(bl_store_t *s, const bl_admin_who_t *who,
                                       const char *id,
                                       bl_conversation_form_t form,
                                       bl_buf_t *out);

apr_status_t bl_store_do_any_delete(bl_store_t *s, const bl_admin_who_t *who,
                                    const char *id);

#endif
