/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect_app.h"

#include <stdlib.h>
#include <string.h>

#include "base/errors.h"

/* Far above any answer, and no sum of BL_APP_MODELS overflows (S-60). */
#define MOST_TOKENS APR_INT64_C(1000000000000)

typedef struct app_model_t {
    char id[64];
    apr_int64_t input;
    apr_int64_t output;
} app_model_t;

static void app_close(void *state)
{
    bl_app_t *a = state;

    if (!a) return;
    free(a->answer_nodes);
    bl_buf_release(&a->text.known);
    bl_buf_release(&a->reasoning.known);
    bl_buf_release(&a->scratch);
    bl_buf_release(&a->nodes);
    bl_buf_release(&a->seen);
    bl_buf_release(&a->models);
    free(a);
}

static apr_status_t app_open(void **pstate, const bl_target_t *target,
                             const bl_emitter_t *out, bl_answer_t *answer)
{
    size_t limit =
        target->event_limit ? target->event_limit : BL_MAX_EVENT_BYTES;
    bl_app_t *a = calloc(1, sizeof(*a));

    *pstate = NULL;
    memset(answer, 0, sizeof(*answer));
    answer->retry_of_code = -1;
    answer->input_tokens = answer->output_tokens = -1;
    if (!a) return APR_ENOMEM;
    a->out = *out;
    a->answer = answer;
    a->flow_mode = target->flow_mode;
    bl_app_text_init(&a->text, BL_EV_DELTA, !target->is_incremental, limit);
    bl_app_text_init(&a->reasoning, BL_EV_REASONING, !target->is_incremental,
                     limit);
    bl_buf_init(&a->scratch, 4 * BL_EVENT_PART_BYTES);
    bl_buf_init(&a->nodes, 64 * BL_APP_NODES);
    bl_buf_init(&a->seen, sizeof(apr_uint64_t) * BL_APP_SEEN);
    bl_buf_init(&a->models, sizeof(app_model_t) * BL_APP_MODELS);
    if (target->answer_nodes) {
        a->answer_nodes = strdup(target->answer_nodes);
        if (!a->answer_nodes) {
            app_close(a);
            return APR_ENOMEM;
        }
    }
    *pstate = a;
    return APR_SUCCESS;
}

/* --- usage: running totals, in three shapes (quirk 10) ------------------ */

static void copy_text(char *dst, size_t size, const bl_json_value_t *v)
{
    size_t n = strlen(dst);

    /* The same in every event: mostly there is nothing to do. */
    if (n && v->len == n && !v->has_escapes && !memcmp(dst, v->at, n)) return;
    bl_json_copy_text(dst, size, v);
}

static void keep_models(bl_app_t *a, const bl_app_event_t *e)
{
    size_t size = sizeof(app_model_t) * (size_t)e->models;
    app_model_t *m;
    int i;

    if (a->models.len < size) {
        if (!bl_buf_room(&a->models, size - a->models.len)) return;
        memset(a->models.data + a->models.len, 0, size - a->models.len);
    }
    a->models.len = size;
    m = (app_model_t *)(void *)a->models.data;
    for (i = 0; i < e->models; i++) {
        copy_text(m[i].id, sizeof(m[i].id), &e->model[i].id);
        m[i].input = bl_json_count(&e->model[i].input, MOST_TOKENS);
        m[i].output = bl_json_count(&e->model[i].output, MOST_TOKENS);
    }
}

static void add_models(bl_app_t *a)
{
    const app_model_t *m = (const app_model_t *)(void *)a->models.data;
    size_t i, n = a->models.len / sizeof(*m);
    bl_answer_t *answer = a->answer;

    if (!n) return;
    answer->input_tokens = answer->output_tokens = -1;
    if (strcmp(answer->model_id, m->id)) {
        memcpy(answer->model_id, m->id, sizeof(answer->model_id));
    }
    for (i = 0; i < n; i++) {
        if (m[i].input >= 0) {
            answer->input_tokens =
                m[i].input +
                (answer->input_tokens < 0 ? 0 : answer->input_tokens);
        }
        if (m[i].output >= 0) {
            answer->output_tokens =
                m[i].output +
                (answer->output_tokens < 0 ? 0 : answer->output_tokens);
        }
    }
}

