/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dialect_run - one answer through the application dialect, for its tests:
 * what was emitted is kept as lines "kind|text|fields".
 */
#ifndef BL_TEST_DIALECT_RUN_H
#define BL_TEST_DIALECT_RUN_H

#include "codec.h"

#include <jansson.h>

#include "base/utf8.h"
#include "upstream/dialect.h"

#define FFFD "\xEF\xBF\xBD"
#define QWEN_USAGE(in, out)                                                    \
    "usage||{\"inputTokens\":" in ",\"outputTokens\":" out                     \
    ",\"models\":[{\"model\":\"qwen-plus\",\"inputTokens\":" in                \
    ",\"outputTokens\":" out "}]}\n"

typedef struct run_t {
    bl_target_t target;
    bl_answer_t answer;
    bl_emitter_t emitter;
    bl_buf_t lines;
    void *state;
    size_t longest; /* text of one event */
    int events;
    apr_status_t last; /* of event() */
} run_t;

static inline apr_status_t emit(void *ctx, const bl_event_t *ev)
{
    run_t *r = ctx;

    assert_true(bl_utf8_is_valid(ev->text, ev->text_len));
    if (ev->fields) {
        json_t *json = json_loadb(ev->fields, ev->fields_len,
                                  JSON_REJECT_DUPLICATES, NULL);

        assert_true(json_is_object(json));
        json_decref(json);
    }
    if (ev->text_len > r->longest) r->longest = ev->text_len;
    r->events++;
    bl_buf_puts(&r->lines, bl_event_kind_name(ev->kind));
    bl_buf_puts(&r->lines, "|");
    bl_buf_append(&r->lines, ev->text, ev->text_len);
    bl_buf_puts(&r->lines, "|");
    bl_buf_append(&r->lines, ev->fields ? ev->fields : "", ev->fields_len);
    return bl_buf_puts(&r->lines, "\n");
}

static inline void open_run(run_t *r)
{
    memset(&r->answer, 0xA5, sizeof(r->answer)); /* open has to clear it */
    bl_buf_init(&r->lines, 64 * 1024 * 1024);
    r->longest = 0;
    r->events = 0;
    r->last = APR_SUCCESS;
    r->emitter.emit = emit;
    r->emitter.ctx = r;
    assert_int_equal(
        bl_dialect_app.open(&r->state, &r->target, &r->emitter, &r->answer),
        APR_SUCCESS);
}

static inline void begin(run_t *r, int is_incremental, bl_flow_mode_t mode)
{
    memset(r, 0, sizeof(*r));
    r->target.base_url = "https://dashscope.example/api/v1";
    r->target.app_id = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
    r->target.enable_thinking = -1;
    r->target.is_incremental = is_incremental;
    r->target.flow_mode = mode;
    open_run(r);
}

static inline void end(run_t *r)
{
    bl_dialect_app.close(r->state);
    bl_buf_release(&r->lines);
}

/* One event with this data, its own id and name. */
static inline apr_status_t event_of(run_t *r, const char *name, const char *id,
                                    int http, const char *data, size_t len)
{
    bl_sse_event_t ev = {name, id, data, len, http, 0};

    r->last = bl_dialect_app.event(r->state, &ev);
    return r->last;
}

static inline apr_status_t event(run_t *r, const char *data)
{
    return event_of(r, "result", "", 200, data, strlen(data));
}

/* {"output":{"finish_reason":<finish>,"text":<text>}} */
static inline apr_status_t text_event(run_t *r, const char *text,
                                      const char *finish)
{
    bl_buf_t b;
    apr_status_t rv;

    bl_buf_init(&b, 4 * 1024 * 1024);
    bl_buf_printf(&b, "{\"output\":{\"finish_reason\":\"%s\",\"text\":\"%s\"}}",
                  finish, text);
    rv = event_of(r, "result", "", 200, b.data, b.len);
    bl_buf_release(&b);
    return rv;
}

#define assert_lines(r, text) assert_buf(&(r)->lines, text)

/* --- bytes, as a transfer would feed them -------------------------------- */

static inline apr_status_t on_event(void *ctx, const bl_sse_event_t *ev)
{
    run_t *r = ctx;
    apr_status_t rv = bl_dialect_app.event(r->state, ev);

    r->last = rv;
    return rv == APR_EAGAIN ? APR_SUCCESS : rv;
}

/* Bytes cut at `cut` (0: byte by byte), as a transfer would feed them. */
static inline void feed_all(run_t *r, const char *data, size_t len, size_t cut)
{
    bl_sse_parser_t p;
    size_t i;

    bl_sse_parser_init(&p, 0);
    if (cut) {
        bl_sse_parser_feed(&p, data, cut, on_event, r);
        bl_sse_parser_feed(&p, data + cut, len - cut, on_event, r);
    }
    else {
        for (i = 0; i < len; i++)
            bl_sse_parser_feed(&p, data + i, 1, on_event, r);
    }
    bl_sse_parser_end(&p, on_event, r);
    bl_dialect_app.finish(r->state);
    bl_sse_parser_release(&p);
}

#endif
