/* SPDX-License-Identifier: Apache-2.0 */
#include "request.h"
#include "encoder_session.h"
#include "redact.h"
#include "routes.h"
#include "base/utf8.h"
#include "shm/removals.h"
#include "shm/stats.h"
#include "wire/json_write.h"

#include <string.h>
#include <strings.h>
#include <util_script.h>

#define READ_BYTES 8192
#define PACE_MOST_MS 1000
#define WAIT_MOST_MS 60000 /* wechat.md 2: no request lives longer */
#define RETRY_AFTER_MOST 5 /* seconds, with what follows by chance: 1.3 */

/* --- where it goes ------------------------------------------------------ */

/* The longest base that holds the path, or NULL. */
static const char *base_of(request_rec *r, const bl_server_conf_t *conf)
{
    const char *best = NULL;
    int i;

    for (i = 0; i < conf->bases->nelts; i++) {
        const char *base = APR_ARRAY_IDX(conf->bases, i, const char *);
        size_t len = strlen(base);

        if (strncmp(r->uri, base, len) || (r->uri[len] && r->uri[len] != '/')) {
            continue;
        }
        if (!best || len > strlen(best)) best = base;
    }
    return best;
}

int bl_call_is_ours(request_rec *r)
{
    bl_server_conf_t *conf = bl_server_conf(r->server);
    request_rec spelled = *r;

    if (base_of(r, conf)) return 1;
    spelled.uri = apr_pstrdup(r->pool, r->uri);
    if (ap_unescape_url(spelled.uri) != OK) return 0;
    ap_no2slash(spelled.uri);
    ap_getparents(spelled.uri);
    return base_of(&spelled, conf) != NULL;
}

int bl_call_map_to_storage(request_rec *r)
{
    return base_of(r, bl_server_conf(r->server)) ? OK : DECLINED;
}

/* A handler that is set elsewhere (Directory, LocationMatch) counts from the
 * first path segment. */
static const char *route_of(request_rec *r, const bl_server_conf_t *conf)
{
    const char *base = base_of(r, conf), *rest;

    if (base)
        rest = r->uri + strlen(base);
    else
        rest = *r->uri ? strchr(r->uri + 1, '/') : NULL;
    if (!rest) return "";
    return *rest == '/' ? rest + 1 : rest;
}

static bl_lang_t language_of(request_rec *r)
{
    const char *accept = apr_table_get(r->headers_in, "Accept-Language");

    return accept && !strncasecmp(accept, "zh", 2) ? BL_LANG_ZH : BL_LANG_EN;
}

void bl_call_init(request_rec *r, bl_call_t *call, bl_engine_t *e)
{
    memset(call, 0, sizeof(*call));
    call->engine = e;
    call->removals = bl_removals_now(bl_engine_shm(e));
    call->conf = bl_dir_conf_effective(bl_dir_conf(r));
    call->base = base_of(r, bl_server_conf(r->server));
    if (!call->base) call->base = "";
    call->route = bl_own_route(r->pool, &call->conf, r->uri);
    if (!call->route) call->route = route_of(r, bl_server_conf(r->server));
    bl_redact(r);
    call->lang = language_of(r);
    ap_args_to_table(r, &call->query);
}

/* --- names ---------------------------------------------------------------- */

#define REQUEST_ID_BYTES 128

const char *bl_call_request_id(request_rec *r)
{
    const char *id = apr_table_get(r->headers_in, "X-Request-Id");

    if (id && *id && strlen(id) < REQUEST_ID_BYTES && bl_client_id_is_valid(id))
    {
        return id;
    }
    return apr_table_get(r->subprocess_env, "UNIQUE_ID");
}

/* --- the form ----------------------------------------------------------- */

apr_status_t bl_call_seq(const char *text, apr_uint64_t *pseq)
{
    apr_uint64_t n = 0;

    if (!*text || strlen(text) > 18) return BL_E_BAD_VALUE;
    for (; *text; text++) {
        if (*text < '0' || *text > '9') return BL_E_BAD_VALUE;
        n = n * 10 + (apr_uint64_t)(*text - '0');
    }
    *pseq = n;
    return APR_SUCCESS;
}

