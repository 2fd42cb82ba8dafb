/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handle_conversations - {base}/conversations: the caller's own history.
 */
#include "handlers.h"
#include "base/clock.h"
#include "engine/members.h"
#include "store/members.h"

#include <stdlib.h>
#include <string.h>

#define LIST_DEFAULT 20
#define LIST_MOST 100
#define TITLE_BYTES 512
#define OUT_BYTES (64 * 1024 * 1024)

static int list(request_rec *r, bl_call_t *call)
{
    const char *limit_text = apr_table_get(call->query, "limit");
    long limit = LIST_DEFAULT;
    bl_buf_t out;
    char *end;
    int rc;

    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    if (limit_text) {
        limit = strtol(limit_text, &end, 10);
        if (end == limit_text || *end || limit < 1 || limit > LIST_MOST) {
            return bl_call_problem(r, call, BL_E_BAD_VALUE,
                                   "limit must be 1 to 100");
        }
    }
    bl_buf_init(&out, OUT_BYTES);
    return bl_call_answer_made(
        r, call,
        bl_store_conversations(bl_engine_store(call->engine),
                               call->principal.text,
                               apr_table_get(call->query, "q"), (int)limit,
                               apr_table_get(call->query, "cursor"), &out),
        HTTP_OK, "application/json; charset=utf-8", &out);
}

static int export_it(request_rec *r, bl_call_t *call, const char *id)
{
    const char *format = apr_table_get(call->query, "format");
    int is_markdown = format && !strcmp(format, "markdown");
    bl_store_t *store = bl_engine_store(call->engine);
    const char *owner = call->principal.text;
    bl_buf_t out;
    int rc;

    if (!bl_call_method_is(r, call, "GET", &rc)) return rc;
    if (format && !is_markdown && strcmp(format, "json")) {
        return bl_call_problem(r, call, BL_E_BAD_VALUE,
                               "format must be json or markdown");
    }
    bl_buf_init(&out, OUT_BYTES);
    if (is_markdown) {
        return bl_call_answer_file(
            r, call, bl_store_conversation_markdown(store, owner, id, &out),
            "text/markdown; charset=utf-8", "conversation.md", &out);
    }
    return bl_call_answer_file(
        r, call, bl_store_conversation(store, owner, id, &out),
        "application/json; charset=utf-8", "conversation.json", &out);
}

static apr_status_t rename_it(request_rec *r, bl_call_t *call, const char *id,
                              const char **pdetail)
{
    const char *title;
    json_t *body;
    apr_status_t rv = bl_call_json(r, call, &body, pdetail);

    if (rv != APR_SUCCESS) return rv;
    *pdetail = "title";
    if (bl_json_get_string(body, "title", TITLE_BYTES, &title) != APR_SUCCESS ||
        !title || !*title)
    {
        return BL_E_BAD_VALUE;
    }
    *pdetail = NULL;
    return bl_store_do_rename(bl_engine_store(call->engine),
                              call->principal.text, id, title);
}

static int one(request_rec *r, bl_call_t *call, const char *id)
{
    bl_store_t *store = bl_engine_store(call->engine);
    const char *detail = NULL;
    apr_status_t rv = APR_SUCCESS;
    bl_buf_t out;
    int rc;

    if (!bl_call_method_is(r, call, "GET PATCH POST DELETE", &rc)) return rc;
    if (r->method_number == M_DELETE) {
        rv = bl_store_do_delete(store, call->principal.text, id);
        if (rv == APR_SUCCESS) {
            return bl_call_answer(r, HTTP_NO_CONTENT, "text/plain", "", 0);
        }
    }
    else if (r->method_number != M_GET) {
        /* POST: mini-programs have no PATCH. */
        rv = rename_it(r, call, id, &detail);
    }
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, detail);
    bl_buf_init(&out, OUT_BYTES);
    return bl_call_answer_made(
        r, call, bl_store_conversation(store, call->principal.text, id, &out),
        HTTP_OK, "application/json; charset=utf-8", &out);
}

/* --- who shares it ------------------------------------------------------ */

static int answer_members(request_rec *r, bl_call_t *call, const char *id)
{
    bl_buf_t out;
    apr_status_t rv;

    bl_buf_init(&out, OUT_BYTES);
    bl_buf_puts(&out, "{");
    rv = bl_store_members(bl_engine_store(call->engine), call->principal.text,
                          id, &out);
    if (rv == APR_SUCCESS) rv = bl_buf_puts(&out, "}");
    return bl_call_answer_made(r, call, rv, HTTP_OK,
                               "application/json; charset=utf-8", &out);
}

