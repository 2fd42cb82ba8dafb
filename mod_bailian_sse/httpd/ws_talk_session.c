/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_talk_session - SESSION_*: a session is a conversation of the caller
 * (docs/protocol.md, "Conversations"), and its id the conversation's.
 */
#include "ws_talk.h"
#include "base/clock.h"
#include "crypto/token.h"
#include "engine/members.h"
#include "store/members.h"

#include <stdlib.h>
#include <string.h>

#define TITLE_BYTES 800
#define LIST_DEFAULT 30
#define LIST_MOST 100
#define CURSOR_BYTES 256
#define QUERY_BYTES 1024

static bl_store_t *store_of(const bl_talk_call_t *call)
{
    return bl_engine_store(call->s->engine);
}

/* A caller without a name has no sessions of his own. */
static apr_status_t check_owner(bl_talk_call_t *call, unsigned needs)
{
    if (needs & ~call->s->scopes) return BL_E_FORBIDDEN;
    if (!bl_principal_is_nameless(&call->s->principal)) return APR_SUCCESS;
    call->field = "userId";
    return BL_E_BAD_VALUE;
}

static apr_status_t get_text(bl_talk_call_t *call, const char *name, size_t max,
                             const char **ptext)
{
    apr_status_t rv = APR_SUCCESS;

    *ptext = NULL;
    if (call->m.data) rv = bl_json_get_string(call->m.data, name, max, ptext);
    if (rv != APR_SUCCESS) call->field = name;
    return rv;
}

/* {"sessionId","title"}; title NULL: none. */
static void answer(bl_talk_call_t *call, const char *id, const char *title)
{
    bl_talk_t *t = call->t;

    bl_msg_begin(&t->json, call->m.type, id, &t->peer);
    bl_buf_puts(&t->json, "{\"sessionId\":");
    bl_json_puts(&t->json, id);
    if (title) {
        bl_buf_puts(&t->json, ",\"title\":");
        bl_json_puts(&t->json, title);
    }
    bl_buf_puts(&t->json, "}");
    bl_msg_end(&t->json, bl_clock_wall());
    bl_talk_send(call->s);
}

apr_status_t bl_talk_session_create(bl_talk_call_t *call)
{
    unsigned char bytes[BL_ID_BYTES];
    char made[2 * sizeof(bytes) + 1];
    const char *title, *id = call->m.session_id;
    apr_status_t rv = check_owner(call, BL_SCOPE_ASK);

    if (rv == APR_SUCCESS) rv = get_text(call, "title", TITLE_BYTES, &title);
    if (rv == APR_SUCCESS && !id) {
        rv = bl_random_bytes(bytes, sizeof(bytes));
        if (rv != APR_SUCCESS) return BL_E_OVERLOADED;
        bl_hex(made, bytes, sizeof(bytes));
        id = made;
    }
    if (rv != APR_SUCCESS) return rv;
    if (!title) title = "";
    rv = bl_store_do_create(store_of(call), call->s->principal.text, id, title,
                            bl_clock_wall());
    if (rv == APR_SUCCESS)
        answer(call, id, title);
    else
        call->field = rv == BL_E_CONFLICT ? "sessionId" : "title";
    return rv;
}

/* Of a session that others share with him nothing is his to change. */
static apr_status_t check_mine(bl_talk_call_t *call, const char *id)
{
    const char *me = call->s->principal.text;
    char owner[BL_PRINCIPAL_BYTES];
    apr_status_t rv;

    if (!bl_shared_id_is(id)) return APR_SUCCESS;
    rv = bl_store_shared_owner(store_of(call), me, id, owner);
    if (rv != APR_SUCCESS) call->field = "sessionId";
    return rv == APR_SUCCESS && strcmp(owner, me) ? BL_E_FORBIDDEN : rv;
}

/* {"sessionId","conversationId","owner","members"} */
static apr_status_t answer_members(bl_talk_call_t *call, const char *id)
{
    bl_talk_t *t = call->t;
    apr_status_t rv;

    bl_msg_begin(&t->json, call->m.type, id, &t->peer);
    bl_buf_puts(&t->json, "{\"sessionId\":");
    bl_json_puts(&t->json, id);
    bl_buf_puts(&t->json, ",");
    rv =
        bl_store_members(store_of(call), call->s->principal.text, id, &t->json);
    if (rv != APR_SUCCESS) return rv;
    bl_buf_puts(&t->json, "}");
    bl_msg_end(&t->json, bl_clock_wall());
    bl_talk_send(call->s);
    return APR_SUCCESS;
}

