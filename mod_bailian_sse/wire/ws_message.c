/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/ws_message.h"
#include "base/time_text.h"

#include <string.h>

#define TYPE_BYTES 64
#define TEXT_BYTES (16 * 1024 * 1024) /* the message itself is bounded */

static const char *const names[] = {
#define X(name) #name,
    BL_MSG_TABLE(X)
#undef X
};

const char *bl_msg_name(bl_msg_type_t type)
{
    return type < BL_MSG_TYPES ? names[type] : "?";
}

/* --- a client's message ------------------------------------------------- */

static bl_msg_type_t type_of(const char *name)
{
    int i;

    for (i = 0; i < BL_MSG_TYPES && strcmp(names[i], name); i++)
        ;
    return (bl_msg_type_t)i;
}

/* An id that a client chose: "" is none. */
static apr_status_t get_id(const json_t *o, const char *key, const char **pid)
{
    apr_status_t rv = bl_json_get_string(o, key, BL_ITEM_ID_BYTES - 1, pid);

    if (rv == APR_SUCCESS && *pid && !**pid) *pid = NULL;
    return rv;
}

/* What a member says wrongly is told by its name. */
static apr_status_t fault(const char **pfield, const char *name,
                          apr_status_t rv)
{
    if (rv != APR_SUCCESS) *pfield = name;
    return rv;
}

static apr_status_t read_envelope(bl_msg_t *m, const char **pfield)
{
    const char *type = NULL;
    apr_status_t rv;

    if (bl_json_get_string(m->json, "type", TYPE_BYTES, &type) != APR_SUCCESS ||
        !type || (m->type = type_of(type)) == BL_MSG_TYPES)
    {
        return fault(pfield, "type", BL_E_BAD_VALUE);
    }
    /* "ping", null and the like: fine where nothing is read from them. */
    if (bl_json_get_object(m->json, "data", &m->data) != APR_SUCCESS) {
        m->data = NULL;
    }
    rv = m->data ? get_id(m->data, "sessionId", &m->session_id) : APR_SUCCESS;
    if (rv == APR_SUCCESS && !m->session_id) {
        rv = get_id(m->json, "sessionId", &m->session_id);
    }
    return fault(pfield, "sessionId", rv);
}

apr_status_t bl_msg_parse(bl_msg_t *m, const char *text, size_t len,
                          const char **pfield)
{
    apr_status_t rv;

    memset(m, 0, sizeof(*m));
    m->type = BL_MSG_TYPES;
    *pfield = NULL;
    rv = bl_json_parse(&m->json, text, len, NULL);
    if (rv != APR_SUCCESS) return rv;
    return json_is_object(m->json) ? read_envelope(m, pfield) : BL_E_BAD_VALUE;
}

void bl_msg_release(bl_msg_t *m)
{
    json_decref(m->json);
    memset(m, 0, sizeof(*m));
}

static apr_status_t read_resume(const json_t *data, bl_msg_ask_t *ask)
{
    json_t *resume = NULL;
    apr_int64_t after = 0;
    apr_status_t rv = bl_json_get_object(data, "resume", &resume);

    if (rv != APR_SUCCESS || !resume) return rv;
    rv = bl_json_get_string(resume, "streamId", BL_ID_TEXT, &ask->resume);
    if (rv == APR_SUCCESS &&
        (!ask->resume || strlen(ask->resume) != BL_ID_TEXT)) {
        rv = BL_E_BAD_VALUE;
    }
    if (rv == APR_SUCCESS) {
        rv = bl_json_get_int(resume, "after", 0, APR_INT64_MAX, &after);
    }
    ask->after = (apr_uint64_t)after;
    return rv;
}

/* The client's own name for its question: two spellings. */
static apr_status_t read_request_id(const json_t *data, bl_msg_ask_t *ask)
{
    apr_status_t rv = get_id(data, "requestId", &ask->request_id);

    if (rv != APR_SUCCESS || ask->request_id) return rv;
    return get_id(data, "messageId", &ask->request_id);
}