static apr_status_t read_ms(const bl_call_t *call, const char *name,
                            apr_uint64_t most, bl_ms_t *pms,
                            const char **pfield)
{
    const char *text = apr_table_get(call->query, name);
    apr_uint64_t n = 0;

    if (text && (bl_call_seq(text, &n) != APR_SUCCESS || n > most)) {
        *pfield = name;
        return BL_E_BAD_VALUE;
    }
    *pms = (bl_ms_t)n;
    return APR_SUCCESS;
}

apr_status_t bl_call_read_form(bl_call_t *call, const char **pfield)
{
    bl_ms_t ascii = 0;
    apr_status_t rv =
        read_ms(call, "pace", PACE_MOST_MS, &call->form.pace_ms, pfield);

    if (rv == APR_SUCCESS) {
        rv = read_ms(call, "wait", WAIT_MOST_MS, &call->form.wait_ms, pfield);
    }
    if (rv == APR_SUCCESS) rv = read_ms(call, "ascii", 1, &ascii, pfield);
    call->form.is_ascii = (int)ascii;
    return rv;
}

/* --- the body ----------------------------------------------------------- */

static apr_status_t check_type(request_rec *r)
{
    const char *type = apr_table_get(r->headers_in, "Content-Type");
    static const char json[] = "application/json";
    char after;

    if (!type || strncasecmp(type, json, sizeof(json) - 1)) {
        return BL_E_BAD_TYPE;
    }
    after = type[sizeof(json) - 1];
    return !after || after == ';' || after == ' ' ? APR_SUCCESS : BL_E_BAD_TYPE;
}

/* What httpd's own filters refuse (framing, time) keeps httpd's own words. */
static apr_status_t class_of_read(apr_status_t rv)
{
    if (APR_STATUS_IS_TIMEUP(rv)) return BL_E_SLOW_REQUEST;
    if (rv == APR_ENOMEM) return rv;
    return rv == APR_ENOSPC ? BL_E_BODY_TOO_LARGE : BL_E_BAD_HEADER;
}

static apr_status_t take_brigade(bl_buf_t *body, apr_bucket_brigade *bb,
                                 int *pis_end)
{
    apr_bucket *b;

    for (b = APR_BRIGADE_FIRST(bb); b != APR_BRIGADE_SENTINEL(bb);
         b = APR_BUCKET_NEXT(b))
    {
        const char *data;
        apr_size_t len;
        apr_status_t rv;

        if (APR_BUCKET_IS_EOS(b)) *pis_end = 1;
        if (APR_BUCKET_IS_METADATA(b)) continue;
        rv = apr_bucket_read(b, &data, &len, APR_BLOCK_READ);
        if (rv == APR_SUCCESS) rv = bl_buf_append(body, data, len);
        if (rv != APR_SUCCESS) return rv;
    }
    return APR_SUCCESS;
}

int bl_call_has_body(request_rec *r)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    return apr_table_get(r->headers_in, "Transfer-Encoding") ||
           (length && strcmp(length, "0"));
}

static apr_status_t read_body(request_rec *r, bl_buf_t *body)
{
    apr_bucket_brigade *bb =
        apr_brigade_create(r->pool, r->connection->bucket_alloc);
    apr_status_t rv = APR_SUCCESS;
    int is_end = 0;

    while (rv == APR_SUCCESS && !is_end) {
        rv = ap_get_brigade(r->input_filters, bb, AP_MODE_READBYTES,
                            APR_BLOCK_READ, READ_BYTES);
        if (rv == APR_SUCCESS) rv = take_brigade(body, bb, &is_end);
        apr_brigade_cleanup(bb);
    }
    apr_brigade_destroy(bb);
    return rv == APR_SUCCESS ? rv : class_of_read(rv);
}

static apr_status_t release_body(void *data)
{
    bl_buf_release(data);
    return APR_SUCCESS;
}

static apr_status_t release_json(void *data)
{
    json_decref(data);
    return APR_SUCCESS;
}

static apr_status_t check_length(request_rec *r, apr_int64_t most)
{
    const char *length = apr_table_get(r->headers_in, "Content-Length");

    return !length || apr_atoi64(length) <= most ? APR_SUCCESS
                                                 : BL_E_BODY_TOO_LARGE;
}

