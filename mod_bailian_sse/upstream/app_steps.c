/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect_app.h"

#include <string.h>
#include <strings.h>

#include "base/errors.h"
#include "base/utf8.h"

#define NAME_BYTES 256      /* of a node, tool or document title */
#define URL_BYTES 2048      /* of a reference */
#define REFERENCE_CHARS 300 /* of a reference's text */
#define INPUT_CHARS 300     /* of a tool's input */
#define FIELDS_BYTES (8192) /* references of one SEARCH event, about */
#define FIELDS_LIMIT (64 * 1024)

static apr_uint64_t mix(apr_uint64_t a, apr_uint64_t b)
{
    __extension__ unsigned __int128 product = (unsigned __int128)a * b;

    return (apr_uint64_t)product ^ (apr_uint64_t)(product >> 64);
}

/* Every event is hashed: 32 bytes a round in two lanes, which do not wait for
 * one another. */
apr_uint64_t bl_app_hash(apr_uint64_t seed, const char *data, size_t len)
{
    const apr_uint64_t k1 = APR_UINT64_C(0x9E3779B97F4A7C15);
    const apr_uint64_t k2 = APR_UINT64_C(0xD6E8FEB86659FD93);
    apr_uint64_t h = seed ^ (len * k2), g = k1, words[4] = {0, 0, 0, 0};

    for (; len >= 32; data += 32, len -= 32) {
        memcpy(words, data, 32);
        h = mix(words[0] ^ k1, words[1] ^ h);
        g = mix(words[2] ^ k2, words[3] ^ g);
    }
    memset(words, 0, sizeof(words));
    if (len) memcpy(words, data, len);
    h = mix(words[0] ^ k1, words[1] ^ h);
    g = mix(words[2] ^ k2, words[3] ^ g);
    h = mix(h ^ g, k1 ^ seed);
    return h ? h : 1;
}

/* Is this hash new? It is remembered then; a full table knows everything. */
static int is_new(bl_buf_t *seen, apr_uint64_t hash)
{
    const apr_uint64_t *known = (const apr_uint64_t *)(void *)seen->data;
    size_t i, n = seen->len / sizeof(hash);

    for (i = 0; i < n; i++) {
        if (known[i] == hash) return 0;
    }
    return n < BL_APP_SEEN &&
           bl_buf_append(seen, &hash, sizeof(hash)) == APR_SUCCESS;
}

/* ,"name":"value", cut at so many characters; nothing for what is no string.
 * With an empty buffer the comma becomes the opening brace. */
static void put_text(bl_buf_t *out, const char *name, const bl_json_value_t *v,
                     size_t most_chars, unsigned *pbad)
{
    const char *raw = v->at;
    size_t left = v->len, n = 0;
    bl_buf_t text;

    if (v->kind != BL_JSON_STRING) return;
    bl_buf_init(&text, 4 * most_chars + 16);
    if (bl_json_unescape(&text, &raw, &left, 4 * most_chars, pbad) ==
            APR_SUCCESS &&
        text.len)
    {
        for (; n < text.len && most_chars; most_chars--)
            n += bl_utf8_char_len(text.data + n, text.len - n);
        bl_buf_append(out, out->len ? "," : "{", 1);
        bl_json_puts(out, name);
        bl_buf_puts(out, ":\"");
        bl_json_escape(out, text.data, n, 0);
        bl_buf_puts(out, "\"");
    }
    bl_buf_release(&text);
}

static void put_word(bl_buf_t *out, const char *name, const char *word)
{
    bl_buf_append(out, out->len ? "," : "{", 1);
    bl_json_puts(out, name);
    bl_buf_puts(out, ":");
    bl_json_puts(out, word);
}

/* --- workflow nodes ----------------------------------------------------- */

typedef struct app_node_t {
    apr_uint64_t id;
    apr_uint64_t state; /* hash of the state told last */
    int is_done;        /* what it says from now on is a repeat */
} app_node_t;

/* What one message says of a node, in either of the two formats. */
typedef struct node_news_t {
    char id[NAME_BYTES];
    char name[NAME_BYTES];
    char type[64];
    char state[64];
    int is_completed;
    bl_json_value_t result; /* new text, a string value, or absent */
    bl_json_value_t reasoning;
} node_news_t;

