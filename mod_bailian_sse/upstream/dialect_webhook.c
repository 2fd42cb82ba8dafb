/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect_webhook.h"

#include <stdio.h>
#include <string.h>

#include "base/errors.h"
#include "base/json.h"
#include "base/time_text.h"
#include "wire/json_write.h"

/* --- the message -------------------------------------------------------- */

static void put_number(bl_buf_t *out, const char *name, apr_int64_t n)
{
    if (n < 0)
        bl_buf_printf(out, ",\"%s\":null", name);
    else
        bl_buf_printf(out, ",\"%s\":%" APR_INT64_T_FMT, name, n);
}

static void put_generic(bl_buf_t *out, const bl_message_t *m)
{
    char at[BL_TIME_TEXT];

    bl_buf_puts(out, "{\"alert\":");
    bl_json_puts(out, m->alert);
    bl_buf_printf(out, ",\"rule\":\"%s\",\"state\":\"%s\",\"at\":\"%s\"",
                  m->rule, m->state, bl_time_text(at, m->at));
    put_number(out, "value", m->value);
    put_number(out, "limit", m->limit);
    bl_buf_puts(out, ",\"text\":");
    bl_json_puts(out, m->text);
    bl_buf_puts(out, "}");
}

apr_status_t bl_webhook_request(const char *url, const bl_message_t *m,
                                bl_request_t *rq)
{
    bl_buf_puts(&rq->url, url);
    bl_buf_puts(&rq->headers, "Content-Type: application/json; charset=utf-8\n"
                              "Accept-Encoding: identity\n"
                              "User-Agent: mod_bailian_sse/" BL_VERSION "\n");
    if (!strcmp(m->shape, "generic")) {
        put_generic(&rq->body, m);
    }
    else if (!strcmp(m->shape, "feishu")) {
        bl_buf_puts(&rq->body, "{\"msg_type\":\"text\",\"content\":{\"text\":");
        bl_json_puts(&rq->body, m->text);
        bl_buf_puts(&rq->body, "}}");
    }
    else { /* dingtalk, wecom */
        bl_buf_puts(&rq->body, "{\"msgtype\":\"text\",\"text\":{\"content\":");
        bl_json_puts(&rq->body, m->text);
        bl_buf_puts(&rq->body, "}}");
    }
    if (bl_buf_status(&rq->url) != APR_SUCCESS) return APR_ENOMEM;
    return bl_buf_status(&rq->body);
}

/* --- the answer --------------------------------------------------------- */

static apr_status_t webhook_request(const bl_target_t *target,
                                    const bl_ask_t *ask, bl_request_t *rq)
{
    (void)target;
    (void)ask;
    (void)rq;
    return BL_E_INTERNAL; /* bl_webhook_request() makes it */
}

/* The state is the answer: there is nothing else to remember. */
static apr_status_t webhook_open(void **pstate, const bl_target_t *target,
                                 const bl_emitter_t *out, bl_answer_t *answer)
{
    (void)target;
    (void)out;
    memset(answer, 0, sizeof(*answer));
    answer->retry_of_code = -1;
    *pstate = answer;
    return APR_SUCCESS;
}

static void webhook_close(void *state)
{
    (void)state;
}

static apr_status_t fail_with(bl_answer_t *answer, apr_status_t why)
{
    answer->failure = why;
    return why;
}

static apr_status_t webhook_event(void *state, const bl_sse_event_t *ev)
{
    (void)ev;
    return fail_with(state, BL_E_UPSTREAM_GARBAGE);
}

/* DingTalk and WeCom: errcode; Feishu: code, or StatusCode. 0: it was taken,
 * and so it was when there is none of them. */
static json_int_t code_of(const char *data, size_t len)
{
    static const char *const names[] = {"errcode", "code", "StatusCode"};
    json_int_t code = 0;
    json_t *all;
    size_t i;

    if (!len || bl_json_parse(&all, data, len, NULL) != APR_SUCCESS) return 0;
    for (i = 0; !code && i < sizeof(names) / sizeof(names[0]); i++)
        code = json_integer_value(json_object_get(all, names[i]));
    json_decref(all);
    return code;
}

static apr_status_t webhook_body(void *state, int http, const char *data,
                                 size_t len)
{
    bl_answer_t *answer = state;
    json_int_t code;

    answer->failure_http = http;
    if (http < 200 || http > 299) {
        return fail_with(answer, bl_class_of_http(http));
    }
    code = code_of(data, len);
    if (code) {
        snprintf(answer->failure_code, sizeof(answer->failure_code),
                 "%" JSON_INTEGER_FORMAT, code);
        return fail_with(answer, BL_E_UPSTREAM_REJECTED);
    }
    answer->finish = BL_FINISH_STOP;
    return APR_EOF;
}

static apr_status_t webhook_finish(void *state)
{
    return fail_with(state, BL_E_UPSTREAM_CUT);
}

const bl_dialect_t bl_dialect_webhook = {
    "webhook",     webhook_request, webhook_open,   webhook_close,
    webhook_event, webhook_body,    webhook_finish, 1,
};
