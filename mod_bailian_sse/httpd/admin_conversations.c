/* SPDX-License-Identifier: Apache-2.0 */
/* admin_conversations - api/conversations, api/deletions, api/usage and
 * api/settings. */
#include "admin.h"
#include "admin/conversations.h"
#include "admin/usage.h"

#include <stdlib.h>

#define OUT_BYTES (64 * 1024 * 1024)

static const char *param(void *ctx, const char *name)
{
    return bl_admin_param(ctx, name);
}

static void ask(bl_params_t *p, bl_admin_call_t *a)
{
    memset(p, 0, sizeof(*p));
    p->get = param;
    p->ctx = a;
}

static int refuse(bl_admin_call_t *a, const bl_params_t *p)
{
    return bl_admin_complain(a, p->rv, &p->why);
}

/* --- conversations ------------------------------------------------------ */

static int list(bl_admin_call_t *a)
{
    bl_conversation_filter_t f;
    bl_params_t p;
    bl_buf_t out;
    int shows;

    ask(&p, a);
    if (bl_admin_conversation_filter(&p, &f, &shows) != APR_SUCCESS) {
        return refuse(a, &p);
    }
    if (shows && a->role < BL_ROLE_OPERATOR) {
        return bl_admin_problem(
            a, BL_E_FORBIDDEN, f.query ? "q" : "titles",
            BL_SAY("What people wrote is shown to the role operator."));
    }
    if (shows) f.shown = &a->who;
    bl_buf_init(&out, OUT_BYTES);
    return bl_admin_answer(a, bl_store_all_conversations(a->store, &f, &out),
                           HTTP_OK, &out);
}

static int one(bl_admin_call_t *a)
{
    bl_buf_t out;

    bl_buf_init(&out, OUT_BYTES);
    return bl_admin_answer(a,
                           bl_store_any_conversation(a->store, &a->who, a->id,
                                                     BL_CONVERSATION_READ,
                                                     &out),
                           HTTP_OK, &out);
}

static int export_it(bl_admin_call_t *a)
{
    const char *format = bl_admin_param(a, "format");
    int is_markdown = format && !strcmp(format, "markdown");
    bl_buf_t out;
    apr_status_t rv;

    if (format && !is_markdown && strcmp(format, "json")) {
        return bl_admin_problem(a, BL_E_BAD_VALUE, "format",
                                BL_SAY("must be json or markdown"));
    }
    bl_buf_init(&out, OUT_BYTES);
    rv = bl_store_any_conversation(
        a->store, &a->who, a->id,
        is_markdown ? BL_CONVERSATION_MARKDOWN : BL_CONVERSATION_EXPORT, &out);
    return is_markdown ? bl_call_answer_file(a->r, a->call, rv,
                                             "text/markdown; charset=utf-8",
                                             "conversation.md", &out)
                       : bl_call_answer_file(a->r, a->call, rv,
                                             "application/json; charset=utf-8",
                                             "conversation.json", &out);
}

static int delete_one(bl_admin_call_t *a)
{
    apr_status_t rv = bl_store_do_any_delete(a->store, &a->who, a->id);

    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    return bl_call_answer(a->r, HTTP_NO_CONTENT, "text/plain", "", 0);
}

/* --- deletions ---------------------------------------------------------- */

static int answer_deletion(bl_admin_call_t *a, apr_status_t rv, int status,
                           apr_int64_t id)
{
    bl_buf_t out;

    bl_buf_init(&out, OUT_BYTES);
    if (rv == APR_SUCCESS) rv = bl_store_deletions(a->store, id, &out);
    return bl_admin_answer(a, rv, status, &out);
}