static app_node_t *node_of(bl_app_t *a, const char *id)
{
    app_node_t *nodes = (app_node_t *)(void *)a->nodes.data, node;
    size_t i, n = a->nodes.len / sizeof(node);

    memset(&node, 0, sizeof(node));
    node.id = bl_app_hash(0, id, strlen(id));
    for (i = 0; i < n; i++) {
        if (nodes[i].id == node.id) return &nodes[i];
    }
    if (n == BL_APP_NODES ||
        bl_buf_append(&a->nodes, &node, sizeof(node)) != APR_SUCCESS)
    {
        return NULL;
    }
    nodes = (app_node_t *)(void *)a->nodes.data;
    return &nodes[n];
}

static int is_listed(const char *list, const char *word)
{
    size_t len = strlen(word), n;

    for (; *list; list += n + (list[n] == ',')) {
        const char *p = list;
        size_t m;

        m = n = strcspn(list, ",");
        while (m && *p == ' ')
            p++, m--;
        while (m && p[m - 1] == ' ')
            m--;
        if (len && m == len && !memcmp(p, word, len)) return 1;
    }
    return 0;
}

/* Is this node's text the answer? dialect.h, answer_nodes. In agent_format the
 * answer comes in output.text, and so it does where the mode was not set and
 * text came from there first: nodes would say it again. */
static int is_wanted(const bl_app_t *a, const node_news_t *news)
{
    if (a->flow_mode == BL_FLOW_AGENT) return 0;
    if (a->has_text && !a->has_node_text) return 0;
    if (a->answer_nodes) {
        return is_listed(a->answer_nodes, news->name) ||
               is_listed(a->answer_nodes, news->id);
    }
    return a->flow_mode == BL_FLOW_MESSAGE || !strcmp(news->type, "End");
}

static apr_status_t take_result(bl_app_t *a, const node_news_t *news)
{
    int before = a->emitted;
    apr_status_t rv = bl_app_text_new(a, BL_EV_DELTA, &news->result);

    if (a->emitted > before) a->has_node_text = 1;
    return rv;
}

static apr_status_t tell_state(bl_app_t *a, app_node_t *node,
                               const node_news_t *news)
{
    apr_uint64_t state = bl_app_hash(0, news->state, strlen(news->state));
    bl_buf_t fields;
    apr_status_t rv;

    if (!*news->state || node->state == state) return APR_SUCCESS;
    node->state = state;
    bl_buf_init(&fields, FIELDS_LIMIT);
    put_word(&fields, "node", *news->name ? news->name : news->id);
    put_word(&fields, "nodeType", news->type);
    put_word(&fields, "state", news->state);
    bl_buf_puts(&fields, "}");
    rv = bl_app_emit(a, BL_EV_STATUS, "", 0, &fields);
    bl_buf_release(&fields);
    return rv;
}

/* A state that goes on is told before the text, one that ends after it. */
static apr_status_t take_news(bl_app_t *a, const node_news_t *news)
{
    app_node_t *node = node_of(a, *news->id ? news->id : news->name);
    int is_going_on = !strcmp(news->state, "executing");
    apr_status_t rv = APR_SUCCESS;

    a->emitted++; /* a node that is heard of is progress (U12) */
    if (!node) return APR_SUCCESS;
    if (is_going_on) rv = tell_state(a, node, news);
    if (rv == APR_SUCCESS && !node->is_done) {
        rv = bl_app_text_new(a, BL_EV_REASONING, &news->reasoning);
    }
    if (rv == APR_SUCCESS && !node->is_done && is_wanted(a, news)) {
        rv = take_result(a, news);
    }
    if (rv == APR_SUCCESS && !is_going_on) rv = tell_state(a, node, news);
    if (news->is_completed) node->is_done = 1;
    return rv;
}

/* The JSON that stands in a string: unescaped into b, which must outlive v. */
static int open_string(bl_app_t *a, bl_buf_t *b, const bl_json_value_t *string,
                       bl_json_value_t *v)
{
    const char *raw = string->at;
    size_t left = string->len;
    bl_json_scan_t s;

    if (string->kind != BL_JSON_STRING) return 0;
    if (bl_json_unescape(b, &raw, &left, b->limit, &a->answer->bad_utf8) !=
        APR_SUCCESS)
    {
        return 0;
    }
    bl_json_scan_init(&s, b->data, b->len);
    return bl_json_scan_value(&s, v) == BL_JSON_OBJECT &&
           bl_json_scan_next(&s) == BL_JSON_END;
}