/* A session gets another id when it is shared first: this connection goes on
 * in it. */
static apr_status_t add_member(bl_talk_call_t *call, const char *member)
{
    char id[BL_SHARED_ID_BYTES];
    apr_status_t rv =
        bl_store_do_member_add(store_of(call), call->s->principal.text,
                               call->session_id, member, bl_clock_wall(), id);

    if (rv != APR_SUCCESS) return rv;
    if (!strcmp(call->session_id, call->t->session_id)) {
        memcpy(call->t->session_id, id, sizeof(id));
    }
    return answer_members(call, id);
}

static apr_status_t change_members(bl_talk_call_t *call, const char *add,
                                   const char *remove)
{
    bl_principal_t member;
    apr_status_t rv;

    call->field = add ? "addMember" : "removeMember";
    if (add && remove) return BL_E_BAD_VALUE;
    rv = bl_principal_named(&member, add ? add : remove, &call->s->principal);
    if (rv == APR_SUCCESS && add) return add_member(call, member.text);
    if (rv == APR_SUCCESS) {
        rv = bl_members_remove(call->s->engine, call->s->principal.text,
                               call->session_id, member.text);
    }
    return rv == APR_SUCCESS ? answer_members(call, call->session_id) : rv;
}

apr_status_t bl_talk_session_update(bl_talk_call_t *call)
{
    const char *title, *add, *remove;
    apr_status_t rv = check_owner(call, BL_SCOPE_MANAGE);

    if (rv == APR_SUCCESS) rv = get_text(call, "title", TITLE_BYTES, &title);
    if (rv == APR_SUCCESS) {
        rv = get_text(call, "addMember", BL_PRINCIPAL_BYTES - 1, &add);
    }
    if (rv == APR_SUCCESS) {
        rv = get_text(call, "removeMember", BL_PRINCIPAL_BYTES - 1, &remove);
    }
    if (rv == APR_SUCCESS) rv = check_mine(call, call->session_id);
    if (rv != APR_SUCCESS) return rv;
    if (!title && (add || remove)) return change_members(call, add, remove);
    rv = title && !add && !remove
             ? bl_store_do_rename(store_of(call), call->s->principal.text,
                                  call->session_id, title)
             : BL_E_BAD_VALUE;
    if (rv == APR_SUCCESS)
        answer(call, call->session_id, title);
    else
        call->field = rv == BL_E_NOT_FOUND ? "sessionId" : "title";
    return rv;
}

/* Never the connection's own by default: it has to be named. */
apr_status_t bl_talk_session_delete(bl_talk_call_t *call)
{
    apr_status_t rv = check_owner(call, BL_SCOPE_MANAGE);

    if (rv != APR_SUCCESS) return rv;
    call->field = "sessionId";
    if (!call->m.session_id) return BL_E_BAD_VALUE;
    rv = check_mine(call, call->m.session_id);
    if (rv != APR_SUCCESS) return rv;
    rv = bl_store_do_delete(store_of(call), call->s->principal.text,
                            call->m.session_id);
    if (rv == APR_SUCCESS) answer(call, call->m.session_id, NULL);
    return rv;
}

apr_status_t bl_talk_session_list(bl_talk_call_t *call)
{
    bl_talk_t *t = call->t;
    apr_int64_t limit = LIST_DEFAULT;
    const char *query, *cursor;
    apr_status_t rv = check_owner(call, BL_SCOPE_READ);

    if (rv == APR_SUCCESS) rv = get_text(call, "query", QUERY_BYTES, &query);
    if (rv == APR_SUCCESS) rv = get_text(call, "cursor", CURSOR_BYTES, &cursor);
    if (rv == APR_SUCCESS && call->m.data &&
        bl_json_get_int(call->m.data, "limit", 1, LIST_MOST, &limit) !=
            APR_SUCCESS)
    {
        call->field = "limit";
        rv = BL_E_BAD_VALUE;
    }
    if (rv != APR_SUCCESS) return rv;
    bl_msg_begin(&t->json, BL_MSG_SESSION_LIST, call->session_id, &t->peer);
    rv = bl_store_conversations(store_of(call), call->s->principal.text, query,
                                (int)limit, cursor, &t->json);
    bl_msg_end(&t->json, bl_clock_wall());
    if (rv == APR_SUCCESS)
        bl_talk_send(call->s);
    else
        call->field = rv == BL_E_BAD_VALUE ? "query" : NULL;
    return rv;
}