/* More tokens than before are progress, also where the thinking behind them is
 * not shown (U12). */
static void take_usage(bl_app_t *a, const bl_app_event_t *e)
{
    bl_answer_t *answer = a->answer;
    apr_int64_t before = answer->output_tokens, n;

    if (e->models) {
        keep_models(a, e);
        add_models(a);
    }
    else {
        if ((n = bl_json_count(&e->flat.input, MOST_TOKENS)) >= 0) {
            answer->input_tokens = n;
        }
        if ((n = bl_json_count(&e->flat.output, MOST_TOKENS)) >= 0) {
            answer->output_tokens = n;
        }
    }
    if (answer->output_tokens > before) a->emitted++;
}

static void put_count(bl_buf_t *b, const char *name, apr_int64_t n)
{
    if (n < 0) return;
    if (b->len && b->data[b->len - 1] != '{') bl_buf_puts(b, ",");
    bl_json_puts(b, name);
    bl_buf_puts(b, ":");
    bl_buf_putu(b, (apr_uint64_t)n);
}

static void put_models(bl_app_t *a, bl_buf_t *b)
{
    const app_model_t *m = (const app_model_t *)(void *)a->models.data;
    size_t i, n = a->models.len / sizeof(*m);

    bl_buf_puts(b, b->len > 1 ? ",\"models\":[" : "\"models\":[");
    for (i = 0; i < n; i++) {
        bl_buf_puts(b, i ? ",{\"model\":" : "{\"model\":");
        bl_json_puts(b, m[i].id);
        put_count(b, "inputTokens", m[i].input);
        put_count(b, "outputTokens", m[i].output);
        bl_buf_puts(b, "}");
    }
    bl_buf_puts(b, "]}");
}

/* Once, when nothing but the end follows. */
static apr_status_t tell_usage(bl_app_t *a)
{
    const bl_answer_t *answer = a->answer;
    apr_status_t rv;
    bl_buf_t b;

    if (a->has_usage_out) return APR_SUCCESS;
    if (answer->input_tokens < 0 && answer->output_tokens < 0) {
        return APR_SUCCESS;
    }
    a->has_usage_out = 1;
    bl_buf_init(&b, 16 * 1024);
    bl_buf_puts(&b, "{");
    put_count(&b, "inputTokens", answer->input_tokens);
    put_count(&b, "outputTokens", answer->output_tokens);
    put_models(a, &b);
    rv = bl_app_emit(a, BL_EV_USAGE, "", 0, &b);
    bl_buf_release(&b);
    return rv;
}

/* --- ends --------------------------------------------------------------- */

/* Fails with what bl_answer_t.failure says. What was used is told only where
 * the attempt is the last one: after content there is none more (I12). */
static apr_status_t fail(bl_app_t *a)
{
    a->is_ended = 1;
    if (a->answer->has_content) {
        apr_status_t rv = tell_usage(a);

        if (rv != APR_SUCCESS) return rv;
    }
    return a->answer->failure;
}

static apr_status_t fail_with(bl_app_t *a, apr_status_t failure)
{
    a->answer->failure = failure;
    return fail(a);
}

static bl_finish_t finish_of(const bl_json_value_t *reason)
{
    if (reason->kind != BL_JSON_STRING || !reason->len) return BL_FINISH_NONE;
    if (bl_json_is(reason, "null")) return BL_FINISH_NONE; /* quirk 1 */
    if (bl_json_is(reason, "length")) return BL_FINISH_LENGTH;
    if (bl_json_is(reason, "tool_calls")) return BL_FINISH_TOOL_CALLS;
    return BL_FINISH_STOP;
}