static void read_result(node_news_t *news, const bl_json_value_t *object)
{
    static const char *const names[] = {"result", "reasoningContent"};
    bl_json_value_t v[2];

    if (!bl_app_members(object, names, v, 2)) return;
    news->result = v[0];
    news->reasoning = v[1];
}

/* full_thoughts: a node is a JSON object in thoughts[].response; its
 * nodeResult is again JSON in a string (bailian.md 5.5). *pis_node: it was. */
static apr_status_t
take_node_thought(bl_app_t *a, const bl_json_value_t *response, int *pis_node)
{
    static const char *const names[] = {"nodeId", "nodeName", "nodeType",
                                        "nodeStatus", "nodeResult"};
    apr_status_t rv = APR_SUCCESS;
    bl_json_value_t object, result, v[5];
    node_news_t news;
    bl_buf_t outer, inner;

    *pis_node = 0;
    bl_buf_init(&outer, 3 * BL_CEIL_EVENT_BYTES);
    bl_buf_init(&inner, 3 * BL_CEIL_EVENT_BYTES);
    if (open_string(a, &outer, response, &object) &&
        bl_app_members(&object, names, v, 5) && v[0].kind == BL_JSON_STRING)
    {
        *pis_node = 1;
        memset(&news, 0, sizeof(news));
        bl_json_copy_text(news.id, sizeof(news.id), &v[0]);
        bl_json_copy_text(news.name, sizeof(news.name), &v[1]);
        bl_json_copy_text(news.type, sizeof(news.type), &v[2]);
        bl_json_copy_text(news.state, sizeof(news.state), &v[3]);
        news.is_completed = *news.state && strcmp(news.state, "executing");
        if (open_string(a, &inner, &v[4], &result)) read_result(&news, &result);
        rv = take_news(a, &news);
    }
    bl_buf_release(&outer);
    bl_buf_release(&inner);
    return rv;
}

/* content may be a string, parts, an empty array or null (quirk 20). */
static apr_status_t take_parts(bl_app_t *a, const node_news_t *news,
                               const bl_json_value_t *content)
{
    static const char *const names[] = {"text"};
    node_news_t part = *news;
    apr_status_t rv = APR_SUCCESS;
    bl_json_value_t item;
    bl_json_scan_t s;

    part.is_completed = 0;
    bl_json_scan_init(&s, content->at, content->len);
    bl_json_scan_next(&s);
    while (rv == APR_SUCCESS) {
        bl_json_token_t t = bl_json_scan_value(&s, &item);

        if (t == BL_JSON_CLOSE || t == BL_JSON_BAD) break;
        bl_app_members(&item, names, &part.result, 1);
        if (part.result.kind == BL_JSON_STRING) rv = take_news(a, &part);
    }
    return rv;
}

/* message_format and message_format_plus (bailian.md 5.6, 5.7). */
apr_status_t bl_app_take_workflow(bl_app_t *a, const bl_json_value_t *message)
{
    static const char *const names[] = {"node_id",   "node_name",
                                        "node_type", "node_status",
                                        "message",   "node_is_completed"};
    static const char *const inner_names[] = {"content"};
    bl_json_value_t v[6], content, object;
    apr_status_t rv = APR_SUCCESS;
    node_news_t news;
    bl_buf_t text;

    if (!bl_app_members(message, names, v, 6)) return APR_SUCCESS;
    memset(&news, 0, sizeof(news));
    bl_json_copy_text(news.id, sizeof(news.id), &v[0]);
    bl_json_copy_text(news.name, sizeof(news.name), &v[1]);
    bl_json_copy_text(news.type, sizeof(news.type), &v[2]);
    bl_json_copy_text(news.state, sizeof(news.state), &v[3]);
    news.is_completed = v[5].kind == BL_JSON_TRUE;
    bl_app_members(&v[4], inner_names, &content, 1);
    bl_buf_init(&text, 3 * BL_CEIL_EVENT_BYTES);
    if (!strcmp(news.type, "LLM") && open_string(a, &text, &content, &object)) {
        read_result(&news, &object);
    }
    else if (content.kind == BL_JSON_STRING)
        news.result = content;
    else if (content.kind == BL_JSON_ARRAY)
        rv = take_parts(a, &news, &content);
    if (rv == APR_SUCCESS) rv = take_news(a, &news);
    bl_buf_release(&text);
    return rv;
}