static apr_status_t read_json(request_rec *r, bl_call_t *call, int is_needed,
                              json_t **pbody, const char **pdetail)
{
    bl_buf_t *body = apr_palloc(r->pool, sizeof(*body));
    size_t offset = 0;
    apr_status_t rv;

    *pbody = NULL;
    *pdetail = NULL;
    bl_buf_init(body, (size_t)call->conf.body_bytes);
    rv = check_type(r);
    if (rv == APR_SUCCESS) rv = check_length(r, call->conf.body_bytes);
    if (rv != APR_SUCCESS) return rv;
    apr_pool_cleanup_register(r->pool, body, release_body,
                              apr_pool_cleanup_null);
    rv = read_body(r, body);
    if (rv != APR_SUCCESS) return rv;
    call->is_body_read = 1;
    if (!is_needed && !body->len) bl_buf_puts(body, "{}");
    rv = bl_json_parse(pbody, body->data ? body->data : "", body->len, &offset);
    bl_buf_release(body); /* the request can last for minutes */
    if (rv != APR_SUCCESS) {
        *pdetail = apr_psprintf(r->pool, "at byte %" APR_SIZE_T_FMT, offset);
        return rv;
    }
    apr_pool_cleanup_register(r->pool, *pbody, release_json,
                              apr_pool_cleanup_null);
    call->json = *pbody;
    if (json_is_object(*pbody)) return APR_SUCCESS;
    *pdetail = "the body must be a JSON object";
    return BL_E_BAD_VALUE;
}

apr_status_t bl_call_json(request_rec *r, bl_call_t *call, json_t **pbody,
                          const char **pdetail)
{
    return read_json(r, call, 1, pbody, pdetail);
}

void bl_call_forget_json(request_rec *r, bl_call_t *call)
{
    if (!call->json) return;
    apr_pool_cleanup_run(r->pool, call->json, release_json);
    call->json = NULL;
}

apr_status_t bl_call_json_or_none(request_rec *r, bl_call_t *call,
                                  json_t **pbody, const char **pdetail)
{
    return read_json(r, call, 0, pbody, pdetail);
}

/* --- answers ------------------------------------------------------------ */

int bl_call_answer(request_rec *r, int status, const char *type,
                   const char *text, size_t len)
{
    r->status = status;
    ap_set_content_type(r, type);
    apr_table_setn(r->headers_out, "Cache-Control", "no-store");
    apr_table_setn(r->err_headers_out, "X-Content-Type-Options", "nosniff");
    ap_set_content_length(r, (apr_off_t)len);
    if (!r->header_only) ap_rwrite(text, (int)len, r);
    return OK;
}

static void put_member(bl_buf_t *out, const char *name, const char *value)
{
    bl_buf_puts(out, ",\"");
    bl_buf_puts(out, name);
    bl_buf_puts(out, "\":\"");
    bl_json_escape(out, value, strlen(value), 0);
    bl_buf_puts(out, "\"");
}

static void put_problem(bl_buf_t *out, const bl_call_t *call,
                        const bl_error_t *e)
{
    if (call->is_session) {
        bl_session_put_refusal(out, e, call->lang);
        return;
    }
    bl_buf_printf(out, "{\"type\":\"about:blank\",\"status\":%d", e->http);
    put_member(out, "code", e->code);
    put_member(out, "title", bl_error_sentence(e, call->lang));
}

/* What stands beside a problem's detail for programs: its code and values. */
static void put_reason(bl_buf_t *out, const bl_said_t *said)
{
    int i, n = bl_say_places(said->en);

    put_member(out, "reason", bl_say_code(said->en));
    bl_buf_puts(out, ",\"values\":[");
    for (i = 0; i < n; i++) {
        bl_buf_puts(out, i ? ",\"" : "\"");
        bl_json_escape(out, said->values[i], strlen(said->values[i]), 0);
        bl_buf_puts(out, "\"");
    }
    bl_buf_puts(out, "]");
}

void bl_call_put_retry(request_rec *r, const bl_error_t *e)
{
    if (!e->client_may_retry) return;
    apr_table_setn(r->headers_out, "Retry-After",
                   apr_psprintf(r->pool, "%d",
                                1 + (int)(r->request_time % RETRY_AFTER_MOST)));
}

static const char *problem_type(int is_session)
{
    return is_session ? "application/json; charset=utf-8"
                      : "application/problem+json; charset=utf-8";
}