apr_status_t bl_msg_ask(const bl_msg_t *m, bl_msg_ask_t *ask,
                        const char **pfield)
{
    const char *ignored;
    apr_status_t rv;

    memset(ask, 0, sizeof(*ask));
    ask->is_streaming = 1;
    if (!m->data) return fault(pfield, "data", BL_E_BAD_VALUE);
    rv = fault(pfield, "resume", read_resume(m->data, ask));
    if (rv == APR_SUCCESS) {
        rv = fault(pfield, "requestId", read_request_id(m->data, ask));
    }
    if (rv != APR_SUCCESS || ask->resume) return rv;
    if (bl_json_get_string(m->data, "message", TEXT_BYTES, &ask->message) !=
            APR_SUCCESS ||
        !ask->message || !*ask->message)
    {
        return fault(pfield, "message", BL_E_BAD_VALUE);
    }
    rv = fault(pfield, "streaming",
               bl_json_get_bool(m->data, "streaming", &ask->is_streaming));
    if (rv == APR_SUCCESS) {
        rv = fault(pfield, "model", get_id(m->data, "model", &ask->model));
    }
    if (rv == APR_SUCCESS) {
        rv = fault(pfield, "conversationId",
                   get_id(m->data, "conversationId", &ask->conversation_id));
    }
    if (rv == APR_SUCCESS) {
        rv = fault(pfield, "key", get_id(m->data, "key", &ask->key));
    }
    /* Where a question goes is the app's matter, and what it follows the
     * conversation's (S-30): these two are looked at and not used. */
    if (rv == APR_SUCCESS) {
        rv = fault(pfield, "provider", get_id(m->data, "provider", &ignored));
    }
    if (rv == APR_SUCCESS) {
        rv = fault(pfield, "parentMessageId",
                   get_id(m->data, "parentMessageId", &ignored));
    }
    if (!ask->conversation_id) ask->conversation_id = m->session_id;
    return rv;
}

const char *bl_msg_stops(const bl_msg_t *m)
{
    const char *id = NULL;

    if (m->data) get_id(m->data, "messageId", &id);
    return id;
}

int bl_msg_leaves(const bl_msg_t *m)
{
    int is_left = 0;

    return m->data &&
           bl_json_get_bool(m->data, "leave", &is_left) == APR_SUCCESS &&
           is_left;
}

/* --- a server's message ------------------------------------------------- */

static void put_text(bl_buf_t *json, const char *name, const char *text)
{
    bl_buf_puts(json, name);
    bl_json_puts(json, text ? text : "");
}

void bl_msg_begin(bl_buf_t *json, bl_msg_type_t type, const char *session_id,
                  const bl_msg_peer_t *peer)
{
    bl_buf_clear(json);
    bl_buf_puts(json, "{\"type\":\"");
    bl_buf_puts(json, bl_msg_name(type));
    put_text(json, "\",\"sessionId\":", session_id);
    put_text(json, ",\"userId\":", peer->user_id);
    bl_buf_puts(json, ",\"data\":");
}

void bl_msg_end(bl_buf_t *json, apr_time_t now)
{
    char text[BL_TIME_TEXT];

    bl_buf_puts(json, ",\"timestamp\":\"");
    bl_buf_puts(json, bl_time_text(text, now));
    bl_buf_puts(json, "\"}");
}

void bl_msg_put_error(bl_buf_t *json, const char *session_id,
                      const bl_msg_peer_t *peer, const bl_msg_error_t *e,
                      apr_time_t now)
{
    bl_msg_begin(json, BL_MSG_ERROR, session_id, peer);
    bl_json_puts(json, bl_error_sentence(e->why, peer->lang));
    put_text(json, ",\"code\":", e->why->code);
    if (e->message_id) put_text(json, ",\"messageId\":", e->message_id);
    if (e->request_id) put_text(json, ",\"requestId\":", e->request_id);
    if (e->field) put_text(json, ",\"field\":", e->field);
    bl_msg_end(json, now);
}