/* A reason that says that the answer was cut by a filter is not an end (I4). */
static int is_filtered(const bl_json_value_t *reason)
{
    return reason->kind == BL_JSON_STRING &&
           (bl_json_is(reason, "content_filter") ||
            bl_json_is(reason, "sensitive"));
}

/* --- one event ---------------------------------------------------------- */

/* Text belongs to the answer as it comes, but where nodes deliver it the whole
 * is repeated at the end: then only if nothing was delivered (5.9). */
static int is_text_wanted(const bl_app_t *a, int is_final)
{
    if (a->has_node_text) return 0;
    switch (a->flow_mode) {
    case BL_FLOW_FULL_THOUGHTS:
    case BL_FLOW_MESSAGE:
    case BL_FLOW_MESSAGE_PLUS:
        return is_final && !a->has_text;
    default:
        return 1;
    }
}

static apr_status_t take_text(bl_app_t *a, const bl_app_event_t *e,
                              int is_final)
{
    apr_status_t rv;

    if (e->text.kind != BL_JSON_STRING || !is_text_wanted(a, is_final)) {
        return APR_SUCCESS;
    }
    bl_app_text_begin(&a->text);
    rv = bl_app_text_take(a, &a->text, &e->text, 1, is_final);
    return rv == APR_SUCCESS ? bl_app_text_end(a, &a->text) : rv;
}

static void take_ids(bl_app_t *a, const bl_app_event_t *e)
{
    bl_answer_t *answer = a->answer;

    if (e->session_id.kind == BL_JSON_STRING && e->session_id.len) {
        copy_text(answer->session_id, sizeof(answer->session_id),
                  &e->session_id);
    }
    if (!*answer->request_id && e->request_id.kind == BL_JSON_STRING) {
        bl_json_copy_text(answer->request_id, sizeof(answer->request_id),
                          &e->request_id);
    }
}

/* Content of another type than ours would be lost without a word (U24, I4). */
static int is_shape_right(const bl_app_event_t *e)
{
    return (e->output.kind == BL_JSON_OBJECT ||
            e->output.kind == BL_JSON_NULL || e->output.kind == BL_JSON_BAD) &&
           (e->text.kind == BL_JSON_STRING || e->text.kind == BL_JSON_NULL ||
            e->text.kind == BL_JSON_BAD);
}

static int is_error(const bl_app_event_t *e)
{
    if (e->error.kind == BL_JSON_OBJECT || e->error.kind == BL_JSON_STRING) {
        return 1;
    }
    return e->code.kind == BL_JSON_STRING && e->code.len > 0;
}

static apr_status_t take_output(bl_app_t *a, const bl_app_event_t *e,
                                int is_final)
{
    apr_status_t rv;

    take_usage(a, e);
    rv = bl_app_take_thoughts(a, &e->thoughts, is_final);
    if (rv == APR_SUCCESS) rv = bl_app_take_workflow(a, &e->workflow);
    if (rv == APR_SUCCESS) rv = bl_app_take_references(a, &e->references);
    if (rv == APR_SUCCESS) rv = take_text(a, e, is_final);
    return rv;
}

static apr_status_t take_event(bl_app_t *a, const bl_app_event_t *e,
                               bl_finish_t finish)
{
    apr_status_t rv;

    if (!is_shape_right(e)) return fail_with(a, BL_E_UPSTREAM_GARBAGE);
    if (e->output.kind != BL_JSON_OBJECT) {
        a->answer->unreadable++;
        return APR_EAGAIN;
    }
    a->emitted = 0;
    rv = take_output(a, e, finish != BL_FINISH_NONE);
    if (rv != APR_SUCCESS) return rv;
    if (is_filtered(&e->finish_reason)) {
        return fail_with(a, BL_E_UPSTREAM_REJECTED);
    }
    if (finish == BL_FINISH_NONE) return a->emitted ? APR_SUCCESS : APR_EAGAIN;
    rv = tell_usage(a);
    if (rv != APR_SUCCESS) return rv;
    a->answer->finish = finish;
    a->is_ended = 1;
    return APR_EOF;
}