/* --- thoughts of an agent ----------------------------------------------- */

typedef struct thought_t {
    bl_json_value_t action_type;
    bl_json_value_t action_name;
    bl_json_value_t action;
    bl_json_value_t thought;
    bl_json_value_t response;
    bl_json_value_t action_input;
    bl_json_value_t observation;
} thought_t;

static const char *const thought_names[] = {
    "action_type", "action_name",  "action",     "thought",
    "response",    "action_input", "observation"};

#define THOUGHT_NAMES 7

static int is_text(const bl_json_value_t *v)
{
    return v->kind == BL_JSON_STRING && v->len > 0;
}

/* An object or number as the text it is, so that a reader needs no second
 * parser for what only a person reads. */
static void put_input(bl_app_t *a, bl_buf_t *fields, const bl_json_value_t *v)
{
    bl_buf_t text;
    size_t taken;

    if (v->kind == BL_JSON_STRING) {
        put_text(fields, "input", v, INPUT_CHARS, &a->answer->bad_utf8);
        return;
    }
    if (v->kind != BL_JSON_OBJECT || v->len <= 2) return;
    bl_buf_init(&text, 4 * INPUT_CHARS);
    bl_utf8_copy(&text, v->at, v->len, 4 * INPUT_CHARS, &taken,
                 &a->answer->bad_utf8);
    bl_buf_puts(fields, ",\"input\":\"");
    bl_json_escape(fields, text.data, text.len, 0);
    bl_buf_puts(fields, "\"");
    bl_buf_release(&text);
}

/* Names only: what a tool found may be hidden context of the app (S-68). */
static apr_status_t tell_tool(bl_app_t *a, const thought_t *t, int index)
{
    char name[NAME_BYTES], type[64];
    apr_uint64_t hash;
    apr_status_t rv;
    bl_buf_t fields;

    bl_json_copy_text(type, sizeof(type), &t->action_type);
    if (!strcmp(type, "response")) return APR_SUCCESS;
    if (!bl_json_copy_text(name, sizeof(name), &t->action_name)) {
        bl_json_copy_text(name, sizeof(name), &t->action);
    }
    if (!*name && !*type) return APR_SUCCESS;
    hash = bl_app_hash((apr_uint64_t)index + 1, name, strlen(name));
    hash = bl_app_hash(hash, type, strlen(type));
    if (!is_new(&a->seen, hash)) return APR_SUCCESS;
    bl_buf_init(&fields, FIELDS_LIMIT);
    put_word(&fields, "name", name);
    put_word(&fields, "toolType", type);
    put_input(a, &fields, &t->action_input);
    put_word(&fields, "state", is_text(&t->observation) ? "done" : "running");
    bl_buf_puts(&fields, "}");
    rv = bl_app_emit(a, BL_EV_TOOL, "", 0, &fields);
    bl_buf_release(&fields);
    return rv;
}

static apr_status_t take_thought(bl_app_t *a, const bl_json_value_t *item,
                                 int index, int is_final)
{
    bl_json_value_t v[THOUGHT_NAMES];
    apr_status_t rv = APR_SUCCESS;
    int is_node = 0;
    thought_t t;

    if (!bl_app_members(item, thought_names, v, THOUGHT_NAMES)) return rv;
    memcpy(&t, v, sizeof(t));
    if (t.action_type.kind == BL_JSON_STRING &&
        bl_json_is(&t.action_type, "reasoning"))
    {
        return bl_app_text_take(a, &a->reasoning,
                                is_text(&t.thought) ? &t.thought : &t.response,
                                0, is_final);
    }
    if (t.action_type.kind != BL_JSON_STRING) {
        rv = take_node_thought(a, &t.response, &is_node);
    }
    return is_node || rv != APR_SUCCESS ? rv : tell_tool(a, &t, index);
}

