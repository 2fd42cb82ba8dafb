/* SPDX-License-Identifier: Apache-2.0 */
#include "upstream/dialect_app.h"

#include <string.h>

typedef struct field_t {
    const char *name;
    size_t len;
    size_t offset; /* of its view in the struct that is filled */
} field_t;

#define FIELD(name, type, member)                                              \
    {                                                                          \
        name, sizeof(name) - 1, offsetof(type, member)                         \
    }
#define LAST_FIELD                                                             \
    {                                                                          \
        NULL, 0, 0                                                             \
    }

static const field_t top_fields[] = {
    FIELD("request_id", bl_app_event_t, request_id),
    FIELD("code", bl_app_event_t, code),
    FIELD("message", bl_app_event_t, message),
    FIELD("error", bl_app_event_t, error),
    FIELD("requestId", bl_app_event_t, request_id),
    LAST_FIELD,
};

static const field_t output_fields[] = {
    FIELD("text", bl_app_event_t, text),
    FIELD("finish_reason", bl_app_event_t, finish_reason),
    FIELD("session_id", bl_app_event_t, session_id),
    FIELD("thoughts", bl_app_event_t, thoughts),
    FIELD("doc_references", bl_app_event_t, references),
    FIELD("workflow_message", bl_app_event_t, workflow),
    LAST_FIELD,
};

static const field_t use_fields[] = {
    FIELD("input_tokens", bl_app_use_t, input),
    FIELD("output_tokens", bl_app_use_t, output),
    FIELD("model_id", bl_app_use_t, id),
    LAST_FIELD,
};

static bl_json_value_t *field_of(void *views, const field_t *fields,
                                 const bl_json_value_t *key)
{
    const field_t *f;

    for (f = fields; f->name; f++) {
        if (key->has_escapes
                ? bl_json_is_escaped(key, f->name)
                : key->len == f->len && !memcmp(key->at, f->name, f->len))
        {
            return (bl_json_value_t *)(void *)((char *)views + f->offset);
        }
    }
    return NULL;
}

/* The member that was read: into its view. */
static int keep_member(bl_json_scan_t *s, void *views, const field_t *fields,
                       const bl_json_value_t *key, bl_json_value_t *v)
{
    bl_json_value_t *view;

    if (!bl_json_scan_whole(s, v)) return 0;
    view = field_of(views, fields, key);
    if (view) *view = *v;
    return 1;
}

/* The members of the object that was opened last. */
static int read_fields(bl_json_scan_t *s, void *views, const field_t *fields)
{
    bl_json_value_t key, v;
    bl_json_token_t t;

    while ((t = bl_json_scan_member(s, &key, &v)) == BL_JSON_KEY) {
        if (!keep_member(s, views, fields, &key, &v)) return 0;
    }
    return t == BL_JSON_CLOSE;
}

static int read_models(bl_json_scan_t *s, bl_app_event_t *e)
{
    bl_json_token_t t;
    bl_app_use_t skipped;

    e->models = 0;
    while ((t = bl_json_scan_next(s)) == BL_JSON_OBJECT) {
        bl_app_use_t *use =
            e->models < BL_APP_MODELS ? &e->model[e->models++] : &skipped;

        memset(use, 0, sizeof(*use));
        if (!read_fields(s, use, use_fields)) return 0;
    }
    return t == BL_JSON_CLOSE;
}

static int read_usage(bl_json_scan_t *s, bl_app_event_t *e)
{
    bl_json_value_t key, v;
    bl_json_token_t t;
    int is_read;

    while ((t = bl_json_scan_member(s, &key, &v)) == BL_JSON_KEY) {
        if (v.kind == BL_JSON_ARRAY && bl_json_is(&key, "models")) {
            is_read = read_models(s, e);
        }
        else
            is_read = keep_member(s, &e->flat, use_fields, &key, &v);
        if (!is_read) return 0;
    }
    return t == BL_JSON_CLOSE;
}

static int read_top(bl_json_scan_t *s, bl_app_event_t *e)
{
    bl_json_value_t key, v;
    bl_json_token_t t;
    int is_read;

    while ((t = bl_json_scan_member(s, &key, &v)) == BL_JSON_KEY) {
        int is_output = bl_json_is(&key, "output");

        if (is_output) e->output = v;
        if (v.kind == BL_JSON_OBJECT && is_output) {
            is_read = read_fields(s, e, output_fields);
        }
        else if (v.kind == BL_JSON_OBJECT && bl_json_is(&key, "usage")) {
            is_read = read_usage(s, e);
        }
        else
            is_read = keep_member(s, e, top_fields, &key, &v);
        if (!is_read) return 0;
    }
    return t == BL_JSON_CLOSE && bl_json_scan_next(s) == BL_JSON_END;
}

/* Gateways put code and message into "error" (bailian.md 7.1). */
static void read_nested_error(bl_app_event_t *e)
{
    static const char *const names[] = {"code", "message"};
    bl_json_value_t v[2];

    if (!bl_app_members(&e->error, names, v, 2)) return;
    if (e->code.kind != BL_JSON_STRING) e->code = v[0];
    if (e->message.kind != BL_JSON_STRING) e->message = v[1];
}

int bl_app_event_read(bl_app_event_t *e, const char *data, size_t len)
{
    bl_json_scan_t s;

    /* BL_JSON_BAD: absent. Models are cleared one by one when they come. */
    memset(e, 0, offsetof(bl_app_event_t, model));
    bl_json_scan_init(&s, data, len);
    if (bl_json_scan_next(&s) != BL_JSON_OBJECT) return 0;
    if (!read_top(&s, e)) return 0;
    if (e->error.kind == BL_JSON_OBJECT) read_nested_error(e);
    return 1;
}

int bl_app_members(const bl_json_value_t *object, const char *const *names,
                   bl_json_value_t *values, int n)
{
    bl_json_value_t key, v;
    bl_json_scan_t s;
    bl_json_token_t t;
    int i;

    memset(values, 0, (size_t)n * sizeof(*values));
    if (object->kind != BL_JSON_OBJECT) return 0;
    bl_json_scan_init(&s, object->at, object->len);
    bl_json_scan_next(&s);
    while ((t = bl_json_scan_member(&s, &key, &v)) == BL_JSON_KEY) {
        if (!bl_json_scan_whole(&s, &v)) return 0;
        for (i = 0; i < n; i++) {
            if (bl_json_is(&key, names[i])) values[i] = v;
        }
    }
    return t == BL_JSON_CLOSE;
}