/* A duplicate has id and data of the event before; an id alone never drops
 * content (U21). */
static int is_duplicate(bl_app_t *a, const bl_sse_event_t *ev)
{
    apr_uint64_t hash;

    if (!*ev->id) {
        a->last_event = 0;
        return 0;
    }
    hash = bl_app_hash(0, ev->id, strlen(ev->id));
    hash = bl_app_hash(hash, ev->data, ev->data_len);
    if (hash == a->last_event) return 1;
    a->last_event = hash;
    return 0;
}

static apr_status_t app_event(void *state, const bl_sse_event_t *ev)
{
    bl_app_t *a = state;
    int is_named_error = !strcmp(ev->name, "error");
    bl_app_event_t e;

    if (a->is_ended) {
        return a->answer->failure ? a->answer->failure : APR_EOF;
    }
    if (*ev->name && !is_named_error && strcmp(ev->name, "result") &&
        strcmp(ev->name, "data"))
    {
        return APR_EAGAIN; /* U32 */
    }
    if (is_duplicate(a, ev)) {
        a->answer->duplicates++;
        return APR_EAGAIN;
    }
    /* Native streams have none; seen behind compatible gateways. It says no
     * more than that the body ends, and is no finish_reason. */
    if (ev->data_len == 6 && !memcmp(ev->data, "[DONE]", 6)) return APR_EAGAIN;
    if (!bl_app_event_read(&e, ev->data, ev->data_len)) {
        memset(&e, 0, sizeof(e));
        /* Cut in the middle of an event: finish() says so (U14). */
        if (ev->is_unfinished) return APR_EAGAIN;
        if (!is_named_error && ev->http_status < 400) {
            a->answer->unreadable++;
            return fail_with(a, BL_E_UPSTREAM_GARBAGE);
        }
    }
    take_ids(a, &e);
    if (is_named_error || is_error(&e) || ev->http_status >= 400) {
        bl_app_class(a->answer, ev->http_status, &e.code, &e.message);
        return fail(a);
    }
    return take_event(a, &e, finish_of(&e.finish_reason));
}

/* --- bodies that are no SSE, and the end of those that are -------------- */

static apr_status_t app_body(void *state, int http, const char *data,
                             size_t len)
{
    bl_app_t *a = state;
    bl_finish_t finish;
    bl_app_event_t e;

    if (a->is_ended) {
        return a->answer->failure ? a->answer->failure : APR_EOF;
    }
    a->answer->failure_http = http;
    if (!bl_app_event_read(&e, data, len)) {
        if (http == 200 && len) a->answer->unreadable++;
        return fail_with(a, http == 200 && !len ? BL_E_UPSTREAM_CUT
                                                : bl_class_of_http(http));
    }
    take_ids(a, &e);
    if (http != 200 || is_error(&e)) {
        if (http < 400 && http != 200) {
            return fail_with(a, BL_E_UPSTREAM_GARBAGE);
        }
        bl_app_class(a->answer, http, &e.code, &e.message);
        return fail(a);
    }
    if (e.output.kind != BL_JSON_OBJECT) {
        a->answer->unreadable++;
        return fail_with(a, BL_E_UPSTREAM_GARBAGE);
    }
    finish = finish_of(&e.finish_reason);
    return take_event(a, &e, finish ? finish : BL_FINISH_STOP);
}

static apr_status_t app_finish(void *state)
{
    bl_app_t *a = state;

    if (a->answer->failure != APR_SUCCESS) return a->answer->failure;
    if (a->answer->finish != BL_FINISH_NONE) return APR_SUCCESS;
    return fail_with(a, BL_E_UPSTREAM_CUT);
}

const bl_dialect_t bl_dialect_app = {
    "bailian-app", bl_app_request, app_open,   app_close,
    app_event,     app_body,       app_finish, 0,
};