/* The conversation may have another id then. */
static apr_status_t add_member(request_rec *r, bl_call_t *call, const char *id,
                               char shared_id[BL_SHARED_ID_BYTES],
                               const char **pdetail)
{
    bl_principal_t member;
    const char *name;
    json_t *body;
    apr_status_t rv = bl_call_json(r, call, &body, pdetail);

    if (rv != APR_SUCCESS) return rv;
    *pdetail = "member";
    if (bl_json_get_string(body, "member", BL_PRINCIPAL_BYTES - 1, &name) !=
            APR_SUCCESS ||
        !name || bl_principal_named(&member, name, &call->principal))
    {
        return BL_E_BAD_VALUE;
    }
    rv = bl_store_do_member_add(bl_engine_store(call->engine),
                                call->principal.text, id, member.text,
                                bl_clock_wall(), shared_id);
    if (rv != BL_E_BAD_VALUE && rv != BL_E_CONFLICT) *pdetail = NULL;
    return rv;
}

/* The owner removes anybody, a member himself. */
static apr_status_t remove_member(bl_call_t *call, const char *id,
                                  const bl_principal_t *who,
                                  const char **pdetail)
{
    const char *name = apr_table_get(call->query, "member");
    bl_principal_t member;

    if (!name || bl_principal_named(&member, name, who) != APR_SUCCESS) {
        *pdetail = "member";
        return BL_E_BAD_VALUE;
    }
    if (!bl_principal_owns(who, call->principal.text) &&
        !bl_principal_owns(who, member.text))
    {
        return BL_E_FORBIDDEN;
    }
    return bl_members_remove(call->engine, call->principal.text, id,
                             member.text);
}

static int members(request_rec *r, bl_call_t *call, const char *id,
                   const bl_principal_t *who)
{
    char shared_id[BL_SHARED_ID_BYTES];
    const char *detail = NULL;
    apr_status_t rv = BL_E_FORBIDDEN;
    int rc;

    if (!bl_call_method_is(r, call, "GET POST DELETE", &rc)) return rc;
    if (r->method_number == M_GET) return answer_members(r, call, id);
    if (r->method_number == M_DELETE) {
        rv = remove_member(call, id, who, &detail);
        if (rv == APR_SUCCESS) {
            return bl_call_answer(r, HTTP_NO_CONTENT, "text/plain", "", 0);
        }
    }
    else if (bl_principal_owns(who, call->principal.text)) {
        rv = add_member(r, call, id, shared_id, &detail);
    }
    return rv == APR_SUCCESS ? answer_members(r, call, shared_id)
                             : bl_call_problem(r, call, rv, detail);
}

/* --- the routes --------------------------------------------------------- */

/* A member sees it as its owner does, and changes nothing of it: from here on
 * the call is the owner's, who is who makes it. */
static apr_status_t enter(request_rec *r, bl_call_t *call, const char *id,
                          const char *rest, const bl_principal_t *who)
{
    int is_change = r->method_number != M_GET && strcmp(rest, "/members");
    apr_status_t rv = APR_SUCCESS;

    if (bl_shared_id_is(id)) {
        rv = bl_store_shared_owner(bl_engine_store(call->engine), who->text, id,
                                   call->principal.text);
    }
    if (rv == APR_SUCCESS && is_change &&
        !bl_principal_owns(who, call->principal.text))
    {
        rv = BL_E_FORBIDDEN;
    }
    return rv;
}

int bl_handle_conversations(request_rec *r, bl_call_t *call)
{
    const char *rest = call->route + strlen("conversations");
    const char *slash;
    bl_principal_t who;
    char *id;
    apr_status_t rv = bl_call_who(r, call, NULL);

    if (rv == APR_SUCCESS && bl_principal_is_nameless(&call->principal)) {
        return bl_call_problem(r, call, BL_E_BAD_VALUE,
                               "userId is needed: callers without a name "
                               "have no history of their own");
    }
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    if (*rest == '/') rest++;
    if (!*rest) return list(r, call);
    slash = strchr(rest, '/');
    id = slash ? apr_pstrmemdup(r->pool, rest, (apr_size_t)(slash - rest))
               : apr_pstrdup(r->pool, rest);
    if (!bl_client_id_is_valid(id)) {
        return bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
    }
    if (!slash) slash = "";
    who = call->principal;
    rv = enter(r, call, id, slash, &who);
    if (rv != APR_SUCCESS) return bl_call_problem(r, call, rv, NULL);
    if (!*slash || !slash[1]) return one(r, call, id);
    if (!strcmp(slash, "/export")) return export_it(r, call, id);
    if (!strcmp(slash, "/members")) return members(r, call, id, &who);
    return bl_call_problem(r, call, BL_E_NOT_FOUND, NULL);
}