static int delete_many(bl_admin_call_t *a)
{
    apr_int64_t n = 0, id = 0;
    bl_deletion_t d;
    bl_params_t p;
    bl_buf_t out;
    apr_status_t rv;
    int is_dry;

    ask(&p, a);
    if (bl_admin_deletion(&p, a->body, &d, &is_dry) != APR_SUCCESS) {
        return refuse(a, &p);
    }
    if (!is_dry) {
        rv = bl_store_do_deletion(a->store, &a->who, &d, &id);
        return answer_deletion(a, rv, HTTP_ACCEPTED, id);
    }
    rv = bl_store_deletion_count(a->store, &d, &n);
    bl_buf_init(&out, OUT_BYTES);
    bl_buf_printf(
        &out, "{\"dryRun\":true,\"conversations\":%" APR_INT64_T_FMT "}\n", n);
    return bl_admin_answer(a, rv, HTTP_OK, &out);
}

static int deletions(bl_admin_call_t *a)
{
    return answer_deletion(a, APR_SUCCESS, HTTP_OK, 0);
}

static int deletion(bl_admin_call_t *a)
{
    char *end;
    apr_int64_t id = apr_strtoi64(a->id, &end, 10);

    if (*end || id < 1) return bl_admin_problem(a, BL_E_NOT_FOUND, NULL, NULL);
    return answer_deletion(a, APR_SUCCESS, HTTP_OK, id);
}

/* --- usage -------------------------------------------------------------- */

static int usage(bl_admin_call_t *a)
{
    bl_usage_filter_t f;
    bl_params_t p;
    bl_buf_t out;
    int is_csv;

    ask(&p, a);
    if (bl_admin_usage_filter(&p, &f, &is_csv) != APR_SUCCESS) {
        return refuse(a, &p);
    }
    bl_buf_init(&out, OUT_BYTES);
    if (!is_csv) {
        return bl_admin_answer(a, bl_admin_usage(a->store, &f, &out), HTTP_OK,
                               &out);
    }
    return bl_call_answer_file(a->r, a->call,
                               bl_admin_usage_csv(a->store, &f, &out),
                               "text/csv; charset=utf-8", "usage.csv", &out);
}

/* --- settings ----------------------------------------------------------- */

static int settings(bl_admin_call_t *a)
{
    apr_int64_t version = 0;
    bl_buf_t out;
    apr_status_t rv;

    bl_buf_init(&out, OUT_BYTES);
    rv = bl_store_settings(a->store, &out, &version);
    if (rv == APR_SUCCESS) {
        apr_table_setn(
            a->r->headers_out, "ETag",
            apr_psprintf(a->r->pool, "\"%" APR_INT64_T_FMT "\"", version));
    }
    return bl_admin_answer(a, rv, HTTP_OK, &out);
}

static int set(bl_admin_call_t *a)
{
    bl_retention_change_t change;
    apr_int64_t version;
    bl_params_t p;
    apr_status_t rv = bl_admin_if_match(a, &version);

    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, "If-Match", NULL);
    ask(&p, a);
    if (bl_admin_retention(&p, a->body, &change) != APR_SUCCESS) {
        return refuse(a, &p);
    }
    rv = bl_store_do_settings(a->store, &a->who, version, &change);
    if (rv != APR_SUCCESS) return bl_admin_problem(a, rv, NULL, NULL);
    return settings(a);
}

const bl_route_t bl_admin_conversation_routes[] = {
    {"GET", "api/conversations", BL_ROLE_VIEWER, list},
    {"GET", "api/conversations/{id}", BL_ROLE_OPERATOR, one},
    {"GET", "api/conversations/{id}/export", BL_ROLE_OPERATOR, export_it},
    {"DELETE", "api/conversations/{id}", BL_ROLE_ADMIN, delete_one},
    {"POST", "api/conversations/delete", BL_ROLE_ADMIN, delete_many},
    {"GET", "api/deletions", BL_ROLE_VIEWER, deletions},
    {"GET", "api/deletions/{id}", BL_ROLE_VIEWER, deletion},
    {"GET", "api/usage", BL_ROLE_VIEWER, usage},
    {"GET", "api/settings", BL_ROLE_VIEWER, settings},
    {"PATCH", "api/settings", BL_ROLE_ADMIN, set},
    {NULL, NULL, BL_ROLE_NONE, NULL}};