apr_status_t bl_app_take_thoughts(bl_app_t *a, const bl_json_value_t *thoughts,
                                  int is_final)
{
    apr_status_t rv = APR_SUCCESS;
    bl_json_value_t item;
    bl_json_scan_t s;
    int index = 0;

    if (thoughts->kind != BL_JSON_ARRAY) return rv;
    bl_app_text_begin(&a->reasoning);
    bl_json_scan_init(&s, thoughts->at, thoughts->len);
    bl_json_scan_next(&s);
    while (rv == APR_SUCCESS) {
        bl_json_token_t t = bl_json_scan_value(&s, &item);

        if (t == BL_JSON_CLOSE || t == BL_JSON_BAD) break;
        rv = take_thought(a, &item, index++, is_final);
    }
    return rv == APR_SUCCESS ? bl_app_text_end(a, &a->reasoning) : rv;
}

/* --- documents the answer refers to ------------------------------------- */

static int is_web_url(const bl_json_value_t *v)
{
    char text[16];

    bl_json_copy_text(text, sizeof(text), v);
    return !strncasecmp(text, "https://", 8) ||
           !strncasecmp(text, "http://", 7);
}

static void put_reference(bl_app_t *a, bl_buf_t *list,
                          const bl_json_value_t *item)
{
    static const char *const names[] = {"index_id", "title", "doc_name",
                                        "doc_url", "text"};
    unsigned *pbad = &a->answer->bad_utf8;
    bl_json_value_t v[5];
    bl_buf_t one;

    if (!bl_app_members(item, names, v, 5)) return;
    bl_buf_init(&one, FIELDS_LIMIT);
    put_text(&one, "index", &v[0], 64, pbad);
    put_text(&one, "title", &v[1], NAME_BYTES, pbad);
    put_text(&one, "docName", &v[2], NAME_BYTES, pbad);
    if (is_web_url(&v[3])) put_text(&one, "url", &v[3], URL_BYTES, pbad);
    put_text(&one, "text", &v[4], REFERENCE_CHARS, pbad);
    if (one.len) {
        bl_buf_puts(list, list->len ? "," : "{\"references\":[");
        bl_buf_append(list, one.data, one.len);
        bl_buf_puts(list, "}");
    }
    if (bl_buf_status(&one) == APR_ENOMEM) list->failed = APR_ENOMEM;
    bl_buf_release(&one);
}

static apr_status_t tell_references(bl_app_t *a, bl_buf_t *list)
{
    apr_status_t rv = APR_SUCCESS;

    if (bl_buf_status(list) == APR_ENOMEM) return APR_ENOMEM;
    if (!list->len) return rv;
    bl_buf_puts(list, "]}");
    rv = bl_app_emit(a, BL_EV_SEARCH, "", 0, list);
    bl_buf_clear(list);
    return rv;
}

/* They are repeated in every event from the first citation on, some 4 KB each
 * time: what is byte for byte the same as before is not walked again. */
apr_status_t bl_app_take_references(bl_app_t *a, const bl_json_value_t *refs)
{
    apr_status_t rv = APR_SUCCESS;
    bl_json_value_t item;
    apr_uint64_t hash;
    bl_json_scan_t s;
    bl_buf_t list;

    if (refs->kind != BL_JSON_ARRAY) return rv;
    hash = bl_app_hash(0, refs->at, refs->len);
    if (hash == a->last_refs) return rv;
    a->last_refs = hash;
    bl_buf_init(&list, FIELDS_LIMIT);
    bl_json_scan_init(&s, refs->at, refs->len);
    bl_json_scan_next(&s);
    while (rv == APR_SUCCESS) {
        bl_json_token_t t = bl_json_scan_value(&s, &item);

        if (t == BL_JSON_CLOSE || t == BL_JSON_BAD) break;
        if (is_new(&a->seen, bl_app_hash(0, item.at, item.len))) {
            put_reference(a, &list, &item);
        }
        if (list.len > FIELDS_BYTES) rv = tell_references(a, &list);
    }
    if (rv == APR_SUCCESS) rv = tell_references(a, &list);
    bl_buf_release(&list);
    return rv;
}