/* The table's sentences need no escapes (tests/unit/test_errors). */
const char *bl_call_least_problem(request_rec *r, int is_session,
                                  bl_lang_t lang, const bl_error_t *e)
{
    r->status = e->http;
    bl_call_put_retry(r, e);
    ap_set_content_type(r, problem_type(is_session));
    return apr_psprintf(
        r->pool, "{\"%s\":%s,\"status\":%d,\"code\":\"%s\",\"%s\":\"%s\"}\n",
        is_session ? "success" : "type",
        is_session ? "false" : "\"about:blank\"", e->http, e->code,
        is_session ? "error" : "title", bl_error_sentence(e, lang));
}

/* said NULL: only a detail. */
static int answer_problem(request_rec *r, bl_call_t *call, apr_status_t rv,
                          const char *field, const char *detail,
                          const bl_said_t *said)
{
    bl_lang_t lang = call->form.is_ascii ? BL_LANG_EN : call->lang;
    const bl_error_t *e = bl_error(rv);
    const char *text;
    bl_buf_t out;
    int rc;

    bl_count(bl_engine_shm(call->engine), bl_engine_child(call->engine),
             REQUESTS_REFUSED, 1);
    if (!call->is_body_read && bl_call_has_body(r)) {
        r->connection->keepalive = AP_CONN_CLOSE;
    }
    if (rv == BL_E_UNAUTHENTICATED) {
        if (ap_auth_type(r))
            ap_note_auth_failure(r);
        else
            apr_table_setn(r->headers_out, "WWW-Authenticate", "Bearer");
    }
    bl_call_put_retry(r, e);
    bl_buf_init(&out, 64 * 1024);
    put_problem(&out, call, e);
    if (detail && *detail) put_member(&out, "detail", detail);
    if (field && *field) put_member(&out, "field", field);
    if (said && bl_say_code(said->en)) put_reason(&out, said);
    if (r->log_id) put_member(&out, "requestId", r->log_id);
    bl_buf_puts(&out, "}\n");
    if (call->form.is_ascii) bl_json_to_ascii(&out, 0);
    text = bl_buf_str(&out);
    if (!text) text = bl_call_least_problem(r, call->is_session, lang, e);
    rc = bl_call_answer(r, e->http, problem_type(call->is_session), text,
                        strlen(text));
    bl_buf_release(&out);
    return rc;
}

int bl_call_problem(request_rec *r, bl_call_t *call, apr_status_t rv,
                    const char *detail)
{
    return answer_problem(r, call, rv, NULL, detail, NULL);
}

int bl_call_problem_at(request_rec *r, bl_call_t *call, apr_status_t rv,
                       const char *field, const char *detail)
{
    return answer_problem(r, call, rv, field, detail, NULL);
}

int bl_call_problem_said(request_rec *r, bl_call_t *call, apr_status_t rv,
                         const bl_complaint_t *why)
{
    char text[BL_SAY_TEXT];

    bl_complaint_text(why, call->lang == BL_LANG_ZH, text);
    return answer_problem(r, call, rv, why->field, text, &why->said);
}

int bl_call_answer_made(request_rec *r, bl_call_t *call, apr_status_t rv,
                        int status, const char *type, bl_buf_t *made)
{
    int rc;

    if (rv == APR_SUCCESS) rv = bl_buf_status(made);
    rc = rv == APR_SUCCESS
             ? bl_call_answer(r, status, type, made->data, made->len)
             : bl_call_problem(r, call, rv, NULL);
    bl_buf_release(made);
    return rc;
}

int bl_call_answer_file(request_rec *r, bl_call_t *call, apr_status_t rv,
                        const char *type, const char *name, bl_buf_t *made)
{
    if (rv == APR_SUCCESS) rv = bl_buf_status(made);
    if (rv == APR_SUCCESS) {
        apr_table_setn(
            r->headers_out, "Content-Disposition",
            apr_pstrcat(r->pool, "attachment; filename=\"", name, "\"", NULL));
    }
    return bl_call_answer_made(r, call, rv, HTTP_OK, type, made);
}

int bl_call_method_is(request_rec *r, bl_call_t *call, const char *allowed,
                      int *prc)
{
    const char *list = allowed;

    while (*list) {
        const char *word = ap_getword_white(r->pool, &list);

        if (!strcmp(word, r->method)) return 1;
        if (!strcmp(word, "GET") && r->header_only) return 1;
    }
    apr_table_setn(r->headers_out, "Allow", allowed);
    *prc = bl_call_problem(r, call, BL_E_BAD_METHOD, NULL);
    return 0;
}
