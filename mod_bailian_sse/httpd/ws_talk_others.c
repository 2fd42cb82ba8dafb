/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ws_talk_others - TYPING_* and ONLINE_STATUS: what a client says of itself
 * goes to the same caller's other connections, in all children, and to those
 * of whoever shares the session with him.
 */
#include "ws_talk.h"
#include "base/clock.h"
#include "base/json.h"
#include "engine/notes.h"
#include "store/members.h"

#include <stdlib.h>
#include <string.h>

#define DATA_BYTES 4096

/* One message on its way to the connections of this child. */
typedef struct note_t {
    const bl_socket_t *from; /* NULL: of another child */
    const char *owner;
    bl_buf_t frame;
} note_t;

static void deliver(bl_socket_t *s, void *ctx)
{
    const note_t *n = ctx;

    if (s != n->from && s->kind == &bl_ws_talk &&
        !strcmp(s->principal.text, n->owner))
    {
        bl_socket_send(s, n->frame.data, n->frame.len);
    }
}

static void deliver_here(const bl_socket_t *from, const char *owner,
                         const char *text, size_t len)
{
    note_t n;

    n.from = from;
    n.owner = owner;
    bl_buf_init(&n.frame, 2 * BL_NOTE_BYTES);
    if (bl_ws_put_text(&n.frame, text, len) == APR_SUCCESS) {
        bl_sockets_each(deliver, &n);
    }
    bl_buf_release(&n.frame);
}

void bl_talk_note(const char *owner, const char *text, size_t len)
{
    deliver_here(NULL, owner, text, len);
}

/* What the client put into data, as it stands there. */
static apr_status_t put_data(bl_talk_call_t *call)
{
    const json_t *data = json_object_get(call->m.json, "data");
    char *text = bl_json_dump(data, 0);
    apr_status_t rv = APR_SUCCESS;

    if (data && !text) return APR_ENOMEM;
    if (text && strlen(text) > DATA_BYTES) {
        call->field = "data";
        rv = BL_E_BAD_VALUE;
    }
    if (rv == APR_SUCCESS) bl_buf_puts(&call->t->json, text ? text : "{}");
    free(text);
    return rv;
}

/* A bl_member_fn: to all connections of one caller but the one it came from. */
static void tell(void *ctx, const char *principal)
{
    bl_talk_call_t *call = ctx;
    const bl_buf_t *json = &call->t->json;

    deliver_here(call->s, principal, json->data, json->len);
    bl_notes_send(call->s->engine, principal, json->data, json->len);
}

static apr_status_t tell_all(bl_talk_call_t *call)
{
    const char *me = call->s->principal.text;
    apr_status_t rv = APR_SUCCESS;

    if (!bl_shared_id_is(call->session_id)) {
        tell(call, me);
        return APR_SUCCESS;
    }
    rv = bl_store_each_member(bl_engine_store(call->s->engine), me,
                              call->session_id, tell, call);
    if (rv != APR_SUCCESS) call->field = "sessionId";
    return rv;
}

apr_status_t bl_talk_tell_others(bl_talk_call_t *call)
{
    bl_buf_t *json = &call->t->json;
    apr_status_t rv;

    /* Callers without a name are strangers to one another. */
    if (bl_principal_is_nameless(&call->s->principal)) {
        call->field = "userId";
        return BL_E_BAD_VALUE;
    }
    bl_msg_begin(json, call->m.type, call->session_id, &call->t->peer);
    rv = put_data(call);
    bl_msg_end(json, bl_clock_wall());
    if (rv == APR_SUCCESS) rv = bl_buf_status(json);
    if (rv == APR_SUCCESS) rv = tell_all(call);
    bl_buf_clear(json);
    return rv;
}