void bl_msg_put_remark(bl_buf_t *json, bl_msg_type_t type,
                       const char *session_id, const bl_msg_peer_t *peer,
                       const char *message, const char *code,
                       const char *message_id, apr_time_t now)
{
    bl_msg_begin(json, type, session_id, peer);
    put_text(json, "{\"message\":", message);
    if (code) put_text(json, ",\"code\":", code);
    if (message_id) put_text(json, ",\"messageId\":", message_id);
    bl_buf_puts(json, "}");
    bl_msg_end(json, now);
}

/* --- an answer ---------------------------------------------------------- */

static void begin(const bl_msg_answer_t *a, bl_buf_t *json, bl_msg_type_t type,
                  const bl_msg_peer_t *peer)
{
    bl_msg_begin(json, type, a->session_id, peer);
    put_text(json, "{\"messageId\":", a->message_id);
}

void bl_msg_put_start(bl_msg_answer_t *a, bl_buf_t *json,
                      const bl_msg_peer_t *peer, apr_uint64_t after,
                      apr_time_t now)
{
    begin(a, json, BL_MSG_CHAT_STREAM_START, peer);
    put_text(json, ",\"model\":", a->model);
    put_text(json, ",\"provider\":", a->provider);
    put_text(json, ",\"requestId\":", a->request_id);
    put_text(json, ",\"streamId\":", a->message_id);
    put_text(json, ",\"conversationId\":", a->session_id);
    if (after) {
        bl_buf_puts(json, ",\"after\":");
        bl_buf_putu(json, after);
    }
    bl_buf_puts(json, "}");
    bl_msg_end(json, now);
}

int bl_msg_wants_text(const bl_msg_answer_t *a, const bl_event_t *ev)
{
    if (!a->is_streaming) return bl_event_is_good_end(ev);
    return ev->kind == BL_EV_REPLACE;
}

static void put_escaped(bl_buf_t *json, const char *name, const char *text,
                        size_t len)
{
    bl_buf_puts(json, name);
    bl_buf_puts(json, "\"");
    bl_json_escape(json, text, len, 0);
    bl_buf_puts(json, "\"");
}

static void put_data(bl_msg_answer_t *a, bl_buf_t *json,
                     const bl_msg_peer_t *peer, const bl_event_t *ev,
                     const bl_span_t *text, apr_time_t now)
{
    size_t len = ev->kind == BL_EV_DELTA ? ev->text_len : 0;

    begin(a, json, BL_MSG_CHAT_STREAM_DATA, peer);
    put_escaped(json, ",\"content\":", ev->text, len);
    put_escaped(json, ",\"delta\":", ev->text, len);
    bl_buf_puts(json, ",\"index\":");
    bl_buf_putu(json, a->index++);
    bl_buf_puts(json, ",\"seq\":");
    bl_buf_putu(json, ev->seq);
    if (ev->kind == BL_EV_REASONING) {
        put_escaped(json, ",\"reasoning\":", ev->text, ev->text_len);
    }
    else if (ev->kind == BL_EV_REPLACE) {
        put_escaped(json, ",\"replace\":", text->at, text->len);
    }
    else if (ev->kind == BL_EV_SEARCH) {
        bl_chat_put_references(json, ev);
    }
    else if (ev->kind != BL_EV_DELTA) {
        bl_chat_put_status(json, ev);
    }
    bl_buf_puts(json, "}");
    bl_msg_end(json, now);
}

static void keep_usage(bl_msg_answer_t *a, const bl_event_t *ev)
{
    static const char *const parts[] = {"inputTokens", "outputTokens"};
    size_t i;

    for (i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
        bl_json_value_t v = bl_chat_field(ev->fields, ev->fields_len, parts[i]);
        apr_int64_t n = bl_json_count(&v, APR_INT32_MAX);

        if (n < 0) continue;
        a->total_tokens = (a->total_tokens < 0 ? 0 : a->total_tokens) + n;
    }
}

static void put_sums(const bl_msg_answer_t *a, bl_buf_t *json,
                     const bl_event_t *end)
{
    if (a->total_tokens < 0)
        bl_buf_puts(json, ",\"totalTokens\":null");
    else
        bl_buf_printf(json, ",\"totalTokens\":%" APR_INT64_T_FMT,
                      a->total_tokens);
    bl_buf_puts(json, ",\"duration\":");
    bl_buf_putu(json, end->at_ms);
}

