/* SPDX-License-Identifier: Apache-2.0 */
/*
 * members - callers that an owner lets into one of his conversations: they
 * read it and ask in it; to rename, delete and share it stays his.
 *
 * Ids of conversations are unique for their owner only. One that is shared
 * gets a new id with its first member, which nobody can guess and no client
 * can choose; it is the only one by which anybody knows it from then on. So
 * nobody can be made to ask in a conversation that he does not know.
 *
 * THREADS  any but the reactor.
 * ERRORS   BL_E_NOT_FOUND also when it is not the caller's business; those of
 *          the store.
 */
#ifndef BL_MEMBERS_H
#define BL_MEMBERS_H

#include "store/store.h"

#define BL_MEMBERS_MOST 64 /* of a conversation */
#define BL_SHARED_ID_BYTES (sizeof("shared-") + BL_ID_TEXT)

/* Has it the form of a shared conversation's id? */
int bl_shared_id_is(const char *id);

/* Whose conversation it is, if `who` is its owner or a member. */
apr_status_t bl_store_shared_owner(bl_store_t *s, const char *who,
                                   const char *id,
                                   char owner[BL_PRINCIPAL_BYTES]);

/* Whose stream it is, if `who` is a member of its conversation. */
apr_status_t bl_store_stream_shared(bl_store_t *s, const char *who,
                                    const char *stream_id,
                                    char owner[BL_PRINCIPAL_BYTES]);

/* fn for the owner and each member, if `who` is one of them. fn must not
 * wait. */
typedef void bl_member_fn(void *ctx, const char *principal);
apr_status_t bl_store_each_member(bl_store_t *s, const char *who,
                                  const char *id, bl_member_fn *fn, void *ctx);

/* Appends members of an object, whose braces are the caller's to write:
 * "conversationId","owner","members":[{"member","addedAt"}]. */
apr_status_t bl_store_members(bl_store_t *s, const char *who, const char *id,
                              bl_buf_t *out);

/* shared_id: what the conversation is called from now on. BL_E_CONFLICT: it
 * has BL_MEMBERS_MOST. One that is a member already stays it. */
apr_status_t bl_store_do_member_add(bl_store_t *s, const char *owner,
                                    const char *id, const char *member,
                                    apr_time_t at,
                                    char shared_id[BL_SHARED_ID_BYTES]);

/* BL_E_NOT_FOUND also when he is none. */
apr_status_t bl_store_do_member_remove(bl_store_t *s, const char *owner,
                                       const char *id, const char *member);

#endif
