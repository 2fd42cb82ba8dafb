/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_models - the list of models, asked for because it is free and tells
 * whether a key is good (bailian.md 11). No answer for anybody: nothing of it
 * is kept but that it is one.
 */
#include "upstream/dialect_models.h"

#include <stdlib.h>
#include <string.h>

#include "base/errors.h"
#include "base/json.h"
#include "upstream/dialect_app.h"

/* "https://host:port" of "https://host:port/api/v1". */
static size_t origin_of(const char *base_url)
{
    const char *host = strstr(base_url, "://");

    return host ? (size_t)(host + 3 - base_url) + strcspn(host + 3, "/")
                : strlen(base_url);
}

apr_status_t bl_models_request(const bl_target_t *target, int is_native,
                               bl_request_t *rq)
{
    apr_status_t rv;

    if (is_native) {
        bl_buf_puts(&rq->url, target->base_url);
        bl_buf_puts(&rq->url, "/models?page_no=1&page_size=1");
    }
    else {
        bl_buf_append(&rq->url, target->base_url, origin_of(target->base_url));
        bl_buf_puts(&rq->url, "/compatible-mode/v1/models");
    }
    bl_buf_puts(&rq->headers, "Accept: application/json\n"
                              "Accept-Encoding: identity\n"
                              "User-Agent: mod_bailian_sse/" BL_VERSION "\n");
    rv = bl_app_workspace(&rq->headers, target->workspace);
    return rv == APR_SUCCESS ? bl_buf_status(&rq->url) : rv;
}

static apr_status_t models_request(const bl_target_t *target,
                                   const bl_ask_t *ask, bl_request_t *rq)
{
    (void)ask;
    return bl_models_request(target, 0, rq);
}

/* The state is the answer: there is nothing else to remember. */
static apr_status_t models_open(void **pstate, const bl_target_t *target,
                                const bl_emitter_t *out, bl_answer_t *answer)
{
    (void)target;
    (void)out;
    memset(answer, 0, sizeof(*answer));
    answer->retry_of_code = -1;
    answer->input_tokens = answer->output_tokens = -1;
    *pstate = answer;
    return APR_SUCCESS;
}

static void models_close(void *state)
{
    (void)state;
}

static apr_status_t fail_with(bl_answer_t *answer, apr_status_t why)
{
    answer->failure = why;
    return why;
}

static apr_status_t models_event(void *state, const bl_sse_event_t *ev)
{
    (void)ev;
    return fail_with(state, BL_E_UPSTREAM_GARBAGE);
}

/* Compatible: {"data":[...]}; native: {"output":{"models":[...]}}. */
static int is_list(const char *data, size_t len)
{
    json_t *all, *output;
    int is_one;

    if (bl_json_parse(&all, data, len, NULL) != APR_SUCCESS) return 0;
    output = json_object_get(all, "output");
    is_one = json_is_array(json_object_get(all, "data")) ||
             json_is_array(json_object_get(output, "models"));
    json_decref(all);
    return is_one;
}

static apr_status_t models_body(void *state, int http, const char *data,
                                size_t len)
{
    bl_answer_t *answer = state;
    bl_app_event_t e;

    answer->failure_http = http;
    if (http == 200) {
        if (!is_list(data ? data : "", len)) {
            return fail_with(answer, BL_E_UPSTREAM_GARBAGE);
        }
        answer->finish = BL_FINISH_STOP;
        return APR_EOF;
    }
    if (http < 400 || !bl_app_event_read(&e, data ? data : "", len)) {
        return fail_with(answer, bl_class_of_http(http));
    }
    return bl_app_class(answer, http, &e.code, &e.message);
}

static apr_status_t models_finish(void *state)
{
    return fail_with(state, BL_E_UPSTREAM_CUT);
}

const bl_dialect_t bl_dialect_models = {
    "models",     models_request, models_open,   models_close,
    models_event, models_body,    models_finish, 0,
};