/* Numbers and hex digits of ours. */
static void put_check(bl_buf_t *json, const bl_event_t *end)
{
    bl_json_value_t v = bl_chat_field(end->fields, end->fields_len, "length");

    if (v.kind == BL_JSON_NUMBER) {
        bl_buf_puts(json, ",\"length\":");
        bl_buf_append(json, v.at, v.len);
    }
    v = bl_chat_field(end->fields, end->fields_len, "sha256");
    if (v.kind == BL_JSON_STRING) {
        bl_buf_puts(json, ",\"sha256\":\"");
        bl_buf_append(json, v.at, v.len);
        bl_buf_puts(json, "\"");
    }
}

static void put_response(bl_msg_answer_t *a, bl_buf_t *json,
                         const bl_msg_peer_t *peer, const bl_event_t *end,
                         const bl_span_t *text, apr_time_t now)
{
    begin(a, json, BL_MSG_CHAT_RESPONSE, peer);
    put_escaped(json, ",\"content\":", text->at, text->len);
    put_sums(a, json, end);
    put_text(json, ",\"requestId\":", a->request_id);
    put_text(json, ",\"model\":", a->model);
    put_check(json, end);
    bl_buf_puts(json, "}");
    bl_msg_end(json, now);
}

/* A stop that somebody asked for is no failure where END can say it. */
static void put_failure(bl_msg_answer_t *a, bl_buf_t *json,
                        const bl_msg_peer_t *peer, const bl_event_t *end,
                        apr_time_t now)
{
    char reason[64];
    bl_outcome_t outcome = bl_chat_outcome(end, reason, sizeof(reason));
    bl_msg_error_t e = {bl_chat_error(outcome, reason), a->message_id,
                        a->request_id, NULL};

    if (!e.why || (a->is_streaming && outcome == BL_OUTCOME_CANCELLED)) return;
    bl_msg_put_error(json, a->session_id, peer, &e, now);
}

void bl_msg_put_event(bl_msg_answer_t *a, bl_buf_t *json,
                      const bl_msg_peer_t *peer, const bl_event_t *ev,
                      const bl_span_t *text, apr_time_t now)
{
    bl_buf_clear(json);
    if (ev->kind == BL_EV_USAGE)
        keep_usage(a, ev);
    else if (ev->kind == BL_EV_END && !bl_event_is_good_end(ev))
        put_failure(a, json, peer, ev, now);
    else if (!a->is_streaming && ev->kind == BL_EV_END)
        put_response(a, json, peer, ev, text, now);
    else if (!a->is_streaming || ev->kind == BL_EV_END)
        return;
    else if (ev->kind == BL_EV_START)
        bl_msg_put_start(a, json, peer, 0, now);
    else
        put_data(a, json, peer, ev, text, now);
}

static const char *finish_reason(const bl_event_t *end)
{
    char reason[64], finish[32];
    bl_json_value_t v =
        bl_chat_field(end->fields, end->fields_len, "finishReason");

    bl_json_copy_text(finish, sizeof(finish), &v);
    switch (bl_chat_outcome(end, reason, sizeof(reason))) {
    case BL_OUTCOME_COMPLETED:
        return strcmp(finish, "length") ? "completed" : "length";
    case BL_OUTCOME_LENGTH:
        return "length";
    case BL_OUTCOME_CANCELLED:
        return "cancelled";
    case BL_OUTCOME_TIMEOUT:
        return "timeout";
    default:
        return "error";
    }
}

void bl_msg_put_finish(bl_msg_answer_t *a, bl_buf_t *json,
                       const bl_msg_peer_t *peer, const bl_event_t *end,
                       apr_time_t now)
{
    begin(a, json, BL_MSG_CHAT_STREAM_END, peer);
    bl_buf_puts(json, ",\"finished\":true");
    put_sums(a, json, end);
    put_text(json, ",\"finishReason\":", finish_reason(end));
    bl_buf_puts(json, ",\"seq\":");
    bl_buf_putu(json, end->seq);
    put_check(json, end);
    bl_buf_puts(json, "}");
    bl_msg_end(json, now);
}
