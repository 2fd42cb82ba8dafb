/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect_app.h"

#include <string.h>

#include "base/errors.h"
#include "base/utf8.h"

/* Ours win over those of the app's settings. */
static const char *const our_parameters[] = {"incremental_output",
                                             "has_thoughts", "enable_thinking",
                                             "flow_stream_mode"};

static const char *const flow_names[] = {NULL, "full_thoughts",
                                         "message_format",
                                         "message_format_plus", "agent_format"};

static apr_status_t put_url(bl_buf_t *url, const bl_target_t *target)
{
    const char *p;

    if (!bl_app_id_is_valid(target->app_id)) return BL_E_BAD_VALUE;
    bl_buf_puts(url, target->base_url);
    bl_buf_puts(url, "/apps/");
    for (p = target->app_id; *p; p++) {
        /* One slot of the path (S-30): a slash must not open another. */
        if (*p == '/')
            bl_buf_puts(url, "%2F");
        else
            bl_buf_append(url, p, 1);
    }
    return bl_buf_puts(url, "/completion");
}

static int is_header_value(const char *value)
{
    for (; *value; value++) {
        if ((unsigned char)*value <= 0x20 || (unsigned char)*value >= 0x7F) {
            return 0;
        }
    }
    return 1;
}

apr_status_t bl_app_workspace(bl_buf_t *headers, const char *workspace)
{
    if (workspace && *workspace) {
        if (!is_header_value(workspace)) return BL_E_BAD_HEADER;
        bl_buf_puts(headers, "X-DashScope-WorkSpace: ");
        bl_buf_puts(headers, workspace);
        bl_buf_puts(headers, "\n");
    }
    return bl_buf_status(headers);
}

static apr_status_t put_headers(bl_buf_t *headers, const char *workspace)
{
    bl_buf_puts(headers, "Content-Type: application/json\n"
                         "Accept: text/event-stream\n"
                         "X-DashScope-SSE: enable\n"
                         "Accept-Encoding: identity\n"
                         "User-Agent: mod_bailian_sse/" BL_VERSION "\n");
    return bl_app_workspace(headers, workspace);
}

static void put_key(bl_buf_t *b, const char *key)
{
    if (b->len && b->data[b->len - 1] != '{') bl_buf_puts(b, ",");
    bl_json_puts(b, key);
    bl_buf_puts(b, ":");
}

static apr_status_t put_string(bl_buf_t *b, const char *key, const char *text)
{
    if (!text) return APR_SUCCESS;
    if (!bl_utf8_is_valid(text, strlen(text))) return BL_E_BAD_UTF8;
    put_key(b, key);
    return bl_json_puts(b, text);
}

/* JSON of somebody else: passed on when it is one value of this kind. */
static apr_status_t put_json(bl_buf_t *b, const char *key, const char *json,
                             bl_json_token_t kind)
{
    bl_json_value_t v;
    bl_json_scan_t s;

    if (!json) return APR_SUCCESS;
    bl_json_scan_init(&s, json, strlen(json));
    if (bl_json_scan_value(&s, &v) != kind ||
        bl_json_scan_next(&s) != BL_JSON_END) {
        return BL_E_BAD_VALUE;
    }
    if (!bl_utf8_is_valid(v.at, v.len)) return BL_E_BAD_UTF8;
    put_key(b, key);
    return bl_buf_append(b, v.at, v.len);
}

/* messages and prompt contradict each other (bailian.md 2.2): one of them. */
static apr_status_t put_input(bl_buf_t *b, const bl_ask_t *ask)
{
    apr_status_t rv;

    if (!ask->messages && !ask->prompt) return BL_E_BAD_VALUE;
    bl_buf_puts(b, "{\"input\":{");
    if (ask->messages) {
        rv = put_json(b, "messages", ask->messages, BL_JSON_ARRAY);
    }
    else {
        rv = put_string(b, "prompt", ask->prompt);
        if (rv == APR_SUCCESS) {
            rv = put_string(b, "session_id", ask->session_id);
        }
    }
    if (rv == APR_SUCCESS) {
        rv = put_json(b, "biz_params", ask->biz_params, BL_JSON_OBJECT);
    }
    if (rv == APR_SUCCESS) {
        rv = put_json(b, "image_list", ask->image_list, BL_JSON_ARRAY);
    }
    if (rv == APR_SUCCESS) {
        rv = put_json(b, "file_list", ask->file_list, BL_JSON_ARRAY);
    }
    if (rv == APR_SUCCESS) rv = put_string(b, "memory_id", ask->memory_id);
    bl_buf_puts(b, "}");
    return rv;
}

static int is_ours(const bl_json_value_t *key)
{
    size_t i;

    for (i = 0; i < sizeof(our_parameters) / sizeof(our_parameters[0]); i++) {
        if (bl_json_is(key, our_parameters[i])) return 1;
    }
    return 0;
}

static apr_status_t put_settings(bl_buf_t *b, const char *json)
{
    bl_json_value_t v;
    bl_json_token_t t;
    bl_json_scan_t s;

    if (!bl_utf8_is_valid(json, strlen(json))) return BL_E_BAD_UTF8;
    bl_json_scan_init(&s, json, strlen(json));
    if (bl_json_scan_next(&s) != BL_JSON_OBJECT) return BL_E_BAD_VALUE;
    while ((t = bl_json_scan_next(&s)) == BL_JSON_KEY) {
        bl_json_value_t key = s.token;

        if (bl_json_scan_value(&s, &v) == BL_JSON_BAD) break;
        if (is_ours(&key)) continue;
        bl_buf_puts(b, ",\"");
        bl_buf_append(b, key.at, key.len);
        bl_buf_puts(b, "\":");
        if (v.kind == BL_JSON_STRING) {
            v.at--; /* with its quotes */
            v.len += 2;
        }
        bl_buf_append(b, v.at, v.len);
    }
    return t == BL_JSON_CLOSE && bl_json_scan_next(&s) == BL_JSON_END
               ? bl_buf_status(b)
               : BL_E_BAD_VALUE;
}

static apr_status_t put_parameters(bl_buf_t *b, const bl_target_t *target,
                                   const char *settings)
{
    apr_status_t rv = APR_SUCCESS;

    /* Sent always: some models are incremental by default (bailian.md 5.9). */
    bl_buf_puts(b, ",\"parameters\":{\"incremental_output\":");
    bl_buf_puts(b, target->is_incremental ? "true" : "false");
    if (target->has_thoughts) bl_buf_puts(b, ",\"has_thoughts\":true");
    if (target->enable_thinking >= 0) {
        put_key(b, "enable_thinking");
        bl_buf_puts(b, target->enable_thinking ? "true" : "false");
    }
    if (target->flow_mode != BL_FLOW_NONE) {
        put_key(b, "flow_stream_mode");
        bl_json_puts(b, flow_names[target->flow_mode]);
    }
    if (settings) rv = put_settings(b, settings);
    bl_buf_puts(b, "},\"debug\":{}}");
    return rv;
}

apr_status_t bl_app_request(const bl_target_t *target, const bl_ask_t *ask,
                            bl_request_t *rq)
{
    apr_status_t rv = put_url(&rq->url, target);

    if (rv == APR_SUCCESS) rv = put_headers(&rq->headers, target->workspace);
    if (rv == APR_SUCCESS) rv = put_input(&rq->body, ask);
    if (rv == APR_SUCCESS) {
        rv = put_parameters(&rq->body, target, ask->parameters);
    }
    if (rv == APR_SUCCESS) rv = bl_buf_status(&rq->body);
    return rv == APR_ENOSPC ? BL_E_BODY_TOO_LARGE : rv;
}
